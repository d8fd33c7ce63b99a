"""A program written for the earlier service alone: its paths and its JSON names, over a real connection.

Only signing in is new to it.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from conftest import PASSWORD
from helpdesk.tests.servers import web_server
from tickets import operations
from tickets.models import Scope, User

BOT = f"7000000001:{'a' * 35}"
CUSTOMER = 900_001
WITHIN = 20  # seconds

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Program:
    """What such a program does: JSON in, JSON out."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = requests.Session()

    def sign_in(self, username: str) -> None:
        pair = self.post("/api/v1/auth/login", {"username": username, "password": PASSWORD}, expect=200)
        self.http.headers["Authorization"] = f"Bearer {pair['access']}"

    def get(self, path: str, expect: int = 200, **query: Any) -> Any:
        answer = self.http.get(self.base + path, params=query, timeout=WITHIN)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any], expect: int = 201, **more: Any) -> Any:
        form = {"data": body, **more} if more else {"json": body}
        answer = self.http.post(self.base + path, timeout=WITHIN, **form)
        assert answer.status_code == expect, answer.text
        return answer.json()


@pytest.fixture
def program(saule: User) -> Iterator[Program]:
    with web_server(workers=1, TELEGRAM_BOT_TOKEN=BOT) as (_process, port):
        client = Program(f"http://127.0.0.1:{port}")
        client.sign_in(saule.username)
        yield client


@pytest.fixture
def portal(program: Program, saule: User) -> Program:
    """The same program with a service account, which names the customer on every call."""
    account = operations.create_service_account(actor=saule, name="Портал", scopes=Scope.values)
    client = Program(program.base)
    client.http.headers["Authorization"] = f"Bearer {operations.issue_key(actor=saule, account=account)}"
    client.http.headers["X-Telegram-User-Id"] = str(CUSTOMER)
    return client


@pytest.mark.parametrize("slash", ["", "/"])
def test_tickets_and_messages(program: Program, slash: str) -> None:
    tickets = f"/api/v1/tickets{slash}"
    made = program.post(tickets, {"telegramUserId": CUSTOMER, "subject": "Заказ 719-204", "text": "Где заказ?"})
    assert made["telegramUserId"] == CUSTOMER

    found = program.get(tickets, user_id=CUSTOMER, limit=10, offset=0)
    assert [ticket["id"] for ticket in found["tickets"]] == [made["id"]]
    assert {key: found["pagination"][key] for key in ("total", "limit", "offset")} == {
        "total": 1,
        "limit": 10,
        "offset": 0,
    }

    messages = f"/api/v1/tickets/{made['id']}/messages{slash}"
    program.post(messages, {"senderType": "client", "text": "Жду с утра"})
    reply = {"senderType": "manager", "text": "Уже в пути", "clientId": str(uuid.uuid4())}
    assert program.post(messages, reply) == program.post(messages, reply), "sent again after a cut, written once"

    everything = program.get(messages)
    spoken = [
        (message["senderType"], message["text"])
        for message in everything["messages"]
        if message["senderType"] != "system"
    ]
    assert spoken == [("client", "Где заказ?"), ("client", "Жду с утра"), ("manager", "Уже в пути")]
    page = program.get(messages, limit=1, offset=1)
    assert page["messages"] == everything["messages"][1:2]
    assert page["pagination"]["total"] == everything["pagination"]["total"]


def test_a_customers_program(portal: Program, program: Program) -> None:
    made = portal.post("/api/v1/tickets", {"telegramUserId": CUSTOMER, "subject": "Чек", "text": "Где чек?"})
    assert [ticket["id"] for ticket in portal.get("/api/v1/tickets", user_id=CUSTOMER)["tickets"]] == [made["id"]]
    messages = f"/api/v1/tickets/{made['id']}/messages"
    portal.post(messages, {"senderType": "client", "text": "Жду с утра"})
    portal.post(messages, {"senderType": "manager", "text": "Я менеджер"}, expect=403)
    program.post(messages, {"senderType": "manager", "text": "Высылаем"})
    assert [message["text"] for message in portal.get(messages, limit=10, offset=0)["messages"]] == [
        "Где чек?",
        "Жду с утра",
    ], "the reply waits for a bot, and the customer has not seen it yet"
    albums = [{"mediaGroupId": "13579", "ticketId": made["id"]}]
    portal.post("/api/v1/sessions", {"telegramUserId": CUSTOMER, "pendingMedia": albums}, expect=200)
    assert portal.get(f"/api/v1/sessions/{CUSTOMER}")["pendingMedia"] == albums
    assert [event["kind"] for event in portal.get("/api/v1/events")["events"]] == ["opened", "received"]


def test_files(program: Program) -> None:
    made = program.post("/api/v1/tickets", {"telegramUserId": CUSTOMER, "subject": "", "text": "Пришлите счёт"})
    pdf = b"%PDF-1.4 " + b"x" * 500
    sent = program.post(
        f"/api/v1/tickets/{made['id']}/messages",
        {"senderType": "manager", "text": "Счёт", "mediaType": "document"},
        files=[("files", ("Счёт.pdf", pdf, "application/pdf"))],
    )
    (file,) = sent["files"]
    assert (file["name"], file["mediaType"], file["size"]) == ("Счёт.pdf", "document", len(pdf))
    assert program.http.get(file["url"], timeout=WITHIN).content == pdf


def test_sessions_with_pending_media(program: Program) -> None:
    made = program.post("/api/v1/tickets", {"telegramUserId": CUSTOMER, "subject": "", "text": "Фото пришлю"})
    albums = [{"mediaGroupId": "13579", "ticketId": made["id"]}]
    program.post("/api/v1/sessions", {"telegramUserId": CUSTOMER, "pendingMedia": albums}, expect=200)
    assert program.get(f"/api/v1/sessions/{CUSTOMER}")["pendingMedia"] == albums


def test_health_names_what_fails(program: Program) -> None:
    told = program.get("/health", expect=503)
    assert told["failing"] == ["bot", "jobs"], "the site is well, and nothing runs beside it"


def test_what_it_never_should_have_sent_is_refused_by_field(program: Program) -> None:
    wrong = program.post("/api/v1/tickets", {"telegramUserId": 0, "text": "", "colour": "red"}, expect=422)
    assert set(wrong["errors"]) == {"telegramUserId", "text", "colour"}
