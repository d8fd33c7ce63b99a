import sys
from typing import Any

from django.core.management import BaseCommand

from helpdesk import health


class Command(BaseCommand):
    help = "Says whether the bot works, by exit code 0 or 1: for containers that answer no HTTP."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        well, report = health.examine(health.PARTS)
        if not well:
            reasons = (health.describe(name, report[name]) for name in report["failing"])
            self.stderr.write("\n".join(reasons))
            sys.exit(1)
        self.stdout.write("ok")
