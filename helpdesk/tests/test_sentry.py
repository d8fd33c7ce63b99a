"""What a Sentry is told of an error: where it was, and nothing of anybody."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from django.core.handlers.wsgi import WSGIHandler
from django.db import DataError, connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import path
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from helpdesk import sentry
from helpdesk.tests.test_settings import SECRET, python
from tickets.log_context import request_id

pytestmark = pytest.mark.django_db(transaction=True)  # the server's way of a request closes connections

TOKEN = "7012345678:AAHtokencanarytokencanarytokencan"
WORDS = "Моя карта wordscanary"
NOTHING_OF = ("tokencanary", "wordscanary", "cookiecanary", "headercanary", "querycanary", "127.0.0.1")

logger = logging.getLogger("helpdesk.test")


class Caught(Transport):
    """Keeps what would leave for Sentry."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def text(self) -> str:
        raw = b"".join(envelope.serialize() for envelope in self.envelopes).decode()
        # Either spelling of letters that are not ASCII.
        return raw + raw.encode().decode("unicode_escape", errors="replace")

    @property
    def events(self) -> list[Any]:
        return [event for envelope in self.envelopes if (event := envelope.get_event())]


@pytest.fixture
def caught() -> Iterator[Caught]:
    transport = Caught()
    sentry.start("https://key@sentry.example.com/1", transport)
    yield transport
    sentry_sdk.get_client().close()
    sentry_sdk.init()  # without a DSN, as before


def view(request: HttpRequest) -> HttpResponse:
    text, token = WORDS, TOKEN
    raise ValueError(f"cannot send {text!r} to https://api.telegram.org/bot{token}/sendMessage")


view.csrf_exempt = True  # type: ignore[attr-defined]
view.login_required = False  # type: ignore[attr-defined]
urlpatterns = [path("broken/", view)]


def test_an_error_with_a_token_and_a_customers_words_in_it_is_reported_without_them(caught: Caught) -> None:
    headers = {"Authorization": "Bearer headercanary", "X-Custom": "headercanary", "Cookie": "sessionid=cookiecanary"}
    asked = RequestFactory().post("/broken/?q=querycanary", {"text": WORDS}, headers=headers)
    with override_settings(ROOT_URLCONF=__name__):
        # As a server calls it: the library hears of requests there.
        answer = WSGIHandler()(asked.environ, lambda status, headers: None)
        answer.close()

    assert not [word for word in NOTHING_OF if word in caught.text], caught.text
    (event,) = caught.events
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "ValueError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "view"
    assert event["request"] == {"method": "POST", "url": "http://testserver/broken/"}
    assert len(event["tags"]["request_id"]) == 32
    assert "user" not in event
    assert "breadcrumbs" not in event


def test_a_line_logged_as_an_error_is_reported_by_its_template(caught: Caught) -> None:
    request_id.set("abc12345")
    try:
        raise RuntimeError(WORDS)
    except RuntimeError:
        logger.exception("Update %s of %s failed", WORDS, TOKEN)
    request_id.set(None)
    assert not [word for word in NOTHING_OF if word in caught.text], caught.text
    (event,) = caught.events
    assert event["logentry"]["message"] == "Update %s of %s failed"
    assert event["tags"] == {"request_id": "abc12345"}


def test_other_libraries_lines_are_told_by_their_place_alone(caught: Caught) -> None:
    logging.getLogger("aiogram.event").error(f"cannot handle {WORDS} {TOKEN}")  # noqa: G004
    assert not [word for word in NOTHING_OF if word in caught.text], caught.text
    assert caught.events[0]["logger"] == "aiogram.event"


def test_a_database_that_quotes_what_it_refused_is_not_quoted(caught: Caught) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite does not quote values")
    with pytest.raises(DataError) as refused, connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [WORDS])
    sentry_sdk.capture_exception(refused.value)
    assert len(caught.events) == 1
    assert "wordscanary" not in caught.text


def test_a_token_in_the_template_itself_is_scrubbed(caught: Caught) -> None:
    logger.error(f"calling /bot{TOKEN}/getMe")  # noqa: G004
    assert "<bot token>" in caught.events[0]["logentry"]["message"]
    assert "tokencanary" not in caught.text


def test_nothing_is_started_until_a_setting_says_where_to() -> None:
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'helpdesk.settings'; import django; django.setup(); "
        "import json, sys; print(json.dumps('sentry_sdk' in sys.modules))"
    )
    assert json.loads(python("-c", code, SECRET_KEY=SECRET).stdout) is False
    set_up = python("-c", code, SECRET_KEY=SECRET, SENTRY_DSN="https://key@sentry.example.com/1")
    assert json.loads(set_up.stdout) is True
