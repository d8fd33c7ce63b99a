"""What the desk's screens are made of: reads, shaped for their templates. Nothing here writes."""
