"""Tickets over the API: what a program sees, filters, opens and changes."""

from datetime import UTC, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from conftest import wrote
from tickets import operations
from tickets.api.throttles import PerPerson
from tickets.models import Customer, Event, Message, Priority, Sender, Status, Team, Ticket, Topic, User
from tickets.tests.api.conftest import V1, Call

TICKETS = f"{V1}/tickets"

pytestmark = pytest.mark.django_db


def numbers(client: APIClient, **query: object) -> list[int]:
    answer = client.get(TICKETS, query)
    assert answer.status_code == 200, answer.content
    return [ticket["id"] for ticket in answer.json()["tickets"]]


def errors(answer) -> dict[str, list[str]]:
    assert answer.status_code == 422, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    found: dict[str, list[str]] = answer.json()["errors"]
    return found


def test_a_ticket_in_json(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    shown = called_by(aigerim).get(f"{TICKETS}/{ticket.pk}").json()
    ticket.refresh_from_db()
    assert shown == {
        "id": ticket.pk,
        "telegramUserId": 700_001,
        "customerName": "Тимур Ахметов",
        "subject": "Здравствуйте! Не включается ноутбук.",
        "status": "open",
        "priority": "normal",
        "assignee": aigerim.pk,
        "team": ticket.team_id,
        "topic": None,
        "tags": ["замена"],
        "createdAt": shown["createdAt"],
        "updatedAt": shown["updatedAt"],
        "lastMessageAt": shown["lastMessageAt"],
    }
    assert shown["createdAt"].endswith("Z")


def test_the_list_as_the_predecessors_clients_know_it(called_by: Call, aigerim: User, timur: Customer) -> None:
    made = [wrote(timur, f"Вопрос {number}").ticket.pk for number in range(3)]
    page = called_by(aigerim).get(TICKETS, {"user_id": 700_001, "limit": 2, "offset": 0}).json()
    assert [each["id"] for each in page["tickets"]] == made[:0:-1]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 0, "nextCursor": made[1]}


def test_a_walk_by_cursor_meets_every_ticket_once_though_new_ones_come(
    called_by: Call, aigerim: User, timur: Customer
) -> None:
    made = {wrote(timur, f"Вопрос {number}").ticket.pk for number in range(5)}
    client, seen, cursor = called_by(aigerim), [], None
    while True:
        page = client.get(TICKETS, {"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["id"] for each in page["tickets"]]
        wrote(timur, "Ещё один, пока читают")
        cursor = page["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)


def test_filters(called_by: Call, aigerim: User, ticket: Ticket, timur: Customer, team: Team) -> None:
    topic = Topic.objects.create(name="Гарантия")
    other = wrote(timur, "Продлить гарантию").ticket
    operations.choose_topic(ticket=other, topic=topic)
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    client = called_by(aigerim)
    assert numbers(client, status="open") == [ticket.pk]
    assert numbers(client, assignee="me") == [ticket.pk]
    assert numbers(client, assignee=aigerim.pk) == [ticket.pk]
    assert numbers(client, assignee="none") == [other.pk]
    assert numbers(client, tag="Замена") == [ticket.pk]
    assert numbers(client, topic=topic.pk) == [other.pk]
    assert numbers(client, team=team.pk) == [other.pk, ticket.pk]
    assert numbers(client, search=f"№{ticket.pk}") == [ticket.pk]
    assert numbers(client, search="гарантию") == [other.pk]
    assert numbers(client, search="тимур") == [other.pk, ticket.pk]
    assert numbers(client, user_id=1) == []
    assert numbers(client, updated_since=(timezone.now() + timedelta(hours=1)).isoformat()) == []


def test_a_moment_without_an_offset_is_utc(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    client = called_by(aigerim)
    touched = ticket.updated_at.astimezone(UTC).replace(tzinfo=None)
    assert numbers(client, updated_since=touched.isoformat()) == [ticket.pk]
    assert numbers(client, updated_since=(touched + timedelta(seconds=1)).isoformat()) == []


@pytest.mark.parametrize("moment", ["0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"])
def test_a_filter_from_the_beginning_of_time_leaves_nothing_out(
    called_by: Call, aigerim: User, ticket: Ticket, moment: str
) -> None:
    assert numbers(called_by(aigerim), updated_since=moment) == [ticket.pk]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_id", 0),
        ("user_id", "x"),
        ("status", "broken"),
        ("assignee", "somebody"),
        ("limit", 0),
        ("limit", 100_000),
        ("offset", -1),
        ("cursor", "abc"),
        ("updated_since", "yesterday"),
        ("updated_since", "0001-01-01T00:00:00+14:00"),
        ("updated_since", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_by_its_name(
    called_by: Call, aigerim: User, name: str, value: object
) -> None:
    assert list(errors(called_by(aigerim).get(TICKETS, {name: value}))) == [name]


def test_only_what_its_person_sees(called_by: Call, dana: User, ticket: Ticket) -> None:
    client = called_by(dana)
    assert numbers(client) == []
    answer = client.get(f"{TICKETS}/{ticket.pk}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert client.patch(f"{TICKETS}/{ticket.pk}", {"priority": "high"}, format="json").status_code == 404


class TestOpening:
    """A supervisor takes down what a customer said elsewhere."""

    WISH = {"telegramUserId": 900_001, "subject": "Звонок", "text": "Клиент просит перезвонить"}

    def test_it_is_the_customers_message_entered_by_hand(self, called_by: Call, saule: User) -> None:
        answer = called_by(saule).post(TICKETS, self.WISH, format="json")
        assert answer.status_code == 201
        ticket = Ticket.objects.get(pk=answer.json()["id"])
        message = ticket.messages.get(sender=Sender.CLIENT)
        assert (ticket.subject, message.text, message.author) == ("Звонок", "Клиент просит перезвонить", saule)
        assert ticket.events.get(kind=Event.Kind.OPENED).actor == saule
        assert ticket.customer.telegram_user_id == 900_001
        assert ticket.waiting_since is not None

    def test_a_manager_may_not(self, called_by: Call, aigerim: User) -> None:
        assert called_by(aigerim).post(TICKETS, self.WISH, format="json").status_code == 403
        assert not Ticket.objects.exists()
        assert not Customer.objects.exists()

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"telegramUserId": 0}, "telegramUserId"),
            ({"telegramUserId": -5}, "telegramUserId"),
            ({"telegramUserId": "x"}, "telegramUserId"),
            ({"text": ""}, "text"),
            ({"text": "я" * 4097}, "text"),
            ({"subject": "я" * 201}, "subject"),
            ({"topic": 999}, "topic"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_what_is_wrong_is_named(self, called_by: Call, saule: User, change: dict[str, object], field: str) -> None:
        answer = called_by(saule).post(TICKETS, {**self.WISH, **change}, format="json")
        assert list(errors(answer)) == [field]
        assert not Ticket.objects.exists()

    def test_sent_twice_under_one_id_it_is_one_ticket(self, called_by: Call, saule: User) -> None:
        client, wish = called_by(saule), {**self.WISH, "clientId": "call-17"}
        first, second = (client.post(TICKETS, wish, format="json") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert Ticket.objects.count() == 1

    def test_another_wish_under_the_same_id_is_refused(self, called_by: Call, saule: User) -> None:
        client = called_by(saule)
        client.post(TICKETS, {**self.WISH, "clientId": "call-17"}, format="json")
        other = client.post(TICKETS, {**self.WISH, "text": "Другое", "clientId": "call-17"}, format="json")
        assert other.status_code == 409
        assert Ticket.objects.count() == 1

    def test_a_refused_wish_may_come_again_under_its_id(self, called_by: Call, saule: User) -> None:
        client = called_by(saule)
        topic = {"topic": 41}
        assert client.post(TICKETS, {**self.WISH, **topic, "clientId": "a"}, format="json").status_code == 422
        Topic.objects.create(pk=41, name="Доставка")
        assert client.post(TICKETS, {**self.WISH, **topic, "clientId": "a"}, format="json").status_code == 201

    def test_one_persons_id_is_not_anothers(self, called_by: Call, saule: User, aigerim: User, ticket: Ticket) -> None:
        change = {"priority": "high", "clientId": "same"}
        for user in (aigerim, saule):
            assert called_by(user).patch(f"{TICKETS}/{ticket.pk}", change, format="json").status_code == 200


class TestChanging:
    def test_everything_at_once(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        topic = Topic.objects.create(name="Гарантия")
        operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="старая")
        change = {"priority": "urgent", "topic": topic.pk, "tags": ["Замена", "склад"], "status": "resolved"}
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", change, format="json")
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["priority"], shown["topic"], shown["tags"], shown["status"]) == (
            "urgent",
            topic.pk,
            ["замена", "склад"],
            "resolved",
        )
        kinds = set(ticket.events.filter(actor=aigerim).values_list("kind", flat=True))
        assert {"priority", "topic", "tagged", "untagged", "resolved"} <= kinds

    def test_all_or_nothing(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        change = {"priority": "urgent", "topic": 999}
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", change, format="json")
        assert list(errors(answer)) == ["topic"]
        ticket.refresh_from_db()
        assert ticket.priority == Priority.NORMAL

    def test_a_solved_ticket_comes_back_to_work(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        operations.resolve(ticket_id=ticket.pk, actor=aigerim)
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", {"status": "open"}, format="json")
        assert answer.json()["status"] == "open"

    @pytest.mark.parametrize("status", ["new", "waiting", "closed", "lost"])
    def test_what_follows_from_other_things_cannot_be_set(
        self, called_by: Call, aigerim: User, ticket: Ticket, status: str
    ) -> None:
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", {"status": status}, format="json")
        assert list(errors(answer)) == ["status"]

    def test_a_colleague_may_not_and_a_free_ticket_is_taken(
        self, called_by: Call, bolat: User, ticket: Ticket, timur: Customer
    ) -> None:
        operations.set_presence(user=ticket.assignee, presence="online")
        client = called_by(bolat)
        assert client.patch(f"{TICKETS}/{ticket.pk}", {"priority": "high"}, format="json").status_code == 403
        free = wrote(timur, "Ещё вопрос").ticket
        answer = client.patch(f"{TICKETS}/{free.pk}", {"assignee": bolat.pk}, format="json")
        assert answer.json()["assignee"] == bolat.pk

    def test_nobody_outside_the_team_is_made_responsible(
        self, called_by: Call, aigerim: User, dana: User, ticket: Ticket
    ) -> None:
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", {"assignee": dana.pk}, format="json")
        assert list(errors(answer)) == ["assignee"]

    def test_back_to_the_queue(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", {"assignee": None}, format="json")
        assert answer.json()["assignee"] is None

    @pytest.mark.parametrize("named", [{}, {"clientId": "hand-over"}])
    def test_handing_it_out_of_ones_own_sight_is_done_and_told(
        self,
        called_by: Call,
        aigerim: User,
        bolat: User,
        ticket: Ticket,
        strict_team: Team,
        named: dict[str, str],
    ) -> None:
        strict_team.members.add(aigerim, bolat)
        Ticket.objects.filter(pk=ticket.pk).update(team=strict_team)
        client = called_by(aigerim)
        answer = client.patch(f"{TICKETS}/{ticket.pk}", {"assignee": bolat.pk, **named}, format="json")
        assert (answer.status_code, answer.json().get("assignee")) == (200, bolat.pk)
        ticket.refresh_from_db()
        assert ticket.assignee == bolat
        assert client.get(f"{TICKETS}/{ticket.pk}").status_code == 404
        again = client.patch(f"{TICKETS}/{ticket.pk}", {"assignee": bolat.pk, **named}, format="json")
        assert again.status_code == (200 if named else 404)
        assert not named or again.json() == answer.json()

    def test_who_hands_it_over_may_say_more_about_it_at_once(
        self, called_by: Call, aigerim: User, bolat: User, ticket: Ticket
    ) -> None:
        change = {"assignee": bolat.pk, "priority": "high", "tags": ["склад"], "status": "resolved"}
        seen = {"seenMessageId": ticket.last_message_id}
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", {**change, **seen}, format="json")
        assert answer.status_code == 200
        assert {name: answer.json()[name] for name in change} == change

    def test_over_messages_not_yet_known_nothing_is_done(
        self, called_by: Call, aigerim: User, ticket: Ticket, timur: Customer
    ) -> None:
        known = ticket.last_message_id
        missed = wrote(timur, "Подождите!", ticket=ticket).message
        change = {"status": "resolved", "seenMessageId": known}
        answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", change, format="json")
        assert answer.status_code == 409
        assert answer.json()["missed"] == [missed.pk]
        ticket.refresh_from_db()
        assert ticket.status == Status.OPEN
        again = {**change, "seenMessageId": answer.json()["seenMessageId"]}
        assert called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", again, format="json").status_code == 200


def test_who_asks_too_often_is_told_when_to_come_again(
    called_by: Call, aigerim: User, bolat: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PerPerson, "THROTTLE_RATES", {"person": "2/min"})
    client = called_by(aigerim)
    answers = [client.get(TICKETS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert called_by(bolat).get(TICKETS).status_code == 200, "each person has limits of their own"


def test_a_body_over_the_cap_is_refused_unread(called_by: Call, saule: User) -> None:
    answer = called_by(saule).post(TICKETS, '{"text": "' + "я" * 600_000 + '"}', content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[1, 2]", "application/json", 422),
        ('"text"', "application/json", 422),
        ("<a/>", "application/xml", 415),
    ],
)
def test_garbage_is_a_problem_with_words(called_by: Call, saule: User, body: str, kind: str, status: int) -> None:
    answer = called_by(saule).post(TICKETS, body, content_type=kind)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nowhere", f"{TICKETS}/abc", f"{TICKETS}/99999999999999999999"])
def test_an_address_that_leads_nowhere_is_a_problem_not_a_page(called_by: Call, aigerim: User, path: str) -> None:
    answer = called_by(aigerim).get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_without_a_token_nothing_is_told(api: APIClient, ticket: Ticket) -> None:
    for path in (TICKETS, f"{TICKETS}/{ticket.pk}", f"{V1}/customers", f"{V1}/teams"):
        answer = api.get(path)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_the_desks_own_session_will_do_but_only_with_its_csrf_token(aigerim: User, ticket: Ticket) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(aigerim)
    assert client.get(f"{TICKETS}/{ticket.pk}").status_code == 200
    assert client.patch(f"{TICKETS}/{ticket.pk}", {"priority": "high"}, format="json").status_code == 403


def test_the_list_costs_the_same_at_any_length(
    called_by: Call, aigerim: User, team: Team, django_assert_max_num_queries
) -> None:
    for number in range(30):
        wrote(Customer.objects.create(telegram_user_id=800_000 + number, name="Покупатель"), f"Вопрос {number}")
    client = called_by(aigerim)
    with django_assert_max_num_queries(6):
        assert len(client.get(TICKETS, {"limit": 30}).json()["tickets"]) == 30


def test_an_entered_message_is_marked_as_such_at_the_desk(
    called_by: Call, saule: User, ticket: Ticket, client, aigerim: User
) -> None:
    called_by(saule).post(
        f"{TICKETS}/{ticket.pk}/messages", {"senderType": "client", "text": "Звонил, ждёт"}, format="json"
    )
    client.force_login(aigerim)
    assert Message.objects.get(text="Звонил, ждёт").author == saule
    assert "Записано со слов клиента: Сауле Омарова" in client.get(f"/desk/t/{ticket.pk}/").text
