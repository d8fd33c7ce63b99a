"""On several machines Celery does the same jobs, and its broker can lose nothing, since it holds nothing."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from botbridge.models import BotStatus
from botbridge.sandbox.thread import SandboxServer
from helpdesk.jobs.worker import Worker
from helpdesk.tests.servers import free_port, process
from tickets import operations
from tickets.models import Attachment, AttachmentState, Job, Ticket, User

REDIS = shutil.which("redis-server")
#: Celery's processes take seconds to begin, on a machine that may be busy.
WITHIN = 90

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(REDIS is None, reason="no redis-server found: it comes with Debian's package redis-server"),
]


@contextmanager
def redis(port: int) -> Iterator[None]:
    """A broker that keeps nothing on disk; it ends as if its machine had lost power."""
    command = [REDIS or "", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port))
        yield
    finally:
        server.kill()
        server.wait()


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.1)


class Machines:
    """Celery's processes on one broker, as they would run on several machines."""

    def __init__(self, stack: ExitStack, **environment: str) -> None:
        self._stack = stack
        self._environment = environment

    def celery(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = ("-m", "celery", "--app", "helpdesk.jobs.celery", *arguments)
        return self._stack.enter_context(process(*command, **self._environment))

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        return self.celery("worker", "--queues", "quick,long,files", "--pool", "solo", "--hostname", name)

    def beat(self) -> subprocess.Popen[bytes]:
        return self.celery("beat")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def jobs_go_on_after(moment: datetime) -> Callable[[], bool]:
    return lambda: Job.objects.filter(kind="wake_snoozed", started_at__gt=moment, finished_at__gt=moment).exists()


def test_workers_do_the_whole_schedule_and_fetch_files(stack: ExitStack, tmp_path: Path) -> None:
    port = free_port()
    stack.enter_context(redis(port))
    sandbox = stack.enter_context(SandboxServer(tmp_path / "sandbox", port=free_port()))
    telegram = {"TELEGRAM_API_URL": sandbox.base_url, "TELEGRAM_BOT_TOKEN": sandbox.token}
    machines = Machines(stack, CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0", **telegram)
    machines.worker("first")
    machines.worker("second")
    machines.beat()
    stack.enter_context(process("manage.py", "runbot", **telegram))
    eventually(BotStatus.objects.exists)
    customer = sandbox.customer("Тимур")
    customer.send_files(("коробка.png", b"\x89PNG\r\n\x1a\n" + bytes(3000), "image/png"), text="Вот")

    kinds = set(Worker().recurring)
    eventually(lambda: set(Job.objects.filter(finished_at__isnull=False).values_list("kind", flat=True)) == kinds)
    eventually(Attachment.objects.filter(state=AttachmentState.READY).exists)

    assert not Job.objects.failing().exists()


def test_a_worker_and_the_broker_are_killed_and_what_was_due_is_done(
    stack: ExitStack, ticket: Ticket, aigerim: User
) -> None:
    port = free_port()
    machines = Machines(stack, CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0")
    with redis(port):
        first = machines.worker("first")
        machines.worker("second")
        machines.beat()
        eventually(jobs_go_on_after(timezone.now()))

        first.kill()
        first.wait()
        # A job the dead one held comes back when its lease is over.
        eventually(jobs_go_on_after(timezone.now()))

    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=timezone.now() + timedelta(seconds=1))
    with redis(port):
        eventually(Ticket.objects.filter(pk=ticket.pk, snoozed_until__isnull=True).exists)
        stack.close()  # Celery that looks for its broker may be deaf to being asked to end
