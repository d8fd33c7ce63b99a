"""What leaves for Telegram: the words, the lines above them, the buttons below, the files."""

from collections.abc import Callable
from typing import Any

import pytest

from botbridge.models import ChatSession, TelegramMessage
from botbridge.parts import Part, part_of
from botbridge.tests.conftest import BOT_ID, JPEG, upload
from conftest import wrote
from tickets import operations
from tickets.models import (
    Attachment,
    Customer,
    Delivery,
    DeliveryState,
    Lane,
    Message,
    Notice,
    Team,
    Ticket,
    Topic,
    User,
)
from tickets.text import utf16_length

pytestmark = pytest.mark.django_db

Answer = Callable[..., Message]


@pytest.fixture
def session(timur: Customer) -> ChatSession:
    return ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur)


@pytest.fixture
def part(session: ChatSession) -> Callable[..., Part]:
    """A part of a message as it would leave now."""

    def planned(message: Message, number: int = 0) -> Part:
        return part_of(Message.objects.get(pk=message.pk), number, session)

    return planned


def arrived(message: Message) -> Message:
    Delivery.objects.filter(pk=message.pk).update(state=DeliveryState.SENT, parts_sent=1)
    return message


def lost_from_sight(message: Message) -> Message:
    """Telegram did not answer."""
    Delivery.objects.filter(pk=message.pk).update(state=DeliveryState.UNKNOWN)
    return message


def test_the_first_answer_says_who_writes(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    payload = part(answer(ticket, aigerim, "Проверьте зарядку.")).payload
    assert payload["text"] == "Айгерим, поддержка\nПроверьте зарядку."
    assert payload["entities"] == [{"type": "bold", "offset": 0, "length": 18}]


def test_the_author_is_named_again_only_when_somebody_else_writes(
    ticket: Ticket, aigerim: User, saule: User, answer: Answer, part: Any
):
    texts = []
    for author in (aigerim, aigerim, saule, saule, aigerim):
        message = answer(ticket, author, "…")
        texts.append(part(message).payload["text"].split("\n")[0])
        arrived(message)
    assert texts == ["Айгерим, поддержка", "…", "Сауле, поддержка", "…", "Айгерим, поддержка"]


def test_an_author_whose_message_never_left_is_still_to_be_named(
    ticket: Ticket, aigerim: User, answer: Answer, part: Any
):
    operations.withdraw(message_id=answer(ticket, aigerim, "Не то").pk, actor=aigerim)
    assert part(answer(ticket, aigerim, "То")).payload["text"].startswith("Айгерим, поддержка\n")


def test_an_author_whose_message_may_not_have_arrived_is_named_again(
    ticket: Ticket, aigerim: User, answer: Answer, part: Any
):
    lost_from_sight(answer(ticket, aigerim, "Раз"))
    assert part(answer(ticket, aigerim, "Два")).payload["text"].startswith("Айгерим, поддержка\n")


def test_an_author_whose_message_is_known_to_have_arrived_is_not_named_again(
    ticket: Ticket, aigerim: User, answer: Answer, part: Any
):
    operations.mark_arrived(message_id=lost_from_sight(answer(ticket, aigerim, "Раз")).pk, actor=aigerim)
    assert part(answer(ticket, aigerim, "Два")).payload["text"] == "Два"


def test_the_login_is_never_shown_to_a_customer(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    User.objects.update(public_name="", first_name="")
    assert part(answer(ticket, aigerim, "Проверьте")).payload["text"] == "Проверьте"


def test_with_several_tickets_at_work_an_answer_says_which(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer, part: Any
):
    operations.choose_topic(ticket=ticket, topic=Topic.objects.create(name="Гарантия и ремонт"))
    wrote(timur, "И ещё вопрос")
    arrived(answer(ticket, aigerim, "Раз"))
    assert part(answer(ticket, aigerim, "Два")).payload["text"] == f"№{ticket.pk}, Гарантия и ремонт\nДва"


def test_a_text_of_the_greatest_length_is_never_cut(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    text = "📦" * 2048
    payload = part(answer(ticket, aigerim, text)).payload
    assert payload["text"] == text
    assert "entities" not in payload


def test_the_lines_above_fit_beside_all_but_the_longest_texts(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    head = "Айгерим, поддержка\n"
    payload = part(answer(ticket, aigerim, "я" * (4096 - len(head)))).payload
    assert payload["text"].startswith(head)
    assert utf16_length(payload["text"]) == 4096


def test_a_longer_reply_leaves_in_pieces_and_the_first_says_who_writes(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer, session: ChatSession
):
    message = answer(ticket, aigerim, "\n\n".join("яхта " * 600 for _ in range(3)).strip())
    parts = [part_of(message, number, session).payload for number in range(operations.parts_of(message))]
    assert [payload["text"].count("яхта") for payload in parts] == [600, 600, 600]
    assert parts[0]["text"].startswith("Айгерим, поддержка\nяхта")
    assert all(utf16_length(payload["text"]) <= 4096 for payload in parts)
    assert all(set(payload) == {"chat_id", "text"} for payload in parts[1:])


def test_the_bots_own_sentences_have_no_author(ticket: Ticket, timur: Customer, part: Any):
    message = operations.say(customer=timur, notice=Notice.HELP, text="Как это работает", ticket=ticket)
    assert part(message).payload == {"chat_id": timur.telegram_user_id, "text": "Как это работает"}


def test_marks_move_with_the_text(ticket: Ticket, timur: Customer, aigerim: User, answer: Answer, part: Any):
    message = answer(ticket, aigerim, "Жирно")
    Message.objects.filter(pk=message.pk).update(entities=[{"type": "italic", "offset": 0, "length": 5}])
    _head, italic = part(message).payload["entities"]
    assert italic == {"type": "italic", "offset": len("Айгерим, поддержка\n"), "length": 5}


def test_each_piece_of_a_longer_reply_has_its_part_of_the_formatting(
    ticket: Ticket, aigerim: User, answer: Answer, session: ChatSession
):
    text = "\n\n".join("яхта " * 600 for _ in range(3)).strip()
    message = answer(ticket, aigerim, text, entities=[{"type": "blockquote", "offset": 5, "length": len(text) - 5}])
    first, second, third = (part_of(message, number, session).payload for number in range(3))
    head = len("Айгерим, поддержка")
    quoted = {"type": "blockquote", "offset": head + 1 + 5, "length": 2994}
    assert first["entities"] == [{"type": "bold", "offset": 0, "length": head}, quoted]
    assert second["entities"] == [{"type": "blockquote", "offset": 0, "length": len(second["text"])}]
    assert third["entities"] == [{"type": "blockquote", "offset": 0, "length": len(third["text"])}]


def test_a_caption_looks_as_it_was_written(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    arrived(answer(ticket, aigerim))
    bold = {"type": "bold", "offset": 0, "length": 5}
    message = answer(ticket, aigerim, "Акт 5", entities=[bold], uploads=[upload("акт.pdf", b"%PDF-1.4")])
    payload = part(message).payload
    assert (payload["caption"], payload["caption_entities"]) == ("Акт 5", [bold])


def test_a_quote_names_telegrams_own_message(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    TelegramMessage.objects.create(
        bot_id=BOT_ID, chat_id=ticket.customer.telegram_user_id, telegram_id=17, message=ticket.opened_by
    )
    payload = part(answer(ticket, aigerim, "Вот", quote_id=ticket.opened_by_id)).payload
    assert payload["reply_parameters"] == {"message_id": 17, "allow_sending_without_reply": True}


def test_a_quote_telegram_does_not_know_is_left_out(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    assert "reply_parameters" not in part(answer(ticket, aigerim, "Вот", quote_id=ticket.opened_by_id)).payload


def test_files_of_two_kinds_are_a_call_each_with_the_words_under_the_first(
    ticket: Ticket, aigerim: User, answer: Answer, part: Any
):
    files = [upload("чек.pdf", b"%PDF-1.4 ..."), upload("коробка.jpg", JPEG)]
    message = answer(ticket, aigerim, "Посмотрите", uploads=files, quote_id=None)
    first, second = part(message, 0), part(message, 1)
    assert (first.method, list(first.uploads)) == ("sendDocument", ["document"])
    assert first.payload["caption"] == "Айгерим, поддержка\nПосмотрите"
    assert (second.method, list(second.uploads)) == ("sendPhoto", ["photo"])
    assert second.payload == {"chat_id": ticket.customer.telegram_user_id}
    assert operations.parts_of(message) == 2


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("photo", "sendPhoto"),
        ("video", "sendVideo"),
        ("voice", "sendVoice"),
        ("audio", "sendAudio"),
        ("document", "sendDocument"),
    ],
)
def test_each_kind_goes_by_its_own_method(
    ticket: Ticket, aigerim: User, answer: Answer, part: Any, kind: str, method: str
):
    message = answer(ticket, aigerim, "", uploads=[upload("файл", b"1")])
    Attachment.objects.update(kind=kind)
    assert part(message).method == method


def test_a_picture_too_big_for_a_photo_goes_as_a_file(ticket: Ticket, aigerim: User, answer: Answer, part: Any):
    message = answer(ticket, aigerim, "", uploads=[upload("большая.jpg", JPEG)])
    Attachment.objects.update(kind="photo", size=11 * 1024 * 1024)
    assert part(message).method == "sendDocument"


def test_solved_asks_whether_it_is(ticket: Ticket, aigerim: User, part: Any):
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    message = Message.objects.get(notice=Notice.SOLVED)
    (row,) = part(message).payload["reply_markup"]["inline_keyboard"]
    assert row == [{"text": "Вопрос не решён", "callback_data": f"r:{ticket.pk}"}]
    assert message.delivery.lane == Lane.ANSWER


def test_no_button_says_more_than_telegram_takes(timur: Customer, part: Any):
    """callback_data: 1-64 bytes (Bot API, "InlineKeyboardButton")."""
    topic = Topic.objects.create(pk=2**62, name="Доставка")
    Ticket.objects.create(pk=2**62, customer=timur, team=Team.objects.get(is_default=True), topic=topic)
    Ticket.objects.create(pk=2**62 + 1, customer=timur, team=Team.objects.get(is_default=True))
    ticket = Ticket.objects.latest("pk")
    for notice in Notice:
        message = operations.say(customer=timur, notice=notice, text="…", ticket=ticket)
        keyboard = part(message).payload.get("reply_markup", {"inline_keyboard": []})["inline_keyboard"]
        assert all(1 <= len(button["callback_data"].encode()) <= 64 for row in keyboard for button in row)
