"""A Bot API server of one's own: what it has put on a common disk is taken from there, and nothing else is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from botbridge.client import make_bot
from botbridge.downloads import incoming_folder, lease
from botbridge.files import MAX_ATTEMPTS, REFUSALS_BELIEVED
from botbridge.local_files import LocalFileError, chunks, open_local
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import settle
from botbridge.tests.conftest import TOKEN, Line, ask, claim_now, state_of, upload
from botbridge.tests.test_files import PNG, fetch_until, state
from tickets.models import Attachment, AttachmentState, DeliveryState, Message, Missing, Ticket, User

MEGABYTE = 1024 * 1024


class TestWhatMayBeRead:
    @pytest.fixture
    def shared(self, tmp_path: Path, settings: LazySettings) -> Path:
        folder = tmp_path / "telegram-bot-api"
        (folder / "documents").mkdir(parents=True)
        (folder / "documents" / "file_1.pdf").write_bytes(b"%PDF-1.4")
        (tmp_path / "secret").write_bytes(b"secret")
        settings.TELEGRAM_LOCAL_FILES = str(folder)
        return folder

    def test_a_file_below_the_folder(self, shared: Path):
        with open_local(f"{shared}/documents/file_1.pdf") as file:
            assert b"".join(chunks(file)) == b"%PDF-1.4"

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/passwd",
            "{shared}/../secret",
            "{shared}/documents/../../secret",
            "{shared}",
            "{shared}/",
            "{shared}-other/x",
            "{shared}/documents",
            "{shared}/documents/file_2.pdf",
            "{shared}/documents/file_1.pdf/x",
            "documents/file_1.pdf",
            "{shared}/documents/file_1.pdf\0",
        ],
    )
    def test_nothing_else(self, shared: Path, path: str):
        with pytest.raises(LocalFileError) as refused:
            open_local(path.format(shared=shared))
        assert str(shared) not in str(refused.value)

    def test_no_link_is_followed_whether_to_a_file_or_a_folder(self, shared: Path):
        (shared / "file").symlink_to(shared.parent / "secret")
        (shared / "folder").symlink_to(shared.parent)
        (shared / "inside").symlink_to(shared / "documents")
        for path in ("file", "folder/secret", "inside/file_1.pdf"):
            with pytest.raises(LocalFileError):
                open_local(f"{shared}/{path}")

    def test_a_pipe_holds_nobody_up(self, shared: Path):
        os.mkfifo(shared / "pipe")
        with pytest.raises(LocalFileError, match="it is no file"):
            open_local(f"{shared}/pipe")

    def test_without_the_setting_nothing_at_all(self, shared: Path, settings: LazySettings):
        settings.TELEGRAM_LOCAL_FILES = ""
        with pytest.raises(LocalFileError, match="TELEGRAM_LOCAL_FILES is not set"):
            open_local(f"{shared}/documents/file_1.pdf")


@pytest.fixture
def local(tmp_path: Path, settings: LazySettings) -> Iterator[SandboxServer]:
    """A Bot API server run with --local, and a desk that knows where its files are."""
    with SandboxServer(tmp_path / "sandbox", token=TOKEN, local=True) as server:
        settings.TELEGRAM_LOCAL_FILES = str((tmp_path / "sandbox" / "files").resolve())
        settings.TELEGRAM_DOWNLOAD_MB = 2000
        yield server


@pytest.fixture
def customer(local: SandboxServer) -> CustomerClient:
    customer = local.customer("Тимур")
    customer.write("/start")
    return customer


def sends(line: Line, customer: CustomerClient, content: bytes = PNG) -> Attachment:
    (message,) = customer.send_files(("коробка.png", content, "image/png"), text="Вот")
    line.take({"message": message})
    return Attachment.objects.get()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("short_connections")
class TestFetching:
    def test_a_file_is_copied_whole(self, local: SandboxServer, line: Line, customer: CustomerClient):
        sends(line, customer)
        fetch_until(local, lambda: state() == AttachmentState.READY)
        attachment = Attachment.objects.get()
        with attachment.file.open() as file:
            assert file.read() == PNG
        assert list(incoming_folder().iterdir()) == []

    def test_the_servers_own_copy_stays_its_own(
        self, local: SandboxServer, line: Line, customer: CustomerClient, settings: LazySettings
    ):
        sends(line, customer)
        folder = Path(settings.TELEGRAM_LOCAL_FILES)
        before = sorted(folder.rglob("*"))
        fetch_until(local, lambda: state() == AttachmentState.READY)
        assert sorted(folder.rglob("*")) == before

    def test_one_over_telegrams_own_limit_comes_too(self, local: SandboxServer, line: Line, customer: CustomerClient):
        content = PNG + bytes(21 * MEGABYTE)
        assert sends(line, customer, content).state == AttachmentState.PENDING
        fetch_until(local, lambda: state() == AttachmentState.READY)
        assert Attachment.objects.get().size == len(content)

    def test_one_over_what_may_be_asked_for_is_refused(
        self, local: SandboxServer, line: Line, customer: CustomerClient, settings: LazySettings
    ):
        sends(line, customer, PNG + bytes(2 * MEGABYTE))
        settings.TELEGRAM_DOWNLOAD_MB = 1
        fetch_until(local, lambda: state() == AttachmentState.TOO_BIG)
        assert Attachment.objects.get().reason == Missing.TOO_BIG
        assert list(incoming_folder().iterdir()) == []

    def test_the_customer_hears_the_same_number(self, local: SandboxServer, line: Line, customer: CustomerClient):
        line.take({"message": customer.send_imagined("video", "фильм.mp4", 2001 * MEGABYTE)})
        assert state() == AttachmentState.TOO_BIG
        said = Attachment.objects.get().message.customer.messages.filter(sender="system").latest("pk")
        assert said.text.startswith("Файл больше 2000 МБ")

    def test_one_over_telegrams_own_limit_goes_out_too(
        self,
        local: SandboxServer,
        line: Line,
        customer: CustomerClient,
        aigerim: User,
        answer: Callable[..., Message],
        settings: LazySettings,
    ):
        settings.TELEGRAM_UPLOAD_MB = 2000
        line.take({"message": customer.write("Пришлите запись")})
        record = upload("запись.mov", bytes(51 * MEGABYTE))
        reply = answer(Ticket.objects.get(), aigerim, "Вся запись", uploads=[record])
        for _turn in ("receipt", "reply"):
            claimed = claim_now()
            settle(claimed.call, ask(claimed, make_bot(TOKEN, local.base_url)))
        assert state_of(reply) == (DeliveryState.SENT, "")

    def test_a_path_outside_of_the_folder_is_not_followed(
        self, local: SandboxServer, line: Line, customer: CustomerClient, settings: LazySettings, tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ):  # fmt: skip
        sends(line, customer)
        Attachment.objects.update(attempts=MAX_ATTEMPTS - 1)
        settings.TELEGRAM_LOCAL_FILES = str(tmp_path / "elsewhere")
        fetch_until(local, lambda: state() == AttachmentState.FAILED)
        assert Attachment.objects.get().reason == Missing.NOT_READ
        assert "it lies outside of TELEGRAM_LOCAL_FILES" in caplog.text
        assert str(tmp_path) not in caplog.text

    def test_a_file_that_is_shorter_than_was_said_is_tried_again(
        self, local: SandboxServer, line: Line, customer: CustomerClient, tmp_path: Path
    ):
        sends(line, customer)
        (stored,) = (path for path in (tmp_path / "sandbox" / "files").rglob("*") if path.is_file())
        stored.write_bytes(PNG[:100])
        Attachment.objects.update(attempts=REFUSALS_BELIEVED)
        fetch_until(local, lambda: Attachment.objects.get().attempts > REFUSALS_BELIEVED and state() == "pending")
        assert not Attachment.objects.get().file

    def test_where_nobody_has_said_where_its_files_are_that_is_the_reason(
        self, local: SandboxServer, line: Line, customer: CustomerClient, settings: LazySettings
    ):
        sends(line, customer)
        Attachment.objects.update(attempts=MAX_ATTEMPTS - 1)
        settings.TELEGRAM_LOCAL_FILES = ""
        fetch_until(local, lambda: state() == AttachmentState.FAILED)
        assert "TELEGRAM_LOCAL_FILES" in Attachment.objects.get().get_reason_display()

    def test_a_server_without_that_mode_is_fetched_from_over_http(
        self,
        sandbox: SandboxServer,
        timurs_telegram: CustomerClient,
        line: Line,
        settings: LazySettings,
        tmp_path: Path,
    ):
        settings.TELEGRAM_LOCAL_FILES = str(tmp_path)
        sends(line, timurs_telegram)
        fetch_until(sandbox, lambda: state() == AttachmentState.READY)

    def test_time_is_given_for_a_hundred_times_as_much(self, settings: LazySettings):
        settings.TELEGRAM_LOCAL_FILES = ""
        usual = lease()
        settings.TELEGRAM_LOCAL_FILES = "/var/lib/telegram-bot-api"
        assert lease() > 5 * usual
