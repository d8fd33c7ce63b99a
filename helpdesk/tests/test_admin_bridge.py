"""What a supervisor sees of the bridge: updates, parked ones to try again, and the calls made to Telegram."""

import json
import re
from datetime import timedelta

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from botbridge.models import BotStatus, ForumTopic, OutboundCall, Update
from tickets.models import DeliveryState, Lane, Ticket, User

pytestmark = pytest.mark.django_db

UPDATES = reverse("admin:botbridge_update_changelist")
CALLS = reverse("admin:botbridge_outboundcall_changelist")


@pytest.fixture
def room(client: Client, saule: User) -> Client:
    client.force_login(saule)
    return client


def update(number: int, state: Update.State, chat_id: int | None = 700_001) -> Update:
    return Update.objects.create(
        bot_id=7,
        update_id=number,
        digest=str(number),
        raw="{}",
        chat_id=chat_id,
        state=state,
        attempts=5,
        reason="Boom",
    )


def retry(browser: Client, *rows: Model) -> str:
    return act(browser, "retry", *rows)


def act(browser: Client, action: str, *rows: Model) -> str:
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return str(browser.post(UPDATES, data, follow=True).content.decode())


def test_a_parked_update_is_handled_again(room: Client) -> None:
    parked = update(1, Update.State.PARKED)
    assert "Поставлено в очередь: 1" in retry(room, parked)
    parked.refresh_from_db()
    assert (parked.state, parked.attempts, parked.reason) == (Update.State.STORED, 0, "")


def test_only_parked_updates_of_a_chat_are_handled_again(room: Client) -> None:
    handled, nowhere = update(1, Update.State.HANDLED), update(2, Update.State.PARKED, chat_id=None)
    page = retry(room, handled, nowhere)
    assert "обрабатывается только отложенное" in page
    assert "Не разобрать, из какого это чата" in page
    assert not Update.objects.filter(state=Update.State.STORED).exists()


def test_what_can_never_be_handled_stops_reminding_once_somebody_has_dealt_with_it(room: Client, saule: User) -> None:
    nowhere = update(1, Update.State.PARKED, chat_id=None)
    banner = reverse("telegram-banner")
    assert "Не обработано сообщений из Telegram: 1" in room.get(banner).content.decode()
    assert "Разобрано: 1" in act(room, "settle", nowhere)
    assert "Не обработано" not in room.get(banner).content.decode()
    kept = room.get(reverse("admin:botbridge_update_change", args=[nowhere.pk])).content.decode()
    assert "Boom" in kept
    history = room.get(reverse("admin:botbridge_update_history", args=[nowhere.pk])).content.decode()
    assert "Разобрано" in history
    assert saule.username in history


def test_only_what_waits_for_a_look_is_dealt_with(room: Client) -> None:
    stored, parked = update(1, Update.State.STORED), update(2, Update.State.PARKED)
    act(room, "settle", parked)
    first_settled_at = Update.objects.get(pk=parked.pk).settled_at
    page = act(room, "settle", stored, parked)
    assert "Разбирать нечего" in page
    assert Update.objects.get(pk=parked.pk).settled_at == first_settled_at
    assert Update.objects.get(pk=stored.pk).settled_at is None


def test_what_is_tried_again_and_fails_again_reminds_again(room: Client) -> None:
    parked = update(1, Update.State.PARKED)
    act(room, "settle", parked)
    retry(room, parked)
    parked.refresh_from_db()
    assert (parked.state, parked.settled_at) == (Update.State.STORED, None)


def test_updates_are_found_by_chat_and_state(room: Client) -> None:
    update(101, Update.State.PARKED)
    update(202, Update.State.HANDLED, chat_id=700_002)
    found = room.get(UPDATES, {"q": "700002"}).content.decode()
    assert ">202<" in found
    assert ">101<" not in found
    assert ">101<" in room.get(UPDATES, {"state__exact": "parked"}).content.decode()
    assert ">101<" not in room.get(UPDATES, {"q": "Boom"}).content.decode()


def test_an_update_is_read_as_it_came_and_not_changed(room: Client) -> None:
    row = update(1, Update.State.PARKED)
    page = reverse("admin:botbridge_update_change", args=[row.pk])
    assert "Boom" in room.get(page).content.decode()
    assert room.post(page, {"raw": "{}"}).status_code == 403
    assert room.get(reverse("admin:botbridge_update_add")).status_code == 403
    assert room.post(reverse("admin:botbridge_update_delete", args=[row.pk])).status_code == 403


def test_calls_are_read_only(room: Client) -> None:
    call = OutboundCall.objects.create(
        bot_id=7,
        chat_id=700_001,
        method="sendMessage",
        payload={"text": "Здравствуйте"},
        lane=Lane.REPLY,
        state=DeliveryState.FAILED,
        error="Bad Request: message is too long",
    )
    assert "message is too long" in room.get(CALLS, {"q": "700001"}).content.decode()
    page = reverse("admin:botbridge_outboundcall_change", args=[call.pk])
    assert "Здравствуйте" in room.get(page).content.decode()
    assert room.post(page, {"state": "queued"}).status_code == 403
    assert room.get(CALLS, {"q": "нет такого"}).status_code == 200


def test_the_first_page_tells_how_the_bot_fares(room: Client) -> None:
    page = room.get(reverse("admin:index")).content.decode()
    assert "Telegram ещё не отвечал" in page
    BotStatus.objects.create(
        bot_id=7, last_polled_at=timezone.now() - timedelta(minutes=3), stopped_reason="Нет доступа"
    )
    update(1, Update.State.PARKED)
    update(2, Update.State.STORED)
    Update.objects.filter(update_id=2).update(received_at=timezone.now() - timedelta(hours=2))
    page = room.get(reverse("admin:index")).content.decode()
    assert "Ответ Telegram: 3\xa0минуты назад" in page
    assert "Необработанное ждёт: 2\xa0часа" in page
    assert "Остановлен: Нет доступа" in page
    assert "вебхука" not in page
    assert re.search(r"state__exact=parked&amp;settled_at__isempty=1\">Отложено после ошибок</a>: 1", page)


def test_the_first_page_tells_what_keeps_the_webhook_from_working(room: Client) -> None:
    now = timezone.now()
    BotStatus.objects.create(
        bot_id=7,
        last_polled_at=now,
        webhook_pending=3,
        webhook_pending_since=now - timedelta(minutes=2),
        webhook_error="Wrong response from the webhook: 403 Forbidden",
        webhook_error_at=now - timedelta(minutes=3),
    )
    page = room.get(reverse("admin:index")).content.decode()
    assert "Telegram не может передать сообщения: 3, уже 2\xa0минуты" in page
    assert "Ошибка вебхука 3\xa0минуты назад: Wrong response from the webhook: 403 Forbidden" in page


def test_a_card_number_in_what_came_is_masked(room: Client) -> None:
    row = update(1, Update.State.HANDLED)
    raw = {"message": {"text": "карта ４111 1111 1111 1111", "entities": [{"offset": 6}], "message_id": 4111}}
    Update.objects.update(raw=json.dumps(raw))
    page = room.get(reverse("admin:botbridge_update_change", args=[row.pk])).text
    assert "\\u2022\\u2022\\u2022 1111" in page
    assert "1111 1111 1111" not in page
    assert "4111" in page, "numbers that are no texts are ids"


def test_a_supervisor_asks_for_topics_and_hears_what_they_need(room: Client, saule: User) -> None:
    last_polled_at = timezone.now()
    bot = BotStatus.objects.create(bot_id=7, username="otklik_bot", last_polled_at=last_polled_at)
    address = reverse("admin:botbridge_botstatus_change", args=[bot.pk])
    page = room.post(address, {"tickets_as_topics": "on"}, follow=True).content.decode()
    assert "У бота выключен режим тем" in page
    assert "@otklik_bot" in page
    bot.refresh_from_db()
    assert (bot.tickets_as_topics, bot.last_polled_at) == (True, last_polled_at)
    assert saule.username in room.get(reverse("admin:botbridge_botstatus_history", args=[bot.pk])).content.decode()
    BotStatus.objects.update(has_topics_enabled=True)
    page = room.post(address, {"tickets_as_topics": "on"}, follow=True).content.decode()
    assert "У бота выключен режим тем" not in page
    room.post(address, {})
    bot.refresh_from_db()
    assert not bot.tickets_as_topics


def test_the_topics_of_one_chat_are_found(room: Client, ticket: Ticket) -> None:
    ForumTopic.objects.create(bot_id=7, chat_id=700_001, ticket=ticket, message_thread_id=51, state="open")
    address = reverse("admin:botbridge_forumtopic_changelist")
    row = f'<td class="field-message_thread_id">{51}</td>'
    assert row in room.get(address, {"q": "700001"}).content.decode()
    assert row not in room.get(address, {"q": "700002"}).content.decode()
