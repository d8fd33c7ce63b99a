"""The tests' environment, browser and cast of people.

The environment is set before Django reads it, and the processes that tests start inherit it.

The cast is whom every test speaks of: Aigerim owns the ticket, Bolat shares her team, Dana works elsewhere, Saule
supervises, Timur is the customer.
"""

import gc
import os
import shutil
import ssl
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection, connections
from django.test import override_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Imports make no garbage worth a search: aiogram's alone take a third less time without.
gc.disable()
gc.set_threshold(100_000, 20, 100)

os.environ["DJANGO_SETTINGS_MODULE"] = "helpdesk.settings"
# A developer's own .env must never reach a test: it may hold a real bot's token.
os.environ["ENV_FILE"] = ""
os.environ["DEBUG"] = "1"
os.environ["LOG_DIR"] = ""
# Other work on the machine may hold a test up; what this limit does has tests of its own.
os.environ["DB_STATEMENT_TIMEOUT"] = "0"
# The jobs of a test's own process must not make a copy of its database where copies of a real one are kept.
os.environ["BACKUP_KEEP"] = "0"
for name in (
    "DATABASE_URL",
    "PUBLIC_URL",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_API_URL",
    "TELEGRAM_WEBHOOK_SECRET",
    "MEDIA_ROOT",
    "SENTRY_DSN",
):
    os.environ.pop(name, None)
if test_database_url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = test_database_url

django.setup()

from django.apps import apps  # noqa: E402
from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402  # models need Django set up
from django.db.models.signals import post_migrate  # noqa: E402
from django.utils import timezone, translation  # noqa: E402

from tickets import operations  # noqa: E402
from tickets.models import MANAGERS, SUPERVISORS, Customer, Message, Team, Ticket, User  # noqa: E402

#: Best first: without windows of its own, which nobody sees here, the same engine needs less than half of the time.
CHROMIUM_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
#: A name that is this machine's to the tests' browser alone.
OTHER_HOST = "desk.example"
CHROMIUM_ARGUMENTS = [
    f"--host-resolver-rules=MAP {OTHER_HOST} 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The browser CHROMIUM names, or the best one installed."""
    if named := os.environ.get("CHROMIUM"):
        return named if Path(named).is_file() else None
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


#: The fixtures through which every test comes to a database.
OPENS_DATABASE = {"db", "transactional_db", "django_db_setup"}


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks the tests that ask a database: the others say the same on each, and need be played on one alone."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if OPENS_DATABASE & fixtures or item.get_closest_marker("django_db"):
        item.add_marker("database")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come first: they take longest, and at the end one worker would play them while others wait."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking it through again and again for garbage is a seventh of the tests' time."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and find_chromium() is None:
        reason = "no Chromium found: install it or name it in CHROMIUM"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """SQLite is tested in a file, as it is used: a database in memory has no WAL and no second process."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a process remembers for a while; and what it remembers in a test stays, however slow the test is."""
    caches["local"].clear()
    monkeypatch.setattr("helpdesk.banner.REMEMBERED", 3600)


@pytest.fixture(autouse=True)
def media_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Each test's files are its own: what one leaves behind is not found by another."""
    folder = tmp_path_factory.mktemp("media")
    with override_settings(MEDIA_ROOT=folder):
        yield folder


def restore_first_rows(**_: object) -> None:
    """Tests that commit end with empty tables, without the rows the first migrations made."""
    import_module("tickets.migrations.0002_first_rows").make_groups_and_default_team(apps, None)


# Emptying the tables sends it too. One of Django's own answers to it, writing permissions that nothing here asks for,
# would take half of the time in which a test's rows are removed.
post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
post_migrate.connect(restore_first_rows, sender=apps.get_app_config("tickets"))


class QuickHasher(PBKDF2PasswordHasher):
    """A hash made in no time that the site's own hashers, in processes tests start, can still check."""

    iterations = 1


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Argon2 is slow on purpose, and nearly every test makes people."""
    with override_settings(PASSWORD_HASHERS=[f"{QuickHasher.__module__}.{QuickHasher.__qualname__}"]):
        yield


@pytest.fixture(autouse=True)
def language_of_the_house() -> Iterator[None]:
    """A request leaves the language it was answered in to its thread, and with it to the next test."""
    yield
    translation.deactivate()


@pytest.fixture
def short_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that outlive a test keep no connection to its database."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Reading the authorities a bot trusts takes 25 ms, and the bots of nearly all tests talk to this machine alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium; every test opens a context of its own and closes it.

    It ends with the module: while Playwright's event loop runs in a thread, no test there can run one of its own.
    """
    from playwright.sync_api import sync_playwright

    # That loop makes Django take the tests for asynchronous code: it would refuse to ask the database, and open
    # connections of its own that know nothing of the test's.
    own = {connection.alias: connection for connection in connections.all()}
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        for alias, connection in own.items():
            connections[alias] = connection
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


PASSWORD = "correct-horse-battery"  # of invented people, in tests


def person(username: str, first_name: str, last_name: str, group: str) -> User:
    user = User.objects.create_user(
        username, password=PASSWORD, first_name=first_name, last_name=last_name, public_name=first_name
    )
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def team(db: None) -> Team:
    """The default team, made by the first migration."""
    return Team.objects.get(is_default=True)


@pytest.fixture
def other_team(db: None) -> Team:
    return Team.objects.create(name="Возвраты")


@pytest.fixture
def strict_team(db: None) -> Team:
    return Team.objects.create(name="Служба безопасности", is_strict=True)


@pytest.fixture
def aigerim(team: Team) -> User:
    """A manager of the default team; the ticket is hers."""
    user = person("aigerim", "Айгерим", "Сатпаева", MANAGERS)
    team.members.add(user)
    return user


@pytest.fixture
def bolat(team: Team) -> User:
    """A manager of the same team."""
    user = person("bolat", "Болат", "Ермеков", MANAGERS)
    team.members.add(user)
    return user


@pytest.fixture
def dana(other_team: Team) -> User:
    """A manager of another team: a stranger to the ticket."""
    user = person("dana", "Дана", "Ким", MANAGERS)
    other_team.members.add(user)
    return user


@pytest.fixture
def saule(db: None) -> User:
    """A supervisor who is no superuser and in no team."""
    return person("saule", "Сауле", "Омарова", SUPERVISORS)


@pytest.fixture
def timur(db: None) -> Customer:
    """The customer."""
    return Customer.objects.create(telegram_user_id=700_001, name="Тимур Ахметов", username="timur_a")


@pytest.fixture
def free_ticket(timur: Customer, team: Team) -> Ticket:
    """A new ticket of Timur's nobody has taken."""
    return wrote(timur, "Здравствуйте! Не включается ноутбук.").ticket


@pytest.fixture
def ticket(free_ticket: Ticket, aigerim: User) -> Ticket:
    """Timur's ticket, taken by Aigerim."""
    return operations.take(ticket_id=free_ticket.pk, actor=aigerim)


def wrote(
    customer: Customer, text: str, *, ticket: Ticket | None = None, sent_at: datetime | None = None
) -> operations.Received:
    """The customer writes, on `ticket` or opening a new one."""
    incoming = operations.Incoming(text=text, sent_at=sent_at or timezone.now())
    return operations.receive(customer=customer, incoming=incoming, ticket=ticket)


@pytest.fixture
def answer() -> Callable[..., Message]:
    """A manager's reply: `answer(ticket, actor, "text", seen=…)`."""

    def reply(ticket: Ticket, actor: User, text: str = "Проверьте, пожалуйста, зарядку.", **options: object) -> Message:
        options.setdefault("client_id", uuid.uuid4())
        return operations.reply(ticket_id=ticket.pk, actor=actor, text=text, **options)  # type: ignore[arg-type]

    return reply


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act returned, or the refusal it raised; all start together, each on its own connection."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return act()
        except operations.Refused as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
