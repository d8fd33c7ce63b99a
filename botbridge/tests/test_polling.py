"""What is acknowledged is stored, and nothing else ever is."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import DeleteWebhook, TelegramMethod
from django.db import Error, connection
from django.utils import timezone

from botbridge import polling
from botbridge.client import QuietSession, make_bot
from botbridge.doorbell import Doorbell
from botbridge.health import facts
from botbridge.models import BotStatus, Outage, Update
from botbridge.polling import LIMIT, AlreadyRunningError, Polling, RawGetUpdates, sole_runner
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.storing import store
from botbridge.tests.conftest import TOKEN, Json
from botbridge.threads import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 20


@pytest.fixture
def telegram(tmp_path: Path) -> Iterator[SandboxServer]:
    """A sandbox of its own: what other tests left unacknowledged would come here too."""
    with SandboxServer(tmp_path / "sandbox") as server:
        yield server


@pytest.fixture
def customer(telegram: SandboxServer) -> CustomerClient:
    return telegram.customer("Тимур")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, short_connections: None) -> None:
    monkeypatch.setattr(polling, "PAUSES", (0.05,))
    monkeypatch.setattr(polling, "PAUSE_AFTER_REVOKED_TOKEN", 0.05)


def poll_until(telegram: SandboxServer, reached: Callable[[], bool]) -> None:
    """Polls until the condition holds, then stops as SIGTERM would."""

    async def run() -> None:
        bot = make_bot(telegram.token, telegram.base_url)
        task = asyncio.create_task(Polling(bot, Doorbell()).run())
        try:
            async with asyncio.timeout(WITHIN):
                while not await in_thread(reached):  # noqa: ASYNC110 - the database is asked, nothing rings
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await bot.session.close()

    asyncio.run(run())


def unacknowledged(telegram: SandboxServer) -> int:
    return sum(line["acknowledged_at"] is None for line in telegram.updates())


def test_everything_written_is_stored_and_then_acknowledged(telegram: SandboxServer, customer: CustomerClient):
    for number in range(150):  # more than one batch
        customer.write(str(number))
    poll_until(telegram, lambda: unacknowledged(telegram) == 0)
    assert Update.objects.count() == 150


def test_what_could_not_be_stored_is_not_acknowledged(
    telegram: SandboxServer, customer: CustomerClient, monkeypatch: pytest.MonkeyPatch
):
    customer.write("Раз")
    refused: list[Any] = []

    def no_database(bot_id: int, updates: list[Any]) -> None:
        refused.append(updates)
        raise Error("the connection is lost")

    with monkeypatch.context() as outage:
        outage.setattr(polling, "store", no_database)
        poll_until(telegram, lambda: len(refused) >= 3)
    assert unacknowledged(telegram) == 1
    assert facts()["last_error"] == "", "Telegram answers"
    poll_until(telegram, lambda: unacknowledged(telegram) == 0)
    assert Update.objects.count() == 1


def test_an_update_no_library_understands_stops_nobody(telegram: SandboxServer, customer: CustomerClient):
    telegram.put_update(100_000_000, message={"message_id": "x", "date": [], "chat": {"id": customer.id}})
    telegram.put_update(100_000_001, from_the_future={"shine": True})
    customer.write("После них")
    poll_until(telegram, lambda: unacknowledged(telegram) == 0)
    assert Update.objects.count() == 3


def test_numbers_that_begin_again_lower_are_neither_skipped_nor_discarded(
    telegram: SandboxServer, customer: CustomerClient
):
    customer.write("До")
    poll_until(telegram, lambda: unacknowledged(telegram) == 0)
    first = Update.objects.get().update_id
    message = {"message_id": 9, "date": 1, "chat": {"id": customer.id, "type": "private"}, "text": "После"}
    telegram.put_update(first - 1000, message=message)
    poll_until(telegram, lambda: Update.objects.count() == 2)
    assert Update.objects.filter(update_id=first - 1000).exists()


class ScriptedTelegram(QuietSession):
    """Answers in the order it was told to, then holds the poll as Telegram does when there is nothing."""

    def __init__(self, *answers: tuple[int, Json]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[TelegramMethod[Any]] = []

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109 - aiogram's
        self.asked.append(method)
        if isinstance(method, DeleteWebhook):
            return True
        if not self.answers:
            await asyncio.sleep(WITHIN)
        status, body = self.answers.pop(0)
        return self.check_response(bot, method, status, json.dumps(body)).result

    @property
    def polls(self) -> list[RawGetUpdates]:
        return [method for method in self.asked if isinstance(method, RawGetUpdates)]

    def poll_until_asked(self, times: int) -> None:
        async def run() -> None:
            task = asyncio.create_task(Polling(Bot(TOKEN, session=self), Doorbell()).run())
            try:
                async with asyncio.timeout(WITHIN):
                    while len(self.polls) < times:  # noqa: ASYNC110 - nothing rings
                        await asyncio.sleep(0.02)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

        asyncio.run(run())


def test_an_offset_is_not_sent_again_once_it_has_done_its_work():
    """A poll that runs for weeks meets new, lower numbers too."""
    update = {"update_id": 5, "message": {"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}}}
    telegram = ScriptedTelegram((200, {"ok": True, "result": [update]}), (200, {"ok": True, "result": []}))
    telegram.poll_until_asked(3)
    assert [poll.offset for poll in telegram.polls] == [None, 6, None]


class SlowLine(ScriptedTelegram):
    """Between us and a backlog: no more than ten updates come through in time, and nothing within `seconds`."""

    def __init__(self, backlog: int, *, seconds: int = 0) -> None:
        super().__init__()
        self.seconds = seconds
        chat = {"id": 7, "type": "private"}
        self.backlog: list[Json] = [
            {"update_id": number, "message": {"message_id": number, "date": 1, "chat": chat}}
            for number in range(1, backlog + 1)
        ]

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109 - aiogram's
        if not isinstance(method, RawGetUpdates):
            return await super().make_request(bot, method, timeout)
        self.asked.append(method)
        self.backlog = [update for update in self.backlog if update["update_id"] >= (method.offset or 0)]
        if len(self.backlog[: method.limit]) > 10 or (timeout or 0) < self.seconds:
            raise TelegramNetworkError(method=method, message="Request timeout error")
        return self.backlog[: method.limit]


def test_a_backlog_comes_through_a_slow_line_in_smaller_parts():
    telegram = SlowLine(backlog=40)
    telegram.poll_until_asked(25)
    assert Update.objects.count() == 40
    assert telegram.polls[-1].limit == LIMIT, "once the rest comes through, as many are asked for as before"


def test_a_line_on_which_every_answer_takes_long_is_waited_for():
    telegram = SlowLine(backlog=1, seconds=12)
    telegram.poll_until_asked(4)
    assert Update.objects.count() == 1


def test_a_webhook_is_taken_away_whenever_it_was_set_and_nothing_dropped_with_it():
    conflict = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook"
    telegram = ScriptedTelegram((409, {"ok": False, "error_code": 409, "description": conflict}))
    telegram.poll_until_asked(2)
    at_first, _poll, again, _poll_again = telegram.asked
    for delete in (at_first, again):
        assert isinstance(delete, DeleteWebhook)
        assert delete.drop_pending_updates is False


def test_the_status_tells_which_door_is_open(telegram: SandboxServer):
    telegram.call("setWebhook", url="http://127.0.0.1:9/hook")
    BotStatus.objects.create(
        bot_id=int(telegram.token.split(":")[0]),
        door=BotStatus.Door.WEBHOOK,
        webhook_pending=7,
        webhook_pending_since=timezone.now(),
        webhook_error="Connection refused",
        webhook_error_at=timezone.now(),
    )
    poll_until(telegram, lambda: BotStatus.objects.get().last_polled_at is not None)
    status = BotStatus.objects.get()
    assert status.door == BotStatus.Door.POLLING
    assert (status.webhook_pending, status.webhook_pending_since) == (None, None)
    assert (status.webhook_error, status.webhook_error_at) == ("", None)
    assert telegram.call("getWebhookInfo")["result"]["url"] == ""


def test_another_poller_is_told_and_waited_out():
    conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    telegram = ScriptedTelegram((409, {"ok": False, "error_code": 409, "description": conflict}))
    telegram.poll_until_asked(2)
    assert facts()["last_error"] == conflict


@pytest.mark.parametrize("knob", ["server_error", "bad_gateway", "drop", "too_many_requests"])
def test_polling_goes_on_after_trouble(telegram: SandboxServer, customer: CustomerClient, knob: str):
    telegram.knobs.turn_on(knob, times=2, methods=["getUpdates"], seconds=1)
    customer.write("Раз")
    poll_until(telegram, lambda: unacknowledged(telegram) == 0)
    assert Update.objects.count() == 1
    assert BotStatus.objects.get().last_error == ""


def test_trouble_is_told_while_it_lasts(telegram: SandboxServer):
    telegram.knobs.turn_on("server_error", methods=["getUpdates"])
    poll_until(telegram, lambda: bool(facts()["last_error"]))
    assert facts()["last_error"] == "Internal Server Error"


def test_a_revoked_token_is_told_and_its_successor_goes_on(telegram: SandboxServer, customer: CustomerClient):
    customer.write("Раз")
    new_token = telegram.revoke(telegram.token)
    poll_until(telegram, lambda: bool(facts()["stopped"]))
    assert facts()["stopped"] == "Telegram does not know this token"
    telegram.token = new_token
    poll_until(telegram, lambda: unacknowledged(telegram) == 0)
    assert facts()["stopped"] == ""


def test_the_token_is_never_told(telegram: SandboxServer, caplog: pytest.LogCaptureFixture):
    telegram.knobs.turn_on("drop", methods=["getUpdates"])
    poll_until(telegram, lambda: bool(facts()["last_error"]))
    assert telegram.token.split(":")[1] not in caplog.text + facts()["last_error"]


def test_a_second_process_on_one_sqlite_file_is_refused():
    first = sole_runner()
    if connection.vendor == "postgresql":
        assert first is None
        return
    assert first is not None
    with first, pytest.raises(AlreadyRunningError):
        sole_runner()
    again = sole_runner()
    assert again is not None
    again.close()


def test_an_outage_is_noted_before_what_waited_is_stored(
    telegram: SandboxServer, customer: CustomerClient, monkeypatch: pytest.MonkeyPatch
):
    bot_id = int(telegram.token.split(":")[0])
    began = timezone.now() - timedelta(hours=1)
    BotStatus.objects.create(bot_id=bot_id, last_polled_at=began)
    noted: list[int] = []

    def look_and_store(bot_id: int, updates: Any) -> None:
        noted.append(Outage.objects.count())
        store(bot_id, updates)

    monkeypatch.setattr(polling, "store", look_and_store)
    customer.write("Есть кто?")
    poll_until(telegram, Update.objects.exists)
    assert noted[0] == 1
    outage = Outage.objects.get()
    assert abs(outage.began_at - began) < timedelta(milliseconds=1)
