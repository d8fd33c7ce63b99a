"""A query that takes too long: whom it is cut off for, and what people and programs are told."""

import json
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from helpdesk import errors, patience
from helpdesk.tests.servers import database_url, web_server
from helpdesk.tests.test_settings import SECRET, python
from tickets.models import Ticket, User

handler500 = errors.failed
POSTGRESQL = connection.vendor == "postgresql"
LIMITS = "statement_timeout=15000 -c lock_timeout=7500 -c idle_in_transaction_session_timeout=60000"


def sleep_too_long(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 50")
        cursor.execute("SELECT pg_sleep(5)")
    return HttpResponse()


def wait_for_the_writer(request: HttpRequest) -> HttpResponse:
    """Two connections of one file, of which one already writes."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 10")
            try:
                with transaction.atomic():
                    return HttpResponse()
            finally:
                cursor.execute("PRAGMA busy_timeout = 20000")


def break_down(request: HttpRequest) -> HttpResponse:
    raise OperationalError("database is locked")


def miss(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    return HttpResponse()


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("an error of ours")


urlpatterns = [
    path(f"{where}{name}", view)
    for where in ("desk/", "api/v1/")
    for name, view in (
        ("slow", sleep_too_long),
        ("broken", break_down),
        ("locked", wait_for_the_writer),
        ("wrong", fail),
        ("missing", miss),
    )
]
for pattern in urlpatterns:
    pattern.callback.login_required = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "argv",
    [
        ["/srv/.venv/lib/gunicorn/__main__.py", "-c", "helpdesk/gunicorn.py"],
        ["/srv/.venv/bin/gunicorn"],
        ["manage.py", "runbot"],
        ["manage.py", "runserver"],
    ],
)
def test_web_and_bot_do_not_wait_for_ever(argv: list[str]) -> None:
    assert patience.is_answering(argv)


@pytest.mark.parametrize(
    "argv", [["manage.py", "migrate"], ["manage.py", "runjobs"], ["manage.py"], ["/srv/.venv/bin/celery", "worker"]]
)
def test_what_works_long_may(argv: list[str]) -> None:
    assert not patience.is_answering(argv)


def options_of(*argv: str, **environment: str) -> str:
    code = f"import sys; sys.argv = {list(argv)}; from helpdesk import settings; print(settings.DATABASE['OPTIONS'])"
    url = environment.pop("DATABASE_URL", "postgres://127.0.0.1/helpdesk")
    return python("-c", code, SECRET_KEY=SECRET, DATABASE_URL=url, **environment).stdout


def test_the_limits_go_with_the_connection() -> None:
    assert LIMITS in options_of("manage.py", "runbot")
    assert "statement_timeout=3000 " in options_of("manage.py", "runbot", DB_STATEMENT_TIMEOUT="3")
    assert "statement" not in options_of("manage.py", "migrate")


def test_they_can_be_left_to_the_server_or_the_address() -> None:
    assert "statement" not in options_of("manage.py", "runbot", DB_STATEMENT_TIMEOUT="0")
    own = "postgres://127.0.0.1/helpdesk?options=-c%20statement_timeout%3D1"
    assert "'options': '-c statement_timeout=1'" in options_of("manage.py", "runbot", DATABASE_URL=own)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not POSTGRESQL, reason="SQLite waits for its one writer, and for nothing else")
def test_postgresql_takes_them() -> None:
    with psycopg.connect(database_url(), **patience.options(1)) as limited:
        assert limited.execute("SHOW lock_timeout").fetchone() == ("500ms",)
        assert limited.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            limited.execute("SELECT pg_sleep(10)")


def ask(address: str) -> Any:
    with override_settings(ROOT_URLCONF=__name__):
        return Client(raise_request_exception=False).get(address)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not POSTGRESQL, reason="sleeps in PostgreSQL")
@pytest.mark.parametrize("address", ["/desk/slow", "/api/v1/slow"])
def test_a_query_cut_off_is_told_as_one(address: str) -> None:
    answer = ask(address)
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")


def test_people_are_told_what_to_do() -> None:
    answer = ask("/desk/broken")
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "попробуйте ещё раз через несколько секунд" in answer.content.decode()
    assert "locked" not in answer.content.decode()


def test_programs_get_a_problem() -> None:
    answer = ask("/api/v1/broken")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert answer.json()["detail"].startswith("База данных не успела ответить.")


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_missing_is_an_error_of_ours() -> None:
    assert ask("/desk/missing").status_code == 500


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(POSTGRESQL, reason="a file of SQLite's has one writer")
def test_a_file_that_is_locked_is_told_as_one() -> None:
    assert ask("/desk/locked").status_code == 503


def test_an_error_of_ours_stays_one() -> None:
    assert ask("/desk/wrong").status_code == 500
    answer = ask("/api/v1/wrong")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "an error of ours" not in answer.content.decode()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no locks on rows")
def test_a_ticket_somebody_holds_locked_gives_the_desk_back_its_thread(ticket: Ticket, aigerim: User) -> None:
    client, token = Client(), "a" * 32
    with override_settings(SECRET_KEY=SECRET):  # what the session is signed with
        client.force_login(aigerim)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={token}"
    headers = {"Cookie": cookie, "Content-Type": "application/json", "X-CSRFToken": token}
    body = json.dumps({"senderType": "manager", "text": "Здравствуйте"}).encode()
    production = {"DEBUG": "0", "SECRET_KEY": SECRET}
    with web_server(workers=1, DB_STATEMENT_TIMEOUT="1", **production) as (_, port), transaction.atomic():
        list(Ticket.objects.select_for_update().filter(pk=ticket.pk))
        address = f"http://127.0.0.1:{port}/api/v1/tickets/{ticket.pk}/messages"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(address, data=body, headers=headers), timeout=10)
    assert refused.value.code == 503
    assert not ticket.messages.filter(text="Здравствуйте").exists()
