"""The product as people use it: the web server, and where a customer takes part, the sandbox, the bot and the jobs."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from botbridge.models import BotStatus
from botbridge.sandbox.thread import SandboxServer
from conftest import OTHER_HOST
from helpdesk.tests.servers import MONITORS_TOKEN, STARTS_WITHIN, free_port, process, web_server
from tickets.models import User

DESKTOP = {"width": 1440, "height": 900}
#: Generous: other work on the machine may be heavy. Tests that promise a time say so themselves.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)
#: What browsers say of a refused answer, and of a header that means something over TLS alone.
AT_WORK = ("Failed to load resource", "The Cross-Origin-Opener-Policy header has been ignored")
#: Chromium tells most of them by itself; this tells them all.
REPORT_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) => {
    console.error("CSP", event.violatedDirective, event.blockedURI);
});"""


@dataclass
class Desk:
    """A site and the browsers in front of it."""

    browser: Browser
    stack: ExitStack
    environment: dict[str, str] = field(default_factory=dict)
    host: str = "localhost"
    port: int = field(default_factory=free_port)
    server: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        self.server.enter_context(web_server(self.port, workers=1, **self.environment))

    def stop(self) -> None:
        self.server.close()

    def open(self, user: User | None = None) -> BrowserContext:
        """A browser of its own, signed in as `user`. What its pages complain of fails the test when it closes."""
        context = self.browser.new_context(base_url=self.url, locale="ru-RU", viewport=DESKTOP)
        context.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda message: note_complaint(message, complaints))
        self.stack.callback(lambda: check(complaints))
        self.stack.callback(context.close)
        if user is not None:
            self.sign_in(context, user)
        return context

    def sign_in(self, context: BrowserContext, user: User) -> None:
        client = Client()
        client.force_login(user)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.url}])

    def page(self, user: User, path: str = "/desk/") -> Page:
        """A page that hears the live stream."""
        page = self.open(user).new_page()
        page.goto(path)
        page.wait_for_selector("html[data-live=on]", state="attached")
        return page


def note_complaint(message: ConsoleMessage, complaints: list[str]) -> None:
    """What is the product at work is none; everything else a browser calls an error is one."""
    if message.type == "error" and not message.text.startswith(AT_WORK):
        complaints.append(message.text)


def check(complaints: list[str]) -> None:
    assert not complaints, complaints


@contextmanager
def serving(browser: Browser, **environment: str) -> Iterator[Desk]:
    with ExitStack() as stack:
        desk = Desk(browser, stack, environment)
        stack.callback(desk.stop)
        desk.start()
        yield desk


@pytest.fixture
def desk(transactional_db: None, browser: Browser) -> Iterator[Desk]:
    """The site alone: customers' messages come by the domain's own operations."""
    with serving(browser) as running:
        yield running


@pytest.fixture
def plain_desk(transactional_db: None, browser: Browser) -> Iterator[Desk]:
    """The site as another machine of an office reaches it without TLS: browsers then hide what they call powerful."""
    with serving(browser, ALLOWED_HOSTS=OTHER_HOST, METRICS_TOKEN=MONITORS_TOKEN) as running:
        running.host = OTHER_HOST
        yield running


@dataclass
class Loop:
    """The whole product: a desk, and customers with Telegram in their hands."""

    desk: Desk
    sandbox: SandboxServer


@pytest.fixture
def loop(transactional_db: None, browser: Browser, tmp_path: Path) -> Iterator[Loop]:
    with ExitStack() as stack:
        sandbox = stack.enter_context(SandboxServer(tmp_path / "sandbox", port=free_port()))
        telegram = {"TELEGRAM_API_URL": sandbox.base_url, "TELEGRAM_BOT_TOKEN": sandbox.token}
        bot = stack.enter_context(process("manage.py", "runbot", **telegram))
        stack.enter_context(process("manage.py", "runjobs", **telegram))
        desk = stack.enter_context(serving(browser, **telegram))
        wait_for_the_bot(bot)
        yield Loop(desk, sandbox)


def wait_for_the_bot(bot: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not BotStatus.objects.exists():
        assert bot.poll() is None, "the bot has ended"
        assert time.monotonic() < deadline, "the bot does not ask for updates"
        time.sleep(0.1)
