"""Each stored update is handled once, in its chat's order, or parked with the reason."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiogram import Bot
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone
from prometheus_client import REGISTRY

from botbridge.handlers import messages
from botbridge.inbox import MAX_ATTEMPTS, PATIENCE, Claim, claim, handle
from botbridge.models import ChatSession, OutboundCall, TelegramMessage, Update
from botbridge.storing import parked_unsettled
from botbridge.tests.conftest import BOT_ID, Line, Phone, parked
from conftest import at_once
from tickets.models import Delivery, Message, Sender, Ticket

pytestmark = pytest.mark.django_db

WITHIN = 20
OUTCOMES = ("handled", "failed")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages with these words fail after everything about them was written."""
    words: list[str] = []
    receive = messages.receive

    def break_down(chat: Any, message: Any, **options: Any) -> None:
        receive(chat, message, **options)
        if message.text in words:
            raise ValueError("сломалось")

    monkeypatch.setattr(messages, "receive", break_down)
    return words


def test_a_chats_updates_are_handled_in_the_order_they_came(line: Line, phone: Phone):
    line.store(*[phone.message(text=f"{number}") for number in range(8)])
    line.handle_all()
    assert phone.written == [str(number) for number in range(8)]


def test_a_redelivered_message_makes_no_second_one(line: Line, phone: Phone):
    event = phone.message(text="Раз")
    line.take(event)
    line.take(event)  # under another number: Telegram's own repeat would not even be stored
    assert phone.written == ["Раз"]
    assert len(phone.tickets) == 1
    assert Delivery.objects.count() == 1  # one receipt


def test_a_failed_attempt_leaves_nothing_behind(line: Line, phone: Phone, broken: list[str]):
    broken.append("Плохое")
    phone.write("Плохое")
    assert not Message.objects.exists()
    assert not Ticket.objects.exists()
    assert not TelegramMessage.objects.exists()
    assert not OutboundCall.objects.exists()
    update = Update.objects.get()
    assert (update.state, update.attempts) == (Update.State.STORED, 1)


def test_the_chat_waits_for_its_failed_update(line: Line, phone: Phone, broken: list[str]):
    broken.append("Плохое")
    line.store(phone.message(text="Плохое"), phone.message(text="Хорошее"))
    line.handle_all()
    assert phone.written == []


def test_after_five_attempts_an_update_is_parked_and_the_chat_goes_on(line: Line, phone: Phone, broken: list[str]):
    broken.append("Плохое")
    line.store(phone.message(text="Плохое"), phone.message(text="Хорошее"))
    for _ in range(MAX_ATTEMPTS + 1):
        line.skip_waiting()
        line.handle_all()
    assert [update.reason for update in parked()] == ["ValueError: сломалось"]
    assert phone.written == ["Хорошее"]


def test_why_an_update_was_parked_tells_no_card_number(line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_args: object, **_options: object) -> None:
        raise ValueError("Failing row contains (1, 4111 1111 1111 1111).")

    monkeypatch.setattr(messages, "receive", refuse)
    line.store(phone.message(text="Плохое"))
    for _ in range(MAX_ATTEMPTS):
        line.skip_waiting()
        line.handle_all()
    (update,) = parked()
    assert "4111 1111" not in update.reason
    assert update.reason.endswith("1111).")


def test_what_somebody_dealt_with_and_fails_once_more_waits_for_a_look_again(
    line: Line, phone: Phone, broken: list[str]
):
    broken.append("Плохое")
    line.store(phone.message(text="Плохое"))
    Update.objects.update(settled_at=timezone.now())
    for _ in range(MAX_ATTEMPTS + 1):
        line.skip_waiting()
        line.handle_all()
    assert parked_unsettled().count() == 1


def test_one_chats_failure_does_not_hold_up_another(line: Line, phone: Phone, broken: list[str]):
    broken.append("Плохое")
    other = Phone(line, id=700_002)
    line.store(phone.message(text="Плохое"), other.message(text="Другой клиент"))
    line.handle_all()
    assert other.written == ["Другой клиент"]


def test_an_update_that_ends_its_process_is_parked_too(line: Line, phone: Phone):
    line.store(phone.message(text="Убийца"))
    for _ in range(MAX_ATTEMPTS):
        line.skip_waiting()
        assert claim(BOT_ID) is not None  # and the process dies before it can say anything
    line.skip_waiting()
    line.handle_all()
    assert [update.attempts for update in parked()] == [MAX_ATTEMPTS]


def test_a_claimed_chat_is_left_to_its_worker(line: Line, phone: Phone):
    line.store(phone.message(text="Раз"), phone.message(text="Два"))
    assert claim(BOT_ID) is not None
    assert claim(BOT_ID) is None


def test_a_worker_whose_claim_was_taken_over_does_nothing(line: Line, phone: Phone, bot: Bot):
    line.store(phone.message(text="Раз"))
    late = claim(BOT_ID)
    assert late is not None
    line.skip_waiting()
    line.handle_all()
    handle(late, bot, line.dispatcher)
    assert phone.written == ["Раз"]


def waits_for_a_lock() -> bool:
    """Whether somebody in this database does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_locks WHERE database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_chat_the_outbox_has_in_hand_is_waited_for(line: Line, phone: Phone):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    line.store(phone.message(text="Где мой заказ?"))
    claimed = claim(BOT_ID)
    assert claimed is not None
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            ChatSession.objects.select_for_update().get()
            handling = pool.submit(handle, claimed, line.bot, line.dispatcher)
            deadline = time.monotonic() + WITHIN
            while not handling.done() and not waits_for_a_lock():
                assert time.monotonic() < deadline, "it neither waits nor ends"
        handling.result()
        pool.submit(connections.close_all).result()
    assert phone.written == ["Где мой заказ?"]
    assert Update.objects.get().attempts == 1


def test_a_lost_database_is_no_fault_of_the_update(line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch):
    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(messages, "receive", gone)
    line.store(phone.message(text="Раз"))
    claimed = claim(BOT_ID)
    assert isinstance(claimed, Claim)
    with pytest.raises(OperationalError):
        handle(claimed, line.bot, line.dispatcher)
    assert Update.objects.get().state == Update.State.STORED


def stall(line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody holds what handling needs, again and again, as an index being built does."""

    def busy(*_: Any, **__: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    with monkeypatch.context() as patch:
        patch.setattr(messages, "receive", busy)
        for _attempt in range(MAX_ATTEMPTS):
            line.skip_waiting()
            claimed = claim(BOT_ID)
            assert isinstance(claimed, Claim)
            with pytest.raises(OperationalError):
                handle(claimed, line.bot, line.dispatcher)
    line.skip_waiting()


def test_a_busy_database_is_no_fault_of_the_update_however_often(
    line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch
):
    line.store(phone.message(text="Раз"))
    stall(line, phone, monkeypatch)
    line.store(phone.message(text="Два"))
    line.handle_all()
    assert phone.written == ["Раз", "Два"]


def test_an_update_the_database_has_been_too_busy_for_all_the_time_is_parked_and_that_is_the_reason(
    line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch
):
    line.store(phone.message(text="Раз"))
    Update.objects.update(received_at=timezone.now() - PATIENCE)
    stall(line, phone, monkeypatch)
    assert claim(BOT_ID) is not None
    (update,) = parked()
    assert "database" in update.reason


def test_a_message_aiogram_does_not_understand_still_becomes_a_bubble(line: Line, phone: Phone):
    phone.send(text="Слова остались", entities="not a list", reply_markup=5)
    assert phone.written == ["Слова остались"]


def test_an_update_of_an_unknown_kind_is_parked_and_kept(line: Line, phone: Phone):
    line.take({"brand_new_thing": {"chat": phone.chat, "from": phone.user}})
    assert [update.attempts for update in parked()] == [1]


def test_an_update_beyond_understanding_is_parked(line: Line, phone: Phone):
    line.take({"callback_query": {"from": {"id": phone.id}, "id": 5}})
    assert len(parked()) == 1


@pytest.mark.parametrize("sender", [None, [], {"id": "семь", "first_name": 5}, {"first_name": "Тимур"}])
@pytest.mark.parametrize("kind", ["message", "edited_message"])
def test_in_a_private_chat_the_words_are_its_persons_whatever_the_sender_says(phone: Phone, kind: str, sender: Any):
    body = {**phone.message(text="Где мой заказ?")["message"], "from": sender, "edit_date": 1_790_000_000}
    phone.line.take({kind: body})
    assert phone.written == ["Где мой заказ?"]
    assert phone.customer.name == phone.first_name


def test_words_in_a_kind_of_chat_nobody_knows_yet_are_parked_and_not_taken_for_a_groups(phone: Phone):
    phone.send(text="Где мой заказ?", chat={"id": phone.id, "type": "circle"})
    assert [update.reason for update in parked()] == ["not an update this version understands"]


def test_handled_updates_leave_the_chat_free(line: Line, phone: Phone):
    phone.write("Раз")
    session = ChatSession.objects.get()
    assert session.handle_after is None
    assert (session.bot_id, session.chat_id, session.customer) == (BOT_ID, phone.id, phone.customer)


def test_everything_of_an_update_commits_together(line: Line, phone: Phone):
    phone.write("Раз")
    assert Message.objects.filter(sender=Sender.CLIENT).count() == 1
    assert Message.objects.filter(sender=Sender.SYSTEM, delivery__state="queued").count() == 1
    assert Update.objects.get().handled_at is not None


def test_attempts_are_counted_for_a_monitor(line: Line, phone: Phone, broken: list[str]):
    def counted() -> tuple[float, float]:
        handled, failed = (REGISTRY.get_sample_value("helpdesk_bot_updates_total", {"outcome": o}) for o in OUTCOMES)
        return handled or 0, failed or 0

    handled, failed = counted()
    broken.append("Плохое")
    phone.write("Хорошее")
    phone.write("Плохое")
    assert counted() == (handled + 1, failed + 1)


def test_updates_stored_before_their_chat_had_a_row_are_handled(line: Line, phone: Phone):
    line.store(phone.message(text="Где мой заказ?"))
    ChatSession.objects.all().delete()  # as a version before stored them
    line.handle_all()
    assert phone.written == ["Где мой заказ?"]


def test_many_new_chats_in_one_batch_are_taken_in_the_order_they_wrote(line: Line):
    people = [Phone(line, id=700_010 - n) for n in range(4)]
    line.store(*[person.message(text="Здравствуйте") for person in people])
    taken = [line.handle_next() for _person in people]
    assert [claimed.chat_id for claimed in taken if claimed] == [person.id for person in people]


@pytest.mark.django_db(transaction=True)
def test_workers_that_look_at_the_very_same_moment_never_take_one_chat_twice(line: Line):
    people = [Phone(line, id=700_010 + n) for n in range(4)]
    for _ in range(2):
        line.store(*[person.message(text="Здравствуйте") for person in people])

    taken = [claimed for claimed in at_once(*[lambda: claim(BOT_ID)] * 6) if claimed is not None]

    assert taken
    assert len({claimed.chat_id for claimed in taken}) == len(taken)
    heads = {update.chat_id: update.pk for update in Update.objects.order_by("-pk")}
    assert all(heads[claimed.chat_id] == claimed.update_id for claimed in taken)
