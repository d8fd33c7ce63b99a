import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from helpdesk import health


class Command(BaseCommand):
    help = "Says whether the product, or a part of it, works, by exit code 0 or 1: for containers that answer no HTTP."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = ", ".join(health.PARTS)
        parser.add_argument("parts", nargs="*", metavar="part", help=f"all, unless some are named: {names}")

    def handle(self, *, parts: list[str], **options: Any) -> None:
        if unknown := set(parts).difference(health.PARTS):
            raise CommandError(f"No such part: {', '.join(sorted(unknown))}. There are {', '.join(health.PARTS)}.")
        report = health.examine({name: health.PARTS[name] for name in parts or health.PARTS})
        for part in report["failing"]:
            self.stderr.write(f"{part}: {'; '.join(report[part]['problems'])}")
        if report["failing"]:
            sys.exit(1)
        self.stdout.write("ok")
