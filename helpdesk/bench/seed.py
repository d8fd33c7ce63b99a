"""Tickets by the hundred thousand, skewed as in life, written by the database itself.

Most are closed and the newest are active. A few customers have many. Most conversations are short, a few have hundreds
of messages, and those of one week are mixed in the table as they would have come in.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, transaction

from helpdesk.backup.snapshot import set_next_id
from helpdesk.backup.tables import Table
from tickets.models import MANAGERS, Customer, Message, Tag, Team, Ticket, User

#: What the names of those at work begin with, and the manager whose pages are measured.
PERSON = "bench-"
READER = f"{PERSON}1"
#: Ten streams each: so many people keep 500 desks open.
MANAGERS_AT_WORK = 50
BATCH = 10_000
MOST_ACTIVE = 5_000
#: Customer n writes from the chat with this number plus n.
FIRST_CHAT = 500_000_000
#: Messages on the tickets whose page is measured, and on the few longest.
PAGE, LONGEST = 50, 400
TEAMS = ("Возвраты", "Гарантия", "Оплата")
TAGS = ("замена", "повреждение", "рассрочка", "доставка задержана", "возврат", "курьер", "чек", "гарантия")

Say = Callable[[int, int], None]

# Two years of tickets. Of the active ones the reader has four in ten, enough to reply on where there are few, and three
# are free. Who asks often: the square of an even chance puts some two thousand of a million on one person.
TICKETS = """
CREATE TEMP TABLE seeded_ticket ON COMMIT DROP AS
SELECT id, 1 + floor(%(customers)s * power(random(), 2))::bigint AS customer_id,
       teams[1 + floor(array_length(teams, 1) * power(random(), 2))::int] AS team_id,
       is_active, is_resolved,
       now() - interval '730 days' * (%(total)s - id + 1) / %(total)s AS created_at,
       CASE WHEN is_active AND id %% 10 < 3 THEN NULL
            WHEN is_active AND id %% 10 < 7 THEN %(reader)s
            ELSE managers[1 + floor(array_length(managers, 1) * random())::int] END AS assignee_id,
       CASE WHEN id %% 1000 = 500 THEN %(longest)s
            WHEN id %% 200 = 7 OR (is_active AND id %% 20 = 7) THEN %(page)s
            ELSE 1 + floor(-ln(1 - random()) * 3.9)::int END AS messages
FROM (SELECT id, id > %(total)s - %(active)s AS is_active,
             id > %(total)s - 2 * %(active)s AND id <= %(total)s - %(active)s AS is_resolved,
             %(teams)s::bigint[] AS teams, %(managers)s::bigint[] AS managers
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS id) AS numbered
"""

# The words are a stretch of a longer text, from 20 to 240 letters.
MESSAGES = """
CREATE TEMP TABLE seeded_message ON COMMIT DROP AS
SELECT (SELECT coalesce(max(id), 0) FROM tickets_message) + row_number() OVER (ORDER BY at, ticket_id, place) AS id, *
FROM (SELECT t.id AS ticket_id, t.customer_id, place, place = t.messages AS is_last,
             least(now(), t.created_at + (place - 1) * interval '11 minutes' * (1 + t.id %% 7)) AS at,
             CASE WHEN place %% 2 = 1 THEN 'client' WHEN random() < 0.12 THEN 'note' ELSE 'manager' END AS sender,
             coalesce(t.assignee_id, %(reader)s) AS manager_id,
             substr(%(words)s, 1 + floor(random() * (length(%(words)s) - 240))::int, 20 + floor(random() * 220)::int)
                 || ' ' || t.id AS text
      FROM seeded_ticket t, generate_series(1, t.messages) AS place) AS said
"""

WRITTEN = (
    """
INSERT INTO tickets_ticket (id, subject, status, priority, waiting_since, first_answered_at, resolved_at, closed_at,
    last_sender, last_content_type, last_text, last_message_at, trouble, version, created_at, updated_at,
    assignee_id, customer_id, last_message_id, opened_by_id, team_id)
SELECT t.id, left(f.text, 80),
       CASE WHEN t.is_resolved THEN 'resolved' WHEN NOT t.is_active THEN 'closed'
            WHEN t.assignee_id IS NULL AND t.messages = 1 THEN 'new'
            WHEN l.sender = 'client' THEN 'open' ELSE 'waiting' END,
       CASE WHEN t.id %% 50 = 0 THEN 4 WHEN t.id %% 10 = 0 THEN 3 ELSE 2 END,
       CASE WHEN t.is_active AND l.sender = 'client' THEN l.at END,
       CASE WHEN t.messages > 1 THEN t.created_at + interval '11 minutes' END,
       CASE WHEN NOT t.is_active THEN l.at END,
       CASE WHEN NOT t.is_active AND NOT t.is_resolved THEN l.at END,
       l.sender, 'text', left(l.text, 140), l.at, 0, t.messages, t.created_at, l.at,
       t.assignee_id, t.customer_id, l.id, f.id, t.team_id
FROM seeded_ticket t
JOIN seeded_message f ON f.ticket_id = t.id AND f.place = 1
JOIN seeded_message l ON l.ticket_id = t.id AND l.is_last
""",
    """
INSERT INTO tickets_message (id, sender, notice, content_type, text, entities, media_group_id, quote_text, digest,
    sent_at, created_at, author_id, customer_id, ticket_id)
SELECT id, sender, '', 'text', text, '[]', '', '', '', at, at,
       CASE WHEN sender <> 'client' THEN manager_id END, customer_id, ticket_id
FROM seeded_message ORDER BY id
""",
    """
INSERT INTO tickets_delivery (message_id, lane, state, reason, parts_sent, queued_at, due_at, settled_at, decision,
    customer_id)
SELECT id, 1, 'sent', '', 1, at, at, at, '', customer_id FROM seeded_message WHERE sender = 'manager' ORDER BY id
""",
    """
INSERT INTO tickets_event (kind, data, created_at, actor_id, after_message_id, ticket_id)
SELECT CASE WHEN place = 1 THEN 'opened' WHEN sender = 'client' THEN 'received'
            WHEN sender = 'note' THEN 'noted' ELSE 'replied' END,
       '{}', at, CASE WHEN sender <> 'client' THEN manager_id END, id, ticket_id
FROM seeded_message ORDER BY id
""",
    """
INSERT INTO tickets_event (kind, data, created_at, after_message_id, ticket_id)
SELECT 'closed', '{}', m.at, m.id, m.ticket_id FROM seeded_message m JOIN seeded_ticket t ON t.id = m.ticket_id
WHERE m.is_last AND NOT t.is_active AND NOT t.is_resolved
""",
    """
INSERT INTO tickets_ticketreader (ticket_id, user_id, seen_message_id, follows)
SELECT m.ticket_id, m.manager_id, m.id, m.ticket_id %% 100 = 0 FROM seeded_message m
WHERE m.is_last AND m.sender <> 'client'
""",
    """
INSERT INTO tickets_ticket_tags (ticket_id, tag_id)
SELECT id, (%(tags)s::bigint[])[1 + id %% array_length(%(tags)s::bigint[], 1)] FROM seeded_ticket WHERE id %% 3 = 0
""",
)

CUSTOMERS = """
INSERT INTO tickets_customer (id, telegram_user_id, name, username, language, phone, memo, created_at)
SELECT n, %(first_chat)s + n, 'Клиент ' || n, 'customer' || n, (ARRAY['ru', 'kk', 'en'])[1 + n %% 3],
       CASE WHEN n %% 4 = 0 THEN '+7701' || lpad(n::text, 7, '0') ELSE '' END, '', now() - interval '730 days'
FROM generate_series(1, %(customers)s::bigint) AS n
"""

COUNTED = (Ticket, Message, Customer)

WORDS = (
    "Здравствуйте, заказ так и не пришёл, хотя курьер обещал быть вчера до шести вечера. Проверили по складу: "
    "посылка уехала утром, трек покажет движение в течение дня. Подскажите, можно ли поменять размер, упаковку я "
    "не вскрывал? Да, конечно, возврат оформим сегодня, деньги вернутся на карту за три рабочих дня. Экран не "
    "включается, пробовал другой кабель и другую розетку, гарантия ещё действует, чек сохранился. Пришлите, "
    "пожалуйста, фотографию серийного номера и дату покупки, передам в сервисный центр. Спасибо большое, всё "
    "заработало, вы меня очень выручили! Рассрочка оформлена на двенадцать месяцев, первый платёж двадцатого "
    "числа, договор пришёл на почту. Адрес доставки изменился, теперь улица Абая, дом десять, квартира пять, "
    "домофон не работает, звоните. "
)


def seed(number: int, say: Say) -> User:
    """Fill an empty, migrated PostgreSQL database with `number` tickets; gives the person whose pages are measured.

    `say` is called with how many there are and how many there will be. The foreign keys of what is written are right
    by construction and not checked row by row, for which the database's user has to be a superuser.
    """
    people = _hire()
    customers = max(1, number // 4)
    values = {
        "total": number,
        "active": min(number // 10, MOST_ACTIVE),
        "customers": customers,
        "teams": list(Team.objects.order_by("-is_default", "pk").values_list("pk", flat=True)),
        "managers": [person.pk for person in people],
        "reader": people[0].pk,
        "tags": [Tag.objects.create(name=name).pk for name in TAGS],
        "words": WORDS,
        "page": PAGE,
        "longest": LONGEST,
        "first_chat": FIRST_CHAT,
    }
    _write([CUSTOMERS], values)
    for first in range(1, number + 1, BATCH):
        last = min(first + BATCH - 1, number)
        _write([TICKETS, MESSAGES, *WRITTEN], values | {"first": first, "last": last})
        say(last, number)
    for model in COUNTED:
        set_next_id(Table(model), 1)
    return people[0]


def vacuum() -> None:
    """What autovacuum would have done by the time a table has grown to its size."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _write(statements: list[str], values: dict[str, Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SELECT setseed(%s)", [values.get("first", 0) / values["total"]])
        for statement in statements:
            cursor.execute(statement, values)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        # Where this is one part of a longer transaction, its end is not the end of these.
        cursor.execute("DROP TABLE IF EXISTS seeded_ticket, seeded_message")


def _hire() -> list[User]:
    teams = [Team.objects.get(is_default=True), *(Team.objects.create(name=name) for name in TEAMS)]
    people = User.objects.bulk_create(
        User(username=f"{PERSON}{n}", first_name=f"Менеджер {n}", password="!", presence="online")  # noqa: S106  # unusable
        for n in range(1, MANAGERS_AT_WORK + 1)
    )
    Group.objects.get(name=MANAGERS).user_set.add(*people)
    for team in teams:
        team.members.add(*people)
    return people
