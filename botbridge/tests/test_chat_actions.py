"""The customer sees that somebody writes to them; nothing else comes of it."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from botbridge.chat_actions import ChatActions
from botbridge.client import make_bot
from botbridge.doorbell import Bell
from botbridge.models import BotStatus, ChatSession, OutboundCall
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.tests.conftest import BOT_ID, TOKEN
from conftest import wrote
from tickets import operations
from tickets.models import Change, Customer, Delivery, DeliveryState, Event, Ticket, Typing, User
from tickets.operations import NotAllowed, NotVisible

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def timur(timurs_telegram: CustomerClient) -> Customer:
    customer = Customer.objects.create(telegram_user_id=timurs_telegram.id, name="Тимур Ахметов")
    ChatSession.objects.create(bot_id=BOT_ID, chat_id=timurs_telegram.id, customer=customer)
    return customer


def shown(sandbox: SandboxServer, telegram: CustomerClient) -> int:
    """How many times the customer has been shown it, after one more look at who writes."""

    async def look() -> None:
        bot = make_bot(TOKEN, sandbox.base_url)
        try:
            await ChatActions(bot, Bell()).show()
        finally:
            await bot.session.close()

    asyncio.run(look())
    return sum(line["method"] == "sendChatAction" for line in sandbox.log(chat_id=telegram.id))


def pass_time(seconds: float) -> None:
    for typing in Typing.objects.all():
        typing.typed_at -= timedelta(seconds=seconds)
        typing.shown_at = typing.shown_at and typing.shown_at - timedelta(seconds=seconds)
        typing.save()


def test_it_is_shown_once_in_five_seconds_while_somebody_types(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, timurs_telegram: CustomerClient
) -> None:
    events, changes, version = Event.objects.count(), Change.objects.count(), ticket.version
    assert shown(sandbox, timurs_telegram) == 0
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    assert shown(sandbox, timurs_telegram) == 1
    assert shown(sandbox, timurs_telegram) == 1
    pass_time(5)
    assert shown(sandbox, timurs_telegram) == 1  # nobody has typed since
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    assert shown(sandbox, timurs_telegram) == 2
    (line,) = [line for line in sandbox.log(chat_id=timurs_telegram.id) if line["method"] == "sendChatAction"][:1]
    assert line["payload"]["action"] == "typing"
    ticket.refresh_from_db()
    assert (Event.objects.count(), Change.objects.count(), ticket.version) == (events, changes, version)
    assert not OutboundCall.objects.exists()


def test_what_is_stale_or_already_written_is_not_shown(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, timurs_telegram: CustomerClient, answer
) -> None:
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    pass_time(6)
    assert shown(sandbox, timurs_telegram) == 0
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    answer(ticket, aigerim)
    assert shown(sandbox, timurs_telegram) == 0


def test_what_the_customer_writes_meanwhile_ends_nobodys_typing(
    sandbox: SandboxServer, timur: Customer, ticket: Ticket, aigerim: User, timurs_telegram: CustomerClient
) -> None:
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    wrote(timur, "И ещё", ticket=ticket)
    assert shown(sandbox, timurs_telegram) == 1


def test_nothing_is_shown_where_no_answer_would_follow(
    sandbox: SandboxServer, timur: Customer, ticket: Ticket, aigerim: User, timurs_telegram: CustomerClient, answer
) -> None:
    message = answer(ticket, aigerim)
    Delivery.objects.filter(pk=message.pk).update(state=DeliveryState.HELD)
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    assert shown(sandbox, timurs_telegram) == 0
    Delivery.objects.filter(pk=message.pk).update(state=DeliveryState.SENT)
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    operations.customer_stopped_bot(customer=timur)
    assert shown(sandbox, timurs_telegram) == 0
    Typing.objects.all().delete()
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    assert not Typing.objects.exists()


def test_a_chat_that_telegram_asked_to_pause_is_left_alone(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, timurs_telegram: CustomerClient
) -> None:
    ChatSession.objects.update(next_send_at=timezone.now() + timedelta(minutes=1))
    operations.show_typing(ticket_id=ticket.pk, user=aigerim)
    assert shown(sandbox, timurs_telegram) == 0
    ChatSession.objects.update(next_send_at=timezone.now())
    BotStatus.objects.create(bot_id=BOT_ID, next_send_at=timezone.now() + timedelta(minutes=1))
    pass_time(0)
    Typing.objects.update(shown_at=None, typed_at=timezone.now())
    assert shown(sandbox, timurs_telegram) == 0


def test_who_may_be_seen_typing(ticket: Ticket, bolat: User, dana: User) -> None:
    with pytest.raises(NotAllowed):
        operations.show_typing(ticket_id=ticket.pk, user=bolat)
    with pytest.raises(NotVisible):
        operations.show_typing(ticket_id=ticket.pk, user=dana)
    assert not Typing.objects.exists()
