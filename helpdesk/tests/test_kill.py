"""The bot dies at any moment, the database goes away, and still nothing is lost, doubled or reordered.

The oracle is the sandbox's own log: what Telegram was asked, what it delivered, what it was told it may forget
(`helpdesk.chaos`, which plays longer runs of the same).
"""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connection

from botbridge import crash
from botbridge.models import OutboundCall
from botbridge.sandbox.thread import SandboxServer
from helpdesk.chaos.trial import Trial, introductions, last_line, wait_for
from helpdesk.gates import Passage, free_port
from helpdesk.processes import database_url, process
from tickets.models import Delivery, DeliveryState, Ticket, User

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CHATS = 20


def check(trial: Trial) -> None:
    assert trial.judge().wrong == []


@pytest.fixture
def trial(tmp_path: Path, aigerim: User) -> Iterator[Trial]:
    with SandboxServer(tmp_path / "sandbox", port=free_port()) as sandbox:
        yield Trial(sandbox, aigerim, random.Random(20_261_122))


@contextmanager
def runbot(trial: Trial, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    telegram = {"TELEGRAM_API_URL": trial.sandbox.base_url, "TELEGRAM_BOT_TOKEN": trial.sandbox.token}
    with process("manage.py", "runbot", **telegram, **environment) as bot:
        yield bot


@contextmanager
def running_bot(trial: Trial, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A bot that has begun to talk to Telegram."""
    before = last_line(trial.sandbox)
    with runbot(trial, **environment) as bot:
        wait_for(lambda: introductions(trial.sandbox, before) > 0, within=90)
        yield bot


@pytest.mark.parametrize("point", crash.OF_THE_BOT)
def test_a_crash_at_the_worst_moment_loses_and_doubles_nothing(trial: Trial, point: str):
    trial.invite(3)
    for _ in range(12):
        trial.write()
    with runbot(trial, CRASH_AT=point) as bot:
        assert bot.wait(timeout=90) == -signal.SIGKILL
    with runbot(trial):
        trial.settle()
        for _ in range(3):
            trial.reply()
        trial.settle()
    check(trial)


def test_sigterm_under_load_loses_nothing_and_ends_within_five_seconds(trial: Trial):
    trial.invite(CHATS)
    trial.sandbox.knobs.turn_on("slow", seconds=0.3)
    with running_bot(trial) as bot:
        for _ in range(100):
            trial.write()
        wait_for(lambda: Ticket.objects.count() > 5)
        for _ in range(30):
            trial.reply()
        bot.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert bot.wait(timeout=20) == 0
        assert time.monotonic() - began < 5
    assert not OutboundCall.objects.filter(state=DeliveryState.SENDING).exists()
    assert not Delivery.objects.filter(state=DeliveryState.UNKNOWN).exists()
    with runbot(trial):
        trial.settle()
    check(trial)
    assert not Delivery.objects.filter(state=DeliveryState.UNKNOWN).exists()


def test_a_request_telegram_never_answers_does_not_keep_the_process(trial: Trial):
    trial.invite(1)
    trial.sandbox.knobs.turn_on("hang", times=1, methods=["sendMessage"])
    with running_bot(trial) as bot:
        trial.write()
        wait_for(lambda: Delivery.objects.filter(state=DeliveryState.SENDING).exists())
        bot.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert bot.wait(timeout=20) == 0
        assert time.monotonic() - began < 5
    assert Delivery.objects.get().state == DeliveryState.UNKNOWN


def test_a_second_bot_changes_nothing(trial: Trial):
    """On PostgreSQL it shares the work; on SQLite it says why it ends."""
    trial.invite(CHATS)
    with ExitStack() as stack:
        stack.enter_context(running_bot(trial))
        other = stack.enter_context(runbot(trial))
        for _ in range(100):
            trial.write()
        if connection.vendor == "sqlite":
            assert other.wait(timeout=90) == 1
        wait_for(lambda: Ticket.objects.count() > 5)
        for _ in range(40):
            trial.reply()
        trial.settle()
    check(trial)
    assert not Delivery.objects.filter(state=DeliveryState.UNKNOWN).exists()


@pytest.fixture
def way() -> Iterator[Passage]:
    """A way to PostgreSQL that can be shut."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is a file: it does not go away")
    database = connection.settings_dict
    with Passage(database["HOST"] or "127.0.0.1", int(database["PORT"] or 5432)) as way:
        yield way


def test_the_bot_recovers_by_itself_when_postgresql_comes_back(trial: Trial, way: Passage):
    trial.invite(CHATS)
    with running_bot(trial, DATABASE_URL=database_url(way.port)) as bot:
        for _ in range(40):
            trial.write()
        wait_for(Ticket.objects.exists)
        way.shut()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            trial.write()
            trial.reply()
            time.sleep(0.5)
        assert bot.poll() is None
        way.open()
        trial.settle()
        assert bot.poll() is None
    check(trial)
