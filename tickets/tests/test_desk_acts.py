from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Delivery, Event, Notice, Presence, Priority, Status, Tag, Topic


def address(ticket, name: str) -> str:
    return reverse(f"tickets:{name}", args=[ticket.pk])


@pytest.fixture
def press(desk):
    """Press a button of the page without a script: `press(person, ticket, "resolve")`."""

    def send(user, ticket, act, /, **values):
        ticket.refresh_from_db()
        answer = desk(user).post(address(ticket, act), {"seen": ticket.last_message_id, **values})
        ticket.refresh_from_db()
        return answer

    return send


ACTS = {
    "resolve": {},
    "snooze": {"until": "hour"},
    "topic": {"topic": ""},
    "priority": {"priority": "4"},
    "tag": {"name": "замена"},
    "assign": {"assignee": ""},
}


@pytest.mark.parametrize("name", ACTS)
def test_only_the_responsible_works_on_a_ticket(press, desk, dana, bolat, aigerim, ticket, name):
    assert press(dana, ticket, name, **ACTS[name]).status_code == 404
    assert press(bolat, ticket, name, **ACTS[name]).status_code == 403
    assert desk(aigerim).get(address(ticket, name)).status_code == 405
    answer = press(aigerim, ticket, name, **ACTS[name])
    assert answer.status_code == 302
    assert answer.url == address(ticket, "ticket")


@pytest.mark.parametrize("name", ACTS)
def test_each_act_answers_htmx_with_what_changed(htmx, aigerim, ticket, name):
    values = {"seen": ticket.last_message_id, "after": ticket.last_message_id, "event": 0, **ACTS[name]}
    answer = htmx(aigerim).post(address(ticket, name), values)
    assert answer.status_code == 200
    for target in ("#guard", "#ticket-head", "#ticket-state", "#panel-ticket", "#log-list"):
        assert f'hx-target="{target}"' in answer.text
    assert 'id="reply"' not in answer.text


@pytest.mark.parametrize("name", ACTS)
def test_no_act_goes_over_unseen_messages(press, aigerim, ticket, name):
    seen = ticket.last_message_id
    wrote(ticket.customer, "Подождите!", ticket=ticket)
    version = ticket.version
    answer = press(aigerim, ticket, name, **ACTS[name], seen=seen)
    assert answer.status_code == 409
    assert "Подождите!" in answer.text
    assert ticket.version == version + 1  # the customer's message alone


@pytest.mark.parametrize("name", ACTS)
def test_an_act_without_the_token_is_refused(desk, aigerim, ticket, name):
    client = desk(aigerim, enforce_csrf_checks=True)
    assert client.post(address(ticket, name), {"seen": ticket.last_message_id, **ACTS[name]}).status_code == 403


def test_take(press, bolat, free_ticket):
    press(bolat, free_ticket, "take")
    assert free_ticket.assignee == bolat


def test_a_colleagues_ticket_is_taken_while_they_are_away(press, bolat, aigerim, ticket):
    operations.set_presence(user=aigerim, presence=Presence.ONLINE)
    assert press(bolat, ticket, "take").status_code == 403
    operations.set_presence(user=aigerim, presence=Presence.OFFLINE)
    press(bolat, ticket, "take")
    assert ticket.assignee == bolat


def test_assign_offers_the_team_and_hands_over(press, desk, aigerim, bolat, dana, ticket):
    offered = desk(aigerim).get(address(ticket, "assignees")).text
    assert "Болат Ермеков" in offered
    assert "Дана Ким" not in offered
    press(aigerim, ticket, "assign", assignee=bolat.pk)
    assert ticket.assignee == bolat


def test_nobody_outside_the_team_is_made_responsible(press, aigerim, dana, ticket):
    answer = press(aigerim, ticket, "assign", assignee=dana.pk)
    assert answer.status_code == 422
    assert "Передать можно только" in answer.text
    assert ticket.assignee == aigerim


def test_handing_a_ticket_out_of_ones_own_sight_leads_to_the_queue(press, htmx, aigerim, bolat, ticket, strict_team):
    strict_team.members.add(aigerim, bolat)
    ticket.team = strict_team
    ticket.save()
    values = {"seen": ticket.last_message_id, "assignee": bolat.pk}
    answer = htmx(aigerim).post(address(ticket, "assign"), values)
    assert answer.headers["HX-Redirect"] == reverse("tickets:queue")


@pytest.mark.parametrize("number", ["x", "9" * 5000])
@pytest.mark.parametrize("name", ["after", "event"])
def test_a_browser_that_has_lost_its_place_is_told_of_its_act_all_the_same(htmx, aigerim, ticket, name, number):
    values = {"seen": ticket.last_message_id, "after": ticket.last_message_id, "event": "", name: number}
    assert htmx(aigerim).post(address(ticket, "resolve"), values).status_code == 200
    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED


def test_resolve_is_undone_within_its_window(press, aigerim, ticket):
    press(aigerim, ticket, "resolve")
    assert ticket.status == Status.RESOLVED
    press(aigerim, ticket, "undo")
    assert ticket.status == Status.OPEN


def test_undo_too_late_says_what_to_do_instead(press, aigerim, ticket):
    press(aigerim, ticket, "resolve")
    notice = Delivery.objects.get(message__notice=Notice.SOLVED)
    Delivery.objects.update(due_at=timezone.now())
    assert operations.start_sending(delivery_id=notice.pk)
    answer = press(aigerim, ticket, "undo")
    assert answer.status_code == 409
    assert "Верните обращение в работу" in answer.text


def test_undo_twice_says_that_it_is_undone(press, aigerim, ticket):
    press(aigerim, ticket, "resolve")
    press(aigerim, ticket, "undo")
    answer = press(aigerim, ticket, "undo")
    assert answer.status_code == 409
    assert "Обращение уже снова в работе" in answer.text


def test_reopen(press, aigerim, ticket):
    press(aigerim, ticket, "resolve")
    press(aigerim, ticket, "reopen")
    assert ticket.status == Status.OPEN


@pytest.mark.parametrize(
    ("values", "hours"), [({"until": "hour"}, 1), ({"until": "moment"}, 48)], ids=["in an hour", "at a moment"]
)
def test_snooze(press, aigerim, ticket, values, hours):
    moment = timezone.localtime() + timedelta(hours=hours)
    press(aigerim, ticket, "snooze", **values, moment=moment.strftime("%Y-%m-%dT%H:%M"))
    assert abs(ticket.snoozed_until - moment) < timedelta(minutes=1, seconds=5)


def test_a_snoozed_ticket_is_woken_by_hand(press, aigerim, ticket):
    press(aigerim, ticket, "snooze", until="tomorrow")
    assert ticket.snoozed_until is not None
    press(aigerim, ticket, "unsnooze")
    assert ticket.snoozed_until is None


@pytest.mark.parametrize("values", [{}, {"until": "moment", "moment": "x"}, {"until": "never"}])
def test_nonsense_puts_nothing_away(press, aigerim, ticket, values):
    assert press(aigerim, ticket, "snooze", **values).status_code == 422
    assert ticket.snoozed_until is None


def test_topics_in_use_are_offered_and_set(press, desk, aigerim, ticket):
    topic = Topic.objects.create(name="Ремонт")
    Topic.objects.create(name="Прежняя", retired_at=timezone.now())
    offered = desk(aigerim).get(address(ticket, "topics")).text
    assert "Ремонт" in offered
    assert "Прежняя" not in offered
    press(aigerim, ticket, "topic", topic=topic.pk)
    assert ticket.topic == topic
    press(aigerim, ticket, "topic", topic="")
    assert ticket.topic is None


def test_priority(press, aigerim, ticket):
    press(aigerim, ticket, "priority", priority=4)
    assert ticket.priority == Priority.URGENT
    assert press(aigerim, ticket, "priority", priority=9).status_code == 422


def test_tags_are_put_on_and_taken_off(press, desk, aigerim, ticket):
    Tag.objects.create(name="возврат")
    assert "возврат" in desk(aigerim).get(address(ticket, "tags")).text
    press(aigerim, ticket, "tag", name="замена")
    text = desk(aigerim).get(address(ticket, "ticket")).text
    assert "Снять метку замена" in text
    press(aigerim, ticket, "tag", remove=Tag.objects.get(name="замена").pk)
    assert ticket.tags.count() == 0
    assert press(aigerim, ticket, "tag", name=" ").status_code == 422


def test_seen_and_unread(press, desk, bolat, aigerim, ticket):
    press(bolat, ticket, "seen")
    assert ticket.readers.get(user=bolat).seen_message_id == ticket.last_message_id
    press(bolat, ticket, "unread")
    assert ticket.readers.get(user=bolat).seen_message_id is None


def test_the_phone_is_shown_once_and_recorded(press, desk, aigerim, ticket):
    operations.set_customer_phone(customer=ticket.customer, phone="+77071234567", verified=True)
    assert "+77071234567" in press(aigerim, ticket, "phone").text
    assert ticket.events.filter(kind=Event.Kind.PHONE_SHOWN, actor=aigerim).exists()
    assert "+77071234567" not in desk(aigerim).get(address(ticket, "ticket")).text


@pytest.mark.parametrize("name", ["take", "undo", "reopen", "unsnooze", "seen", "unread", "draft", "phone"])
def test_every_other_act_is_hidden_from_a_stranger_too(press, desk, dana, aigerim, ticket, name):
    assert press(dana, ticket, name).status_code == 404
    assert desk(aigerim).get(address(ticket, name)).status_code == 405


def test_an_act_on_a_ticket_that_is_not_there(desk, aigerim):
    assert desk(aigerim).post(reverse("tickets:take", args=[10**15]), {"seen": 0}).status_code == 404
