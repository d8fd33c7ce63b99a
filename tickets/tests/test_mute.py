"""Muted customers: what they write is kept where it belongs, and calls nobody."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Customer, Delivery, DeliveryState, Event, Message, Notice, Status, Ticket, User
from tickets.operations import NotAllowed, NotVisible, WrongState

pytestmark = pytest.mark.django_db


@pytest.fixture
def muted(ticket: Ticket, timur: Customer, saule: User, aigerim: User) -> Customer:
    """Timur, muted while Aigerim had answered everything."""
    operations.reply(
        ticket_id=ticket.pk, actor=aigerim, text="Проверьте зарядку.", client_id="00000000-0000-4000-8000-000000000001"
    )
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=Message.objects.latest("pk").pk)
    return operations.mute_customer(customer_id=timur.pk, actor=saule)


def row_of(ticket: Ticket, user: User) -> Ticket:
    return Ticket.objects.for_rows(user).get(pk=ticket.pk)


def test_what_is_written_is_on_the_ticket_but_nothing_waits_and_nothing_is_unread(
    muted: Customer, ticket: Ticket, aigerim: User
) -> None:
    message = wrote(muted, "Ответьте!", ticket=ticket).message
    row = row_of(ticket, aigerim)
    assert message.ticket == ticket
    assert row.last_message == message
    assert (row.unread, row.waiting_since, row.status) == (0, None, Status.WAITING)


def test_heard_again_what_was_written_meanwhile_is_unread_and_waits(
    muted: Customer, ticket: Ticket, aigerim: User, saule: User
) -> None:
    first = wrote(muted, "Ответьте!", ticket=ticket).message
    wrote(muted, "Ну же!", ticket=ticket)
    operations.unmute_customer(customer_id=muted.pk, actor=saule)
    row = row_of(ticket, aigerim)
    assert (row.unread, row.waiting_since, row.status) == (2, first.sent_at, Status.OPEN)


def test_a_solved_ticket_stays_solved_and_a_snoozed_one_asleep(muted: Customer, ticket: Ticket, aigerim: User) -> None:
    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=timezone.now() + timedelta(days=1))
    wrote(muted, "Ответьте!", ticket=ticket)
    ticket.refresh_from_db()
    assert ticket.snoozed_until is not None
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    wrote(muted, "Не решено!", ticket=ticket)
    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_heard_again_what_was_written_on_a_solved_ticket_brings_it_back(
    muted: Customer, ticket: Ticket, aigerim: User, saule: User, status: Status
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    Ticket.objects.update(status=status, closed_at=timezone.now())
    message = wrote(muted, "Деньги так и не вернули!", ticket=ticket).message

    operations.unmute_customer(customer_id=muted.pk, actor=saule)

    row = row_of(ticket, aigerim)
    assert (row.status, row.waiting_since) == (Status.OPEN, message.sent_at)
    solved = Delivery.objects.get(message__notice=Notice.SOLVED)
    assert solved.state == DeliveryState.CANCELLED
    assert row.version == 1 + row.events.count()


def test_heard_again_thanks_leave_a_solved_ticket_solved(
    muted: Customer, ticket: Ticket, aigerim: User, saule: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    wrote(muted, "Спасибо", ticket=ticket)

    operations.unmute_customer(customer_id=muted.pk, actor=saule)

    assert row_of(ticket, aigerim).status == Status.RESOLVED


def test_no_new_ticket_is_opened_where_there_is_one(muted: Customer, ticket: Ticket) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(status=Status.CLOSED, closed_at=timezone.now())
    received = wrote(muted, "Другой вопрос")
    assert received.joined
    assert received.ticket == ticket
    assert received.ticket.status == Status.CLOSED


def test_a_first_ticket_of_a_muted_customer_waits_for_nobody(timur: Customer, team, saule: User, aigerim: User) -> None:
    operations.mute_customer(customer_id=timur.pk, actor=saule)
    timur.refresh_from_db()
    received = wrote(timur, "Первый вопрос")
    assert received.opened
    assert received.ticket.waiting_since is None
    assert row_of(received.ticket, aigerim).unread == 0


def test_a_manager_may_still_answer(muted: Customer, ticket: Ticket, answer, aigerim: User) -> None:
    assert answer(ticket, aigerim, "Всё-таки отвечу.").delivery.state == "queued"


def test_a_supervisor_may_still_take_down_words_in_a_muted_customers_name(
    muted: Customer, ticket: Ticket, saule: User
) -> None:
    operations.enter_by_hand(ticket_id=ticket.pk, actor=saule, text="Звонил, просит ответить")
    ticket.refresh_from_db()
    assert ticket.waiting_since is not None


def test_it_stands_in_the_history_who_did_it(muted: Customer, ticket: Ticket, saule: User) -> None:
    operations.unmute_customer(customer_id=muted.pk, actor=saule)
    kinds = [Event.Kind.MUTED, Event.Kind.UNMUTED]
    lines = ticket.events.filter(kind__in=kinds).order_by("pk").values_list("kind", "actor")
    assert list(lines) == [(kind, saule.pk) for kind in kinds]


def test_it_stands_in_the_history_of_each_ticket_at_work(
    ticket: Ticket, timur: Customer, saule: User, aigerim: User
) -> None:
    other, solved = wrote(timur, "Другой вопрос").ticket, wrote(timur, "И третий").ticket
    operations.resolve(ticket_id=solved.pk, actor=saule)

    operations.mute_customer(customer_id=timur.pk, actor=saule)

    muted_in = Event.objects.filter(kind=Event.Kind.MUTED).values_list("ticket", flat=True)
    assert sorted(muted_in) == [ticket.pk, other.pk]


def test_only_supervisors_may(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    for act in (operations.mute_customer, operations.unmute_customer):
        with pytest.raises(NotAllowed):
            act(customer_id=timur.pk, actor=aigerim)


def test_nobody_is_muted_who_is_no_customer(timur: Customer, saule: User) -> None:
    with pytest.raises(NotVisible):
        operations.mute_customer(customer_id=timur.pk + 1, actor=saule)


def test_twice_is_refused(muted: Customer, saule: User) -> None:
    with pytest.raises(WrongState):
        operations.mute_customer(customer_id=muted.pk, actor=saule)
    operations.unmute_customer(customer_id=muted.pk, actor=saule)
    with pytest.raises(WrongState):
        operations.unmute_customer(customer_id=muted.pk, actor=saule)


def test_the_desk_shows_it(muted: Customer, ticket: Ticket, client: Client, aigerim: User) -> None:
    client.force_login(aigerim)
    page = client.get(f"/desk/t/{ticket.pk}/").content.decode()
    assert 'id="muted"' in page
    assert "Клиент заглушён" in page
    assert "Заглушён</span>" in client.get("/desk/").content.decode()
