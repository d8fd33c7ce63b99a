"""Customers' files come whole, or it is said why not, and their messages never wait for them."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from aiogram import Bot
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.utils import timezone

from botbridge import files
from botbridge.client import DownloadError, make_bot
from botbridge.doorbell import Bell
from botbridge.downloads import incoming_folder, remove_leftovers
from botbridge.files import MAX_ATTEMPTS, REFUSALS_BELIEVED, Fetcher
from botbridge.models import TelegramFile
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.tests.conftest import BOT_ID, TOKEN, Line
from botbridge.threads import in_thread
from tickets import operations
from tickets.models import Attachment, AttachmentState, Message, Missing, User

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("short_connections"),
]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(3000)
WITHIN = 20


@pytest.fixture
def sent(line: Line, sandbox: SandboxServer, timurs_telegram: CustomerClient) -> Attachment:
    """A document Timur has sent, waiting to be fetched."""
    (message,) = timurs_telegram.send_files(("коробка.png", PNG, "image/png"), text="Вот")
    line.take({"message": message})
    return Attachment.objects.get()


def fetch_until(sandbox: SandboxServer, reached: Callable[[], bool]) -> None:
    async def run() -> None:
        bot = make_bot(TOKEN, sandbox.base_url)
        stopping, bell = asyncio.Event(), Bell()
        task = asyncio.create_task(Fetcher(bot, bell).run(stopping))
        try:
            async with asyncio.timeout(WITHIN):
                while not await in_thread(reached):  # noqa: ASYNC110 - the database is asked, nothing rings
                    await asyncio.sleep(0.02)
        finally:
            stopping.set()
            bell.ring()
            await task
            await bot.session.close()

    asyncio.run(run())


def state() -> str:
    return Attachment.objects.get().state


def test_a_file_comes_whole_and_its_bytes_say_what_it_is(sandbox: SandboxServer, sent: Attachment):
    fetch_until(sandbox, lambda: state() == AttachmentState.READY)
    attachment = Attachment.objects.get()
    with attachment.file.open() as file:
        assert file.read() == PNG
    assert (attachment.sniffed_type, attachment.size, attachment.reason) == ("image/png", len(PNG), "")
    assert "коробка" not in str(attachment.file.name)
    assert list(incoming_folder().iterdir()) == []


def test_the_words_are_there_before_the_file(sent: Attachment):
    assert Message.objects.get(sender="client").text == "Вот"
    assert sent.state == AttachmentState.PENDING


@pytest.mark.parametrize("knob", ["server_error", "bad_gateway", "drop"])
@pytest.mark.parametrize("method", ["getFile", "file"])
def test_after_trouble_it_is_tried_again(
    sandbox: SandboxServer, sent: Attachment, knob: str, method: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(files, "FIRST_PAUSE", 0)
    sandbox.knobs.turn_on(knob, times=2, methods=[method])
    fetch_until(sandbox, lambda: state() == AttachmentState.READY)
    # aiohttp itself asks once more on a new connection when an old one breaks: a download does no harm.
    assert Attachment.objects.get().attempts in (2, 3)


def test_at_last_it_is_said_that_it_will_not_come(sandbox: SandboxServer, sent: Attachment):
    Attachment.objects.update(attempts=MAX_ATTEMPTS - 1)
    sandbox.knobs.turn_on("drop", methods=["file"])
    fetch_until(sandbox, lambda: state() == AttachmentState.FAILED)
    assert Attachment.objects.get().reason == Missing.NO_ANSWER


def test_each_pause_is_longer_up_to_ten_minutes(sent: Attachment):
    pauses = []
    for attempt in (1, 2, 3, 20):
        Attachment.objects.update(attempts=attempt, state=AttachmentState.FETCHING)
        files.settle_failure(Attachment.objects.get(), files.Failed(Missing.NO_ANSWER))
        due_at = Attachment.objects.get().due_at
        assert due_at is not None
        pauses.append(round((due_at - timezone.now()).total_seconds()))
    assert pauses == [5, 10, 20, 600]


def test_a_file_telegram_refuses_because_of_its_size_is_told_as_too_big(
    sandbox: SandboxServer, line: Line, timurs_telegram: CustomerClient
):
    line.take({"message": timurs_telegram.send_imagined("video", "долгое.mp4", 61 * 1024 * 1024)})
    assert state() == AttachmentState.TOO_BIG
    Attachment.objects.update(state=AttachmentState.PENDING, due_at=timezone.now())  # Telegram did not say its size
    fetch_until(sandbox, lambda: state() == AttachmentState.TOO_BIG)
    assert Attachment.objects.get().reason == Missing.TOO_BIG


def on_telegrams_disk(sandbox: SandboxServer, attachment: Attachment) -> Path:
    """Where the sandbox keeps the bytes of a file."""
    file_id = TelegramFile.objects.get(attachment=attachment).file_id
    path: str = sandbox.call("getFile", file_id=file_id)["result"]["file_path"]
    return sandbox.folder / "files" / path


def test_more_bytes_than_were_promised_are_not_taken(sandbox: SandboxServer, sent: Attachment, settings: LazySettings):
    settings.TELEGRAM_DOWNLOAD_MB = 1
    on_telegrams_disk(sandbox, sent).write_bytes(PNG + bytes(1024 * 1024))
    fetch_until(sandbox, lambda: state() == AttachmentState.TOO_BIG)
    assert list(incoming_folder().iterdir()) == []


def once_tried(sandbox: SandboxServer) -> Attachment:
    """The file after one try, waiting for the next."""
    tried = Attachment.objects.filter(attempts__gt=0, state=AttachmentState.PENDING)
    fetch_until(sandbox, tried.exists)
    return tried.get()


@pytest.mark.parametrize("content", [PNG[:-1], PNG + b"x", b"<html><h1>502 Bad Gateway</h1></html>", b""])
def test_what_is_not_as_long_as_was_said_is_not_taken(sandbox: SandboxServer, sent: Attachment, content: bytes):
    """Cut short, grown, a page of some proxy's in its place."""
    on_telegrams_disk(sandbox, sent).write_bytes(content)
    assert not once_tried(sandbox).file
    assert list(incoming_folder().iterdir()) == []


def test_a_page_in_a_files_place_is_never_shown_as_a_picture(sandbox: SandboxServer, sent: Attachment):
    page = b"<html><script>alert(1)</script>"
    on_telegrams_disk(sandbox, sent).write_bytes(page.ljust(len(PNG)))
    fetch_until(sandbox, lambda: state() == AttachmentState.READY)
    assert Attachment.objects.get().sniffed_type == "application/octet-stream"


def test_a_file_telegram_refuses_again_and_again_is_gone_and_can_be_asked_for(
    sandbox: SandboxServer, sent: Attachment, saule: User
):
    TelegramFile.objects.update(file_id="unknown")  # getFile: 400
    assert once_tried(sandbox).attempts < REFUSALS_BELIEVED, "once it may be away for a while"
    Attachment.objects.update(attempts=REFUSALS_BELIEVED - 1, due_at=timezone.now())
    fetch_until(sandbox, lambda: state() == AttachmentState.GONE)
    assert Attachment.objects.get().reason == Missing.NOT_GIVEN
    operations.retry_file(attachment_id=sent.pk, actor=saule)
    assert (state(), Attachment.objects.get().attempts) == (AttachmentState.PENDING, 0)


def test_a_full_disk_is_the_reason_and_the_file_comes_when_there_is_room(
    sandbox: SandboxServer,
    sent: Attachment,
    saule: User,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    def on_a_full_disk(**_options: object) -> IO[bytes]:
        path = tmp_path / "download"
        path.symlink_to("/dev/full")  # each write there ends with ENOSPC
        return path.open("wb", buffering=0)

    Attachment.objects.update(attempts=MAX_ATTEMPTS - 1)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "NamedTemporaryFile", on_a_full_disk)
        fetch_until(sandbox, lambda: state() == AttachmentState.FAILED)
    assert Attachment.objects.get().reason == Missing.NOT_WRITTEN
    assert "No space left on device" in caplog.text
    assert list(tmp_path.glob("download")) == []
    operations.retry_file(attachment_id=sent.pk, actor=saule)
    fetch_until(sandbox, lambda: state() == AttachmentState.READY)


def test_a_file_another_bot_received_is_gone(sandbox: SandboxServer, sent: Attachment):
    TelegramFile.objects.update(bot_id=BOT_ID + 1)
    fetch_until(sandbox, lambda: state() == AttachmentState.GONE)


def test_a_file_of_a_worker_that_died_is_due_again(sandbox: SandboxServer, sent: Attachment):
    assert operations.start_fetching(lease=timedelta(minutes=3)) == sent
    assert operations.start_fetching(lease=timedelta(minutes=3)) is None
    Attachment.objects.update(due_at=timezone.now())
    fetch_until(sandbox, lambda: state() == AttachmentState.READY)


def test_a_worker_that_comes_too_late_says_nothing_of_a_file_another_has_brought(sent: Attachment):
    slow = operations.start_fetching(lease=timedelta(0))
    assert slow == sent
    assert operations.start_fetching(lease=timedelta(minutes=3)) == sent
    operations.attach_file(attachment_id=sent.pk, file=ContentFile(b"%PDF-1.4 words"))
    files.settle_failure(slow, files.Failed(Missing.NOT_GIVEN, AttachmentState.GONE))
    sent.refresh_from_db()
    assert (sent.state, sent.reason) == (AttachmentState.READY, "")


def test_a_download_under_way_goes_back_in_line_at_the_end(sandbox: SandboxServer, sent: Attachment):
    sandbox.knobs.turn_on("slow", methods=["file"], seconds=5)
    fetch_until(sandbox, lambda: state() == AttachmentState.FETCHING)
    assert state() == AttachmentState.PENDING


def test_a_download_stopped_while_its_file_is_being_made_leaves_none(
    sandbox: SandboxServer, sent: Attachment, monkeypatch: pytest.MonkeyPatch
):
    making, may_go_on = threading.Event(), threading.Event()
    make = tempfile.NamedTemporaryFile

    def on_a_slow_disk(**options: Any) -> IO[bytes]:
        making.set()
        may_go_on.wait(WITHIN)
        return make(**options)

    async def fetch_and_stop() -> None:
        async with make_bot(TOKEN, sandbox.base_url) as bot:
            fetching = asyncio.create_task(files.fetch(bot, sent))
            assert await asyncio.to_thread(making.wait, WITHIN)
            fetching.cancel()
            await asyncio.sleep(0)  # lets it hear that
            may_go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await fetching

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", on_a_slow_disk)
    asyncio.run(fetch_and_stop())
    assert list(incoming_folder().iterdir()) == []


@pytest.mark.parametrize("path", ["/var/lib/../../etc/passwd", "../../secret", "http://elsewhere/x", ""])
def test_a_path_that_leads_elsewhere_is_not_followed(path: str):
    class Answer:
        file_path, file_size = path, 1

    class Elsewhere(Bot):
        async def __call__(self, method: object, request_timeout: int | None = None) -> Answer:  # type: ignore[override]
            return Answer()

    with pytest.raises(DownloadError):
        asyncio.run(files._where(Elsewhere(TOKEN), "id"))


def test_leftovers_of_killed_processes_are_swept_away(media_root: Path):
    old, new = incoming_folder() / "old", incoming_folder() / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    remove_leftovers()
    assert not old.exists()
    assert new.exists()
    new.unlink()


def test_the_token_is_never_told(sandbox: SandboxServer, sent: Attachment, caplog: pytest.LogCaptureFixture):
    Attachment.objects.update(attempts=MAX_ATTEMPTS - 1)
    sandbox.knobs.turn_on("server_error", methods=["file"])
    with suppress(TimeoutError):
        fetch_until(sandbox, lambda: state() == AttachmentState.FAILED)
    assert TOKEN.split(":")[1] not in caplog.text + Attachment.objects.get().reason
