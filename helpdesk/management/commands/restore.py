from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from helpdesk.backup import BackupError, restore


class Command(BaseCommand):
    help = "Takes back an archive of manage.py backup, into SQLite or PostgreSQL alike. See docs/backup.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archive", type=Path, metavar="FILE")
        parser.add_argument(
            "--identity", type=Path, metavar="KEYFILE", help="the age private key of an encrypted archive"
        )
        parser.add_argument("--replace", action="store_true", help="lose what is in this database now")

    def handle(self, *, archive: Path, identity: Path | None, replace: bool, **options: Any) -> None:
        try:
            restored = restore(archive, identity=identity, replace=replace, say=self.stdout.write)
        except BackupError as error:
            raise CommandError(str(error)) from error
        for table in restored.manifest.tables:
            found = restored.sha256[table.name]
            equal = "equal" if found == table.sha256 else "repaired"
            self.stdout.write(f"{found}  {table.rows:>10,}  {table.name}, {equal}")
        files = restored.manifest.files
        self.stdout.write(f"{files.sha256}  {files.count - files.missing:>10,}  files, equal")
        if restored.repaired:
            self.stderr.write(f"{restored.repaired:,} rows held NUL, which PostgreSQL cannot keep: it is U+FFFD now.")
        if restored.lost:
            self.stderr.write(f"{restored.lost:,} files were not in the backup; the desk says so at each.")
        if restored.doubted:
            self.stdout.write(
                f"{restored.doubted:,} messages waited to be sent when the backup was made. They may have left since: "
                "nothing of it is sent by itself, and the desk asks about each reply."
            )
        self.stdout.write("Everybody signs in anew. Who was shut out after the backup was made is let in again: check.")
