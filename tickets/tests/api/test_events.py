"""Events over the API: each once, none skipped, and only what the reader may know."""

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event as Signal

import pytest
from django.db import connection, connections, transaction
from rest_framework.test import APIClient

from conftest import wrote
from tickets import operations
from tickets.models import Customer, DeliveryState, Event, Priority, ServiceAccount, Team, Ticket, User
from tickets.pages import events as page
from tickets.pages.events import events_after
from tickets.tests.api.conftest import V1, Call, SpeakFor

EVENTS = f"{V1}/events"
AT_ONCE, ACTS = 6, 25

pytestmark = pytest.mark.django_db

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


def walk(client: APIClient, after: int = 0, limit: int = 100) -> list[dict[str, object]]:
    """Everything from `after` on, page by page."""
    found = []
    while True:
        answer = client.get(EVENTS, {"after": after, "limit": limit})
        assert answer.status_code == 200, answer.content
        body = answer.json()
        found += body["events"]
        after = body["nextCursor"]
        if not body["more"]:
            return found


def kinds(events: list[dict[str, object]]) -> list[object]:
    return [event["kind"] for event in events]


def test_an_event_in_json_holds_ids_and_enums(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    operations.set_priority(ticket_id=ticket.pk, actor=aigerim, priority=Priority.HIGH)
    opened, taken, raised = walk(called_by(aigerim))
    assert (opened["kind"], opened["actor"], opened["message"]) == ("opened", None, ticket.opened_by_id)
    assert (taken["kind"], taken["actor"]) == ("taken", aigerim.pk)
    assert raised == {
        "id": raised["id"],
        "ticketId": ticket.pk,
        "kind": "priority",
        "createdAt": raised["createdAt"],
        "actor": aigerim.pk,
        "serviceAccount": None,
        "message": None,
        "assignee": None,
        "team": None,
        "topic": None,
        "tag": None,
        "priority": "high",
        "state": None,
        "until": None,
    }


def test_pages_follow_each_other(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    for priority in Priority:
        operations.set_priority(ticket_id=ticket.pk, actor=aigerim, priority=priority)
    client = called_by(aigerim)
    everything = walk(client)
    assert len(everything) == 2 + len(Priority)
    for limit in (1, 2, 5):
        assert walk(client, limit=limit) == everything
    last = client.get(EVENTS, {"after": everything[-1]["id"]}).json()
    assert last == {"events": [], "nextCursor": everything[-1]["id"], "more": False}


def test_people_learn_of_tickets_they_see_alone(
    called_by: Call, ticket: Ticket, aigerim: User, dana: User, saule: User
) -> None:
    assert walk(called_by(dana)) == []
    assert kinds(walk(called_by(aigerim))) == kinds(walk(called_by(saule))) == ["opened", "taken"]


def test_a_stretch_of_others_events_is_walked_through_in_pages(
    called_by: Call, ticket: Ticket, timur: Customer, other_team: Team, dana: User, saule: User, monkeypatch
) -> None:
    monkeypatch.setattr(page, "LOOKED_THROUGH", 2)
    for _ in range(4):
        operations.reveal_phone(ticket_id=ticket.pk, actor=saule)
    moved = wrote(timur, "Возврат").ticket
    operations.move_to_team(ticket_id=moved.pk, actor=saule, team_id=other_team.pk)
    client = called_by(dana)
    first = client.get(EVENTS).json()
    assert (first["events"], first["more"]) == ([], True)
    assert kinds(walk(client)) == ["opened", "moved"]


def test_a_number_that_no_event_has_had_is_a_conflict(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    assert called_by(aigerim).get(EVENTS, {"after": 10**12}).status_code == 409


@pytest.mark.parametrize("query", [{"after": -1}, {"after": "x"}, {"after": 2**63}, {"limit": 0}, {"limit": 201}])
def test_wrong_questions_are_named(called_by: Call, aigerim: User, query: dict[str, object]) -> None:
    answer = called_by(aigerim).get(EVENTS, query)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, list(query))


def test_a_page_asks_the_same_number_of_queries_however_long(
    called_by: Call, aigerim: User, ticket: Ticket, django_assert_num_queries
) -> None:
    given = Event.objects.last_given_id()
    assert given
    queries = 4 if connection.vendor == "postgresql" else 3
    for _ in range(2):
        user = User.objects.get(pk=aigerim.pk)
        assert user.group_names
        assert user.team_ids
        with django_assert_num_queries(queries):
            events_after(user, 0, 100)
        for _ in range(5):
            operations.reveal_phone(ticket_id=ticket.pk, actor=aigerim)


class TestOfAProgram:
    def test_it_learns_what_its_customer_may_know(
        self, speaking_for: SpeakFor, timur: Customer, ticket: Ticket, aigerim: User
    ) -> None:
        operations.note(ticket_id=ticket.pk, actor=aigerim, text="Между нами", client_id=uuid.uuid4())
        operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="скандалист")
        replies = [
            operations.reply(ticket_id=ticket.pk, actor=aigerim, text=text, client_id=uuid.uuid4())
            for text in ("Раз", "Два")
        ]
        operations.settle(delivery_id=replies[0].pk, state=DeliveryState.SENT, parts_sent=1)
        operations.settle(delivery_id=replies[1].pk, state=DeliveryState.FAILED, parts_sent=0)
        operations.resolve(ticket_id=ticket.pk, actor=aigerim)
        found = walk(speaking_for(timur))
        assert kinds(found) == ["opened", "delivery", "resolved"]
        assert (found[1]["message"], found[1]["state"]) == (replies[0].pk, "sent")
        assert {event["actor"] for event in found} == {None}

    def test_its_own_name_and_others_stay_among_us(
        self, speaking_for: SpeakFor, called_by: Call, timur: Customer, ticket: Ticket, saule: User
    ) -> None:
        client = speaking_for(timur)
        client.post(f"{V1}/tickets/{ticket.pk}/messages", {"text": "Жду"}, format="json")
        assert walk(client)[-1]["serviceAccount"] is None
        assert walk(called_by(saule))[-1]["serviceAccount"] == "Портал"

    def test_nothing_of_another_customers(self, speaking_for: SpeakFor, ticket: Ticket) -> None:
        lena = Customer.objects.create(telegram_user_id=700_002)
        own = wrote(lena, "Моё").ticket
        assert {event["ticketId"] for event in walk(speaking_for(lena))} == {own.pk}

    def test_pages_follow_each_other(self, speaking_for: SpeakFor, timur: Customer, ticket: Ticket) -> None:
        for number in range(5):
            wrote(timur, f"И ещё {number}", ticket=ticket)
        client = speaking_for(timur)
        assert walk(client, limit=2) == walk(client)
        assert len(walk(client)) == 6


@contextmanager
def another_writer(ticket: Ticket, actor: User) -> Iterator[tuple[int, Signal, Signal]]:
    """Somebody on another connection who has written an event and commits when told; gives its id and two signals."""
    written, may_commit, committed = Signal(), Signal(), Signal()
    ids: list[int] = []

    def write() -> None:
        try:
            with transaction.atomic():
                operations.reveal_phone(ticket_id=ticket.pk, actor=actor)
                ids.append(Event.objects.filter(ticket=ticket).latest("pk").pk)
                written.set()
                assert may_commit.wait(20)
        finally:
            written.set()
            connections.close_all()
            committed.set()

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(write)
        assert written.wait(20)
        try:
            yield ids[0], may_commit, committed
        finally:
            may_commit.set()
            outcome.result()


@on_postgresql
@pytest.mark.django_db(transaction=True)
class TestWritersAtOnce:
    def test_an_event_that_commits_late_is_waited_for(self, ticket: Ticket, timur: Customer, saule: User) -> None:
        other = wrote(timur, "Другое").ticket
        start = Event.objects.last_given_id()
        with another_writer(ticket, saule) as (early, may_commit, committed):
            operations.reveal_phone(ticket_id=other.pk, actor=saule)
            late = Event.objects.latest("pk").pk
            assert early < late, "the greater id has committed first"
            assert [event.pk for event in events_after(saule, start, 100).events] == []
            assert events_after(saule, start, 100).reached == start
            may_commit.set()
            assert committed.wait(20)
            assert [event.pk for event in events_after(saule, start, 100).events] == [early, late]

    def test_what_came_before_is_not_held_up(self, ticket: Ticket, saule: User) -> None:
        before = [event.pk for event in Event.objects.order_by("pk")]
        with another_writer(ticket, saule):
            assert [event.pk for event in events_after(saule, 0, 100).events] == before

    def test_a_customers_program_waits_too(
        self, ticket: Ticket, timur: Customer, saule: User, portal: ServiceAccount
    ) -> None:
        from tickets.access import Program

        other = wrote(timur, "Другое").ticket
        start = Event.objects.last_given_id()
        with another_writer(ticket, saule):
            wrote(timur, "Ещё", ticket=other)
            assert events_after(Program(portal, 700_001), start, 100).reached == start

    def test_a_transaction_that_gives_up_holds_nobody(self, ticket: Ticket, saule: User) -> None:
        start = Event.objects.last_given_id()
        with transaction.atomic():
            operations.reveal_phone(ticket_id=ticket.pk, actor=saule)
            transaction.set_rollback(True)
        operations.reveal_phone(ticket_id=ticket.pk, actor=saule)
        assert len(events_after(saule, start, 100).events) == 1

    def test_many_writers_and_a_reader(self, timur: Customer, team: Team, saule: User) -> None:
        """Transactions of random length that commit in any order, read all the while: all there, once, in order."""
        tickets = [wrote(timur, f"Вопрос {number}").ticket for number in range(AT_ONCE)]
        start = Event.objects.last_given_id()
        done = Signal()

        def write(ticket: Ticket) -> None:
            dice = random.Random(ticket.pk)
            try:
                for _ in range(ACTS):
                    with transaction.atomic():
                        operations.reveal_phone(ticket_id=ticket.pk, actor=saule)
                        with connection.cursor() as cursor:
                            cursor.execute("SELECT pg_sleep(%s)", [dice.random() / 100])
            finally:
                connections.close_all()

        def read() -> list[int]:
            try:
                found, after, last_round = [], start, False
                while True:
                    stretch = events_after(saule, after, 7)
                    found += [event.pk for event in stretch.events]
                    after = stretch.reached
                    if last_round and not stretch.more:
                        return found
                    last_round = done.is_set()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            reading = pool.submit(read)
            writing = [pool.submit(write, ticket) for ticket in tickets]
            for each in writing:
                each.result()
            done.set()
            found = reading.result()
        written = list(Event.objects.filter(pk__gt=start).order_by("pk").values_list("pk", flat=True))
        assert len(written) == AT_ONCE * ACTS
        assert found == written
