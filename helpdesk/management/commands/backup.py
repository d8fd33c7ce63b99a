from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from helpdesk.backup import BackupError, back_up, nightly_backup
from helpdesk.backup.making import file_name


class Command(BaseCommand):
    help = "Writes database and files into one archive while the desk goes on working. See docs/backup.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, metavar="DIR", help="where to; BACKUP_DIR unless told otherwise")
        parser.add_argument(
            "--encrypt-for",
            metavar="age1…",
            help="the age public key to encrypt for; BACKUP_RECIPIENT unless told otherwise",
        )
        parser.add_argument(
            "--nightly", action="store_true", help="today's backup in BACKUP_DIR, once a day, keeping BACKUP_KEEP"
        )

    def handle(self, *, to: Path | None, encrypt_for: str | None, nightly: bool, **options: Any) -> None:
        if nightly and (to or encrypt_for):
            raise CommandError("--nightly takes folder and key from the settings.")
        try:
            self._nightly() if nightly else self._by_hand(to, encrypt_for)
        except BackupError as error:
            raise CommandError(str(error)) from error

    def _nightly(self) -> None:
        made = nightly_backup(say=self.stdout.write)
        self.stdout.write(str(made) if made else "Nothing to do: it is there already, being made, or BACKUP_KEEP is 0.")

    def _by_hand(self, to: Path | None, encrypt_for: str | None) -> None:
        recipient: str = settings.BACKUP_RECIPIENT if encrypt_for is None else encrypt_for
        path = (to or settings.BACKUP_DIR) / file_name(timezone.now(), recipient)
        made = back_up(path, recipient=recipient, say=self.stdout.write)
        files = made.manifest.files
        for table in made.manifest.tables:
            self.stdout.write(f"{table.sha256}  {table.rows:>10,}  {table.name}")
        self.stdout.write(f"{files.sha256}  {files.count - files.missing:>10,}  files, {files.bytes:,} bytes")
        if files.missing:
            self.stderr.write(f"{files.missing:,} files that the desk names were not in storage and are not in it.")
        if not recipient:
            self.stdout.write("It is not encrypted: whoever has it reads everything. See docs/backup.md.")
        self.stdout.write(f"{made.path}, {made.path.stat().st_size:,} bytes")
