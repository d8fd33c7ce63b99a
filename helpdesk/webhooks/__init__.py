"""Telling other programs what happens to tickets: addresses that may be told (`addresses`), one request (`sending`),
and what is told to whom, in order (`delivering`)."""
