"""What happens inside one of the speed tool's databases: `python -m helpdesk.bench.inside fill 1000`, or `open`.

A process of its own, because Django is told its database when it starts.
"""

import json
import sys

import django

#: Tickets of fifty messages, and of the reader's own, that are asked for: what the smallest seed has, so that they grow
#: and are cached alike on every size.
FEWEST, FEWEST_OWN = 5, 32


def fill(number: int) -> None:
    from django.core.management import call_command

    from helpdesk.bench import seed

    call_command("migrate", verbosity=0)
    seed.seed(number, bar)
    sys.stderr.write("\n")
    seed.vacuum()


def open_desk() -> None:
    """Sign the reader in and print, as JSON, the session's key and the tickets that are asked for."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.db.models import Count

    from helpdesk.bench import seed
    from tickets.models import Ticket, User

    reader = User.objects.get(username=seed.READER)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(reader.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = reader.get_session_auth_hash()
    session.save()
    # Active ones alone: a seed's newest, whose number does not follow the table's.
    active = Ticket.objects.active_visible_to(reader).alias(length=Count("messages")).order_by("pk")
    found = {
        "session": session.session_key,
        "last": Ticket.objects.order_by("-pk").values_list("pk", flat=True)[0],
        "long": list(active.filter(length=seed.PAGE).values_list("pk", flat=True)[:FEWEST]),
        "short": list(active.filter(length__lt=20, assignee=reader).values_list("pk", flat=True)[:FEWEST_OWN]),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def bar(done: int, of: int) -> None:
    filled = 40 * done // of
    sys.stderr.write(f"\r  [{'#' * filled:<40}] {done:>9,} of {of:,} tickets")
    sys.stderr.flush()


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        open_desk()
