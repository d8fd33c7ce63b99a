"""What happens inside one of the speed tool's databases: `python -m helpdesk.bench.inside fill 1000`, or one of the
others in `WORK`.

A process of its own, because Django is told its database when it starts.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from itertools import cycle, islice
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tickets.models import Ticket, User

#: Tickets of fifty messages, and of the reader's own, that are asked for: what the smallest seed has, so that they grow
#: and are cached alike on every size.
FEWEST, FEWEST_OWN = 5, 32
#: Chats the outbox is measured with. Each takes a message a second: of fewer than thirty, their pace would be measured.
CHATS = 200
#: Rows written at once.
BATCH = 1000


def fill(number: str) -> None:
    from django.core.management import call_command

    from helpdesk.bench import seed

    call_command("migrate", verbosity=0)
    seed.seed(int(number), bar)
    sys.stderr.write("\n")
    seed.vacuum()


def open_desk() -> None:
    """Sign everybody in and print, as JSON, the sessions' keys, the reader's first, and the tickets to be asked for."""
    from django.db.models import Count

    from helpdesk.bench import seed
    from tickets.models import Ticket, User

    people = list(User.objects.filter(username__startswith=seed.PERSON).order_by("pk"))
    # Active ones alone: a seed's newest, whose number does not follow the table's.
    active = Ticket.objects.active_visible_to(people[0]).alias(length=Count("messages")).order_by("pk")
    short = active.filter(length__lt=20, assignee=people[0])
    found = {
        "sessions": [session_of(person) for person in people],
        "last": Ticket.objects.order_by("-pk").values_list("pk", flat=True)[0],
        "long": list(active.filter(length=seed.PAGE).values_list("pk", flat=True)[:FEWEST]),
        "short": list(short.values_list("pk", flat=True)[:FEWEST_OWN]),
        "chats": dict(own_tickets().values_list("pk", "customer__telegram_user_id")),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def session_of(person: "User") -> str:
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def own_tickets() -> "QuerySet[Ticket]":
    """The reader's active tickets whose customers have no other, newest first."""
    from django.db.models import Exists, OuterRef

    from helpdesk.bench import seed
    from tickets.models import Ticket

    others = Ticket.objects.active().filter(customer=OuterRef("customer")).exclude(pk=OuterRef("pk"))
    return Ticket.objects.active().filter(~Exists(others), assignee__username=seed.READER).order_by("-pk")


def replies(word: str, number: str, pause: str) -> None:
    """Let managers reply so often, on one of their tickets after another and with so many seconds between; prints, as
    JSON, when each reply was committed (CLOCK_MONOTONIC), by its text.
    """
    from tickets import operations
    from tickets.models import Ticket

    at_work = Ticket.objects.active().filter(assignee__isnull=False).select_related("assignee").order_by("-pk")
    one_a_chat = {ticket.customer_id: ticket for ticket in at_work[: 2 * CHATS]}
    committed = {}
    for place, ticket in enumerate(islice(cycle(islice(one_a_chat.values(), CHATS)), int(number))):
        text = f"{word} {place}"
        assert ticket.assignee is not None  # asked for
        operations.reply(ticket_id=ticket.pk, actor=ticket.assignee, text=text, client_id=uuid.uuid4())
        committed[text] = time.monotonic()
        time.sleep(float(pause))
    sys.stdout.write(json.dumps(committed) + "\n")


def receipts(number: str) -> None:
    """Queue so many of the bot's own sentences, each to another customer; prints, as JSON, how many there were."""
    from tickets.models import Customer, Delivery, Lane, Message, Notice, Sender

    customers = Customer.objects.order_by("-pk")[: int(number)].iterator(chunk_size=BATCH)
    written = 0
    while chunk := list(islice(customers, BATCH)):
        said = Message.objects.bulk_create(
            Message(customer=customer, sender=Sender.SYSTEM, notice=Notice.RECEIPT, text="Обращение принято.")
            for customer in chunk
        )
        Delivery.objects.bulk_create(
            Delivery(message=message, customer=message.customer, lane=Lane.RECEIPT) for message in said
        )
        written += len(said)
    sys.stdout.write(json.dumps(written) + "\n")


def bar(done: int, of: int) -> None:
    filled = 40 * done // of
    sys.stderr.write(f"\r  [{'#' * filled:<40}] {done:>9,} of {of:,} tickets")
    sys.stderr.flush()


WORK: dict[str, Callable[..., None]] = {"fill": fill, "open": open_desk, "replies": replies, "receipts": receipts}

if __name__ == "__main__":
    django.setup()
    name, *arguments = sys.argv[1:]
    WORK[name](*arguments)
