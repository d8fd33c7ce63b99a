import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from helpdesk.bench import bridge, measuring, report, servers
from helpdesk.bench.soak import soak
from helpdesk.bench.store import Store

ROWS = (*measuring.ALL, *bridge.ALL)
DOCUMENT = settings.BASE_DIR / "docs" / "performance.md"


class Command(BaseCommand):
    help = (
        "Fills databases of its own with tickets, measures the desk and the API on them, and writes the table into "
        "docs/performance.md. See there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--postgresql",
            default="postgres://postgres@127.0.0.1:5432/postgres",
            metavar="URL",
            help="a server where its superuser may make databases; %(default)s",
        )
        parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000], metavar="TICKETS")
        parser.add_argument(
            "--rows",
            nargs="+",
            choices=ROWS,
            default=list(ROWS),
            metavar="ROW",
            help=f"what to measure, of: {'; '.join(ROWS)}",
        )
        parser.add_argument("--rounds", type=int, default=5, help="how often everything takes its turn; %(default)s")
        parser.add_argument("--seconds", type=float, default=3.0, help="of each turn; %(default)s")
        parser.add_argument(
            "--soak",
            type=float,
            default=0,
            metavar="MINUTES",
            help="then load everything for so long at the largest size, and watch the memory; an hour is 60",
        )
        parser.add_argument("--drop", action="store_true", help="drop the filled databases at the end, too")

    def handle(self, *args: Any, **options: Any) -> None:
        sizes = sorted(set(options["sizes"]))
        if sizes[0] < 1000:
            raise CommandError("With fewer than 1,000 tickets there are too few active ones to fill a page.")
        # Asked to end it cleans up as after Ctrl+C: else its servers and copies would stay.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with tempfile.TemporaryDirectory(prefix="helpdesk-bench-") as place, ExitStack() as at_the_end:
            environment = servers.production(Path(place))
            _manage(environment, "collectstatic", "--no-input", "--verbosity", "0")
            store = Store(options["postgresql"], environment)
            desks, names, pids = [], [], {}
            for number in sizes:
                name = store.copy_of(number, self.stderr.write)
                names.append(name)
                at_the_end.callback(store.drop, name)
                if options["drop"]:
                    at_the_end.callback(store.drop_seed, number)
                pid, port = at_the_end.enter_context(servers.web_server(store.url(name), environment))
                desks.append(measuring.open_desk(store.inside(name, "open"), number, port))
                pids[number] = pid
            asked = [what for what in measuring.ALL if what in options["rows"]]
            samples = measuring.measure(
                desks, asked, rounds=options["rounds"], seconds=options["seconds"], say=self.stderr.write
            )
            memory = {number: servers.worker_memory(pid) for number, pid in pids.items()}
            found = report.figures(samples)
            rows = report.targets(found, memory)
            bot = bridge.Bridge(store, names[-1], desks[-1], environment)
            rows += bot.rows(options["rows"], self.stderr.write)
            if options["soak"]:
                rows += soak(bot, pids[sizes[-1]], options["soak"], self.stderr.write)
            text = report.markdown(found, rows, _facts(store, options))
        self.stdout.write(text)
        report.write(DOCUMENT, text, report.MARK)


def _manage(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(  # noqa: S603  # the command is ours
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        # It asks no database; a file of its own keeps it from everybody else's.
        env=os.environ | environment | {"DATABASE_URL": f"sqlite:///{environment['STATIC_ROOT']}.sqlite3"},
        check=True,
    )


def _facts(store: Store, options: dict[str, Any]) -> list[str]:
    turns = f"{options['rounds']} turns of {options['seconds']:g} s"
    sizes = " ".join(str(size) for size in options["sizes"])
    some = shlex.join(options["rows"]) if set(options["rows"]) != set(ROWS) else ""
    only = f" --rows {some}" if some else ""
    only += f" --soak {options['soak']:g}" if options["soak"] else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores, {memory:.0f} GB, {platform.machine()}",
        f"Python {platform.python_version()}, Django {django.get_version()}, {store.version()}",
        f"{servers.WORKERS} web workers, {measuring.CLIENTS} clients, {turns} for each line",
        f'`make bench ARGS="--sizes {sizes} --rounds {options["rounds"]} --seconds {options["seconds"]:g}{only}"`',
    ]
