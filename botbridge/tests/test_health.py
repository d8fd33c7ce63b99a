"""What health is told about the bot."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botbridge.health import facts
from botbridge.models import BotStatus, Update
from botbridge.tests.conftest import BOT_ID, Line, Phone
from tickets import operations
from tickets.models import Delivery, DeliveryState, Notice

pytestmark = pytest.mark.django_db

NOTHING = {
    "last_poll_age": None,
    "door": "polling",
    "webhook_pending": None,
    "webhook_error_age": None,
    "undelivered": None,
    "oldest_unhandled": None,
    "oldest_unsent": None,
    "unknown": 0,
    "held": 0,
    "failed": 0,
    "unaltered": 0,
    "parked": 0,
    "last_error": "",
    "webhook_error": "",
    "stopped": "",
}


def test_of_a_new_bot_there_is_nothing_to_tell():
    assert facts() == NOTHING


def test_ages_are_told_in_seconds(line: Line, phone: Phone):
    minute_ago = timezone.now() - timedelta(seconds=60)
    BotStatus.objects.create(bot_id=BOT_ID, last_polled_at=minute_ago)
    line.store(phone.message(text="Раз"))
    Update.objects.update(received_at=minute_ago)
    assert {facts()[name] for name in ("last_poll_age", "oldest_unhandled")} <= {60, 61}


def test_a_bot_that_has_never_polled_does_not_hide_the_one_that_does():
    BotStatus.objects.create(bot_id=BOT_ID, last_polled_at=timezone.now())
    BotStatus.objects.create(bot_id=BOT_ID + 1)
    assert facts()["last_poll_age"] is not None


@pytest.mark.parametrize(
    ("waited", "failed", "undelivered"),
    [(90, 5, True), (90, 250, True), (30, 5, False), (90, 400, False), (90, None, False), (None, 5, False)],
)
def test_telegram_tries_in_vain_when_updates_wait_long_and_it_failed_lately(
    waited: int | None, failed: int | None, undelivered: bool
):
    now = timezone.now()
    BotStatus.objects.create(
        bot_id=BOT_ID,
        door=BotStatus.Door.WEBHOOK,
        last_polled_at=now,
        webhook_pending=3 if waited else 0,
        webhook_pending_since=now - timedelta(seconds=waited) if waited else None,
        webhook_error="Connection refused" if failed else "",
        webhook_error_at=now - timedelta(seconds=failed) if failed else None,
    )
    told = facts()
    assert (told["undelivered"] in (90, 91)) is undelivered
    assert (told["webhook_error_age"] is not None) is (failed is not None and failed < 300)
    assert (told["door"], told["webhook_pending"]) == ("webhook", 3 if waited else 0)


def test_the_oldest_unsent_is_told_and_what_is_not_due_yet_is_not(timur):
    message = operations.say(customer=timur, notice=Notice.HELP, text="…", due_in=timedelta(seconds=8))
    assert facts()["oldest_unsent"] is None
    Delivery.objects.filter(pk=message.pk).update(due_at=timezone.now() - timedelta(seconds=5))
    assert facts()["oldest_unsent"] in (5, 6)


@pytest.mark.parametrize("state", [DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED])
def test_replies_that_wait_for_a_person_are_counted_and_the_bots_sentences_are_not(
    ticket, aigerim, timur, answer, state: DeliveryState
):
    answer(ticket, aigerim)
    operations.say(customer=timur, notice=Notice.HELP, text="…")
    Delivery.objects.update(state=state)
    assert facts()[state.value] == 1


def test_parked_updates_are_counted(line: Line):
    line.store({"poll": {"id": "1"}})
    assert facts()["parked"] == 1


def test_a_change_the_customer_does_not_see_is_counted_until_somebody_looks(ticket, aigerim, answer):
    reply = answer(ticket, aigerim)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.SENT, parts_sent=1)
    operations.edit_reply(message_id=reply.pk, actor=aigerim, text="Иначе")
    assert facts()["unaltered"] == 0
    operations.give_up_alterations(now=timezone.now() + timedelta(hours=1))
    assert facts()["unaltered"] == 1
    operations.leave_as_is(message_id=reply.pk, actor=aigerim)
    assert facts()["unaltered"] == 0


def test_looking_costs_a_fixed_number_of_queries(django_assert_num_queries):
    with django_assert_num_queries(8):
        facts()


@pytest.mark.parametrize(
    ("rows", "index"),
    [("\"decision\" = ''", "delivery_to_decide"), ('"settled_at" IS NULL', "update_parked_unsettled")],
)
def test_counting_what_waits_passes_nothing_that_was_settled(db, rows: str, index: str):
    with CaptureQueriesContext(connection) as asked:
        facts()
    counts = [query["sql"] for query in asked if rows in query["sql"]]
    assert counts
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # else it reads small tables whole
        for count in counts:
            cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + count)
            assert index in str(cursor.fetchall())
