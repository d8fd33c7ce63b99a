"""manage.py sandbox as its own process: when it refuses to start, and what it remembers of a sudden death."""

import http.client
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from botbridge.sandbox.client import CustomerClient, SandboxClient
from botbridge.sandbox.known import known_customers
from botbridge.sandbox.thread import SandboxServer
from tickets import operations
from tickets.models import DeliveryState

pytestmark = pytest.mark.django_db

SAMPLE = settings.BASE_DIR / "static" / "sandbox" / "samples" / "box.jpg"


@contextmanager
def running(state: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], SandboxClient, str]]:
    """The process, its controls and the bot's token."""
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--state", str(state), *options]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = dict(line.strip().split("=", 1) for line in islice(process.stdout, 3) if "=" in line)
        yield process, SandboxClient(told["TELEGRAM_API_URL"]), told["TELEGRAM_BOT_TOKEN"]
    finally:
        process.kill()
        process.communicate()


def run_sandbox(**options: object) -> None:
    """In a thread of its own: a browser test before this one leaves an event loop in the main thread."""

    def run() -> None:
        try:
            call_command("sandbox", **options)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result()


@pytest.fixture(autouse=True)
def development(settings):
    settings.DEBUG = True


def test_it_refuses_to_start_in_production(settings, tmp_path):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG=1"):
        run_sandbox(state=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_sandboxes_do_not_share_a_folder(tmp_path):
    with SandboxServer(tmp_path), pytest.raises(CommandError, match="Другая песочница"):
        run_sandbox(port=0, state=tmp_path)


@pytest.mark.slow
def test_with_local_it_says_where_its_files_are(tmp_path):
    with running(tmp_path, "--local") as (_process, sandbox, token):
        customer = sandbox.customer()
        (message,) = customer.send_files(("a.txt", b"text", "text/plain"))
        file_id = message["document"]["file_id"]
        path = sandbox.post(f"/bot{token}/getFile", {"file_id": file_id})["result"]["file_path"]
    assert Path(path).read_bytes() == b"text"
    assert Path(path).is_relative_to(tmp_path / "files")


def test_a_taken_port_is_named(tmp_path):
    with SandboxServer(tmp_path / "one") as sandbox, pytest.raises(CommandError, match=f":{sandbox.port} "):
        run_sandbox(port=sandbox.port, state=tmp_path / "two")


def test_a_token_that_is_none_is_named(settings, tmp_path):
    settings.TELEGRAM_BOT_TOKEN = "nonsense"
    with pytest.raises(CommandError, match="TELEGRAM_BOT_TOKEN"):
        run_sandbox(port=0, state=tmp_path)


def send(sandbox: SandboxClient, token: str, chat_id: int, text: str) -> int:
    answer = sandbox.post(f"/bot{token}/sendMessage", {"chat_id": chat_id, "text": text})
    return int(answer["result"]["message_id"])


@pytest.mark.slow
def test_a_sandbox_killed_under_load_forgets_nothing_it_told(tmp_path):
    answered: list[int] = []
    with running(tmp_path) as (process, sandbox, token):
        timur = sandbox.customer()
        for number in range(20):
            timur.write(str(number))
        before = sandbox.updates()

        def send_until_it_dies() -> None:
            with suppress(OSError, http.client.HTTPException):
                while True:
                    answered.append(send(sandbox, token, timur.id, "hello"))

        sender = threading.Thread(target=send_until_it_dies)
        sender.start()
        while len(answered) < 50:
            sender.join(timeout=0.01)
            assert sender.is_alive(), "the sandbox has answered no more before it was killed"
        process.kill()
        sender.join()
    with running(tmp_path) as (_, sandbox, same_token):
        assert same_token == token
        assert sandbox.updates() == before
        delivered = [line["message_ids"][0] for line in sandbox.sends(timur.id)]
        assert delivered[: len(answered)] == answered
        assert len(delivered) <= len(answered) + 1
        assert [message["message_id"] for message in sandbox.messages(timur.id)][20:] == delivered
        assert send(sandbox, token, timur.id, "on we go") == delivered[-1] + 1
        CustomerClient(sandbox, timur.id).write("me too")
        assert sandbox.updates()[-1]["update"]["update_id"] == before[-1]["update"]["update_id"] + 1


@pytest.mark.slow
def test_sigterm_ends_it_at_once_under_an_open_page(tmp_path):
    with running(tmp_path) as (process, sandbox, _), urlopen(f"{sandbox.base_url}/sandbox/events") as stream:
        assert stream.readline() == b":\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0


def test_the_desks_customers_can_be_written_to(timur, tmp_path):
    known = known_customers()
    with SandboxServer(tmp_path, known=known):
        pass
    with SandboxServer(tmp_path, known=known) as sandbox:
        answer = sandbox.call("sendMessage", chat_id=timur.telegram_user_id, text="Здравствуйте")

    assert answer["ok"]
    assert [each.person["first_name"] for each in known] == [timur.name]


def test_what_was_said_before_stands_on_the_customers_phone(ticket, timur, aigerim, answer, tmp_path):
    sent = answer(ticket, aigerim, "Проверьте зарядку")
    operations.settle(delivery_id=sent.pk, state=DeliveryState.SENT, parts_sent=1)
    unsure = answer(ticket, aigerim, "И кабель")
    operations.settle(delivery_id=unsure.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    operations.note(ticket_id=ticket.pk, actor=aigerim, text="Гарантия кончилась", client_id=uuid.uuid4())
    photo = operations.Incoming(
        content_type="photo", text="Вот фото", sent_at=timezone.now(), files=[operations.IncomingFile(kind="photo")]
    )
    attachment = operations.receive(customer=timur, incoming=photo, ticket=ticket).message.attachments.get()
    operations.attach_file(attachment_id=attachment.pk, file=ContentFile(SAMPLE.read_bytes()))

    with SandboxServer(tmp_path / "sandbox", known=known_customers()) as sandbox:
        phone = CustomerClient(sandbox, timur.telegram_user_id).messages()
        updates = sandbox.updates()

    said = [(message["from"]["is_bot"], message.get("text") or message.get("caption")) for message in phone]
    assert said == [
        (False, "Здравствуйте! Не включается ноутбук."),
        (True, "Проверьте зарядку"),
        (False, "Вот фото"),
    ]
    assert phone[-1]["photo"][-1]["file_size"] == SAMPLE.stat().st_size
    assert updates == [], "the bot knows it all already"
