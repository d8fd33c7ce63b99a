"""The door by which updates come: our own getUpdates loop over raw JSON.

aiogram's start_polling acknowledges a batch before it is handled, and lost updates whenever its process died; it also
parses a batch as one, so that a single update it does not understand stops it for good. Here a batch is committed as
it came, and only the next request, with a higher offset, acknowledges it (Bot API, "getUpdates").
"""

import asyncio
import fcntl
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from aiogram import Bot
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramNetworkError,
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
from botbridge.outages import reached
from botbridge.storing import UPDATE_ID, is_id, park_unreadable, store
from botbridge.threads import in_thread

logger = logging.getLogger(__name__)

#: Kept by the server until another call changes it, so it is said every time.
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member", "message_reaction"]
LIMIT = 100
#: Seconds the server holds a poll with nothing to give (it allows 50 at most), and what the answer may take besides.
#: Short, because silence cannot be told from a quiet time sooner; after a failure an answer may take longer each time,
#: because a slow line must not leave the bot deaf.
HOLD = 5
ANSWER_TAKES = 5
ANSWER_TAKES_AT_MOST = 20

PAUSES = (0.5, 1, 2, 4, 8)
PAUSE_AFTER_REVOKED_TOKEN = 60
TRY_TO_LEAD_EVERY = 2


class UnusableAnswerError(AiogramError):
    """A success of getUpdates with nothing in it that could be acknowledged."""


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
        #: How many updates to ask for: one at a time around one that cannot be read, fewer where so many take too long.
        self._limit = LIMIT
        self._unreadable = ""
        #: Until one poll was answered none is held: health learns of a fresh or mended connection at once.
        self._reached = False

    async def run(self) -> None:
        """Polls until cancelled, while this process leads."""
        while True:
            try:
                async with leading(self._bot.id) as check:
                    logger.info("Polling as bot %s", self._bot.id)
                    await self._delete_webhook()
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
            if isinstance(error, TelegramNetworkError):
                self._limit = max(1, self._limit // 2)
            if isinstance(error, TelegramConflictError) and "webhook" in error.message:
                await self._delete_webhook()
            await cope(self._bot.id, error, about="Polling", failures=self._failures)
            self._failures += 1
        else:
            self._reached = True
            self._failures = 0

    async def _poll(self) -> None:
        if self._offset is not None:
            crash.at(crash.BEFORE_ACK)
        hold = HOLD if self._reached else 0
        poll = RawGetUpdates(offset=self._offset, limit=self._limit, timeout=hold)
        try:
            updates = await self._bot(poll, request_timeout=hold + answer_takes(self._failures))
        except ClientDecodeError as error:
            if not await self._pass_unreadable(error.data):
                raise
            return
        crash.at(crash.AFTER_FETCH)
        if not isinstance(updates, list):
            raise UnusableAnswerError("an answer without updates")
        await in_thread(reached, self._bot.id)
        if updates:
            await in_thread(store, self._bot.id, updates)
            self._doorbell.ring(INBOX)
        self._acknowledge(updates)
        self._limit = min(2 * self._limit, LIMIT)
        await in_thread(polled, self._bot.id)

    def _acknowledge(self, updates: list[Any]) -> None:
        """With the next request. What is stored and has no number goes with what has one."""
        named = [update.get("update_id") for update in updates if isinstance(update, dict)]
        # A negative offset would make Telegram forget what it has not yet given (Bot API, "getUpdates").
        ids = [update_id for update_id in named if is_id(update_id) and update_id > 0]
        self._offset = max(ids) + 1 if ids else None
        if updates and not ids:
            raise UnusableAnswerError("updates without numbers")

    async def _pass_unreadable(self, content: Any) -> bool:
        """Get past an update that no JSON reader takes: too deep, or a number too long. False: it was not one.

        It is looked for one by one, so that none is kept as unreadable for its neighbour's sake, and asked for twice,
        so that none is for what the network did to it.
        """
        if not isinstance(content, str) or not is_whole_answer(content):
            return False
        found = UPDATE_ID.search(content)
        if self._limit > 1 or self._unreadable != content or found is None:
            self._limit, self._unreadable = 1, content
            return False
        logger.error("Polling: update %s cannot be read, and is parked as it came", found[1])
        await in_thread(park_unreadable, self._bot.id, int(found[1]), content)
        self._offset, self._unreadable = int(found[1]) + 1, ""
        return True

    async def _delete_webhook(self) -> None:
        """A webhook, ours or another installation's, keeps getUpdates out. Nothing that waits is dropped."""
        try:
            await self._bot(DeleteWebhook(drop_pending_updates=False))
        except AiogramError as error:
            logger.warning("Polling: the webhook stays, %s", type(error).__name__)


def answer_takes(failures: int) -> int:
    """Seconds for an answer after so many failures in a row."""
    return min(ANSWER_TAKES * (1 + failures), ANSWER_TAKES_AT_MOST)


async def cope(bot_id: int, error: Exception, *, about: str, failures: int) -> None:
    """Note what went wrong at a door where people look, and wait: longer after each of its `failures` so far, or as
    long as Telegram says.
    """
    pause: float = PAUSES[min(failures, len(PAUSES) - 1)]
    stopped = ""
    if isinstance(error, (TelegramUnauthorizedError, TelegramNotFound)):
        stopped, pause = "Telegram does not know this token", PAUSE_AFTER_REVOKED_TOKEN
    elif isinstance(error, TelegramRetryAfter):
        pause = error.retry_after
    reason = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
    logger.warning("%s: %s, again in %s s", about, reason, pause)
    if isinstance(error, AiogramError):  # what is wrong with the database is not Telegram's
        await _note(bot_id, reason, stopped, about)
    await asyncio.sleep(pause)


async def _note(bot_id: int, reason: str, stopped: str, about: str) -> None:
    try:
        await in_thread(failed, bot_id, reason, stopped=stopped)
    except Error:
        logger.warning("%s: the database does not answer", about)


def is_whole_answer(content: str) -> bool:
    """Whether it begins and ends as a success of getUpdates, so that nothing of it is missing."""
    return re.match(r'\s*\{\s*"ok"\s*:\s*true\b', content) is not None and content.rstrip().endswith("]}")


def polled(bot_id: int) -> None:
    """Note a successful poll, which also ends whatever was wrong, with a webhook of before too."""
    BotStatus.objects.update_or_create(
        bot_id=bot_id,
        defaults={
            "door": BotStatus.Door.POLLING,
            "last_polled_at": timezone.now(),
            "last_error": "",
            "stopped_reason": "",
            "webhook_pending": None,
            "webhook_pending_since": None,
            "webhook_error": "",
            "webhook_error_at": None,
        },
    )


def failed(bot_id: int, reason: str, *, stopped: str = "") -> None:
    BotStatus.objects.update_or_create(
        bot_id=bot_id,
        defaults={"last_error": reason[:MAX_REASON], "last_error_at": timezone.now(), "stopped_reason": stopped},
    )


@asynccontextmanager
async def leading(bot_id: int) -> AsyncIterator[Any]:
    """Wait until no other process minds this bot's door, whichever it is; gives a check that this one still leads.

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
