"""What is acknowledged is stored, and nothing else ever is."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.methods import DeleteWebhook, TelegramMethod
from django.db import Error, connection

from botbridge import polling
from botbridge.client import QuietSession, make_bot
from botbridge.doorbell import Doorbell
from botbridge.health import facts
from botbridge.models import BotStatus, Update
from botbridge.polling import AlreadyRunningError, Polling, RawGetUpdates, sole_runner
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
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

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109
        self.asked.append(method)
        if not self.answers:
            await asyncio.sleep(WITHIN)
        status, body = self.answers.pop(0)
        return self.check_response(bot, method, status, json.dumps(body)).result

    def poll_until_asked(self, times: int) -> None:
        async def run() -> None:
            task = asyncio.create_task(Polling(Bot(TOKEN, session=self), Doorbell()).run())
            try:
                async with asyncio.timeout(WITHIN):
                    while len(self.asked) < times:  # noqa: ASYNC110 - as above
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
    assert [method.offset for method in telegram.asked if isinstance(method, RawGetUpdates)] == [None, 6, None]


def test_a_forgotten_webhook_is_taken_away_and_nothing_dropped_with_it():
    conflict = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook"
    telegram = ScriptedTelegram(
        (409, {"ok": False, "error_code": 409, "description": conflict}), (200, {"ok": True, "result": True})
    )
    telegram.poll_until_asked(3)
    _poll, delete, _poll_again = telegram.asked
    assert isinstance(delete, DeleteWebhook)
    assert delete.drop_pending_updates is False


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
