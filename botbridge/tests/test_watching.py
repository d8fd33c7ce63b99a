"""With the webhook the bot's process tells Telegram where to bring updates, and looks whether it can."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiogram.types import WebhookInfo
from django.utils import timezone

from botbridge import polling, watching, webhook
from botbridge.client import make_bot
from botbridge.models import BotStatus, Outage, Update
from botbridge.sandbox.client import Json
from botbridge.sandbox.thread import SandboxServer
from botbridge.tests.conftest import BOT_ID, TOKEN
from botbridge.threads import in_thread
from botbridge.watching import Watching, looked, note_forgotten
from tickets.models import Event, Ticket

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 20
SECRET = "sesame-sesame-sesame-sesame"


@pytest.fixture
def telegram(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path / "sandbox", token=TOKEN) as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(settings: Any, monkeypatch: pytest.MonkeyPatch, short_connections: None) -> None:
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_WEBHOOK_SECRET = TOKEN, SECRET
    settings.PUBLIC_URL = "http://127.0.0.1:9"  # nobody is there
    monkeypatch.setattr(polling, "PAUSES", (0.05,))
    monkeypatch.setattr(polling, "PAUSE_AFTER_REVOKED_TOKEN", 0.05)
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.05)


def watch_until(telegram: SandboxServer, *reached: Callable[[], bool]) -> None:
    """Watches until each condition has held in turn, then stops as SIGTERM would."""

    async def run() -> None:
        bot = make_bot(telegram.token, telegram.base_url)
        task = asyncio.create_task(Watching(bot).run())
        try:
            async with asyncio.timeout(WITHIN):
                for condition in reached:
                    while not await in_thread(condition):  # noqa: ASYNC110 - the database is asked, nothing rings
                        await asyncio.sleep(0.02)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await bot.session.close()

    asyncio.run(run())


def status() -> BotStatus:
    return BotStatus.objects.filter(pk=BOT_ID).first() or BotStatus()


def is_open() -> bool:
    return status().door == BotStatus.Door.WEBHOOK


def settings_sent(telegram: SandboxServer) -> list[Json]:
    return [line["payload"] for line in telegram.log() if line["method"] == "setWebhook"]


def test_telegram_is_told_where_to_bring_updates_and_what_to_show(telegram: SandboxServer):
    telegram.customer().write("До")
    watch_until(telegram, is_open)
    (sent,) = settings_sent(telegram)
    assert (sent["url"], sent["secret_token"]) == (webhook.address(), SECRET)
    assert sent["allowed_updates"] == polling.ALLOWED_UPDATES
    assert sent["drop_pending_updates"] == "false"
    assert telegram.call("getWebhookInfo")["result"]["pending_update_count"] == 1
    assert status().last_polled_at is not None


def test_what_telegram_cannot_bring_is_noted(telegram: SandboxServer):
    telegram.customer().write("Раз")
    watch_until(telegram, lambda: bool(status().webhook_error))
    assert (status().webhook_pending, status().webhook_error) == (1, "Connection refused")
    assert status().webhook_pending_since is not None


@pytest.mark.parametrize(
    "other", [{"method": "deleteWebhook"}, {"method": "setWebhook", "url": "http://127.0.0.1:7/theirs"}], ids=str
)
def test_a_webhook_somebody_took_away_is_set_again_and_told(telegram: SandboxServer, other: dict[str, str]):
    watch_until(
        telegram,
        is_open,
        lambda: bool(telegram.call(**other)),
        lambda: status().webhook_error == watching.TAKEN_AWAY,
        lambda: telegram.call("getWebhookInfo")["result"]["url"] == webhook.address(),
    )


@pytest.mark.parametrize("knob", ["server_error", "bad_gateway", "drop", "too_many_requests"])
def test_watching_goes_on_after_trouble(telegram: SandboxServer, knob: str):
    telegram.knobs.turn_on(knob, times=2, seconds=1)
    watch_until(telegram, lambda: bool(status().last_error), is_open)
    assert status().last_error == ""


def test_a_revoked_token_is_told(telegram: SandboxServer):
    telegram.revoke(TOKEN)
    watch_until(telegram, lambda: status().stopped_reason == "Telegram does not know this token")


def test_neither_the_token_nor_the_address_is_told(telegram: SandboxServer, caplog: pytest.LogCaptureFixture):
    telegram.knobs.turn_on("drop", times=1)
    with caplog.at_level("INFO"):
        watch_until(telegram, is_open)
    assert "Webhook: ServerDisconnectedError, again" in caplog.text
    for secret in (TOKEN.split(":")[1], webhook.secret_path(), SECRET):
        assert secret not in caplog.text


def info(pending: int = 0, *, error: str | None = None, ago: int = 0) -> WebhookInfo:
    at = timezone.now().replace(microsecond=0) - timedelta(seconds=ago)
    return WebhookInfo(
        url="https://help.example.com/",
        has_custom_certificate=False,
        pending_update_count=pending,
        last_error_message=error,
        last_error_date=at if error else None,
    )


def test_since_when_updates_wait_is_told_from_look_to_look():
    looked(BOT_ID, info(2))
    since = status().webhook_pending_since
    looked(BOT_ID, info(5))
    assert (status().webhook_pending, status().webhook_pending_since) == (5, since)
    looked(BOT_ID, info(0))
    assert (status().webhook_pending, status().webhook_pending_since) == (0, None)


def test_what_waits_may_have_come_right_after_the_look_before():
    looked(BOT_ID, info(0))
    BotStatus.objects.update(last_polled_at=timezone.now() - timedelta(seconds=20))
    before = status().last_polled_at
    looked(BOT_ID, info(1))
    assert status().webhook_pending_since == before


def test_since_a_look_of_long_ago_nobody_can_say_what_waits():
    looked(BOT_ID, info(0))
    BotStatus.objects.update(last_polled_at=timezone.now() - timedelta(hours=2))
    looked(BOT_ID, info(1))
    since = status().webhook_pending_since
    assert since is not None
    assert timezone.now() - since < timedelta(minutes=1)


@pytest.mark.parametrize(("hours", "came"), [(25, False), (25, True), (23, False)])
def test_what_telegram_has_forgotten_after_a_day_leaves_a_gap_mark(ticket: Ticket, hours: int, came: bool):
    since = timezone.now() - timedelta(hours=hours)
    BotStatus.objects.create(bot_id=BOT_ID, webhook_pending=1, webhook_pending_since=since)
    if came:
        Update.objects.create(bot_id=BOT_ID, update_id=1, digest="1", raw="{}", chat_id=1)
    note_forgotten(BOT_ID, info(0))
    is_lost = hours > 24 and not came
    assert ticket.events.filter(kind=Event.Kind.GAP).exists() is is_lost
    note_forgotten(BOT_ID, info(1))
    assert Outage.objects.count() == is_lost


def test_what_was_found_here_is_not_covered_by_what_telegram_said_before():
    looked(BOT_ID, info(error="Connection refused", ago=60))
    looked(BOT_ID, info(error="Connection refused", ago=60), trouble=watching.TAKEN_AWAY)
    looked(BOT_ID, info(error="Connection refused", ago=60))
    assert status().webhook_error == watching.TAKEN_AWAY
    BotStatus.objects.update(webhook_error_at=timezone.now() - timedelta(seconds=30))
    looked(BOT_ID, info(error="Read timeout expired", ago=10))
    assert status().webhook_error == "Read timeout expired"
