"""The door by which updates come: our own getUpdates loop over raw JSON.

aiogram's start_polling acknowledges a batch before it is handled, and lost updates whenever its process died; it also
parses a batch as one, so that a single update it does not understand stops it for good. Here a batch is committed as
it came, and only the next request, with a higher offset, acknowledges it (Bot API, "getUpdates").
"""

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from aiogram import Bot
from aiogram.exceptions import (
    AiogramError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods import DeleteWebhook, TelegramMethod
from django.db import Error, connection
from django.utils import timezone

from botbridge import crash
from botbridge.doorbell import INBOX, Doorbell, own_connection
from botbridge.models import MAX_REASON, BotStatus
from botbridge.storing import store
from botbridge.threads import in_thread

logger = logging.getLogger(__name__)

#: Kept by the server until another call changes it, so it is said every time.
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
LIMIT = 100
#: Seconds the server holds a poll with nothing to give (it allows 50 at most), and what the answer may take besides.
HOLD = 25
ANSWER_TAKES = 15

PAUSES = (0.5, 1, 2, 4, 8)
PAUSE_AFTER_REVOKED_TOKEN = 60
TRY_TO_LEAD_EVERY = 2


class AlreadyRunningError(Exception):
    """Another process of this kind works on the same SQLite file."""


class RawGetUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates whose answer is left as it came."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int = LIMIT
    timeout: int = HOLD
    allowed_updates: list[str] = ALLOWED_UPDATES


class Polling:
    """Fetches, commits, acknowledges; recovers by itself from whatever fails."""

    def __init__(self, bot: Bot, doorbell: Doorbell) -> None:
        self._bot = bot
        self._doorbell = doorbell
        #: What the next request acknowledges. None asks for whatever is unacknowledged: ids may begin again lower
        #: after a week of silence, and an old offset would then discard them unseen.
        self._offset: int | None = None
        self._failures = 0
        #: Until one poll was answered none is held: health learns of a fresh or mended connection at once.
        self._reached = False

    async def run(self) -> None:
        """Polls until cancelled, while this process leads."""
        while True:
            try:
                async with leading(self._bot.id) as check:
                    logger.info("Polling as bot %s", self._bot.id)
                    while True:
                        await check()
                        await self._poll_or_pause()
            except psycopg.Error as error:
                logger.warning("Polling: %s, trying to lead again", type(error).__name__)
                await asyncio.sleep(TRY_TO_LEAD_EVERY)

    async def _poll_or_pause(self) -> None:
        try:
            await self._poll()
        except (AiogramError, Error) as error:
            self._reached = False
            await self._cope(error)
        else:
            self._reached = True
            self._failures = 0

    async def _poll(self) -> None:
        if self._offset is not None:
            crash.at(crash.BEFORE_ACK)
        poll = RawGetUpdates(offset=self._offset, timeout=HOLD if self._reached else 0)
        updates = await self._bot(poll, request_timeout=HOLD + ANSWER_TAKES)
        crash.at(crash.AFTER_FETCH)
        if updates:
            await in_thread(store, self._bot.id, updates)
            self._doorbell.ring(INBOX)
        self._offset = max(update["update_id"] for update in updates) + 1 if updates else None
        await in_thread(polled, self._bot.id)

    async def _cope(self, error: Exception) -> None:
        """Note what went wrong where people look, and wait: longer each time, or as long as Telegram says."""
        pause: float = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        stopped = ""
        if isinstance(error, (TelegramUnauthorizedError, TelegramNotFound)):
            stopped, pause = "Telegram does not know this token", PAUSE_AFTER_REVOKED_TOKEN
        elif isinstance(error, TelegramRetryAfter):
            pause = error.retry_after
        elif isinstance(error, TelegramConflictError) and "webhook" in error.message:
            await self._delete_webhook()
        reason = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
        logger.warning("Polling: %s, again in %s s", reason, pause)
        try:
            await in_thread(failed, self._bot.id, reason, stopped=stopped)
        except Error:
            logger.warning("Polling: the database does not answer")
        await asyncio.sleep(pause)

    async def _delete_webhook(self) -> None:
        """A webhook left by an earlier installation keeps getUpdates out. Nothing that waits is dropped."""
        try:
            await self._bot(DeleteWebhook(drop_pending_updates=False))
        except AiogramError as error:
            logger.warning("Polling: the webhook stays, %s", type(error).__name__)


def polled(bot_id: int) -> None:
    """Note a successful poll, which also ends whatever was wrong."""
    BotStatus.objects.update_or_create(
        bot_id=bot_id, defaults={"last_polled_at": timezone.now(), "last_error": "", "stopped_reason": ""}
    )


def failed(bot_id: int, reason: str, *, stopped: str = "") -> None:
    BotStatus.objects.update_or_create(
        bot_id=bot_id,
        defaults={"last_error": reason[:MAX_REASON], "last_error_at": timezone.now(), "stopped_reason": stopped},
    )


@asynccontextmanager
async def leading(bot_id: int) -> AsyncIterator[Any]:
    """Wait until no other process polls for this bot; gives a check that this one still leads.

    Telegram ends the older of two polls (409), so a second poller would only do harm; storing stays right even then.
    """
    if connection.vendor == "sqlite":
        # The whole process is alone: the command holds the file's lock (`sole_runner`).
        yield _still_leads
        return
    async with await own_connection() as lock:
        while not await _try_lock(lock, bot_id):  # noqa: ASYNC110 - PostgreSQL is asked, nothing here rings
            await asyncio.sleep(TRY_TO_LEAD_EVERY)
        yield lambda: lock.execute("SELECT 1")


async def _still_leads() -> None:
    """Nobody can take a file's lock away."""


async def _try_lock(lock: psycopg.AsyncConnection[Any], bot_id: int) -> bool:
    row = await (await lock.execute("SELECT pg_try_advisory_lock(%s)", [bot_id])).fetchone()
    return bool(row and row[0])


def sole_runner() -> IO[str] | None:
    """On SQLite, the lock that keeps a second process away for as long as the file is open; None on PostgreSQL.

    :raises AlreadyRunningError: another process holds it.
    """
    if connection.vendor != "sqlite":
        return None
    lock = Path(f"{connection.settings_dict['NAME']}.runbot.lock").open("w")  # noqa: SIM115 - kept open: closing it lets the lock go
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyRunningError from None
    return lock
