"""The webhook stores what Telegram brings before it says so, and answers nobody else."""

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiogram.types import WebhookInfo
from django.conf import LazySettings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from botbridge import webhook
from botbridge.models import BotStatus, Outage, Update
from botbridge.storing import store
from botbridge.tests.conftest import BOT_ID, TOKEN, Json, Line, Phone
from botbridge.watching import looked
from tickets.models import Message

pytestmark = pytest.mark.django_db

SECRET = "sesame-sesame-sesame-sesame"

Post = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def secrets(settings: LazySettings) -> None:
    settings.TELEGRAM_BOT_TOKEN = TOKEN
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET


@pytest.fixture
def post() -> Post:
    """Telegram brings a body; `path` and `secret` are what it was told unless the test says otherwise."""

    def bring(body: bytes | Json, *, path: str | None = None, secret: str | None = SECRET, **more: Any) -> HttpResponse:
        headers = {} if secret is None else {webhook.SECRET_HEADER: secret}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = f"{webhook.PREFIX}{path or webhook.secret_path()}"
        client = Client(enforce_csrf_checks=True)
        answer: Any = client.post(address, content, content_type="application/json", headers=headers, **more)
        return answer  # type: ignore[no-any-return]

    return bring


def update(number: int = 1, **content: Any) -> Json:
    chat = {"id": 700_001, "type": "private", "first_name": "Тимур"}
    message = {"message_id": number, "date": 1_795_000_000, "chat": chat, "from": chat | {"is_bot": False}}
    return {"update_id": number, "message": {**message, **content}}


def test_what_telegram_brings_is_stored_and_then_acknowledged(post: Post) -> None:
    answer = post(update(7, text="Здравствуйте"))
    assert (answer.status_code, answer.content) == (200, b"")
    row = Update.objects.get()
    assert (row.bot_id, row.update_id, row.chat_id, row.state) == (BOT_ID, 7, 700_001, Update.State.STORED)
    assert json.loads(row.raw)["message"]["text"] == "Здравствуйте"


def test_what_is_brought_twice_is_stored_once_by_whichever_door(post: Post) -> None:
    assert post(update(7, text="Раз")).status_code == 200
    assert post(update(7, text="Раз")).status_code == 200
    store(BOT_ID, [update(7, text="Раз"), update(8, text="Два")])
    assert post(update(8, text="Два")).status_code == 200
    assert list(Update.objects.order_by("pk").values_list("update_id", flat=True)) == [7, 8]


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (None, None),
        (None, ""),
        (None, SECRET[:-1]),
        (None, f"{SECRET}x"),
        (None, "секрет"),
        (None, "\xff\xfe"),
        ("0" * 64, SECRET),
        ("ключ", SECRET),
    ],
)
def test_who_lacks_a_secret_is_refused_before_the_database_is_asked(
    post: Post, django_assert_num_queries: DjangoAssertNumQueries, path: str | None, secret: str | None
) -> None:
    header = {"HTTP_X_TELEGRAM_BOT_API_SECRET_TOKEN": secret} if secret and not secret.isascii() else {}
    with django_assert_num_queries(0):
        answer = post(update(), path=path, secret=None if header else secret, **header)
    assert answer.status_code == 403


def test_a_session_of_whoever_is_not_even_looked_up(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = Client()
    client.cookies["session"] = "x" * 32
    with django_assert_num_queries(0):
        assert client.post(webhook.PREFIX + "0" * 64, "{}", content_type="application/json").status_code == 403


@pytest.mark.parametrize("missing", ["TELEGRAM_WEBHOOK_SECRET", "TELEGRAM_BOT_TOKEN"])
def test_a_site_without_a_webhook_takes_nothing(post: Post, settings: LazySettings, missing: str) -> None:
    setattr(settings, missing, "")
    assert post(update(), secret="").status_code == 403
    assert post(update()).status_code == 403


def test_it_is_asked_by_post_alone() -> None:
    address = webhook.PREFIX + webhook.secret_path()
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert Client().generic(method, address).status_code == 405


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"update"', b"17", b"null", b'{"update_id": ' + b"9" * 5000])
def test_what_is_no_update_is_refused(post: Post, body: bytes) -> None:
    assert post(body).status_code == 400
    assert not Update.objects.exists()


@pytest.mark.parametrize(
    "message",
    [b"[" * 100_000 + b"]" * 100_000, b'{"date": ' + b"9" * 5000 + b"}", b'{"text": bare}'],
    ids=["deep", "long", "bare"],
)
def test_what_no_reader_takes_is_parked_as_it_came_and_holds_nobody_up(post: Post, message: bytes) -> None:
    body = b'{"update_id": 9, "message": ' + message + b"}"
    assert [post(body).status_code for _ in range(2)] == [200, 200]
    row = Update.objects.get()
    assert (row.update_id, row.state) == (9, Update.State.PARKED)
    assert json.loads(row.raw)["unreadable"] == body.decode()


def test_however_deep_an_update_is_it_is_taken_and_kept(post: Post) -> None:
    """What the reader just takes the writer, some calls further down, may not."""
    depths = range(sys.getrecursionlimit() - 150, sys.getrecursionlimit())
    bodies = [b'{"update_id": %d, "message": {"a":%s1%s}}' % (n, b"[" * n, b"]" * n) for n in depths]
    assert {post(body).status_code for body in bodies} == {200}
    assert Update.objects.count() == len(bodies)


def test_after_long_in_vain_an_outage_is_noted_before_what_came_is_stored(post: Post) -> None:
    now = timezone.now()
    began = now - timedelta(minutes=40)
    status = BotStatus.objects.create(bot_id=BOT_ID, last_polled_at=now, door=BotStatus.Door.WEBHOOK)
    BotStatus.objects.update(webhook_pending=3, webhook_pending_since=began, webhook_error="403", webhook_error_at=now)
    for number in (1, 2):
        assert post(update(number, text="Есть кто?")).status_code == 200
    outage = Outage.objects.get()
    assert (outage.bot_id, outage.began_at) == (status.pk, began)
    assert outage.ended_at >= now


def test_where_something_waits_at_every_look_one_error_makes_no_outage_of_it(post: Post) -> None:
    now = timezone.now()
    BotStatus.objects.create(
        bot_id=BOT_ID,
        last_polled_at=now,
        door=BotStatus.Door.WEBHOOK,
        webhook_pending=3,
        webhook_pending_since=now - timedelta(hours=5),
        webhook_error="503",
        webhook_error_at=now,
    )
    store(BOT_ID, [update(1, text="Раз")])
    post(update(2, text="Два"))
    assert not Outage.objects.exists()


def test_who_wrote_first_while_telegram_could_not_bring_it_hears_an_apology_too(
    post: Post, line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()

    def look(minutes: float, pending: int) -> None:
        moment = now - timedelta(minutes=minutes)
        error = {"last_error_message": "Connection refused", "last_error_date": moment} if pending else {}
        facts = {"url": "https://x/", "has_custom_certificate": False, "pending_update_count": pending, **error}
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda: moment)
            looked(BOT_ID, WebhookInfo.model_validate(facts))

    look(40, 0)
    written = int((now - timedelta(minutes=39.9)).timestamp())
    for minutes in (39.7, 20, 0):
        look(minutes, 1)
    post({"update_id": 1, **phone.message(text="Есть кто?", date=written)})
    line.handle_all()
    (said,) = phone.heard
    assert said.startswith("Извините, бот не работал")


def test_an_update_of_a_form_nobody_knows_is_kept_where_people_look(post: Post) -> None:
    assert post({"update_id": 9, "from_the_future": {"shine": True}}).status_code == 200
    assert Update.objects.get().state == Update.State.PARKED


@pytest.mark.parametrize("text", ["ы" * 1_000_000, "NUL \0 and half a pair \ud83d", "\U0001f600" * 300_000])
def test_long_and_broken_words_survive(post: Post, line: Line, text: str) -> None:
    assert post(update(text=text)).status_code == 200
    line.handle_all()
    kept = Message.objects.get(text__startswith=text[:3]).text
    assert kept == text.replace("\0", "�").replace("\ud83d", "�")


def test_bytes_that_are_no_text_stop_nobody(post: Post) -> None:
    body = json.dumps(update(text="X")).encode().replace(b'"X"', b'"\xff\xfe"')
    assert post(body).status_code == 200


def test_what_is_bigger_than_any_update_is_not_read(post: Post, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert post(b" " * (webhook.MAX_UPDATE + 1)).status_code == 413


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_while_the_database_is_away_telegram_is_asked_to_come_again(post: Post, error: type[Exception]) -> None:
    def away(*call: object) -> None:
        raise error("connection to server at 10.1.2.3 failed")

    with connection.execute_wrapper(away):
        answer = post(update())
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) <= 10
    assert "10.1.2.3" not in answer.content.decode()
    assert post(update()).status_code == 200
    assert Update.objects.count() == 1


def test_storing_costs_a_fixed_number_of_queries(post: Post, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    post(update(1, text="Раз"))
    # The savepoint's two, the update, the chat; whether an outage ends with it, two; PostgreSQL's bell beside.
    with django_assert_num_queries(6 + (connection.vendor == "postgresql")):
        post(update(2, text="Два"))


def test_what_came_is_handled_as_by_the_other_door(post: Post, line: Line, phone: Phone) -> None:
    post({"update_id": 1, **phone.message(text="Не включается ноутбук")})
    line.handle_all()
    assert phone.written == ["Не включается ноутбук"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("SECRET_KEY", "another"), ("TELEGRAM_WEBHOOK_SECRET", "another"), ("TELEGRAM_BOT_TOKEN", f"1{TOKEN}")],
)
def test_the_address_follows_from_what_is_secret(settings: LazySettings, setting: str, value: str) -> None:
    before = webhook.address()
    assert before.startswith(f"{settings.PUBLIC_URL}{webhook.PREFIX}")
    assert SECRET not in before
    setattr(settings, setting, value)
    assert webhook.address() != before


def test_a_new_token_of_the_same_bot_changes_nothing(settings: LazySettings) -> None:
    before = webhook.address()
    settings.TELEGRAM_BOT_TOKEN = f"{BOT_ID}:AAothertothertothertothertothertother"
    assert webhook.address() == before
