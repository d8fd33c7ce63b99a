"""Two of everything on one PostgreSQL and one Redis, as on several machines: one after another dies, nothing is lost.

The oracles are those of test_kill: the sandbox's log and the database.
"""

import itertools
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from conftest import PASSWORD
from helpdesk.chaos.trial import Trial, Written, wait_for
from helpdesk.tests.servers import free_port, process, wait_until_served
from helpdesk.tests.test_celery import Machines, eventually, jobs_go_on_after, redis
from helpdesk.tests.test_kill import check, trial
from tickets.api.messages import NAMESPACE
from tickets.models import Delivery, DeliveryState, Job, Message, Sender, Ticket, User

__all__ = ["trial"]  # a fixture

CHATS = 8
#: Messages and replies written before each death, and again before what has died begins anew.
SAID = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server: Debian's package redis-server"),
]


class Desk:
    """A manager's program that knows two addresses of the desk and asks the other one when one does not answer."""

    def __init__(self, ports: list[int], manager: User) -> None:
        self._ports = itertools.cycle(ports)
        self._manager = manager
        self._access = ""

    def reply(self, trial: Trial, ticket: int) -> None:
        """Sent until some answer comes, under one `clientId`."""
        number = len(trial.replies)
        chat = Ticket.objects.values_list("customer__telegram_user_id", flat=True).get(pk=ticket)
        own_id = str(uuid.uuid4())
        written = Written(number, ticket, chat, f"[{number}.0] Ответ.", client_id=uuid.uuid5(NAMESPACE, own_id))
        trial.replies.append(written)
        body = {"senderType": "manager", "text": written.text, "clientId": own_id}
        self._until_answered(f"/api/v1/tickets/{ticket}/messages", body, {"Authorization": f"Bearer {self._access}"})

    def sign_in(self) -> None:
        who = {"username": self._manager.username, "password": PASSWORD}
        self._access = self._until_answered("/api/v1/auth/login", who, {})["access"]

    def _until_answered(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        for port in itertools.islice(self._ports, 20):
            try:
                answer = requests.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers, timeout=20)
            except requests.RequestException:
                time.sleep(0.1)
                continue
            answer.raise_for_status()
            return answer.json()
        raise AssertionError("neither web process answers")


class Company:
    """All of its processes by name; each can die and begin anew."""

    def __init__(self, trial: Trial, stack: ExitStack) -> None:
        self._stack = stack
        self.ports = {"web 1": free_port(), "web 2": free_port()}
        self.broker = free_port()
        self._environment = {
            "TELEGRAM_API_URL": trial.sandbox.base_url,
            "TELEGRAM_BOT_TOKEN": trial.sandbox.token,
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.broker}/0",
            "REDIS_URL": f"redis://127.0.0.1:{self.broker}/1",
        }
        self._machines = Machines(stack, **self._environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._redis = ExitStack()
        stack.callback(self._redis.close)

    def start(self) -> None:
        self.start_redis()
        for name in ("web 1", "web 2", "bot 1", "bot 2", "worker 1", "worker 2"):
            self.begin(name)
        # It holds nothing, and may wait long for a broker that has gone away.
        self._stack.callback(self._machines.beat().kill)

    def begin(self, name: str) -> None:
        kind, _number = name.split()
        if kind == "web":
            gunicorn = ("-m", "gunicorn", "-c", "helpdesk/gunicorn.py", "--bind", f"127.0.0.1:{self.ports[name]}")
            command = (*gunicorn, "helpdesk.asgi:application")
            web = self._stack.enter_context(process(*command, WEB_CONCURRENCY="1", **self._environment))
            wait_until_served(f"http://127.0.0.1:{self.ports[name]}/health/ready", web)
            self._running[name] = web
        elif kind == "bot":
            self._running[name] = self._stack.enter_context(process("manage.py", "runbot", **self._environment))
        else:
            self._running[name] = self._machines.worker(f"{name.replace(' ', '-')}-{uuid.uuid4().hex[:4]}")

    def kill(self, name: str) -> None:
        """As if its machine had lost power: a web process's workers go with it."""
        running = self._running[name]
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        subprocess.run(["kill", "-9", str(running.pid), *children], check=True)
        running.wait()

    def start_redis(self) -> None:
        self._redis.enter_context(redis(self.broker))

    def kill_redis(self) -> None:
        self._redis.close()


@pytest.fixture
def company(trial: Trial) -> Iterator[Company]:
    if connection.vendor != "postgresql":
        pytest.skip("a file of SQLite's is on one machine")
    with ExitStack() as stack:
        company = Company(trial, stack)
        company.start()
        yield company


def talk_during(act: Callable[[], None], trial: Trial, desk: Desk, tickets: list[int]) -> None:
    """Do `act` in the middle of what both sides write, and let them finish."""
    half = len(trial.replies) + SAID // 2
    with ThreadPoolExecutor(1) as people:
        writing = people.submit(talk, trial, desk, tickets)
        wait_for(lambda: writing.done() or len(trial.replies) >= half)
        act()
        writing.result()
        people.submit(connections.close_all).result()


def talk(trial: Trial, desk: Desk, tickets: list[int]) -> None:
    """Customers write and the manager answers through both web processes."""
    for _ in range(SAID):
        trial.write()
        desk.reply(trial, trial.dice.choice(tickets))


def test_the_loop_and_the_kills_hold_on_several_machines(trial: Trial, company: Company, aigerim: User):
    trial.invite(CHATS)
    desk = Desk(list(company.ports.values()), aigerim)
    desk.sign_in()
    check_the_loop(trial, company, desk, aigerim)
    for customer in trial.customers[1:]:
        trial.write(customer)
    wait_for(lambda: Ticket.objects.count() == CHATS)
    tickets = list(Ticket.objects.values_list("pk", flat=True))

    # Whichever of the bots polls at first: when the second dies, it is the one that does.
    for name in ("bot 1", "bot 2", "web 1", "web 2", "worker 1"):
        talk_during(partial(company.kill, name), trial, desk, tickets)
        talk_during(partial(company.begin, name), trial, desk, tickets)
    talk_during(company.kill_redis, trial, desk, tickets)
    talk_during(company.start_redis, trial, desk, tickets)

    trial.settle()
    check(trial)
    # Only what a bot was just sending when it died is unsure.
    unsure = Delivery.objects.filter(state=DeliveryState.UNKNOWN).count()
    assert unsure <= len(trial.replies) // 10, unsure
    eventually(jobs_go_on_after(timezone.now()))
    assert not Job.objects.failing().exists()
    for port in company.ports.values():
        # Replies of the killed bots may wait for their manager's decision, which is no failure.
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=10).json()["failing"] == []


def check_the_loop(trial: Trial, company: Company, desk: Desk, manager: User) -> None:
    """Through one web process a customer's words are heard of and read, through the other they are answered."""
    customer = trial.customers[0]
    manager.refresh_from_db()  # signing in has stored the password anew, by production's hasher
    browser = Client()
    browser.force_login(manager)
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
    here = f"http://127.0.0.1:{company.ports['web 1']}"
    with requests.get(f"{here}/events", cookies=cookies, stream=True, timeout=60) as stream:
        assert stream.status_code == 200, stream.status_code
        heard = stream.iter_lines(chunk_size=1)
        until(heard, b"event: hello")
        text = trial.write(customer)
        until(heard, b'"kind":"message"')
        ticket = Ticket.objects.get(customer__telegram_user_id=customer.id)
        assert text in requests.get(f"{here}/desk/t/{ticket.pk}/messages/", cookies=cookies, timeout=20).text

        desk.reply(trial, ticket.pk)
        reply = Message.objects.get(sender=Sender.MANAGER)
        until(heard, b'"message":%d' % reply.pk)
        wait_for(lambda: Delivery.objects.get(pk=reply.pk).state == DeliveryState.SENT)
        until(heard, b'"message":%d' % reply.pk)
        shown = requests.get(f"{here}/desk/t/{ticket.pk}/message/{reply.pk}/", cookies=cookies, timeout=20).text
        assert "Доставлено" in shown
    assert any(trial.replies[0].text in str(line["payload"].get("text")) for line in trial.sandbox.sends())


def until(heard: Iterator[bytes], words: bytes) -> None:
    assert any(words in line for line in heard), f"the stream ended without {words!r}"
