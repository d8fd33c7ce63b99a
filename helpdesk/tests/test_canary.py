"""A token nobody else has goes through good days and bad ones, and is looked for in everything that stays behind."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from botbridge.models import BotStatus, Update
from botbridge.sandbox.thread import SandboxServer
from botbridge.tests.mutations import nested
from helpdesk.management.commands.serve import GUNICORN
from helpdesk.tests.servers import database_url, free_port, wait_until_served
from tickets import operations
from tickets.models import Attachment, AttachmentState, Delivery, DeliveryState, Ticket, User

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECRET = "AAHcanaryCANARYcanaryCANARYcanary123"
CANARY = f"7012345678:{SECRET}"
#: The half that makes the other one worth something is enough to give it away, however it is written.
TRACES = [trace.encode() for trace in (SECRET, quote(CANARY, safe=""))]
WITHIN = 180
#: Long enough for a command to have said all it has to say.
GOES_ON = 20


class Day:
    """Processes with the canary in their environment, and all they write and answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.answers: dict[str, bytes] = {}
        self.environment: dict[str, str] = {}

    def start(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        output = self.stack.enter_context((self.folder / f"{name}.out").open("wb"))
        running = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=os.environ | self.environment | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self.stack.callback(end, running)
        self.running[name] = running
        return running

    def command(self, name: str, *arguments: str, **environment: str) -> None:
        """One that ends by itself, well or not, or tries again and again until it is ended."""
        running = self.start(name, "manage.py", *arguments, **environment)
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=GOES_ON)
        end(running)

    def keep(self, client: Client, *addresses: str) -> None:
        for address in addresses:
            self.answers[f"{len(self.answers)} {address}"] = client.get(address).content


def end(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    try:
        running.wait(timeout=20)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    day = Day(tmp_path)
    (tmp_path / "logs").mkdir()
    with day.stack:
        yield day


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not reached():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.1)


@contextmanager
def trouble(sandbox: SandboxServer, knob: str, *methods: str) -> Iterator[None]:
    sandbox.knobs.turn_on(knob, methods=list(methods), seconds=1)
    yield
    sandbox.knobs.clear()


def test_the_token_stays_where_it_was_put(day: Day, saule: User, client: Client) -> None:
    client.force_login(saule, backend="django.contrib.auth.backends.ModelBackend")
    sandbox = SandboxServer(day.folder / "sandbox", token=CANARY, port=free_port())
    with sandbox:
        day.environment = {
            "DATABASE_URL": database_url(),
            "MEDIA_ROOT": str(settings.MEDIA_ROOT),
            "LOG_DIR": str(day.folder / "logs"),
            "TELEGRAM_BOT_TOKEN": CANARY,
            "TELEGRAM_API_URL": sandbox.base_url,
            "METRICS_TOKEN": "a-monitors-token",
        }
        _python, *gunicorn = GUNICORN
        address = f"127.0.0.1:{free_port()}"
        web = day.start("web", *gunicorn, "--bind", address, WEB_CONCURRENCY="1")
        wait_until_served(f"http://{address}/health/live", web)
        day.start("bot", "manage.py", "runbot")
        day.start("jobs", "manage.py", "runjobs")
        work(sandbox, saule)
        day.keep(client, *pages())
        assert not [name for name, process in day.running.items() if is_told(command_line_of(process.pid))]
        day.command("doctor", "doctor")
        get_into_trouble(sandbox, saule)
        day.keep(client, *pages())
        sandbox.revoke(CANARY)
        until(lambda: bool(BotStatus.objects.get().stopped_reason))
        day.command("doctor-revoked", "doctor")
        day.keep(client, *pages())
    day.command("doctor-refused", "doctor")
    with override_settings(DEBUG=True, TELEGRAM_BOT_TOKEN=CANARY):
        day.keep(client, "/nothing/here/")
    for name, setting in (
        ("malformed", {"TELEGRAM_BOT_TOKEN": f"bot{CANARY}"}),
        ("quoted", {"TELEGRAM_BOT_TOKEN": quote(CANARY, safe="")}),
        ("nowhere", {"TELEGRAM_API_URL": "nowhere", "BOT_METRICS": "nonsense"}),
        ("no-database", {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"}),
    ):
        day.command(f"runbot-{name}", "runbot", **setting)
    day.command("check", "check", "--deploy", TELEGRAM_BOT_TOKEN=f"bot{CANARY}")
    day.stack.close()
    assert told(day) == []


def work(sandbox: SandboxServer, saule: User) -> None:
    """An ordinary conversation, with files both ways."""
    customer = sandbox.customer("Тимур")
    customer.write("Здравствуйте")
    until(Ticket.objects.exists)
    customer.send_files(("фото.txt", b"words", "text/plain"))
    until(lambda: Attachment.objects.filter(state=AttachmentState.READY).exists())
    answer(saule, file=True)
    until(lambda: Delivery.objects.filter(state=DeliveryState.SENT, message__author=saule).exists())


def answer(saule: User, *, file: bool = False) -> None:
    uploads = [operations.Upload(name="ответ.txt", file=ContentFile(b"words"))] if file else []
    ticket = Ticket.objects.get()
    operations.reply(ticket_id=ticket.pk, actor=saule, text="Ответ", uploads=uploads, client_id=uuid.uuid4())


def get_into_trouble(sandbox: SandboxServer, saule: User) -> None:
    """Whatever fails with the token in its address, and whatever leaves a traceback."""
    person = sandbox.chats()[-1]["id"]
    tired = Attachment.objects.filter(attempts__gt=0).exclude(state=AttachmentState.READY)
    for knob in ("drop", "server_error"):
        with trouble(sandbox, knob, "file"):
            before = Attachment.objects.count()
            sandbox.post(f"/sandbox/chats/{person}/send", {"kind": "sticker"})
            until(lambda before=before: Attachment.objects.count() > before and tired.exists())
    for knob in ("cut", "bad_gateway", "drop", "server_error"):
        with trouble(sandbox, knob, "sendMessage"):
            before = Delivery.objects.filter(state=DeliveryState.UNKNOWN).count()
            answer(saule)
            unknown = Delivery.objects.filter(state=DeliveryState.UNKNOWN)
            until(lambda before=before, unknown=unknown: unknown.count() > before)
    for knob in ("drop", "bad_gateway"):
        with trouble(sandbox, knob, "getUpdates"):
            until(lambda: bool(BotStatus.objects.get().last_error))
    poison = {"chat": {"id": person, "type": "private"}, "message_id": 99, "text": nested(900, as_list=True)}
    sandbox.put_update(int(time.time()), message=poison)
    until(lambda: Update.objects.filter(attempts__gt=1).exists() or Update.objects.filter(state="parked").exists())


def pages() -> list[str]:
    lists = ("botbridge_update", "botbridge_outboundcall", "tickets_ticket", "tickets_delivery", "tickets_customer")
    ticket = Ticket.objects.get()
    return [
        "/admin/",
        *(reverse(f"admin:{name}_changelist") for name in lists),
        reverse("admin:tickets_ticket_history", args=[ticket.pk]),
        *(reverse("admin:botbridge_update_change", args=[pk]) for pk in Update.objects.values_list("pk", flat=True)),
        "/desk/",
        "/desk/telegram/",
        f"/desk/t/{ticket.pk}/",
        f"/api/v1/tickets/{ticket.pk}/messages",
        "/health",
        "/metrics",
    ]


def command_line_of(pid: int) -> bytes:
    """The process's own and its children's, which everybody on the machine may read."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = Path(f"/proc/{pid}/cmdline").read_bytes()
    return own + b"".join(command_line_of(int(child)) for child in children)


def is_told(text: bytes) -> bool:
    return any(trace in text for trace in TRACES)


def told(day: Day) -> list[str]:
    """Where it stands: files, rows and pages by name."""
    kept = [path for folder in (day.folder, Path(settings.MEDIA_ROOT)) for path in folder.rglob("*") if path.is_file()]
    # The sandbox is Telegram, whose token it is.
    files = [path.name for path in kept if "sandbox" not in path.parts and is_told(path.read_bytes())]
    assert any(path.parent.name == "logs" and path.stat().st_size for path in kept)
    return [
        *files,
        *(name for name, answer in day.answers.items() if is_told(answer)),
        *(table for table, rows in all_rows() if is_told(rows)),
    ]


def all_rows() -> Iterator[tuple[str, bytes]]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            yield table, json.dumps(cursor.fetchall(), default=str, ensure_ascii=False).encode()
