from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from helpdesk.demo import hire, tell_conversations
from tickets.models import Ticket, User


class Command(BaseCommand):
    help = "Fills an empty development database with invented people and conversations and prints their passwords."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo is for development: set DEBUG=1 on your own machine.")
        if User.objects.exists() or Ticket.objects.exists():
            raise CommandError("The demo fills an empty database only; this one already has people or tickets.")
        # One transaction: a running bot must not see a reply before it is settled.
        with transaction.atomic():
            staff = hire()
            tell_conversations(staff)
        self.stdout.write("The demo's people, invented. These passwords are shown once:")
        for login, password in staff.passwords.items():
            self.stdout.write(f"  {login:<10} {password}")
