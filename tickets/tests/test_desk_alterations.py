"""What the ticket's page says of replies changed and deleted where Telegram has them already."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tickets import operations
from tickets.models import Alteration, AlterationState, Delivery, DeliveryState, Message, Obstacle, Ticket
from tickets.tests.test_desk_messages import address, bubble_of, seen


@pytest.fixture
def reply(ticket, aigerim, answer):
    """A reply that Telegram has."""
    message = answer(ticket, aigerim, "Курьер будет до 18:00")
    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)
    return message


def settle(message: Message, state: AlterationState, obstacle: str = "") -> None:
    alteration = Alteration.objects.filter(message=message).latest("pk")
    assert operations.start_alteration(alteration_id=alteration.pk)
    done = int(state == AlterationState.DONE)
    operations.settle_alteration(alteration_id=alteration.pk, state=state, steps_done=done, obstacle=obstacle)


def page_of(client, ticket: Ticket) -> str:
    text: str = client.get(reverse("tickets:ticket", args=[ticket.pk])).text
    return text


def test_an_edit_is_shown_at_once_and_as_done_only_when_it_is(desk, aigerim, ticket, reply):
    client = desk(aigerim)
    client.post(address(ticket, reply, "edit"), seen(ticket, text="Курьер будет до 19:00"))
    bubble = bubble_of(page_of(client, ticket), reply)
    assert "до 19:00" in bubble
    assert "меняется у клиента…" in bubble
    assert "Пока клиент видит: Курьер будет до 18:00" in bubble
    assert ">изменено<" not in bubble
    settle(reply, AlterationState.DONE)
    bubble = bubble_of(page_of(client, ticket), reply)
    assert ">изменено<" in bubble
    assert "Было: Курьер будет до 18:00" in bubble
    assert "меняется" not in bubble


def test_a_failed_edit_says_why_and_what_the_customer_sees_and_keeps_the_new_words(desk, htmx, aigerim, ticket, reply):
    client = desk(aigerim)
    client.post(address(ticket, reply, "edit"), seen(ticket, text="Курьер будет до 19:00"))
    settle(reply, AlterationState.FAILED, Obstacle.REFUSED)
    bubble = bubble_of(page_of(client, ticket), reply)
    assert "Не изменено у клиента: Telegram не принял изменение. Клиент видит прежний текст." in bubble
    assert "до 18:00" in bubble
    assert 'data-state="unaltered"' in bubble
    form = htmx(aigerim).get(address(ticket, reply, "message"), {"edit": ""}).text
    assert "до 19:00</textarea>" in form
    assert "Не изменено у клиента" in client.get(reverse("tickets:queue")).text
    client.post(address(ticket, reply, "leave"), seen(ticket))
    assert "Не изменено" not in page_of(client, ticket)


def test_nobody_says_what_the_customer_sees_where_telegram_was_silent(desk, aigerim, ticket, reply):
    operations.edit_reply(message_id=reply.pk, actor=aigerim, text="Иначе")
    operations.give_up_alterations(now=timezone.now() + timedelta(hours=1))
    assert "Клиент может видеть и прежний, и новый текст." in bubble_of(page_of(desk(aigerim), ticket), reply)


def test_a_deletion_is_asked_for_twice_and_leaves_a_tombstone(desk, htmx, aigerim, ticket, reply):
    client = desk(aigerim)
    assert address(ticket, reply, "deleting") in bubble_of(page_of(client, ticket), reply)
    asked = address(ticket, reply, "deleting")
    assert address(ticket, reply, "delete") in htmx(aigerim).get(asked).text
    assert address(ticket, reply, "delete") in client.get(asked).text
    client.post(address(ticket, reply, "delete"), seen(ticket))
    bubble = bubble_of(page_of(client, ticket), reply)
    assert "удаляется у клиента…" in bubble
    assert "?edit=" not in bubble
    settle(reply, AlterationState.DONE)
    text = page_of(client, ticket)
    bubble = bubble_of(text, reply)
    assert "удалено у клиента" in bubble
    assert "до 18:00" in bubble
    assert f'class="msg out first deleted" id="m{reply.pk}"' in text
    assert "i-pencil" not in bubble


def test_what_telegram_has_had_for_two_days_offers_no_deletion(desk, aigerim, ticket, reply):
    Delivery.objects.filter(pk=reply.pk).update(queued_at=timezone.now() - timedelta(hours=49))
    bubble = bubble_of(page_of(desk(aigerim), ticket), reply)
    assert "i-pencil" in bubble
    assert address(ticket, reply, "deleting") not in bubble
    answer = desk(aigerim).post(address(ticket, reply, "delete"), seen(ticket))
    assert (answer.status_code, "48 часов" in answer.text) == (409, True)


def test_a_colleague_is_offered_nothing(desk, bolat, aigerim, ticket, reply):
    bubble = bubble_of(page_of(desk(bolat), ticket), reply)
    assert "i-pencil" not in bubble
    assert "i-trash" not in bubble


@pytest.fixture
def question(ticket: Ticket) -> Message:
    return ticket.messages.get(sender="client")


def test_a_customers_reactions_stand_under_what_they_react_to(desk, aigerim, ticket, reply):
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=reply.pk)
    operations.take_reactions(message=reply, reactions=["👍", "custom_emoji"])
    text = page_of(desk(aigerim), ticket)
    bubble = bubble_of(text, reply)
    assert 'aria-label="👍. Реакция: Тимур Ахметов"' in bubble
    assert "особый эмодзи" in bubble
    assert "data-unread" not in desk(aigerim).get(reverse("tickets:queue")).text.partition('id="row-')[2][:80]


def test_a_reaction_of_ours_says_how_far_it_has_come(desk, htmx, aigerim, ticket, question):
    client = desk(aigerim)
    assert address(ticket, question, "reactions") in bubble_of(page_of(client, ticket), question)
    offered = htmx(aigerim).get(address(ticket, question, "reactions")).text
    assert 'value="👍"' in offered
    client.post(address(ticket, question, "react"), {"emoji": "👍"})
    assert "Реакция ставится у клиента…" in bubble_of(page_of(client, ticket), question)
    settle(question, AlterationState.DONE)
    bubble = bubble_of(page_of(client, ticket), question)
    assert "Наша реакция" in bubble
    assert 'value=""' in htmx(aigerim).get(address(ticket, question, "reactions")).text
    client.post(address(ticket, question, "react"), {"emoji": "🔥"})
    settle(question, AlterationState.FAILED, Obstacle.GONE)
    bubble = bubble_of(page_of(client, ticket), question)
    assert "👍. Наша реакция" in bubble
    assert "🔥. Реакция не поставлена: Telegram не находит этого сообщения" in bubble
