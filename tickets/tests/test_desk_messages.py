import pytest
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Delivery, DeliveryState, Reason, Ticket

DECISIONS = ["edit", "withdraw", "release", "arrived", "resend"]


def address(ticket, message, name: str) -> str:
    return reverse(f"tickets:{name}", args=[ticket.pk, message.pk])


def seen(ticket, **values):
    """What a form of a page opened just now sends."""
    return {"seen": ticket.messages.order_by("-pk").first().pk, **values}


@pytest.fixture
def reply(ticket, aigerim, answer):
    return answer(ticket, aigerim, "Курьер будет до 18:00")


def settle(message, state: DeliveryState, reason: str = ""):
    Delivery.objects.filter(pk=message.pk).update(state=DeliveryState.SENDING)
    operations.settle(delivery_id=message.pk, state=state, reason=reason, parts_sent=0)


def state_of(message) -> str:
    return Delivery.objects.get(pk=message.pk).state


@pytest.mark.parametrize(
    ("state", "reason", "said", "offered", "not_offered"),
    [
        (DeliveryState.QUEUED, "", "Ждёт отправки", ["edit", "withdraw"], ["release", "arrived", "resend"]),
        (DeliveryState.SENT, "", "Доставлено в Telegram", ["edit"], DECISIONS[1:]),
        (DeliveryState.UNKNOWN, "", "Telegram не ответил", ["arrived", "resend"], ["edit", "withdraw", "release"]),
        (DeliveryState.HELD, Reason.STALE, "Ждёт вашего решения", ["release", "edit", "withdraw"], ["resend"]),
        (DeliveryState.FAILED, Reason.TOO_BIG, "Файл слишком большой", ["edit"], ["release", "arrived", "resend"]),
    ],
)
@pytest.mark.parametrize("status", [None, "resolved", "closed"])
def test_each_state_says_what_happened_and_what_can_be_done(
    desk, aigerim, ticket, reply, state, reason, said, offered, not_offered, status
):
    if status is not None:
        now = timezone.now()
        Ticket.objects.filter(pk=ticket.pk).update(status=status, resolved_at=now, closed_at=now)
    if state != DeliveryState.QUEUED:
        settle(reply, state, reason)
    text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    links = {name: address(ticket, reply, name) for name in DECISIONS}
    links["edit"] = f"?edit={reply.pk}#"
    assert said in text
    for name in offered:
        assert links[name] in text
    for name in not_offered:
        assert links[name] not in text


def test_the_rest_of_a_reply_that_broke_off_can_be_sent_again(desk, aigerim, ticket, reply):
    settle(reply, DeliveryState.FAILED, Reason.TOO_BIG)
    Delivery.objects.filter(pk=reply.pk).update(parts_sent=1)
    text = bubble_of(desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text, reply)
    assert address(ticket, reply, "resend") in text
    assert address(ticket, reply, "arrived") not in text
    assert f"?edit={reply.pk}#" not in text


@pytest.mark.parametrize("state", [DeliveryState.HELD, DeliveryState.FAILED])
def test_the_rest_of_a_reply_that_broke_off_can_be_left(htmx, desk, aigerim, ticket, reply, state):
    settle(reply, state, Reason.BLOCKED)
    page = reverse("tickets:ticket", args=[ticket.pk])
    assert address(ticket, reply, "leave") not in bubble_of(desk(aigerim).get(page).text, reply)
    Delivery.objects.filter(pk=reply.pk).update(parts_sent=1)
    assert "Остальное не отправлять" in bubble_of(desk(aigerim).get(page).text, reply)
    htmx(aigerim).post(address(ticket, reply, "leave"), seen(ticket))
    bubble = bubble_of(desk(aigerim).get(page).text, reply)
    assert "ушло не всё, остальное не отправлено" in bubble
    assert address(ticket, reply, "leave") not in bubble


def test_one_tick_and_only_with_telegrams_word(desk, aigerim, ticket, reply):
    client, page = desk(aigerim), reverse("tickets:ticket", args=[ticket.pk])
    assert "#i-tick" not in bubble_of(client.get(page).text, reply)
    settle(reply, DeliveryState.SENT)
    assert bubble_of(client.get(page).text, reply).count("#i-tick") == 1


def bubble_of(text: str, message) -> str:
    start = text.index(f'id="m{message.pk}"')
    return text[start : text.index("</li>", start)]


def test_a_colleague_sees_the_trouble_but_no_buttons(desk, bolat, ticket, reply):
    settle(reply, DeliveryState.UNKNOWN)
    text = bubble_of(desk(bolat).get(reverse("tickets:ticket", args=[ticket.pk])).text, reply)
    assert "Telegram не ответил" in text
    assert "Дошло" not in text


def test_edit_opens_in_place_and_sends_the_new_words(desk, htmx, aigerim, ticket, reply):
    form = address(ticket, reply, "edit")
    page = reverse("tickets:ticket", args=[ticket.pk])
    assert form in desk(aigerim).get(page, {"edit": reply.pk}).text
    assert form in htmx(aigerim).get(address(ticket, reply, "message"), {"edit": ""}).text
    answer = desk(aigerim).post(form, seen(ticket, text="Курьер будет до 19:00"))
    assert answer.url == f"{page}#m{reply.pk}"
    reply.refresh_from_db()
    assert reply.text == "Курьер будет до 19:00"


def test_what_is_just_leaving_cannot_be_edited(desk, aigerim, ticket, reply):
    operations.start_sending(delivery_id=reply.pk)
    answer = desk(aigerim).post(address(ticket, reply, "edit"), seen(ticket, text="Иначе"))
    assert answer.status_code == 409
    assert "уже уходит в Telegram" in answer.text


def test_withdraw(desk, aigerim, ticket, reply):
    desk(aigerim).post(address(ticket, reply, "withdraw"), seen(ticket))
    assert state_of(reply) == DeliveryState.CANCELLED
    assert "Отозвано" in desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text


def test_release(desk, aigerim, ticket, reply):
    settle(reply, DeliveryState.HELD, Reason.STALE)
    desk(aigerim).post(address(ticket, reply, "release"), seen(ticket))
    assert state_of(reply) == DeliveryState.QUEUED


def test_arrived_settles_the_question_without_a_tick_of_telegrams(desk, aigerim, ticket, reply):
    settle(reply, DeliveryState.UNKNOWN)
    desk(aigerim).post(address(ticket, reply, "arrived"), seen(ticket))
    text = bubble_of(desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text, reply)
    assert "отмечено дошедшим" in text
    assert "#i-tick" not in text
    assert "Доставлено в Telegram" not in text


def test_resend_makes_a_marked_message_at_the_end(htmx, aigerim, ticket, reply):
    settle(reply, DeliveryState.UNKNOWN)
    wrote(ticket.customer, "Ау", ticket=ticket)
    values = seen(ticket, after=ticket.messages.order_by("-pk").first().pk)
    answer = htmx(aigerim).post(address(ticket, reply, "resend"), values)
    assert "отправлено ещё раз" in answer.text
    assert ticket.messages.order_by("-pk").first().resend_of_id == reply.pk


@pytest.mark.parametrize("name", DECISIONS)
def test_only_the_responsible_decides(desk, dana, bolat, aigerim, ticket, reply, name):
    settle(reply, DeliveryState.UNKNOWN)
    target = address(ticket, reply, name)
    assert desk(dana).post(target, seen(ticket, text="x")).status_code == 404
    assert desk(bolat).post(target, seen(ticket, text="x")).status_code == 403
    assert desk(aigerim).get(target).status_code == 405


@pytest.mark.parametrize("name", DECISIONS)
def test_nothing_is_decided_over_unseen_messages(desk, htmx, aigerim, ticket, reply, name):
    settle(reply, DeliveryState.UNKNOWN)
    values = seen(ticket, text="Иначе", after=ticket.last_message_id)
    wrote(ticket.customer, "Уже пришло, спасибо", ticket=ticket)
    answer = htmx(aigerim).post(address(ticket, reply, name), values)
    assert answer.status_code == 409
    assert answer.headers["HX-Retarget"] == "#guard"
    assert "Ещё 1 сообщение" in answer.text
    assert "Уже пришло, спасибо" in answer.text
    assert "Всё равно отправить" not in answer.text
    assert desk(aigerim).post(address(ticket, reply, name), values).status_code == 409
    assert state_of(reply) == DeliveryState.UNKNOWN


@pytest.mark.parametrize("name", DECISIONS)
def test_a_message_of_another_ticket_is_not_here(desk, aigerim, timur, ticket, answer, name):
    other = wrote(timur, "Другой вопрос").ticket
    elsewhere = answer(other, aigerim)
    assert desk(aigerim).post(address(ticket, elsewhere, name), seen(ticket, text="x")).status_code == 404
    assert state_of(elsewhere) == DeliveryState.QUEUED


def test_one_bubble_is_fetched_alone(htmx, desk, dana, aigerim, ticket, reply):
    target = address(ticket, reply, "message")
    text = htmx(aigerim).get(target).text
    assert text.strip().startswith("<li")
    assert "Курьер будет до 18:00" in text
    assert htmx(dana).get(target).status_code == 404
    assert desk(aigerim).get(target).url.endswith(f"#m{reply.pk}")
