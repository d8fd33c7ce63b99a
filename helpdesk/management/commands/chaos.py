import json
import os
import platform
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from botbridge import crash
from helpdesk.bench.report import write
from helpdesk.bench.servers import production
from helpdesk.chaos import outages, report

DOCUMENT = settings.BASE_DIR / "docs" / "chaos.md"
DATABASES = ("sqlite", "postgresql")


class Command(BaseCommand):
    help = (
        "Kills the bot again and again while people write, breaks its networks and its databases, and compares what "
        "Telegram delivered with what the desk says. Ends with 1 when anything is wrong. See docs/chaos.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--database", nargs="+", choices=DATABASES, default=list(DATABASES))
        parser.add_argument(
            "--postgresql",
            metavar="URL",
            help="a server where its superuser may make a database; without it a cluster is made with the programs of "
            "the newest PostgreSQL on this machine, and can really be stopped",
        )
        parser.add_argument("--updates", type=int, default=3_000, help="messages customers write; %(default)s")
        parser.add_argument("--chats", type=int, default=60, help="customers; %(default)s")
        parser.add_argument("--replies", type=int, default=1_500, help="replies of their manager; %(default)s")
        parser.add_argument("--kills", type=int, default=36, help="of the bot, at least one a point; %(default)s")
        parser.add_argument("--outages", type=int, default=10, help="of Telegram, and of PostgreSQL; %(default)s")
        parser.add_argument(
            "--longest", type=float, default=outages.LONGEST, metavar="SECONDS", help="of an outage; %(default)s"
        )
        parser.add_argument("--seed", type=int, help="to have the same dice as another run had")
        parser.add_argument("--write", action="store_true", help=f"the report into {DOCUMENT.name}, too")

    def handle(self, *args: Any, **options: Any) -> None:
        least = len(crash.OF_THE_BOT) + 1
        if options["kills"] < least:
            raise CommandError(f"At least {least} kills: one at random and one at each point.")
        seed = options["seed"] if options["seed"] is not None else random.SystemRandom().getrandbits(32)
        options["seed"] = seed
        self.stderr.write(f"--seed {seed}")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        runs = [self._run(database, options) for database in options["database"]]
        text = report.markdown(runs, _facts(options))
        self.stdout.write(text)
        if options["write"]:
            write(DOCUMENT, text, report.MARK)
        if any(run.wrong for run in runs):
            sys.exit(1)

    def _run(self, database: str, options: dict[str, Any]) -> report.Found:
        """In a process of its own; what it leaves stays where something was wrong."""
        names = ("updates", "chats", "replies", "kills", "outages", "longest", "seed")
        folder = Path(tempfile.mkdtemp(prefix=f"helpdesk-chaos-{database}-"))
        asked = {
            "database": database,
            "server": options["postgresql"],
            "folder": str(folder),
            "size": {name: options[name] for name in names},
        }
        self.stderr.write(f"{database}: what the processes say is in {folder}")
        with subprocess.Popen(  # noqa: S603  # the command is ours
            [sys.executable, "-m", "helpdesk.chaos.inside", json.dumps(asked)],
            cwd=settings.BASE_DIR,
            env=os.environ | production(folder) | {"BACKUP_KEEP": "0"},
            stdout=subprocess.PIPE,
        ) as running:
            try:
                printed, _ = running.communicate()
            except KeyboardInterrupt:
                running.terminate()
                raise
        if running.returncode:
            raise CommandError(f"The run on {database} broke off; see {folder} and above.")
        found = report.Found(**json.loads(printed))
        if not found.wrong:
            shutil.rmtree(folder)
        return found


def _facts(options: dict[str, Any]) -> list[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("updates", "chats", "replies", "kills", "outages", "longest", "seed")
    arguments = shlex.join(
        f"--{name}={options[name]:g}" if name == "longest" else f"--{name}={options[name]}" for name in names
    )
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores, {memory:.0f} GB, {platform.machine()}",
        f"Python {platform.python_version()}, Django {django.get_version()}",
        f'`make chaos ARGS="{arguments}"`',
    ]
