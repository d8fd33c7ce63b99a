"""Customers' files from Telegram into storage, apart from their messages: the words never wait for the bytes."""

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramRetryAfter
from aiogram.methods import GetFile
from django.conf import settings
from django.core.files.base import File
from django.db import Error

from botbridge.client import DownloadError, make_bot, session_of
from botbridge.doorbell import Bell
from botbridge.downloads import ask_seconds, fetch_seconds, incoming_folder, lease
from botbridge.local_files import LocalFileError, chunks, open_local
from botbridge.models import TelegramFile
from botbridge.requests import LONGEST_WAIT
from botbridge.threads import in_thread
from tickets import operations
from tickets.files import max_download
from tickets.models import Attachment, AttachmentState, Missing

logger = logging.getLogger(__name__)

AT_ONCE = 4
FIRST_PAUSE = 5
LONGEST_PAUSE = 600
#: With pauses of at most ten minutes: about three hours.
MAX_ATTEMPTS = 24
#: «Wrong file_id or the file is temporarily unavailable» means either; after so many times it is the former.
REFUSALS_BELIEVED = 4


@dataclass(frozen=True)
class Failed:
    """Why a file is not here. Without a `state` it is tried again, not before `pause` seconds."""

    reason: Missing
    state: AttachmentState | None = None
    pause: float = 0


class Downloaded(File):  # type: ignore[type-arg]  # Django's class takes no arguments when it runs
    """A finished download, which storage moves into place instead of copying."""

    def temporary_file_path(self) -> str:
        """What FileSystemStorage asks for to rename instead of copying."""
        return str(self.name)


class Fetcher:
    """Fetches what is due, a few files at a time."""

    def __init__(self, bot: Bot, bell: Bell) -> None:
        self._bot = bot
        self._bell = bell

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until asked to stop; a download under way is then put back in line."""
        running: set[asyncio.Task[None]] = set()
        while not stopping.is_set():
            attachment = None
            try:
                attachment = await in_thread(operations.start_fetching, lease=lease())
            except Error as error:
                logger.warning("Files: the database does not answer (%s)", type(error).__name__)
            if attachment is None:
                await self._bell.wait()
                continue
            task = asyncio.create_task(fetch_and_settle(self._bot, attachment))
            running.add(task)
            task.add_done_callback(running.discard)
            while len(running) >= AT_ONCE and not stopping.is_set():
                await asyncio.wait(running, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def fetch_files(bell: Bell, stopping: asyncio.Event) -> None:
    """Fetch what is due, when rung and by the clock, until asked to stop."""
    async with make_bot(settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL) as bot:
        await Fetcher(bot, bell).run(stopping)


def fetch_if_due(attachment_id: int) -> None:
    """Fetch one file from start to end, unless another worker does or has."""
    attachment = operations.start_fetching(lease=lease(), attachment_id=attachment_id)
    if attachment is not None:
        asyncio.run(_fetch_alone(attachment))


async def _fetch_alone(attachment: Attachment) -> None:
    async with make_bot(settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL) as bot:
        await fetch_and_settle(bot, attachment)


async def fetch_and_settle(bot: Bot, attachment: Attachment) -> None:
    """Fetch a claimed file and write down what became of it."""
    try:
        failed = await fetch(bot, attachment)
        if failed is not None:
            await in_thread(settle_failure, attachment, failed)
    except asyncio.CancelledError:
        await in_thread(operations.fetch_later, attachment_id=attachment.pk, delay=timedelta(0))
    except Error as error:
        # Its lease brings it back.
        logger.warning("Files: the database does not answer (%s)", type(error).__name__)
    except Exception:
        logger.exception("Files: %s failed", attachment.pk)
        await in_thread(settle_failure, attachment, Failed(Missing.BROKEN))


async def fetch(bot: Bot, attachment: Attachment) -> Failed | None:
    """Bring one file into storage; None when it is there."""
    file_id = await in_thread(file_id_for, bot.id, attachment)
    if file_id is None:
        return Failed(Missing.OTHER_BOT, AttachmentState.GONE)
    try:
        await _bring(bot, file_id, attachment)
    except (AiogramError, DownloadError, LocalFileError, _TooBigError, OSError) as error:
        return _explain(error, attachment)
    return None


async def _bring(bot: Bot, file_id: str, attachment: Attachment) -> None:
    """Whole or not at all: into a file of its own, to the disk, and only then into place and into the database."""
    path, size = await _where(bot, file_id)
    async with _place_to_grow() as target:
        with target:
            await _write_whole(_bytes_of(bot, path), size, target)
        await in_thread(attach, attachment, target.name)


@asynccontextmanager
async def _place_to_grow() -> AsyncIterator[Any]:
    """An open file among the incoming, gone afterwards unless it was moved."""
    making = asyncio.create_task(asyncio.to_thread(tempfile.NamedTemporaryFile, dir=incoming_folder(), delete=False))
    try:
        # A thread is not stopped: cancelled here, it would still make a file, whose name nobody knew.
        yield await asyncio.shield(making)
    finally:
        target = await making
        await asyncio.to_thread(Path(target.name).unlink, missing_ok=True)


def _explain(error: Exception, attachment: Attachment) -> Failed:
    too_big = isinstance(error, TelegramBadRequest) and "too big" in error.message
    if too_big or isinstance(error, _TooBigError):
        return Failed(Missing.TOO_BIG, AttachmentState.TOO_BIG)
    if isinstance(error, TelegramBadRequest):
        gone = attachment.attempts >= REFUSALS_BELIEVED
        return Failed(Missing.NOT_GIVEN, AttachmentState.GONE if gone else None)
    if isinstance(error, TelegramRetryAfter):
        return Failed(Missing.TOO_MANY, pause=min(error.retry_after, LONGEST_WAIT.total_seconds()))
    if isinstance(error, LocalFileError):
        logger.error("Files: %s cannot be read from the Bot API server's disk, %s", attachment.pk, error)
        return Failed(Missing.NOT_READ)
    if isinstance(error, OSError):
        logger.error("Files: %s cannot be written, %s", attachment.pk, error.strerror)
        return Failed(Missing.NOT_WRITTEN)
    logger.warning("Files: %s did not come, %s", attachment.pk, type(error).__name__)
    return Failed(Missing.NO_ANSWER)


class _TooBigError(Exception):
    """More bytes than Telegram gives bots."""


async def _where(bot: Bot, file_id: str) -> tuple[str, int | None]:
    """The path to fetch from, valid for an hour, and the size (Bot API, "getFile"). An absolute one is on a disk."""
    answer = await bot(GetFile(file_id=file_id), request_timeout=ask_seconds())
    path, size = answer.file_path, answer.file_size
    if not path or ".." in PurePosixPath(path).parts or "://" in path:
        raise DownloadError
    return path, size


async def _bytes_of(bot: Bot, path: str) -> AsyncIterator[bytes]:
    if not PurePosixPath(path).is_absolute():
        async for chunk in session_of(bot).download(bot, path, seconds=fetch_seconds()):
            yield chunk
        return
    with await asyncio.to_thread(open_local, path) as file:
        pieces = chunks(file)
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece


async def _write_whole(pieces: AsyncIterator[bytes], size: int | None, target: Any) -> None:
    """Every byte on disk, or an error."""
    if (size or 0) > max_download():
        raise _TooBigError
    written = 0
    async for piece in pieces:
        written += len(piece)
        if written > max_download():
            raise _TooBigError
        await asyncio.to_thread(target.write, piece)
    if size is not None and written != size:
        raise DownloadError
    await asyncio.to_thread(_flush, target)


def _flush(target: Any) -> None:
    target.flush()
    os.fsync(target.fileno())


def file_id_for(bot_id: int, attachment: Attachment) -> str | None:
    rows = TelegramFile.objects.filter(attachment=attachment, bot_id=bot_id)
    return rows.values_list("file_id", flat=True).first()


def attach(attachment: Attachment, path: str) -> None:
    with Path(path).open("rb") as file:
        operations.attach_file(attachment_id=attachment.pk, file=Downloaded(file, name=path))


def settle_failure(attachment: Attachment, failed: Failed) -> None:
    """Try again later, each time later, or say why there will be no file."""
    if failed.state is None and attachment.attempts < MAX_ATTEMPTS:
        pause = min(FIRST_PAUSE * 2 ** (attachment.attempts - 1), LONGEST_PAUSE)
        operations.fetch_later(attachment_id=attachment.pk, delay=timedelta(seconds=max(pause, failed.pause)))
        return
    state = failed.state or AttachmentState.FAILED
    operations.fail_file(attachment_id=attachment.pk, state=state, reason=failed.reason, attempt=attachment.attempts)
