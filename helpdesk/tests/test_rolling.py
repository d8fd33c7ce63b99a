"""Web processes are renewed one after another behind the proxy, and nobody notices."""

import http.client
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from helpdesk.tests.servers import free_port, process, wait_until_served
from tickets.models import Message, Sender, Ticket, User

CADDY = shutil.which("caddy")
CADDYFILE: Path = settings.BASE_DIR / "deploy" / "Caddyfile"
READERS, WRITERS = 3, 2
#: Not one of the names every process knows itself by: the proxy asks by what it is told to.
UPSTREAM = "127.0.0.2"
CSRF_TOKEN = "r" * 32

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CADDY is None, reason="no caddy found: it comes with Debian's package caddy"),
]


@contextmanager
def web(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """One web process, with production's patience for requests under way."""
    gunicorn = ("-m", "gunicorn", "-c", "helpdesk/gunicorn.py", "--bind", f"{UPSTREAM}:{port}")
    own = {"ALLOWED_HOSTS": UPSTREAM, "WEB_CONCURRENCY": "1", "WEB_DRAIN_SECONDS": "3"}
    with process(*gunicorn, "helpdesk.asgi:application", **own) as server:
        wait_until_served(f"http://{UPSTREAM}:{port}/health/ready", server)
        yield server


@contextmanager
def proxy(upstreams: list[int], folder: Path) -> Iterator[int]:
    port = free_port()
    surroundings = os.environ | {
        "SITE": f"http://127.0.0.1:{port}",
        "UPSTREAMS": " ".join(f"{UPSTREAM}:{upstream}" for upstream in upstreams),
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [CADDY or "", "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log:
        running = subprocess.Popen(command, env=surroundings, stderr=log)
        try:
            wait_until_served(f"http://127.0.0.1:{port}/health/live", running)
            yield port
        finally:
            running.terminate()
            running.wait(timeout=20)


@dataclass
class Load:
    """People at work: each asks again as soon as they are answered. `failures` names what went wrong."""

    port: int
    cookie: str
    over: threading.Event = field(default_factory=threading.Event)
    served: int = 0
    failures: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def ask(self, method: str, path: str, body: str | None = None) -> None:
        cookies = f"{settings.SESSION_COOKIE_NAME}={self.cookie}; {settings.CSRF_COOKIE_NAME}={CSRF_TOKEN}"
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{method} {path}: {type(error).__name__}")
        else:
            self.served += 1
            if response.status >= 400:
                self.failures.append(f"{method} {path}: {response.status}")
        finally:
            connection.close()

    def keep(self, act: Callable[[], None]) -> None:
        def go_on() -> None:
            while not self.over.is_set():
                act()

        thread = threading.Thread(target=go_on)
        thread.start()
        self.threads.append(thread)

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_no_request_fails_while_web_processes_are_renewed_in_turn(
    ticket: Ticket, aigerim: User, tmp_path: Path
) -> None:
    browser = Client()
    browser.force_login(aigerim)
    written: list[str] = []

    def write(load: Load) -> None:
        text = f"Заметка {uuid.uuid4()}"
        seen = str(ticket.last_message_id)
        own = {"text": text, "kind": "note", "client_id": str(uuid.uuid4()), "seen": seen}
        form = {"csrfmiddlewaretoken": CSRF_TOKEN, **own}
        load.ask("POST", reverse("tickets:note", args=[ticket.pk]), urlencode(form))
        written.append(text)

    ports = [free_port(), free_port()]
    webs = [web(port) for port in ports]
    for running in webs:
        running.__enter__()
    try:
        with proxy(ports, tmp_path) as port:
            load = Load(port, browser.cookies[settings.SESSION_COOKIE_NAME].value)
            for _ in range(READERS):
                load.keep(lambda: load.ask("GET", reverse("tickets:queue")))
            for _ in range(WRITERS):
                load.keep(lambda: write(load))
            try:
                for turn in range(4):
                    which = turn % 2
                    before = load.served
                    webs[which].__exit__(None, None, None)
                    webs[which] = web(ports[which])
                    webs[which].__enter__()
                    assert load.served > before, "the other one answered meanwhile"
            finally:
                load.end()
    finally:
        for running in webs:
            running.__exit__(None, None, None)

    assert load.failures == []
    stored = Message.objects.filter(ticket=ticket, sender=Sender.NOTE).values_list("text", flat=True)
    assert sorted(stored) == sorted(written)
