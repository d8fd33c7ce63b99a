"""Deletes files that no row names, all at once; the jobs do it a share an hour."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from helpdesk.orphans import WrongDatabase, delete_orphans, find_orphans


class Command(BaseCommand):
    help = "Deletes files in storage that no row names and that are older than a day."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Name them and delete nothing.")
        parser.add_argument("--anyway", action="store_true", help="Delete them even where they are most of the files.")

    def handle(self, *, dry_run: bool, anyway: bool, **_options: Any) -> None:
        sweep = find_orphans()
        for name in sweep.orphans if dry_run else ():
            self.stdout.write(name)
        self.stdout.write(f"{len(sweep.orphans)} of {sweep.looked_at} files are named by no row.")
        if dry_run:
            return
        try:
            deleted = delete_orphans(sweep, anyway=anyway)
        except WrongDatabase as doubt:
            raise CommandError(
                "That is most of them, so DATABASE_URL and MEDIA_ROOT may not be of one installation. Nothing was "
                "deleted. If it is right all the same, as after restoring an old backup: --anyway."
            ) from doubt
        self.stdout.write(f"{deleted} deleted.")
