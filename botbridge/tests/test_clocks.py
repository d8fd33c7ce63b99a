"""A clock that was ahead for a while must not put anything off until that hour comes again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from botbridge import inbox, outages
from botbridge.claiming import Claimed, Pause, claim
from botbridge.client import make_bot
from botbridge.clocks import hasten
from botbridge.models import BotStatus, ChatSession, Outage
from botbridge.polling import polled
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import settle
from botbridge.tests.conftest import BOT_ID, TOKEN, WORKER, Line, Phone, ask, claim_now, come_due
from tickets import operations
from tickets.models import Attachment, Delivery, DeliveryState, Message, Ticket, User

pytestmark = pytest.mark.django_db

Answer = Callable[..., Message]
AHEAD = timedelta(hours=5)


def test_the_bot_sends_again(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    BotStatus.objects.update_or_create(bot_id=BOT_ID, defaults={"next_send_at": timezone.now() + AHEAD})
    answer(ticket, aigerim)
    come_due()
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert hasten(BOT_ID) == 1
    assert isinstance(claim(BOT_ID, WORKER), Claimed)


def test_a_chat_is_sent_to_again(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    chat_id = ticket.customer.telegram_user_id
    ahead = timezone.now() + AHEAD
    ChatSession.objects.create(bot_id=BOT_ID, chat_id=chat_id, customer=ticket.customer, next_send_at=ahead)
    answer(ticket, aigerim)
    come_due()
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert hasten(BOT_ID) == 1
    assert isinstance(claim(BOT_ID, WORKER), Claimed)


def test_a_reply_of_that_hour_leaves_now(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    answer(ticket, aigerim)
    ahead = timezone.now() + AHEAD
    Delivery.objects.update(queued_at=ahead, due_at=ahead)
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert hasten(BOT_ID) == 1
    come_due()
    assert isinstance(claim(BOT_ID, WORKER), Claimed)


def test_what_a_chat_wrote_is_handled_and_answered_again(line: Line, phone: Phone) -> None:
    phone.write("Раз")
    line.store(phone.message(text="Два"))
    ahead = timezone.now() + AHEAD
    ChatSession.objects.update(handle_after=ahead, minute_since=ahead, said=99)
    assert inbox.claim(BOT_ID) is None
    assert hasten(BOT_ID) == 2
    line.handle_all()
    assert ChatSession.objects.get().said < 99


def test_a_file_is_asked_for_again(line: Line, phone: Phone) -> None:
    line.take(phone.message(photo=[{"file_id": "a", "file_unique_id": "a", "width": 9, "height": 9}]))
    Attachment.objects.update(due_at=timezone.now() + AHEAD)
    assert hasten(BOT_ID) == 1
    assert Attachment.objects.filter(due_at__lte=timezone.now()).exists()


def test_who_has_to_wait_for_hours_is_not_asked_for_again_and_again(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    sandbox.knobs.turn_on("too_many_requests", times=1, seconds=7200)
    answer(ticket, aigerim)
    claimed = claim_now()
    settle(claimed.call, ask(claimed, make_bot(TOKEN, sandbox.base_url)))
    assert hasten(BOT_ID) == 0
    assert isinstance(claim(BOT_ID, WORKER), Pause)


@contextmanager
def clock_ahead() -> Iterator[None]:
    right = timezone.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", lambda: right() + AHEAD)
        yield


def test_nobody_hears_of_an_outage_the_clock_made(line: Line, phone: Phone) -> None:
    polled(BOT_ID)
    with clock_ahead():
        outages.reached(BOT_ID)
        polled(BOT_ID)
    assert Outage.objects.exists()
    hasten(BOT_ID)
    phone.write("Где заказ?")
    assert not any("Извините" in words for words in phone.heard)


def test_nor_before_the_clocks_work_has_been_looked_for(phone: Phone) -> None:
    polled(BOT_ID)
    with clock_ahead():
        outages.reached(BOT_ID)
        polled(BOT_ID)
    phone.write("Где заказ?")
    (said,) = phone.heard
    assert said.startswith("Обращение №")


def test_who_stopped_the_bot_in_that_hour_is_back_when_they_write(phone: Phone, aigerim: User, answer: Answer) -> None:
    phone.write("Где заказ?")
    with clock_ahead():
        operations.customer_stopped_bot(customer=phone.customer)
    reply = answer(phone.tickets[0], aigerim)
    phone.write("Я снова тут")
    assert phone.customer.stopped_bot_at is None
    assert Delivery.objects.get(pk=reply.pk).state == DeliveryState.QUEUED


def test_who_came_back_in_that_hour_can_stop_the_bot(phone: Phone) -> None:
    phone.write("Где заказ?")
    operations.customer_stopped_bot(customer=phone.customer)
    with clock_ahead():
        operations.customer_returned(customer=phone.customer)
    now = timezone.now()
    operations.customer_stopped_bot(customer=phone.customer, at=now)
    assert phone.customer.stopped_bot_at is not None


def test_what_may_wait_waits(ticket: Ticket, aigerim: User, answer: Answer, line: Line, phone: Phone) -> None:
    now = timezone.now()
    phone.write("Раз")
    answer(ticket, aigerim)
    BotStatus.objects.update_or_create(bot_id=BOT_ID, defaults={"next_send_at": now + timedelta(seconds=60)})
    later = now + timedelta(minutes=40)
    ChatSession.objects.update(next_send_at=later, handle_after=now + timedelta(seconds=30), minute_since=now)
    Delivery.objects.update(due_at=later)
    assert hasten(BOT_ID) == 0
