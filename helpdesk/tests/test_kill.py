"""The bot dies at any moment, the database goes away, and still nothing is lost, doubled or reordered.

The oracle is the sandbox's own log: what Telegram was asked, what it delivered, what it was told it may forget.
"""

import asyncio
import random
import re
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.db import connection

from botbridge.models import OutboundCall, TelegramMessage, Update
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from helpdesk.tests.servers import Gate, database_url, free_port, process
from tickets import operations
from tickets.models import Delivery, DeliveryState, Message, Notice, Sender, Ticket, User

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CHATS = 20
MESSAGES = 500
REPLIES = 200
KILLS = 10
#: Leases of 30 s, a message a second in each chat, and a machine that may be busy with other things.
SETTLES_WITHIN = 240

REPLY = re.compile(r"^Ответ (\d+)\.$", re.MULTILINE)

CRASH_POINTS = ["after-fetch", "after-store", "before-ack", "after-handling", "after-sending", "after-http"]


@dataclass
class Round:
    """One trial: a sandbox, its customers, and what they and their manager have written."""

    sandbox: SandboxServer
    manager: User
    dice: random.Random
    customers: list[CustomerClient] = field(default_factory=list)
    written: dict[int, list[str]] = field(default_factory=dict)
    replies: list[int] = field(default_factory=list)

    def invite(self, count: int) -> None:
        for number in range(count):
            customer = self.sandbox.customer(f"Клиент {number}")
            self.customers.append(customer)
            self.written[customer.id] = []

    def write(self) -> None:
        """Any customer writes the next of their messages."""
        customer = self.dice.choice(self.customers)
        text = f"{customer.id} пишет {len(self.written[customer.id])}"
        customer.write(text)
        self.written[customer.id].append(text)

    def reply(self) -> bool:
        """The manager answers any ticket; False while there is none."""
        tickets = list(Ticket.objects.order_by("pk").values_list("pk", flat=True))
        if not tickets:
            return False
        message = operations.reply(
            ticket_id=self.dice.choice(tickets),
            actor=self.manager,
            text=f"Ответ {len(self.replies)}.",
            client_id=uuid.uuid4(),
        )
        self.replies.append(message.pk)
        return True

    def check(self) -> None:
        """What must hold after every trial."""
        self.check_nothing_acknowledged_is_missing()
        self.check_messages()
        self.check_receipts()
        self.check_replies()

    def check_nothing_acknowledged_is_missing(self) -> None:
        stored = set(Update.objects.values_list("update_id", flat=True))
        acknowledged = {line["update"]["update_id"] for line in self.sandbox.updates() if line["acknowledged_at"]}
        assert acknowledged <= stored
        assert not Update.objects.filter(state=Update.State.PARKED).exists()

    def check_messages(self) -> None:
        for chat_id, texts in self.written.items():
            words = Message.objects.filter(customer__telegram_user_id=chat_id, sender=Sender.CLIENT)
            assert list(words.order_by("pk").values_list("text", flat=True)) == texts

    def check_receipts(self) -> None:
        receipts = Message.objects.filter(notice=Notice.RECEIPT)
        writers = [chat_id for chat_id, texts in self.written.items() if texts]
        assert Counter(receipts.values_list("customer__telegram_user_id", flat=True)) == Counter(writers)
        delivered = Counter(line["chat_id"] for line in self.sandbox.sends() if "принято" in words_of(line))
        assert all(count == 1 for count in delivered.values()), delivered

    def check_replies(self) -> None:
        """Each sent once or shown as unknown; none vanished, none silently sent twice, each chat's in order."""
        delivered = self.delivered_replies()
        times = Counter(number for numbers in delivered.values() for number in numbers)
        for number, message_id in enumerate(self.replies):
            state = Delivery.objects.get(pk=message_id).state
            assert state in (DeliveryState.SENT, DeliveryState.UNKNOWN), (number, state)
            assert times[number] <= 1, f"reply {number} went {times[number]} times"
            if state == DeliveryState.SENT:
                assert times[number] == 1, f"reply {number} has a tick and never arrived"
                assert TelegramMessage.objects.filter(message=message_id).exists()
        assert all(numbers == sorted(numbers) for numbers in delivered.values())

    def delivered_replies(self) -> dict[int, list[int]]:
        """Numbers of the replies Telegram delivered, by chat, in order."""
        delivered: dict[int, list[int]] = {chat_id: [] for chat_id in self.written}
        for line in self.sandbox.sends():
            if reply := REPLY.search(words_of(line)):
                delivered[line["chat_id"]].append(int(reply[1]))
        return delivered

    def settle(self) -> None:
        """Wait until the bot has done all there is to do."""
        wait_for(lambda: self.all_stored() and not Update.objects.filter(state=Update.State.STORED).exists())
        going = (DeliveryState.QUEUED, DeliveryState.SENDING)
        wait_for(lambda: not Delivery.objects.filter(state__in=going).exists())
        wait_for(lambda: not OutboundCall.objects.filter(state__in=going).exists())

    def all_stored(self) -> bool:
        return Message.objects.filter(sender=Sender.CLIENT).count() >= sum(map(len, self.written.values()))


def words_of(line: dict) -> str:  # type: ignore[type-arg]  # a line of the sandbox's log
    return str(line["payload"].get("text") or line["payload"].get("caption") or "")


def wait_for(what: Callable[[], bool], within: float = SETTLES_WITHIN) -> None:
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, "it has not come to rest"
        time.sleep(0.2)


@pytest.fixture
def trial(tmp_path: Path, aigerim: User) -> Iterator[Round]:
    with SandboxServer(tmp_path / "sandbox", port=free_port()) as sandbox:
        yield Round(sandbox, aigerim, random.Random(20_261_122))


@contextmanager
def runbot(sandbox: SandboxServer, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    telegram = {"TELEGRAM_API_URL": sandbox.base_url, "TELEGRAM_BOT_TOKEN": sandbox.token}
    with process("manage.py", "runbot", **telegram, **environment) as bot:
        yield bot


@contextmanager
def running_bot(sandbox: SandboxServer, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A bot that has begun to talk to Telegram."""
    before = introductions(sandbox)
    with runbot(sandbox, **environment) as bot:
        wait_for(lambda: introductions(sandbox) > before, within=90)
        yield bot


def introductions(sandbox: SandboxServer) -> int:
    return sum(line["method"] == "getMe" for line in sandbox.log())


def test_nothing_is_lost_doubled_or_reordered_by_ten_kills(trial: Round):
    trial.invite(CHATS)
    trial.sandbox.knobs.turn_on("cut", probability=0.02, seed=7)
    trial.sandbox.knobs.turn_on("too_many_requests", probability=0.02, seed=8, seconds=1)
    for kill in range(1, KILLS + 1):
        with running_bot(trial.sandbox) as bot:
            dies_at = time.monotonic() + trial.dice.uniform(0.2, 3)
            while time.monotonic() < dies_at:
                # Every kill strikes while people write.
                write_and_reply(trial, MESSAGES * kill // KILLS, REPLIES * kill // KILLS)
            bot.kill()
            bot.wait()
    while len(trial.replies) < REPLIES or sum(map(len, trial.written.values())) < MESSAGES:
        with runbot(trial.sandbox):
            wait_for(Ticket.objects.exists)
            while write_and_reply(trial, MESSAGES, REPLIES):
                pass
            trial.settle()
    with runbot(trial.sandbox):
        trial.settle()
    assert sum(map(len, trial.written.values())) == MESSAGES
    assert len(trial.replies) == REPLIES
    trial.check()


def write_and_reply(trial: Round, messages: int, replies: int) -> bool:
    """A few words from both sides, up to so many in all. False when all of them have been written."""
    to_write = messages - sum(map(len, trial.written.values()))
    for _ in range(min(to_write, 5)):
        trial.write()
    to_reply = replies - len(trial.replies)
    for _ in range(min(to_reply, 2)):
        trial.reply()
    time.sleep(0.05)
    return to_write > 0 or to_reply > 0


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_the_worst_moment_loses_and_doubles_nothing(trial: Round, point: str):
    trial.invite(3)
    for _ in range(12):
        trial.write()
    with runbot(trial.sandbox, CRASH_AT=point) as bot:
        assert bot.wait(timeout=90) == -signal.SIGKILL
    with runbot(trial.sandbox):
        trial.settle()
        for _ in range(3):
            trial.reply()
        trial.settle()
    trial.check()


def test_sigterm_under_load_loses_nothing_and_ends_within_five_seconds(trial: Round):
    trial.invite(CHATS)
    trial.sandbox.knobs.turn_on("slow", seconds=0.3)
    with running_bot(trial.sandbox) as bot:
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
    with runbot(trial.sandbox):
        trial.settle()
    trial.check()
    assert not Delivery.objects.filter(state=DeliveryState.UNKNOWN).exists()


def test_a_request_telegram_never_answers_does_not_keep_the_process(trial: Round):
    trial.invite(1)
    trial.sandbox.knobs.turn_on("hang", times=1, methods=["sendMessage"])
    with running_bot(trial.sandbox) as bot:
        trial.write()
        wait_for(lambda: Delivery.objects.filter(state=DeliveryState.SENDING).exists())
        bot.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert bot.wait(timeout=20) == 0
        assert time.monotonic() - began < 5
    assert Delivery.objects.get().state == DeliveryState.UNKNOWN


def test_a_second_bot_changes_nothing(trial: Round):
    """On PostgreSQL it shares the work; on SQLite it says why it ends."""
    trial.invite(CHATS)
    with ExitStack() as stack:
        stack.enter_context(running_bot(trial.sandbox))
        other = stack.enter_context(runbot(trial.sandbox))
        for _ in range(100):
            trial.write()
        if connection.vendor == "sqlite":
            assert other.wait(timeout=90) == 1
        wait_for(lambda: Ticket.objects.count() > 5)
        for _ in range(40):
            trial.reply()
        trial.settle()
    trial.check()
    assert not Delivery.objects.filter(state=DeliveryState.UNKNOWN).exists()


@pytest.fixture
def gate() -> Iterator[tuple[Gate, Callable[[], None], Callable[[], None]]]:
    """A way to PostgreSQL, and how to shut and open it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is a file: it does not go away")
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    database = connection.settings_dict
    way = Gate(database["HOST"] or "127.0.0.1", int(database["PORT"] or 5432))

    def run(act: Callable[[], object]) -> Callable[[], None]:
        return lambda: asyncio.run_coroutine_threadsafe(act(), loop).result(timeout=10)

    run(way.open)()
    yield way, run(way.shut), run(way.open)
    run(way.shut)()
    loop.call_soon_threadsafe(loop.stop)


def test_the_bot_recovers_by_itself_when_postgresql_comes_back(trial: Round, gate):
    way, shut, open_again = gate
    trial.invite(CHATS)
    with running_bot(trial.sandbox, DATABASE_URL=database_url(way.port)) as bot:
        for _ in range(40):
            trial.write()
        wait_for(Ticket.objects.exists)
        shut()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            trial.write()
            trial.reply()
            time.sleep(0.5)
        assert bot.poll() is None
        open_again()
        trial.settle()
        assert bot.poll() is None
    trial.check()
