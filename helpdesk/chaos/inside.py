"""One run in a process of its own: `python -m helpdesk.chaos.inside '{"database": "sqlite", …}'`.

Django is told its database when it starts, and here that is made first.
"""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from helpdesk.chaos import databases


def main(asked: dict[str, object]) -> None:
    """Prints, as JSON, what the run found."""
    folder, server = Path(str(asked["folder"])), asked["server"]
    # Asked to end it cleans up as after Ctrl+C: else its processes and its cluster would stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    postgresql = databases.postgresql(str(server) if server else None)
    opened = databases.sqlite(folder) if asked["database"] == "sqlite" else postgresql
    with opened as database:
        os.environ["DATABASE_URL"] = database.url
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        from helpdesk.chaos.run import Size, run

        call_command("migrate", verbosity=0)
        size = Size(**asked["size"])  # type: ignore[arg-type]
        found = run(database, size, folder, lambda text: print(text, file=sys.stderr))  # noqa: T201
        connections.close_all()
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
