import sys
from typing import Any

from django.core.management import BaseCommand

from helpdesk.doctor import CHECKS, Diagnosis, State, without_secrets


class Command(BaseCommand):
    help = "Looks at everything the product depends on and says what to do. Ends with 1 if anything is wrong."
    requires_system_checks = []  # they are among what is told

    def handle(self, **options: Any) -> None:
        is_ill = False
        for check in CHECKS:
            for diagnosis in check():
                self.tell(diagnosis)
                is_ill = is_ill or diagnosis.state == State.WRONG
        if is_ill:
            sys.exit(1)

    def tell(self, diagnosis: Diagnosis) -> None:
        style = {State.RIGHT: self.style.SUCCESS, State.WRONG: self.style.ERROR, State.NOT_USED: self.style.NOTICE}
        state = style[diagnosis.state](f"{diagnosis.state:9}")
        self.stdout.write(f"{state} {diagnosis.about:13} {without_secrets(diagnosis.words)}")
        if diagnosis.remedy:
            self.stdout.write(f"{'':23} -> {without_secrets(diagnosis.remedy)}")
        self.stdout.flush()
