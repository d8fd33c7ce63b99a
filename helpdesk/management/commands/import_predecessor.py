from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from helpdesk.predecessor import Outcome, Run, Source, SourceError
from helpdesk.predecessor.report import Report


class Command(BaseCommand):
    help = (
        "Takes over tickets, messages and chats of the earlier service. A dry run unless --apply. See docs/import.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dsn", required=True, help="its PostgreSQL database: postgresql://user@host/name")
        parser.add_argument(
            "--apply", action="store_true", help="write; without it everything is only read and reported"
        )
        parser.add_argument("--time-zone", default="UTC", help="where times without a zone were written; UTC")
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="where to tell what did not fit; below var/import"
        )

    def handle(self, *, dsn: str, apply: bool, time_zone: str, report: Path | None, **options: Any) -> None:
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise CommandError(f"{time_zone!r} is no time zone of the tz database.") from error
        path = report or settings.VAR_DIR / "import" / report_name(timezone.now())
        try:
            with Source(dsn) as source, Report(path) as told:
                outcome = Run(source, told, apply=apply, zone=zone, say=self.stdout.write).go()
        except SourceError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            raise CommandError(f"The portions before are kept; run it again. The database said: {error}") from error
        except OSError as error:
            raise CommandError(
                f"The report cannot be written to {path}: {error.strerror}. Name another place with --report."
            ) from error
        self._tell(outcome, told, apply=apply)

    def _tell(self, outcome: Outcome, told: Report, *, apply: bool) -> None:
        self.stdout.write(
            f"Read: {outcome.tickets:,} tickets, {outcome.messages:,} messages, {outcome.sessions:,} chats."
        )
        if apply:
            written = outcome.written
            self.stdout.write(
                f"Tickets: {written.created:,} new, {written.continued:,} continued, "
                f"{written.unchanged:,} as they were. Messages written: {written.messages:,}."
            )
        else:
            self.stdout.write("A dry run, nothing was written. Run it again with --apply.")
        for (table, reason), count in sorted(told.counts.items()):
            self.stdout.write(f"  {table}, {count:,} times: {reason}")
        self.stdout.write(f"Row by row in {told.path}")


def report_name(moment: datetime) -> str:
    return f"predecessor-{moment:%Y%m%dT%H%M%S%fZ}.jsonl"
