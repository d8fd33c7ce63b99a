"""Where the lines of a ticket's history stand in its conversation."""

import uuid

import pytest

from tickets import operations
from tickets.models import Customer, Event, Notice, Ticket, User

pytestmark = pytest.mark.django_db


def test_a_line_stands_after_a_note(ticket: Ticket, aigerim: User) -> None:
    note = operations.note(ticket_id=ticket.pk, actor=aigerim, text="Проверила склад.", client_id=uuid.uuid4())
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    assert ticket.events.get(kind=Event.Kind.TAGGED).after_message == note


def test_a_line_stands_after_the_bots_sentence(free_ticket: Ticket, timur: Customer, aigerim: User) -> None:
    receipt = operations.say(customer=timur, notice=Notice.RECEIPT, text="Обращение принято.", ticket=free_ticket)
    operations.take(ticket_id=free_ticket.pk, actor=aigerim)
    assert free_ticket.events.get(kind=Event.Kind.TAKEN).after_message == receipt
