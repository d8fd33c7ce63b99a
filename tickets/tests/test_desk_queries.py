"""The cost of a screen follows the page, not the table: the same queries at 50 tickets and at 5,000."""

import uuid
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from tickets import operations
from tickets.models import Customer, Message, Sender, Tag, Team, Ticket, User
from tickets.operations import Incoming, IncomingFile

QUEUE = 6
TICKET = 12
REPLY = 36


def fill(team: Team, assignee: User, number: int) -> None:
    """`number` of the person's tickets, each with one message; half of them wait for an answer."""
    now = timezone.now()
    people = Customer.objects.bulk_create(
        Customer(telegram_user_id=900_000 + n, name=f"Клиент {n}") for n in range(number)
    )
    tickets = Ticket.objects.bulk_create(
        Ticket(
            customer=person,
            team=team,
            assignee=assignee,
            status="open",
            waiting_since=now - timedelta(minutes=n) if n % 2 else None,
            last_message_at=now - timedelta(minutes=n),
        )
        for n, person in enumerate(people)
    )
    Message.objects.bulk_create(
        Message(ticket=ticket, customer=ticket.customer, sender=Sender.CLIENT, text="Вопрос") for ticket in tickets
    )


@pytest.fixture(params=[50, pytest.param(5_000, marks=pytest.mark.slow)])
def table(request, team, aigerim) -> int:
    fill(team, aigerim, request.param)
    return int(request.param)


@pytest.fixture(autouse=True)
def warm(desk, bolat, aigerim, free_ticket):
    """Connections, templates and the database's features are looked up once a process, not once a page, and what the
    banner says once in a few seconds.

    Who reads has been here within the minute, as on every page but the first one of each minute.
    """
    operations.mark_present(user=aigerim)
    desk(bolat).get(reverse("tickets:ticket", args=[free_ticket.pk]))


@pytest.mark.parametrize("view", ["mine", "all", "free", "later"])
def test_the_queue(desk, aigerim, table, view, django_assert_max_num_queries):
    client = desk(aigerim)
    with django_assert_max_num_queries(QUEUE):
        answer = client.get(reverse("tickets:queue"), {"view": view})
    if view in ("mine", "all"):
        assert answer.text.count('class="row"') == 50


def test_the_ticket_with_everything_on_it(desk, aigerim, bolat, ticket, answer, table, django_assert_max_num_queries):
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Начало", quote_id=ticket.last_message_id)
    for number in range(24):
        incoming = Incoming(
            sent_at=timezone.now(), content_type="photo", text="фото", files=[IncomingFile(kind="photo")]
        )
        message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
        operations.attach_file(
            attachment_id=message.attachments.get().pk, file=ContentFile(b"\x89PNG\r\n\x1a\n", name="x")
        )
        operations.revise(message=message, text=f"фото {number}", entities=[], edited_at=timezone.now())
        answer(ticket, aigerim, f"Ответ {number}", quote_id=message.pk)
        operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=aigerim.pk)
    Tag.objects.create(name="чужая")
    client = desk(aigerim)
    with django_assert_max_num_queries(TICKET):
        page = client.get(reverse("tickets:ticket", args=[ticket.pk]))
    assert page.text.count('<li class="msg') >= 48
    assert page.text.count("<img ") >= 24


@pytest.mark.parametrize(("name", "most"), [("head", 4), ("panel", 4), ("panel-rest", 8), ("state", 4), ("row", 4)])
def test_a_part_of_the_page(htmx, aigerim, ticket, table, name, most, django_assert_max_num_queries):
    client = htmx(aigerim)
    with django_assert_max_num_queries(most):
        client.get(reverse(f"tickets:{name}", args=[ticket.pk]))


def test_a_reply(htmx, aigerim, ticket, answer, table, django_assert_max_num_queries):
    answer(ticket, aigerim)
    client = htmx(aigerim)
    last = ticket.messages.latest("pk").pk
    written = {"text": "Проверили.", "client_id": uuid.uuid4(), "seen": f"{last}.{ticket.events.latest('pk').pk}"}
    with django_assert_max_num_queries(REPLY):
        sent = client.post(reverse("tickets:reply", args=[ticket.pk]), {**written, "after": last})
    assert "Проверили." in sent.text
