"""What the bot says and asks. Words are checked in Russian; the translations have a test of their own."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiogram.types import ChatMemberAdministrator
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botbridge.buttons import TopicPress
from botbridge.models import BotStatus, ChatSession, Outage, OutboundCall, Update
from botbridge.parts import keyboard_under
from botbridge.storing import retry_update
from botbridge.tests.conftest import BOT_ID, Line, Phone, parked
from conftest import wrote
from tickets import operations
from tickets.models import (
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    Message,
    MessageRevision,
    Notice,
    Sender,
    Status,
    Ticket,
    Topic,
    User,
)

pytestmark = pytest.mark.django_db

DICE = {"dice": {"emoji": "🎲", "value": 3}}
PINNED = {"pinned_message": {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}}


# The first minute.


@override_settings(BRAND_NAME="Орбита Электроника")
def test_start_greets_by_name_and_offers_topics_and_the_other_language(phone: Phone, topics: list[Topic]):
    phone.write("/start")
    assert phone.heard == [
        (
            "Здравствуйте, Тимур! Вы пишете в поддержку компании «Орбита Электроника». Отвечают люди. "
            "Выберите тему или сразу напишите вопрос."
        )
    ]
    for button in ("Қазақша", "Доставка и получение", "Гарантия и ремонт"):
        assert phone.find(button)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("name", ["Я", "http://x.kz", "Тимур!!!", "А" * 31, "5"])
def test_a_name_that_is_no_name_is_left_out(line: Line, name: str):
    phone = Phone(line, first_name=name)
    phone.write("/start")
    assert phone.heard[0].startswith("Здравствуйте! ")


def test_a_question_needs_no_start(phone: Phone, topics: list[Topic]):
    phone.write("Не включается ноутбук")
    (ticket,) = phone.tickets
    assert ticket.subject == "Не включается ноутбук"
    assert phone.heard == [
        (
            f"Обращение №{ticket.pk} принято. Дописывайте сюда же, менеджер увидит всё.\n\n"
            "Выберите тему, если хотите: так быстрее."
        )
    ]


def test_what_is_added_later_goes_in_silence(phone: Phone):
    phone.write("Не включается ноутбук")
    phone.write("Заказ 719-204")
    phone.send(caption="Вот он", photo=[{"file_id": "a", "file_unique_id": "u", "width": 9, "height": 9}])
    assert phone.written == ["Не включается ноутбук", "Заказ 719-204", "Вот он"]
    assert len(phone.heard) == 1
    assert len(phone.tickets) == 1


def test_every_sentence_of_the_bot_is_a_message_with_a_delivery(phone: Phone, topics: list[Topic]):
    for text in ("/start", "/help", "/lang", "/my", "/new", "Вопрос", "/my"):
        phone.write(text)
    said = Message.objects.filter(sender="system")
    assert said.count() == 7
    assert Delivery.objects.filter(message__in=said, state="queued", expires_at__isnull=False).count() == 7


def test_answers_go_before_receipts(phone: Phone):
    phone.write("/help")
    phone.write("Вопрос")
    assert list(Delivery.objects.order_by("pk").values_list("lane", flat=True)) == [Lane.ANSWER, Lane.RECEIPT]


# Topics.


def test_a_topic_chosen_first_sorts_the_question_that_follows(phone: Phone, topics: list[Topic], other_team):
    topics[1].team = other_team
    topics[1].save()
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    assert phone.heard[-1].startswith("Гарантия и ремонт. Напишите вопрос")
    phone.write("Сломался")
    (ticket,) = phone.tickets
    assert (ticket.topic, ticket.team) == (topics[1], other_team)
    assert "Выберите тему" not in phone.heard[-1]


def test_the_topic_is_forgotten_once_it_is_used(phone: Phone, topics: list[Topic]):
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    phone.write("Сломался")
    phone.write("/new И где второй заказ?")
    assert [ticket.topic for ticket in phone.tickets] == [topics[1], None]


def test_a_topic_chosen_under_the_receipt_sorts_that_ticket_and_keeps_its_team(
    phone: Phone, topics: list[Topic], team, other_team
):
    topics[0].team = other_team
    topics[0].save()
    phone.write("Где заказ?")
    phone.press("Доставка и получение")
    (ticket,) = phone.tickets
    assert (ticket.topic, ticket.team) == (topics[0], team)
    assert phone.toasts == ["Доставка и получение"]
    edit = OutboundCall.objects.get(method="editMessageReplyMarkup")
    assert edit.payload["reply_markup"]["inline_keyboard"][0][0]["text"] == "Сменить тему"


def test_the_topic_can_be_changed(phone: Phone, topics: list[Topic]):
    phone.write("/start")
    phone.press("Доставка и получение")
    phone.press("Сменить тему")
    offered = OutboundCall.objects.filter(method="editMessageReplyMarkup").latest("pk").payload["reply_markup"]
    assert [row[0]["text"] for row in offered["inline_keyboard"]] == ["Доставка и получение", "Гарантия и ремонт"]


def test_a_topic_chosen_while_another_question_is_sorted_begins_a_new_one(phone: Phone, topics: list[Topic]):
    phone.write("Где заказ?")
    phone.press("Доставка и получение")
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    phone.write("Сломался")
    assert [(ticket.subject, ticket.topic) for ticket in phone.tickets] == [
        ("Где заказ?", topics[0]),
        ("Сломался", topics[1]),
    ]


def test_a_topic_chosen_after_a_solved_question_begins_a_new_one(phone: Phone, topics: list[Topic], aigerim: User):
    phone.write("Где заказ?")
    solve(phone.tickets[0], aigerim)
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    phone.write("Сломался")
    assert [ticket.topic for ticket in phone.tickets] == [None, topics[1]]


def test_a_topic_changed_before_its_question_harms_no_other(phone: Phone, topics: list[Topic]):
    phone.write("Где заказ?")
    phone.press("Доставка и получение")
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    _data, under = phone.find("Сменить тему")
    phone.press_data(TopicPress(topic=topics[0].pk).pack(), under)
    phone.write("Не везут")
    assert [(ticket.subject, ticket.topic) for ticket in phone.tickets] == [
        ("Где заказ?", topics[0]),
        ("Не везут", topics[0]),
    ]


def test_a_topic_changed_after_its_question_sorts_that_question(phone: Phone, topics: list[Topic]):
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    _data, under = phone.find("Сменить тему")
    phone.write("Не везут")
    phone.press_data(TopicPress(topic=topics[0].pk).pack(), under)
    phone.write("Жду с утра")
    (ticket,) = phone.tickets
    assert ticket.topic == topics[0]


def test_a_topic_button_outlived_by_its_topic_does_nothing(phone: Phone, topics: list[Topic]):
    phone.write("Где заказ?")
    data, under = phone.find("Доставка и получение")
    topics[0].delete()
    phone.press_data(data, under)
    assert phone.tickets[0].topic is None
    assert phone.toasts == [""]


@pytest.mark.parametrize("words", ["Гарантия и ремонт", " гарантия и РЕМОНТ ", "Warranty and repair"])
def test_a_topic_can_be_written_instead_of_pressed(phone: Phone, topics: list[Topic], words: str):
    phone.write("Сломался")
    phone.write(words)
    assert phone.tickets[0].topic == topics[1]
    assert phone.written == ["Сломался", words]


def test_a_topic_written_first_sorts_the_ticket_it_opens(phone: Phone, topics: list[Topic], other_team):
    Topic.objects.update(team=other_team)
    phone.write("Гарантия и ремонт")
    (ticket,) = phone.tickets
    assert (ticket.topic, ticket.team) == (topics[1], other_team)


# Languages.


@pytest.mark.parametrize(
    ("code", "language"), [("kk", "kk"), ("kk-KZ", "kk"), ("en-GB", "en"), ("ru", "ru"), ("de", "ru"), ("", "ru")]
)
def test_the_bot_speaks_the_language_of_the_customers_telegram(line: Line, code: str, language: str):
    phone = Phone(line, language_code=code)
    phone.write("/start")
    assert phone.customer.language == language


@pytest.mark.parametrize("command", ["/lang kk", "/lang Қазақша", "/LANG KK"])
def test_the_language_can_be_chosen_by_command(phone: Phone, command: str):
    phone.write(command)
    assert phone.customer.language == "kk"
    assert phone.written == []


def test_the_language_can_be_chosen_by_button(phone: Phone):
    phone.write("/lang")
    phone.press("English")
    assert phone.customer.language == "en"


def test_a_language_chosen_under_the_greeting_greets_again(phone: Phone):
    phone.write("/start")
    phone.press("Қазақша")
    notices = Message.objects.filter(sender="system").order_by("pk").values_list("notice", flat=True)
    assert list(notices) == [Notice.START, Notice.OTHER, Notice.START]


def test_a_forged_language_is_answered_and_ignored(phone: Phone):
    phone.write("/start")
    phone.press_data("l:xx")
    assert phone.customer.language == "ru"
    assert phone.toasts == [""]


def test_kazakh_is_offered_once_to_a_person_who_writes_it(phone: Phone):
    phone.write("Тапсырысым қайда?")
    assert phone.find("Қазақша")
    phone.write("/new Тағы бір сұрақ")
    receipt = Message.objects.filter(notice=Notice.RECEIPT).latest("pk")
    assert keyboard_under(receipt) == []


# A second question.


def test_new_asks_whether_it_is_about_the_open_question(phone: Phone, topics: list[Topic]):
    phone.write("Где заказ?")
    phone.press("Доставка и получение")
    phone.write("/new")
    (ticket,) = phone.tickets
    assert phone.heard[-1] == f"У вас открыто обращение №{ticket.pk}, Доставка и получение. Это о том же?"


def test_yes_goes_on_with_the_open_question(phone: Phone):
    phone.write("Где заказ?")
    phone.write("/new")
    phone.press("Да, дописать")
    phone.write("Номер 719-204")
    assert len(phone.tickets) == 1


def test_no_makes_the_next_message_a_new_question(phone: Phone):
    phone.write("Где заказ?")
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    phone.write("Как вернуть чехол?")
    phone.write("Он не подошёл")
    assert [ticket.subject for ticket in phone.tickets] == ["Где заказ?", "Как вернуть чехол?"]
    assert phone.tickets[1].messages.filter(sender="client").count() == 2


def test_what_the_bot_says_while_a_question_is_open_stands_on_its_page(phone: Phone, topics: list[Topic]):
    phone.write("Где заказ?")
    phone.press("Доставка и получение")
    (ticket,) = phone.tickets
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    said = ticket.messages.filter(sender="system").order_by("pk").values_list("notice", flat=True)
    assert list(said) == [Notice.RECEIPT, Notice.TOPIC_CHOSEN, Notice.NEW_OR_SAME, Notice.OTHER]


def test_a_text_written_instead_of_an_answer_is_a_message_on_the_open_question(phone: Phone):
    phone.write("Где заказ?")
    phone.write("/new")
    phone.write("Номер 719-204")
    assert len(phone.tickets) == 1
    assert phone.written == ["Где заказ?", "Номер 719-204"]


def test_new_with_words_asks_nothing(phone: Phone):
    phone.write("Где заказ?")
    phone.write("/new Как вернуть чехол?")
    assert [ticket.subject for ticket in phone.tickets] == ["Где заказ?", "Как вернуть чехол?"]


def test_new_without_an_open_question_just_waits_for_it(phone: Phone):
    phone.write("/new")
    assert phone.heard == ["Напишите вопрос, можно с фото или видео. Если есть номер заказа, укажите его."]
    phone.write("Как вернуть чехол?")
    assert len(phone.tickets) == 1


def test_marks_in_a_new_question_keep_their_places(phone: Phone):
    phone.write(
        "/new  Где 📦 заказ?",
        entities=[
            {"type": "bot_command", "offset": 0, "length": 4},
            {"type": "bold", "offset": 13, "length": 5},
        ],
    )
    message = Message.objects.get(sender="client")
    assert message.text == "Где 📦 заказ?"
    assert message.entities == [{"type": "bold", "offset": 7, "length": 5}]


# Several questions.


@pytest.fixture
def two(phone: Phone) -> list[Ticket]:
    phone.write("Где заказ?")
    phone.write("/new Как вернуть чехол?")
    return phone.tickets


def test_my_lists_the_tickets_and_where_one_writes(phone: Phone, two: list[Ticket]):
    phone.write("/my")
    assert phone.heard[-1].splitlines()[:3] == [
        "Ваши обращения:",
        f"№{two[1].pk} · 🆕 Новое · пишете сюда",
        f"№{two[0].pk} · 🆕 Новое",
    ]


def test_my_without_tickets_says_so(phone: Phone):
    phone.write("/my")
    assert phone.heard == ["Обращений пока нет. Напишите вопрос, и мы его примем."]


def test_a_button_of_the_list_switches(phone: Phone, two: list[Ticket]):
    phone.write("/my")
    phone.press(f"№{two[0].pk}")
    phone.write("Номер 719-204")
    assert two[0].messages.filter(text="Номер 719-204").exists()


@pytest.mark.parametrize("form", ["/my {n}", "/my №{n}", "/MY № {n}"])
def test_a_command_switches_too(phone: Phone, two: list[Ticket], form: str):
    phone.write(form.format(n=two[0].pk))
    phone.write("Номер 719-204")
    assert two[0].messages.filter(text="Номер 719-204").exists()
    assert phone.heard[-1] == f"Теперь вы пишете в обращение №{two[0].pk}."


def test_nobody_switches_to_a_strangers_ticket(phone: Phone, two: list[Ticket], line: Line):
    stranger = Phone(line, id=700_002)
    stranger.write(f"/my {two[0].pk}")
    stranger.press_data(f"m:{two[0].pk}")
    stranger.press_data(f"s:{two[0].pk}")
    stranger.press_data(f"r:{two[0].pk}")
    stranger.write("Впустите")
    assert stranger.heard[:2] == ["Такого обращения у вас нет. Список: /my"] * 2
    assert not two[0].messages.filter(customer=stranger.customer).exists()


def test_an_answer_to_a_quoted_message_goes_to_its_ticket(phone: Phone, line: Line):
    first = phone.write("Где заказ?")
    phone.write("/new Как вернуть чехол?")
    quoted = phone.message(message_id=first)["message"]
    phone.write("719-204", reply_to_message=quoted, quote={"text": "заказ", "position": 4})
    message = Message.objects.get(text="719-204")
    assert message.ticket == phone.tickets[0]
    assert message.quote is not None
    assert (message.quote.text, message.quote_text) == ("Где заказ?", "заказ")


NOBODY = {"type": "hidden_user", "date": 1, "sender_user_name": "Сосед"}


@pytest.mark.parametrize(
    ("answered", "quoted"),
    [
        (
            {"reply_to_message": {"message_id": 5000, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "Да"}},
            "Да",
        ),
        ({"reply_to_message": {"message_id": 5000, "date": 1, "chat": {"id": 1, "type": "private"}, **DICE}}, "🎲 3"),
        ({"external_reply": {"origin": NOBODY, **DICE}}, "Кубик"),
        ({"external_reply": {"origin": NOBODY}, "quote": {"text": "срок вышел", "position": 0}}, "срок вышел"),
        ({"reply_to_message": {"message_id": 5000, "date": 1, "chat": {"id": 1, "type": "private"}, **PINNED}}, ""),
    ],
)
def test_what_an_answer_is_to_is_shown_though_the_desk_never_held_it(
    phone: Phone, answered: dict[str, Any], quoted: str
):
    phone.write("Это как понимать?", **answered)
    message = Message.objects.get(sender=Sender.CLIENT)
    assert (message.quote, message.quote_text) == (None, quoted)


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        (
            {"type": "user", "sender_user": {"id": 5, "is_bot": False, "first_name": "Анна", "last_name": "Ли"}},
            "Анна Ли",
        ),
        ({"type": "hidden_user", "sender_user_name": "Сосед"}, "Сосед"),
        ({"type": "hidden_user", "sender_user_name": ""}, "?"),
        ({"type": "origin_of_the_future"}, "?"),
        ({"type": "chat", "sender_chat": {"id": -5, "type": "group", "title": "Дом 7"}}, "Дом 7"),
        ({"type": "channel", "chat": {"id": -6, "type": "channel", "title": "Новости"}, "message_id": 1}, "Новости"),
    ],
)
def test_who_said_first_what_a_customer_passes_on_is_kept(phone: Phone, origin: dict[str, Any], name: str):
    phone.write("Завтра не будет воды", forward_origin={"date": 1, **origin})
    assert Message.objects.get(sender=Sender.CLIENT).forwarded_from == name


def test_a_question_said_to_be_new_is_new_whatever_it_quotes(phone: Phone):
    first = phone.write("Где заказ?")
    quoted = phone.message(message_id=first)["message"]
    phone.write("/new Как вернуть чехол?", reply_to_message=quoted)
    message = Message.objects.get(text="Как вернуть чехол?")
    assert message.ticket == phone.tickets[1]
    assert message.quote is not None
    assert message.quote.text == "Где заказ?"


def test_an_album_is_one_question_with_one_receipt_even_when_it_comes_in_parts(phone: Phone):
    photo = [{"file_id": "a", "file_unique_id": "u", "width": 9, "height": 9}]
    phone.send(photo=photo, media_group_id="77", caption="Царапина")
    phone.write("/new Другой вопрос")
    phone.send(photo=photo, media_group_id="77")
    assert len(phone.heard) == 2
    assert phone.tickets[0].messages.filter(media_group_id="77").count() == 2


def photo_of(album: str) -> dict[str, Any]:
    return {"photo": [{"file_id": "a", "file_unique_id": "u", "width": 9, "height": 9}], "media_group_id": album}


def words_in(ticket: Ticket) -> list[str]:
    return list(ticket.messages.filter(sender="client").order_by("pk").values_list("text", flat=True))


def test_a_part_of_an_album_joins_the_others_however_many_albums_came_before_it(phone: Phone, line: Line):
    phone.send(**photo_of("first"))
    late = phone.message(**photo_of("first"))
    phone.write("/new Другой вопрос")
    for number in range(5):
        phone.send(**photo_of(f"album {number}"))
    line.take(late)
    assert [ticket.messages.filter(media_group_id="first").count() for ticket in phone.tickets] == [2, 0]


def test_another_customers_album_is_no_concern(phone: Phone):
    phone.send(**photo_of("77"))
    other = Phone(phone.line, id=700_002)
    other.send(**photo_of("77"))
    assert [len(each.tickets) for each in (phone, other)] == [1, 1]


def test_a_late_part_of_an_album_is_not_the_new_question(phone: Phone):
    phone.send(**photo_of("77"))
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    phone.send(**photo_of("77"))
    phone.write("Как вернуть чехол?")
    assert [words_in(ticket) for ticket in phone.tickets] == [["", ""], ["Как вернуть чехол?"]]


def test_a_late_part_of_an_album_leaves_the_next_words_with_the_last_question(phone: Phone):
    phone.send(**photo_of("77"))
    phone.write("/new Другой вопрос")
    phone.send(**photo_of("77"))
    phone.write("Ещё о нём")
    assert words_in(phone.tickets[1]) == ["Другой вопрос", "Ещё о нём"]


def test_an_album_is_looked_for_among_the_customers_last_messages_by_an_index(phone: Phone):
    with CaptureQueriesContext(connection) as asked:
        phone.send(**photo_of("77"))
    (search,) = [sql for query in asked if re.search('^SELECT.{,99}"media_group_id".*LIMIT', sql := query["sql"])]
    assert "message_of_customer" in plan_of(search)


# What is handled only after what came later.


def unhandled(phone: Phone, **content: Any) -> Update:
    """An update the bot could not handle, which is tried again another day."""
    phone.line.store(phone.message(**content))
    update = Update.objects.latest("pk")
    Update.objects.filter(pk=update.pk).update(state=Update.State.PARKED)
    return update


def try_again(phone: Phone, update: Update) -> None:
    retry_update(update)
    phone.line.handle_all()


def test_what_is_tried_again_does_not_take_the_place_of_a_new_question(phone: Phone, topics: list[Topic]):
    phone.write("Где заказ?")
    update = unhandled(phone, text="Номер 719-204")
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    try_again(phone, update)
    phone.write("Как вернуть чехол?")
    assert [words_in(ticket) for ticket in phone.tickets] == [["Где заказ?", "Номер 719-204"], ["Как вернуть чехол?"]]


def test_what_is_tried_again_does_not_get_the_topic_of_the_question_to_come(phone: Phone, topics: list[Topic]):
    update = unhandled(phone, text="Где заказ?")
    phone.write("/start")
    phone.press("Гарантия и ремонт")
    try_again(phone, update)
    phone.write("Не включается")
    assert [ticket.topic for ticket in phone.tickets] == [None, topics[1]]


def test_a_new_question_that_is_tried_again_is_one(phone: Phone):
    phone.write("Где заказ?")
    update = unhandled(phone, text="/new Как вернуть чехол?")
    phone.write("Номер 719-204")
    try_again(phone, update)
    phone.write("Ещё о заказе")
    first, second = phone.tickets
    assert words_in(first) == ["Где заказ?", "Номер 719-204", "Ещё о заказе"]
    assert words_in(second) == ["Как вернуть чехол?"]


def test_what_is_tried_again_is_gone_on_with_where_nothing_else_is_at_work(phone: Phone, timur: Customer):
    phone.line.store(phone.message(text="Где заказ?"))
    phone.line.handle_all()
    (closed,) = phone.tickets
    update = unhandled(phone, text="Вы тут?")
    phone.write("/help")
    long_ago = timezone.now() - timedelta(days=30)
    Ticket.objects.filter(pk=closed.pk).update(
        status=Status.CLOSED, waiting_since=None, resolved_at=long_ago, closed_at=long_ago
    )
    try_again(phone, update)
    phone.write("Ау?")
    assert [words_in(ticket) for ticket in phone.tickets] == [["Где заказ?"], ["Вы тут?", "Ау?"]]


def test_a_new_question_that_waited_together_with_its_command_is_one(phone: Phone):
    phone.write("Где заказ?")
    phone.write("/new")
    data, under = phone.find("Нет, новый вопрос")
    press = {"id": "1", "from": phone.user, "chat_instance": "1", "data": data}
    message = {"message_id": under, "date": int(time.time()), "chat": phone.chat}
    hour_ago = int(time.time()) - 3600
    phone.line.store(
        {"callback_query": {**press, "message": message}},
        phone.message(text="Как вернуть чехол?", date=hour_ago),
        phone.message(text="Он не подошёл", date=hour_ago),
    )
    phone.line.handle_all()
    assert words_in(phone.tickets[1]) == ["Как вернуть чехол?", "Он не подошёл"]


def test_whether_something_later_was_handled_is_asked_of_an_index(phone: Phone):
    update = unhandled(phone, text="Где заказ?")
    phone.write("/new")
    with CaptureQueriesContext(connection) as asked:
        try_again(phone, update)
    (search,) = [sql for query in asked if f'"id" > {update.pk}' in (sql := query["sql"])]
    assert "update_of_chat" in plan_of(search)


# After the question is solved.


def solve(ticket: Ticket, actor: User) -> None:
    operations.resolve(ticket_id=operations.take(ticket_id=ticket.pk, actor=actor).pk, actor=actor)


def test_a_word_within_seven_days_brings_the_question_back(phone: Phone, aigerim: User):
    phone.write("Где заказ?")
    solve(phone.tickets[0], aigerim)
    phone.write("Опять не включается")
    assert phone.tickets[0].status == Status.OPEN
    assert phone.heard[-1] == f"Обращение №{phone.tickets[0].pk} снова в работе."


def test_thanks_are_kept_and_change_nothing(phone: Phone, aigerim: User):
    phone.write("Где заказ?")
    solve(phone.tickets[0], aigerim)
    said = len(phone.heard)
    phone.write("Спасибо!")
    assert phone.tickets[0].status == Status.RESOLVED
    assert phone.written[-1] == "Спасибо!"
    assert len(phone.heard) == said


def test_not_solved_brings_the_question_back(phone: Phone, aigerim: User):
    phone.write("Где заказ?")
    solve(phone.tickets[0], aigerim)
    phone.press("Вопрос не решён")
    assert phone.tickets[0].status == Status.OPEN
    assert phone.heard[-1] == "Вернули в работу. Напишите, что ещё нужно решить."


def test_a_second_press_on_not_solved_only_gets_an_answer(phone: Phone, aigerim: User):
    phone.write("Где заказ?")
    solve(phone.tickets[0], aigerim)
    phone.press("Вопрос не решён")
    version = phone.tickets[0].version
    phone.press("Вопрос не решён")
    assert phone.toasts == ["", "Это обращение уже в работе. Дописывайте сюда же, менеджер увидит всё."]
    assert phone.tickets[0].version == version


def test_not_solved_on_a_question_at_work_leads_back_to_it(phone: Phone, aigerim: User):
    phone.write("Где заказ?")
    first = phone.tickets[0]
    solve(first, aigerim)
    operations.reopen(ticket_id=first.pk, actor=aigerim)
    phone.write("/new Как вернуть чехол?")
    phone.press("Вопрос не решён")
    phone.write("Заказ всё ещё в пути")
    assert first.messages.filter(text="Заказ всё ещё в пути").exists()


def test_not_solved_on_a_closed_question_says_that_it_is_over(phone: Phone, aigerim: User):
    phone.write("Где заказ?")
    solve(phone.tickets[0], aigerim)
    Ticket.objects.update(status=Status.CLOSED, closed_at=timezone.now())
    phone.press("Вопрос не решён")
    assert phone.toasts == ["Это обращение уже закрыто. Напишите вопрос, и мы откроем новое."]


# Presses and commands in general.


def test_every_press_is_answered_and_its_keyboard_goes(phone: Phone):
    phone.write("Где заказ?")
    phone.write("/new")
    _data, under = phone.find("Да, дописать")
    phone.press("Да, дописать")
    assert phone.toasts == ["Дописывайте сюда же, менеджер увидит всё."]
    edit = OutboundCall.objects.get(method="editMessageReplyMarkup").payload
    assert edit == {"chat_id": phone.id, "message_id": under, "reply_markup": {"inline_keyboard": []}}


@pytest.mark.parametrize("data", ["zzz", "t:", "t:abc", "t:99999999999999999999999", "m:-1", "s:1", ":", "л" * 20])
def test_a_forged_press_is_answered_and_harms_nobody(phone: Phone, data: str):
    phone.write("/start")
    phone.press_data(data)
    assert len(phone.toasts) == 1


@pytest.mark.parametrize(
    "text",
    [
        "/help не работает, что делать?",
        "/start хочу вернуть товар",
        "/my заказ не пришёл",
        "/lang это какой язык",
        "/unknown",
        "/",
        "/my 99999999999999999999999999",
    ],
)
def test_a_command_with_a_persons_words_is_a_message(phone: Phone, text: str):
    phone.write(text)
    assert phone.written == [text]


def test_a_links_payload_is_not_a_persons_word(phone: Phone):
    phone.write("/start from_site-42")
    assert phone.written == []
    assert phone.heard[0].startswith("Здравствуйте")


def test_a_photo_is_never_taken_for_a_command(phone: Phone):
    phone.send(caption="/help", photo=[{"file_id": "a", "file_unique_id": "u", "width": 9, "height": 9}])
    assert phone.written == ["/help"]


def test_help_names_every_command(phone: Phone):
    phone.write("/help")
    for command in ("/new", "/my", "/lang"):
        assert command in phone.heard[0]


# Edits.


def test_an_edit_is_taken_over_and_the_first_wording_kept(phone: Phone):
    message_id = phone.write("Где закас?")
    phone.edit(message_id, "Где заказ?")
    message = Message.objects.get(sender="client")
    assert message.text == "Где заказ?"
    assert message.edited_at is not None
    assert [revision.text for revision in message.revisions.all()] == ["Где закас?"]


def test_an_edited_new_question_stays_without_its_command(phone: Phone):
    message_id = phone.write("/new Где закас?")
    phone.edit(message_id, "/new Где заказ?")
    assert phone.written == ["Где заказ?"]


def test_an_edit_of_a_message_never_seen_is_a_message(phone: Phone):
    phone.edit(77, "Вы это видите?")
    assert phone.written == ["Вы это видите?"]


def test_a_message_that_comes_after_its_edit_is_not_doubled_and_its_first_wording_kept(phone: Phone, line: Line):
    """As when its own update was parked, and is handled again later."""
    phone.edit(77, "После правки")
    event = phone.message(text="До правки", message_id=77)
    line.take(event)
    line.take(event)  # Telegram says it once more, under another number
    message = Message.objects.get(sender="client")
    assert message.text == "После правки"
    assert message.edited_at is not None
    assert [revision.text for revision in message.revisions.all()] == ["До правки"]
    assert Event.objects.filter(kind=Event.Kind.REVISED).count() == 1


def edited_at(phone: Phone, message_id: int, text: str, ago: int) -> None:
    event = phone.message(message_id=message_id, text=text, edit_date=int(time.time()) - ago)
    phone.line.take({"edited_message": event["message"]})


def test_of_a_message_first_heard_of_by_an_edit_the_last_edit_stands(phone: Phone, line: Line):
    edited_at(phone, 77, "Два", ago=900)
    line.take(phone.message(text="Один", message_id=77))
    edited_at(phone, 77, "Три", ago=60)
    edited_at(phone, 77, "Два с половиной", ago=500)
    assert phone.written == ["Три"]
    former = MessageRevision.objects.order_by("pk").values_list("text", flat=True)
    assert sorted(former) == ["Два", "Два с половиной", "Один"]


def test_an_edit_from_before_the_first_words_were_put_back_takes_nothing_back(phone: Phone):
    message_id = phone.write("Заказ 1")
    edited_at(phone, message_id, "Заказ 1", ago=50)
    edited_at(phone, message_id, "Заказ 2", ago=80)
    assert phone.written == ["Заказ 1"]


def test_words_known_from_before_an_edit_are_not_kept_twice(phone: Phone, line: Line):
    event = phone.message(text="Где закас?", message_id=77)
    line.take(event)
    phone.edit(77, "Где заказ?")
    line.take(event)
    assert MessageRevision.objects.count() == 1
    assert phone.written == ["Где заказ?"]


@pytest.mark.parametrize("text", ["/help", "/my 5", "/lang kk", "/start from_site-42"])
def test_an_edited_command_is_no_message(phone: Phone, text: str):
    message_id = phone.write("/start")
    phone.edit(message_id, text)
    assert phone.written == []


def test_a_message_edited_into_a_command_keeps_what_it_said(phone: Phone):
    message_id = phone.write("Где заказ?")
    phone.edit(message_id, "/help")
    message = Message.objects.get(sender="client")
    assert [revision.text for revision in message.revisions.all()] == ["Где заказ?"]


def test_a_command_that_gains_words_is_a_message(phone: Phone):
    message_id = phone.write("/help")
    phone.edit(message_id, "/help не работает, что делать?")
    assert phone.written == ["/help не работает, что делать?"]


def question_made_of(phone: Phone, command: str, *, date: int) -> Ticket:
    """What becomes of words that a message of that date gains only now."""
    message = phone.message(text=command, date=date)["message"]
    if command:
        phone.line.take({"message": message})
    phone.line.take({"edited_message": {**message, "text": "Где мой заказ?", "edit_date": int(time.time())}})
    (ticket,) = phone.tickets
    return ticket


def test_a_question_made_of_an_old_command_waits_since_it_was_made(phone: Phone):
    phone.write("/help")
    ticket = question_made_of(phone, "/start", date=int(time.time()) - 40 * 3600)
    assert ticket.waiting_since is not None
    assert timezone.now() - ticket.waiting_since < timedelta(minutes=1)


def test_a_question_made_of_a_command_from_an_outage_is_confirmed_and_not_apologised_for(phone: Phone):
    hour = timedelta(hours=1)
    began, ended = timezone.now() - 2 * hour, timezone.now() - hour
    Outage.objects.create(bot_id=BOT_ID, began_at=began, ended_at=ended)
    ticket = question_made_of(phone, "/start", date=int((began + hour / 2).timestamp()))
    assert phone.heard[-1] == f"Обращение №{ticket.pk} принято. Дописывайте сюда же, менеджер увидит всё."


def test_a_question_first_heard_of_by_its_edit_waits_since_it_was_written(phone: Phone):
    phone.write("/help")
    written = int(time.time()) - 40 * 3600
    ticket = question_made_of(phone, "", date=written)
    assert ticket.waiting_since is not None
    assert ticket.waiting_since.timestamp() == written


def test_a_command_that_answers_another_message_says_nothing_of_that_one(phone: Phone):
    written = int(time.time()) - 40 * 3600
    lost = phone.message(text="Где закас?", date=written)["message"]
    phone.write("/help", reply_to_message=lost)
    phone.line.take({"edited_message": {**lost, "text": "Где заказ?", "edit_date": int(time.time())}})
    (ticket,) = phone.tickets
    assert ticket.waiting_since is not None
    assert ticket.waiting_since.timestamp() == written


def test_whether_an_edited_message_was_a_command_is_asked_of_an_index(phone: Phone):
    message = phone.message(text="/start")["message"]
    phone.line.take({"message": message})
    with CaptureQueriesContext(connection) as asked:
        phone.line.take({"edited_message": {**message, "text": "Где заказ?", "edit_date": int(time.time())}})
    (search,) = [sql for query in asked if re.search('^SELECT "botbridge_update"."id" .*DESC', sql := query["sql"])]
    assert "update_of_chat" in plan_of(search)


def test_a_bare_new_that_gains_its_question_opens_it(phone: Phone):
    phone.write("Где заказ?")
    message_id = phone.write("/new")
    phone.edit(message_id, "/new Хочу вернуть чайник")
    phone.write("Он течёт")
    assert [ticket.subject for ticket in phone.tickets] == ["Где заказ?", "Хочу вернуть чайник"]
    assert phone.written[-1] == "Он течёт"


def test_a_group_edits_what_it_likes(phone: Phone):
    event = phone.message(text="/help")
    event["message"]["chat"] = {"id": -100_500, "type": "supergroup", "title": "Соседи"}
    phone.line.take({"edited_message": {**event["message"], "edit_date": 1}})
    assert parked() == []
    assert not Customer.objects.exists()


# Coming and going.


def test_stopping_the_bot_is_seen_and_returning_too(phone: Phone):
    phone.write("Где заказ?")
    phone.stop_bot()
    assert phone.customer.stopped_bot_at is not None
    phone.start_bot_again()
    assert phone.customer.stopped_bot_at is None


def test_a_stranger_who_only_stops_the_bot_becomes_nobodys_customer(phone: Phone):
    phone.stop_bot()
    assert not Customer.objects.exists()


def test_a_message_tells_that_its_writer_is_back(phone: Phone):
    phone.write("Где заказ?")
    phone.stop_bot()
    phone.write("/help")
    assert phone.customer.stopped_bot_at is None


def test_words_from_before_the_customer_stopped_the_bot_bring_nobody_back(phone: Phone):
    phone.write("Где заказ?")
    phone.stop_bot()
    an_hour_ago = int(time.time()) - 3600
    phone.line.take(phone.message(text="Есть кто?", date=an_hour_ago))
    phone.line.take(phone.message(text="/help", date=an_hour_ago))
    assert phone.written == ["Где заказ?", "Есть кто?"]
    assert phone.customer.stopped_bot_at is not None


def test_words_from_after_the_customer_stopped_the_bot_bring_them_back_though_both_come_late(phone: Phone):
    phone.write("Где заказ?")
    an_hour_ago = int(time.time()) - 3600
    stopped = phone.membership("kicked")
    stopped["my_chat_member"]["date"] = an_hour_ago
    phone.line.take(stopped)
    phone.line.take(phone.message(text="Я снова здесь", date=an_hour_ago + 1800))
    assert phone.customer.stopped_bot_at is None


@pytest.mark.parametrize(("arrived", "went_to"), [(True, "Другой вопрос"), (False, "Где заказ?")])
def test_a_reply_marked_as_arrived_is_what_the_customer_answers_next(
    phone: Phone, saule: User, answer: Callable[..., Message], arrived: bool, went_to: str
):
    phone.write("Где заказ?")
    other = wrote(phone.customer, "Другой вопрос").ticket
    reply = answer(other, saule)
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    if arrived:
        operations.mark_arrived(message_id=reply.pk, actor=saule)
    phone.write("Понятно, а когда?")
    phone.write("И где?")
    last = Message.objects.filter(sender="client").order_by("-pk")[:2]
    assert {message.ticket.subject for message in last} == {went_to}


def test_what_was_chosen_or_written_since_a_reply_marked_as_arrived_counts_more(
    phone: Phone, saule: User, answer: Callable[..., Message]
):
    phone.write("Где заказ?")
    other = wrote(phone.customer, "Другой вопрос").ticket
    reply = answer(other, saule)
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    phone.write("Есть кто?")
    operations.mark_arrived(message_id=reply.pk, actor=saule)
    phone.write("Ау")
    assert other.messages.filter(sender="client").count() == 1


def test_who_asked_for_a_new_question_before_a_reply_marked_as_arrived_answers_it(
    phone: Phone, saule: User, answer: Callable[..., Message]
):
    phone.write("Где заказ?")
    (ticket,) = phone.tickets
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    unsure(answer(ticket, saule))
    phone.write("Понятно, а когда?")
    assert phone.tickets == [ticket]


def test_who_asks_for_a_new_question_after_it_asks_a_new_one(phone: Phone, saule: User, answer: Callable[..., Message]):
    phone.write("Где заказ?")
    (ticket,) = phone.tickets
    unsure(answer(ticket, saule))
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    phone.write("Другое")
    assert len(phone.tickets) == 2


def test_who_thinks_better_of_a_new_question_still_answers_what_was_read_last(
    phone: Phone, saule: User, answer: Callable[..., Message]
):
    phone.write("Где заказ?")
    other = wrote(phone.customer, "Другой вопрос").ticket
    assert other is not None
    unsure(answer(other, saule))
    phone.write("/new")
    phone.press("Нет, новый вопрос")
    phone.write("/my 999")
    phone.write("Понятно")
    assert other.messages.filter(text="Понятно").exists()


def test_a_reply_from_a_backup_says_nothing_of_what_was_read_last(
    phone: Phone, saule: User, answer: Callable[..., Message]
):
    phone.write("Где заказ?")
    reply = answer(phone.tickets[0], saule)
    phone.write("/new Другой вопрос")
    operations.doubt_undelivered()
    operations.mark_arrived(message_id=reply.pk, actor=saule)
    phone.write("Ещё")
    assert phone.tickets[1].messages.filter(text="Ещё").exists()


def unsure(reply: Message) -> None:
    """Telegram never said what became of it, its author says that it has arrived."""
    assert reply.author is not None
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    operations.mark_arrived(message_id=reply.pk, actor=reply.author)


def test_what_was_marked_as_arrived_is_found_without_passing_all_that_was_ever_sent(phone: Phone):
    phone.write("Где заказ?")
    with CaptureQueriesContext(connection) as asked:
        phone.write("Есть кто?")
    (marked,) = [query["sql"] for query in asked if "'arrived'" in query["sql"]]
    assert "delivery_marked_arrived" in plan_of(marked)


def plan_of(query: str) -> str:
    """How the database would go about it."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # else it reads small tables whole
        cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + query)
        return str(cursor.fetchall())


def stopped(phone: Phone, *, ago: int, status: str = "kicked") -> None:
    """A stop, or a return, from so many seconds ago, told only now: its update was parked, and is handled again."""
    event = phone.membership(status)
    event["my_chat_member"]["date"] = int(time.time()) - ago
    phone.line.take(event)


def test_a_stop_from_before_the_customers_last_words_stops_nothing(phone: Phone):
    phone.write("Где заказ?")
    stopped(phone, ago=1800)
    assert phone.customer.stopped_bot_at is None


def test_a_stop_from_before_the_customer_let_the_bot_in_again_stops_nothing(phone: Phone):
    phone.send(text="Где заказ?", date=int(time.time()) - 3600)
    stopped(phone, ago=600, status="member")
    stopped(phone, ago=1800)
    assert phone.customer.stopped_bot_at is None
    stopped(phone, ago=300)
    assert phone.customer.stopped_bot_at is not None


def test_a_press_that_comes_after_the_customer_stopped_the_bot_brings_nobody_back(phone: Phone):
    phone.write("/lang")
    phone.stop_bot()
    phone.press("English")
    assert phone.customer.stopped_bot_at is not None


def test_a_return_from_before_the_customer_stopped_the_bot_brings_nobody_back(phone: Phone):
    phone.write("Где заказ?")
    phone.stop_bot()
    stopped(phone, ago=1800, status="member")
    assert phone.customer.stopped_bot_at is not None


def test_a_customer_the_desk_knows_already_goes_on_with_the_open_ticket(
    phone: Phone, timur: Customer, free_ticket: Ticket
):
    phone.write("Это снова я")
    assert phone.tickets == [free_ticket]
    assert ChatSession.objects.get(bot_id=BOT_ID).current_ticket == free_ticket


def test_after_a_closed_ticket_a_new_one_follows_up(phone: Phone, timur: Customer):
    old = wrote(timur, "Старое").ticket
    Ticket.objects.filter(pk=old.pk).update(status=Status.CLOSED, closed_at=timezone.now())
    phone.write("Новое")
    assert phone.tickets[-1] != old
    assert len(phone.heard) == 1


# Groups.


def in_group(phone: Phone, text: str) -> None:
    chat = {"id": -100_500, "type": "supergroup", "title": "Соседи"}
    event = phone.message(text=text)
    event["message"]["chat"] = chat
    phone.line.take(event)


def test_a_group_is_referred_to_the_private_chat_once(phone: Phone):
    BotStatus.objects.create(bot_id=BOT_ID, username="otklik_bot")
    in_group(phone, "/start@otklik_bot")
    in_group(phone, "Алло")
    assert said_in_groups() == [(-100_500, "Я отвечаю только в личных сообщениях: https://t.me/otklik_bot")]
    assert not Ticket.objects.exists()
    assert not Customer.objects.exists()


def said_in_groups() -> list[tuple[int, str]]:
    said = OutboundCall.objects.filter(method="sendMessage").order_by("pk")
    return [(call.chat_id, call.payload["text"]) for call in said]


def left() -> list[int]:
    return list(OutboundCall.objects.filter(method="leaveChat").values_list("chat_id", flat=True))


def test_a_group_is_left_after_the_line_however_many_write_meanwhile(phone: Phone):
    BotStatus.objects.create(bot_id=BOT_ID, username="otklik_bot")
    in_group(phone, "Раз")
    in_group(phone, "Два")
    assert left() == [-100_500]
    line, leave = OutboundCall.objects.order_by("pk").values_list("due_at", flat=True)[:2][::-1]
    assert leave - line > timedelta(seconds=4)


def brought_to(phone: Phone, kind: str, status: str = "member", **rights: bool) -> None:
    event = phone.membership(status)
    event["my_chat_member"]["new_chat_member"] |= rights
    event["my_chat_member"]["chat"] = {"id": -100_500, "type": kind, "title": "Соседи"}
    phone.line.take(event)


def test_a_bot_brought_to_a_group_says_its_line_at_once_and_only_the_first_time(phone: Phone):
    BotStatus.objects.create(bot_id=BOT_ID, username="otklik_bot")
    brought_to(phone, "supergroup")
    assert (len(said_in_groups()), left()) == (1, [-100_500])
    OutboundCall.objects.filter(method="leaveChat").update(state="sent", settled_at=timezone.now())
    brought_to(phone, "supergroup")
    assert (len(said_in_groups()), left()) == (1, [-100_500, -100_500])


def test_a_channel_is_left_without_a_word_to_its_readers(phone: Phone):
    rights = [name for name in ChatMemberAdministrator.model_fields if name.startswith(("can_", "is_"))]
    brought_to(phone, "channel", "administrator", **dict.fromkeys(rights, True))
    assert (said_in_groups(), left()) == ([], [-100_500])


@pytest.mark.parametrize("status", ["left", "kicked"])
def test_where_the_bot_is_no_more_there_is_nothing_to_leave(phone: Phone, status: str):
    brought_to(phone, "group", status)
    assert left() == []
    assert not Customer.objects.exists()


# Card numbers.

CARD_SEEN = (
    "Похоже, вы прислали номер карты. Он нам не нужен, мы его скрыли. Удалите сообщение и никому не сообщайте коды из "
    "СМС."
)


def test_who_writes_a_card_number_is_told_that_it_is_hidden(phone: Phone) -> None:
    written = phone.write("Моя карта 4111 1111 1111 1111")
    assert phone.written == ["Моя карта •••• •••• •••• 1111"]
    assert phone.heard[1:] == [CARD_SEEN]
    phone.edit(written, "Моя карта 4111 1111 1111 1111")
    assert phone.heard[1:] == [CARD_SEEN], "an edit that changes nothing says nothing"
    phone.edit(written, "Моя карта 5555 5555 5555 4444")
    assert phone.heard[1:] == [CARD_SEEN, CARD_SEEN]


def test_a_caption_and_a_forwarded_text_with_a_card_number_are_masked(phone: Phone) -> None:
    photo = {"file_id": "x", "file_unique_id": "u", "width": 1, "height": 1}
    phone.send(photo=[photo], caption="4111111111111111")
    origin = {"type": "hidden_user", "date": 1_700_000_000, "sender_user_name": "Банк"}
    phone.send(text="Карта 4111111111111111 выпущена", forward_origin=origin)
    assert phone.written == ["••••••••••••1111", "Карта ••••••••••••1111 выпущена"]
