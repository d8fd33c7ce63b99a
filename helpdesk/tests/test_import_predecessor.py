"""The earlier service's history arrives as it was, once, and what does not fit is told."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from botbridge.models import ChatSession, TelegramFile
from helpdesk.tests.servers import database_url
from tickets import operations
from tickets.models import (
    Attachment,
    AttachmentState,
    Change,
    ContentType,
    Customer,
    Delivery,
    Event,
    Message,
    Missing,
    Priority,
    Sender,
    Status,
    Ticket,
    TicketReader,
    User,
    View,
)

pytestmark = pytest.mark.django_db

BOT = 7_000_000_001
DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

TABLES = """
CREATE TABLE tickets (
    id serial PRIMARY KEY, telegram_user_id bigint, customer_name text, subject text, status text, priority text,
    assignee text, rating int, created_at timestamp, updated_at timestamp, last_message_at timestamp
);
CREATE TABLE messages (
    id serial PRIMARY KEY, ticket_id int, sender_type text, text text, media_type text, file_id text, files jsonb,
    created_at timestamp
);
CREATE TABLE user_sessions (
    id serial PRIMARY KEY, user_id bigint, state text, current_ticket_id int, pending_media jsonb, language text,
    updated_at timestamptz
);
"""


class Earlier:
    """The earlier service's database, in a schema beside the test's own tables."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(database_url(), autocommit=True)
        self.execute("DROP SCHEMA IF EXISTS earlier CASCADE; CREATE SCHEMA earlier; SET search_path TO earlier")
        self.execute(TABLES)
        self.dsn = database_url() + "?options=-csearch_path%3Dearlier"

    def execute(self, query: str, *values: Any) -> psycopg.Cursor[Any]:
        return self.connection.execute(query.encode(), values or None)

    def add(self, table: str, **row: Any) -> int:
        columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
        made = self.execute(f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id", *row.values())
        return int(made.fetchone()[0])

    def ticket(self, **row: Any) -> int:
        usual = {"telegram_user_id": 5001, "customer_name": "Асель", "status": "open", "priority": "normal"}
        return self.add("tickets", **(usual | {"created_at": naive(DAY), "updated_at": naive(DAY)} | row))

    def message(self, ticket: int | None, sender: str, text: str | None, minutes: int = 0, **row: Any) -> int:
        at = naive(DAY + timedelta(minutes=minutes))
        return self.add("messages", ticket_id=ticket, sender_type=sender, text=text, **({"created_at": at} | row))


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


@pytest.fixture
def earlier(db: None) -> Iterator[Earlier]:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: name one in TEST_DATABASE_URL")
    database = Earlier()
    yield database
    database.execute("DROP SCHEMA earlier CASCADE")
    database.connection.close()


@pytest.fixture(autouse=True)
def token(settings: LazySettings) -> None:
    settings.TELEGRAM_BOT_TOKEN = f"{BOT}:{'a' * 35}"


Import = Callable[..., list[tuple[str, int | None, str]]]


@pytest.fixture
def run(earlier: Earlier, tmp_path: Path) -> Import:
    """Runs the import and gives its report."""
    numbers = iter(range(1, 100))

    def go(*, apply: bool = True, **options: Any) -> list[tuple[str, int | None, str]]:
        report = tmp_path / "reports" / f"{next(numbers)}.jsonl"
        call_command("import_predecessor", dsn=earlier.dsn, apply=apply, report=report, **options)
        lines = [json.loads(line) for line in report.read_text().splitlines()]
        return [(line["table"], line["id"], line["reason"]) for line in lines if line["id"] is not None]

    return go


def rows() -> list[list[Any]]:
    """Everything an import writes."""
    models = (Customer, Ticket, Message, Attachment, Event, TicketReader, ChatSession, TelegramFile, User)
    return [list(model.objects.order_by("pk").values_list()) for model in models]


def test_a_conversation_comes_as_it_was(earlier: Earlier, run: Import, aigerim: User) -> None:
    number = earlier.ticket(subject="Заказ 719", assignee="Aigerim", priority="high", status="open")
    earlier.message(number, "client", "Где заказ?", 1)
    earlier.message(number, "manager", "Уже в пути", 5)
    earlier.message(number, "client", "Жду\n с утра ", 3)

    assert run() == []

    ticket = Ticket.objects.get(imported_id=number)
    assert ticket.pk >= 1000
    assert (ticket.subject, ticket.status, ticket.priority) == ("Заказ 719", Status.OPEN, Priority.HIGH)
    assert (ticket.assignee, ticket.customer.name, ticket.customer.telegram_user_id) == (aigerim, "Асель", 5001)
    said = [(m.sender, m.text, m.sent_at) for m in ticket.messages.order_by("pk")]
    assert said == [
        ("client", "Где заказ?", DAY + timedelta(minutes=1)),
        ("client", "Жду\n с утра ", DAY + timedelta(minutes=3)),
        ("manager", "Уже в пути", DAY + timedelta(minutes=5)),
    ]
    assert not ticket.messages.exclude(created_at=F("sent_at")).exists(), "programs list messages by it"
    assert not ticket.messages.filter(sender="client").exclude(author=None).exists(), "nobody wrote for the customer"
    assert ticket.opened_by == ticket.messages.order_by("pk").first()
    assert (ticket.last_text, ticket.last_message_at) == ("Уже в пути", DAY + timedelta(minutes=5))
    assert (ticket.waiting_since, ticket.first_answered_at) == (None, DAY + timedelta(minutes=5))
    assert (ticket.created_at, ticket.updated_at) == (DAY, DAY)
    event = ticket.events.get()
    assert (event.kind, event.data["imported"], event.data["messages"]) == (Event.Kind.IMPORTED, number, 3)


def test_nothing_of_it_leaves_rings_or_becomes_unread(
    earlier: Earlier, run: Import, aigerim: User, saule: User
) -> None:
    number = earlier.ticket()
    earlier.message(number, "manager", "Здравствуйте", 1)
    earlier.message(number, "client", "Спасибо, но ещё вопрос", 2)
    run()

    assert not Delivery.objects.exists()
    assert not Change.objects.exists()
    for person in (aigerim, saule):
        (row,) = Ticket.objects.in_view(View.ALL, person).for_rows(person)
        assert (row.unread, row.waiting_since) == (0, DAY + timedelta(minutes=2))


def test_the_desk_shows_it(earlier: Earlier, run: Import, aigerim: User, client: Client) -> None:
    number = earlier.ticket()
    earlier.message(number, "client", "Прежний вопрос", 1)
    earlier.message(number, "manager", "Прежний ответ", 2)
    run()
    client.force_login(aigerim)

    page = client.get(reverse("tickets:ticket", args=[Ticket.objects.get().pk])).content.decode()

    for words in ("Прежний вопрос", "Прежний ответ", "Прежняя система", "Перенесено из прежней системы"):
        assert words in page
    assert "Асель" in client.get(reverse("tickets:queue") + "?view=all").content.decode()


def test_a_question_that_is_a_subject_alone_waits_too(
    earlier: Earlier, run: Import, aigerim: User, client: Client
) -> None:
    earlier.ticket(subject="Где мой заказ?", status="new")
    earlier.ticket(subject="Давно решено", status="closed", telegram_user_id=5002)
    assert run() == []
    client.force_login(aigerim)

    waiting, closed = Ticket.objects.order_by("pk")
    assert (waiting.waiting_since, closed.waiting_since) == (DAY, None)
    assert (waiting.last_message, waiting.last_message_at) == (None, DAY)
    page = client.get(reverse("tickets:ticket", args=[waiting.pk])).content.decode()
    assert "Где мой заказ?" in page
    assert "Где мой заказ?" in client.get(reverse("tickets:queue") + "?view=all").content.decode()


def test_a_dry_run_writes_nothing_and_reports_the_same(earlier: Earlier, run: Import) -> None:
    number = earlier.ticket(status="странный")
    earlier.message(number, "client", "Вопрос")
    earlier.message(None, "client", "Ничей")
    before = rows()

    dry = run(apply=False)

    assert rows() == before
    assert run() == dry
    assert Ticket.objects.count() == 1


def test_twice_gives_the_same_rows(earlier: Earlier, run: Import, aigerim: User) -> None:
    for place in range(5):
        number = earlier.ticket(telegram_user_id=5001 + place % 2, status=["new", "open", "closed"][place % 3])
        earlier.message(number, "client", "Вопрос", place, file_id="AgAD", media_type="photo")
    earlier.add("user_sessions", user_id=5001, current_ticket_id=1, updated_at=DAY)
    first = run()
    before = rows()

    assert run() == first
    assert rows() == before


def test_the_earlier_service_may_go_on_between_two_runs(earlier: Earlier, run: Import) -> None:
    number = earlier.ticket(status="open")
    earlier.message(number, "client", "Вопрос", 1)
    run()
    earlier.message(number, "manager", "Ответ", 2)
    earlier.execute("UPDATE tickets SET status = 'closed', updated_at = %s", naive(DAY + timedelta(hours=1)))

    assert run() == []

    ticket = Ticket.objects.get()
    assert [message.text for message in ticket.messages.order_by("pk")] == ["Вопрос", "Ответ"]
    assert (ticket.status, ticket.closed_at) == (Status.CLOSED, DAY + timedelta(hours=1))
    assert ticket.events.filter(kind=Event.Kind.IMPORTED).count() == 2
    before = rows()
    assert run() == []
    assert rows() == before


def test_a_ticket_that_has_moved_on_here_stays_as_it_is(earlier: Earlier, run: Import, aigerim: User) -> None:
    number = earlier.ticket()
    earlier.message(number, "client", "Вопрос", 1)
    run()
    operations.take(ticket_id=Ticket.objects.get().pk, actor=aigerim)
    late = earlier.message(number, "client", "Ещё", 2)
    earlier.execute("UPDATE tickets SET status = 'closed', updated_at = now()")
    before = rows()

    assert run() == [("messages", late, "its ticket has been worked on here since it was imported")]
    assert rows() == before


def test_what_is_mended_after_its_ticket_came_is_told_each_time_and_nothing_is_put_out_of_order(
    earlier: Earlier, run: Import
) -> None:
    number = earlier.ticket()
    earlier.message(number, "client", "Вопрос", 1)
    stranger = earlier.message(number, "robot", "Сейчас посмотрю", 2)
    earlier.message(number, "manager", "Ответ", 3)
    assert run() == [("messages", stranger, "who wrote it cannot be told: sender 'robot'")]
    earlier.execute("UPDATE messages SET sender_type = 'manager' WHERE id = %s", stranger)
    told = [("messages", stranger, "it fits now, but later words of its ticket are here already: it was left out")]
    before = rows()

    assert run() == told
    assert rows() == before

    earlier.message(number, "client", "Спасибо", 4)
    assert run() == told
    assert [message.text for message in Message.objects.order_by("pk")] == ["Вопрос", "Ответ", "Спасибо"]
    assert run() == told


def test_a_cut_run_goes_on_where_it_was(earlier: Earlier, run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpdesk.predecessor.source.PORTION", 2)
    for place in range(5):
        earlier.message(earlier.ticket(telegram_user_id=5001 + place), "client", f"Вопрос {place}")
    earlier.execute("ALTER TABLE tickets RENAME TO whole; CREATE VIEW tickets AS SELECT *, 1 / (id - 4) FROM whole")

    with pytest.raises(CommandError, match="division by zero"):
        run()
    assert Ticket.objects.count() == 2

    earlier.execute("DROP VIEW tickets; ALTER TABLE whole RENAME TO tickets")
    assert run() == []
    assert sorted(Message.objects.values_list("text", flat=True)) == [f"Вопрос {place}" for place in range(5)]


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_write_everything_once(earlier: Earlier, run: Import, tmp_path: Path) -> None:
    for place in range(60):
        earlier.message(earlier.ticket(telegram_user_id=5001 + place % 7), "client", f"Вопрос {place}")
    start = threading.Barrier(2)

    def go(number: int) -> str:
        start.wait()
        try:
            call_command("import_predecessor", dsn=earlier.dsn, apply=True, report=tmp_path / f"{number}.jsonl")
        except CommandError as error:
            return str(error)
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(2) as pool:
        refused = [text for text in pool.map(go, range(2)) if text]

    assert all("run it again" in text for text in refused)
    assert run() == []
    assert (Ticket.objects.count(), Message.objects.count(), Customer.objects.count()) == (60, 60, 7)
    assert Event.objects.count() == 60


@pytest.mark.parametrize(
    ("status", "assigned", "client_last", "age", "expected"),
    [
        ("new", False, True, 1, Status.NEW),
        ("new", True, True, 1, Status.OPEN),
        ("in_progress", False, True, 1, Status.OPEN),
        ("waiting", False, False, 1, Status.WAITING),
        ("waiting", False, True, 1, Status.OPEN),
        ("resolved", False, False, 1, Status.RESOLVED),
        ("resolved", False, False, 8, Status.CLOSED),
        ("CLOSED", False, True, 1, Status.CLOSED),
    ],
)
def test_statuses(
    earlier: Earlier,
    run: Import,
    aigerim: User,
    status: str,
    assigned: bool,
    client_last: bool,
    age: int,
    expected: Status,
) -> None:
    at = naive(timezone.now().astimezone(UTC) - timedelta(days=age))
    number = earlier.ticket(status=status, assignee="aigerim" if assigned else None, created_at=at, updated_at=at)
    earlier.message(number, "client", "Вопрос", created_at=at)
    earlier.message(number, "client" if client_last else "manager", "Потом", created_at=at + timedelta(seconds=1))

    assert run() == []

    ticket = Ticket.objects.get()
    assert ticket.status == expected
    waits = client_last and ticket.is_active
    assert ticket.waiting_since == (at.replace(tzinfo=UTC) if waits else None)
    assert (ticket.resolved_at is not None) == (expected in (Status.RESOLVED, Status.CLOSED))


def test_rows_that_do_not_fit_are_told_and_the_others_come(earlier: Earlier, run: Import, tmp_path: Path) -> None:
    nobody = earlier.ticket(telegram_user_id=None)
    lost = earlier.message(nobody, "client", "Чей я?")
    negative = earlier.ticket(telegram_user_id=-100)
    odd = earlier.ticket(
        status="странный", priority="9", assignee="Неизвестная", subject="д" * 201, created_at=None, updated_at=None
    )
    earlier.message(odd, "client", "Время я знаю", 7)
    timeless = earlier.message(odd, "client", "Когда?", created_at=None)
    stranger = earlier.message(odd, "robot", "Кто я?")
    empty = earlier.message(odd, "manager", None)
    never = earlier.message(odd, "client", "Когда-нибудь", created_at="infinity")
    orphan = earlier.message(987_654, "client", "Ничей")
    earlier.message(odd, "client", "\x01 и 🎄 " + "ы" * 5000, 8)

    told = run()

    assert sorted(told) == sorted(
        [
            ("tickets", nobody, "whose it is cannot be told: its Telegram user id is no positive number"),
            ("messages", lost, "its ticket does not fit"),
            ("tickets", negative, "whose it is cannot be told: its Telegram user id is no positive number"),
            ("tickets", odd, "its subject is longer than 200 characters and was cut"),
            ("tickets", odd, "status 'странный' is not known here, it became new"),
            ("tickets", odd, "priority '9' is not known here, it became 2"),
            ("tickets", odd, "'Неизвестная' is nobody here who could be responsible, so it is free"),
            ("messages", timeless, "when it was written cannot be told"),
            ("messages", stranger, "who wrote it cannot be told: sender 'robot'"),
            ("messages", empty, "it has neither words nor a file"),
            ("messages", never, "created_at is no time: 'infinity'"),
            ("messages", never, "when it was written cannot be told"),
            ("messages", orphan, "its ticket is not there"),
        ]
    )
    ticket = Ticket.objects.get()
    assert (ticket.created_at, ticket.subject) == (DAY + timedelta(minutes=7), "д" * 200)
    assert [len(message.text) for message in ticket.messages.order_by("pk")] == [12, 5006]
    (report,) = (tmp_path / "reports").iterdir()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert '"row": {"id"' in report.read_text()
    assert "the column rating has no place here" in report.read_text()


def test_times_without_a_zone_are_those_of_the_named_one(earlier: Earlier, run: Import) -> None:
    earlier.execute("ALTER TABLE messages ALTER created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC'")
    number = earlier.ticket()
    earlier.message(number, "client", "Вопрос", created_at=DAY)

    run(time_zone="Asia/Almaty")

    ticket = Ticket.objects.get()
    assert ticket.created_at == DAY - timedelta(hours=5)
    assert ticket.messages.get().sent_at == DAY


def test_files_are_to_be_fetched_or_said_to_be_gone(earlier: Earlier, run: Import) -> None:
    number = earlier.ticket()
    earlier.message(number, "client", "", 1, media_type="photo", file_id="AgAD1")
    several = [{"fileId": "BQ1", "fileName": "Счёт.pdf", "size": 9}, "BQ2", {"url": "http://old/1"}]
    odd = earlier.message(number, "manager", None, 2, media_type="document", files=json.dumps(several))

    assert run() == [("messages", odd, "a file has no Telegram id, so it stays in the earlier system")]

    photo, *documents = Attachment.objects.order_by("message", "position")
    assert (photo.kind, photo.state, photo.message.content_type) == ("photo", AttachmentState.PENDING, "photo")
    assert TelegramFile.objects.get(attachment=photo).file_id == "AgAD1"
    assert [(file.file_name, file.state) for file in documents] == [
        ("Счёт.pdf", AttachmentState.PENDING),
        ("", AttachmentState.PENDING),
        ("", AttachmentState.GONE),
    ]
    assert documents[2].reason == Missing.LEFT_BEHIND
    assert set(TelegramFile.objects.values_list("bot_id", flat=True)) == {BOT}


def test_without_a_bot_no_file_is_promised(earlier: Earlier, run: Import, settings: LazySettings) -> None:
    settings.TELEGRAM_BOT_TOKEN = ""
    earlier.message(earlier.ticket(), "client", "Фото", media_type="photo", file_id="AgAD1")
    chat = earlier.add("user_sessions", user_id=5001)

    told = run()

    assert told == [("user_sessions", chat, "no bot is set up whose chat it could be: TELEGRAM_BOT_TOKEN")]
    assert Attachment.objects.get().state == AttachmentState.GONE


def test_chats_go_on_at_their_ticket(earlier: Earlier, run: Import, timur: Customer) -> None:
    number = earlier.ticket(status="open")
    closed = earlier.ticket(telegram_user_id=5002, status="closed")
    of_another = earlier.ticket(telegram_user_id=5003)
    old = earlier.add("user_sessions", user_id=5001, current_ticket_id=1, language="ru", updated_at=DAY)
    earlier.add(
        "user_sessions", user_id=5001, current_ticket_id=number, language="kk-KZ", updated_at=DAY + timedelta(days=1)
    )
    earlier.add("user_sessions", user_id=5002, current_ticket_id=closed)
    waiting = earlier.add("user_sessions", user_id=5003, current_ticket_id=number, pending_media='["AgAD"]')
    stranger = earlier.add("user_sessions", user_id=9999)
    nobody = earlier.add("user_sessions", user_id=0)

    told = run()

    assert sorted(told) == sorted(
        [
            ("user_sessions", old, "a newer row of the same user counts"),
            ("user_sessions", waiting, "files it waited for do not come any more"),
            ("user_sessions", stranger, "its user has no ticket here"),
            ("user_sessions", nobody, "whose it is cannot be told"),
        ]
    )
    chats = {chat.chat_id: chat for chat in ChatSession.objects.all()}
    assert chats.keys() == {5001, 5002, 5003}
    assert chats[5001].current_ticket.imported_id == number
    assert chats[5001].customer.language == "kk"
    assert chats[5002].current_ticket is None
    assert chats[5003].current_ticket is None, "a ticket of somebody else's"
    assert of_another


def test_a_chat_the_bot_already_knows_stays_as_it_is(earlier: Earlier, run: Import) -> None:
    number = earlier.ticket(telegram_user_id=700_001)
    customer = Customer.objects.create(telegram_user_id=700_001, name="Тимур Ахметов", language="en")
    ChatSession.objects.create(bot_id=BOT, chat_id=700_001, customer=customer, state="asking")
    earlier.add("user_sessions", user_id=700_001, current_ticket_id=number, language="kk")

    run()

    chat = ChatSession.objects.get()
    assert (chat.state, chat.current_ticket) == ("asking", None)
    customer.refresh_from_db()
    assert (customer.name, customer.language) == ("Тимур Ахметов", "en")


def test_tables_with_fewer_columns_will_do(earlier: Earlier, run: Import) -> None:
    earlier.execute("DROP TABLE user_sessions")
    for column in ("customer_name", "subject", "priority", "assignee", "rating", "last_message_at", "updated_at"):
        earlier.execute(f"ALTER TABLE tickets DROP {column}")
    earlier.execute("ALTER TABLE messages DROP media_type, DROP file_id, DROP files")
    number = earlier.add("tickets", telegram_user_id=5001, status="open", created_at=naive(DAY))
    earlier.message(number, "user", "Первая строка\nвторая", 1)
    earlier.execute("ALTER TABLE messages RENAME text TO content")

    assert run() == []

    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.updated_at) == ("Первая строка", DAY + timedelta(minutes=1))


@pytest.mark.parametrize("table", ["tickets", "messages"])
@pytest.mark.parametrize("row", ["(id) VALUES (NULL)", "(id) SELECT id FROM {}"])
def test_rows_that_cannot_be_told_apart_are_refused_before_anything_is_written(
    earlier: Earlier, run: Import, table: str, row: str
) -> None:
    earlier.message(earlier.ticket(), "client", "Вопрос")
    earlier.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ALTER id DROP NOT NULL")
    earlier.execute(f"INSERT INTO {table} {row.format(table)}")

    with pytest.raises(CommandError, match=f"1 rows of {table} have no id, or one that another row has"):
        run()

    assert not Ticket.objects.exists()


@pytest.mark.parametrize("place", ["/dev/null/import/report.jsonl", "/dev/null"])
def test_a_report_that_cannot_be_written_is_refused_in_a_sentence(earlier: Earlier, place: str) -> None:
    """As where the program's folder is not the processes' to write to: in containers, and under systemd."""
    earlier.message(earlier.ticket(), "client", "Вопрос")

    with pytest.raises(CommandError, match=rf"The report cannot be written to {place}: .*Name another place with"):
        call_command("import_predecessor", dsn=earlier.dsn, apply=True, report=Path(place))

    assert not Ticket.objects.exists()


def test_what_is_no_such_database_is_refused(earlier: Earlier, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_predecessor", dsn="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(CommandError, match="no table tickets"):
        call_command("import_predecessor", dsn=database_url())
    with pytest.raises(CommandError, match="no time zone"):
        call_command("import_predecessor", dsn=earlier.dsn, time_zone="Mars/North")
    earlier.execute("ALTER TABLE messages ALTER id DROP DEFAULT, ALTER id TYPE text")
    with pytest.raises(CommandError, match="messages with whole numbers in id"):
        call_command("import_predecessor", dsn=earlier.dsn)


def test_words_of_ours_whose_writer_is_unknown_are_nobodys_who_could_sign_in(
    earlier: Earlier, run: Import, aigerim: User
) -> None:
    earlier.execute("ALTER TABLE messages ADD author text")
    number = earlier.ticket()
    earlier.message(number, "manager", "От имени", 1, author="Айгерим Сатпаева")
    earlier.message(number, "note", "Заметка", 2)
    run()

    known, unknown = Message.objects.order_by("pk")
    assert known.author == aigerim
    assert (unknown.author.username, unknown.author.is_active) == (operations.EARLIER_SYSTEM, False)
    assert not unknown.author.has_usable_password()
    assert Message.objects.filter(sender=Sender.NOTE).count() == 1
    assert Message.objects.filter(content_type=ContentType.TEXT).count() == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_ten_thousand_tickets_twice_give_the_same_rows(earlier: Earlier, run: Import, aigerim: User) -> None:
    earlier.execute(
        """
        INSERT INTO tickets (telegram_user_id, customer_name, subject, status, priority, created_at, updated_at)
        SELECT 5000 + n % 3000, 'Клиент ' || n, 'Вопрос ' || n, (ARRAY['new', 'open', 'waiting', 'resolved', 'closed'])
            [1 + n % 5], 'normal', timestamp '2026-01-01' + n * interval '7 minutes',
            timestamp '2026-01-01' + n * interval '9 minutes' FROM generate_series(1, 10000) n
        """
    )
    earlier.execute(
        """
        INSERT INTO messages (ticket_id, sender_type, text, created_at)
        SELECT t.id, (ARRAY['client', 'manager'])[1 + k % 2], 'Сообщение ' || k,
            t.created_at + k * interval '1 minute' FROM tickets t, generate_series(0, 4) k
        """
    )
    assert run() == []
    first = rows()
    assert (Ticket.objects.count(), Message.objects.count()) == (10_000, 50_000)
    assert Event.objects.filter(kind=Event.Kind.IMPORTED).values("ticket").distinct().count() == 10_000
    assert not Message.objects.exclude(ticket__customer=F("customer")).exists()

    assert run() == []
    assert rows() == first
