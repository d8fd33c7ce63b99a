import sys
from typing import Any

from django.core.management import BaseCommand

from helpdesk import health


class Command(BaseCommand):
    help = "Says whether the product works, by exit code 0 or 1: for containers that answer no HTTP."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        report = health.examine(health.PARTS)
        for part in report["failing"]:
            self.stderr.write(f"{part}: {'; '.join(report[part]['problems'])}")
        if report["failing"]:
            sys.exit(1)
        self.stdout.write("ok")
