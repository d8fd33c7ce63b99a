"""Whatever a customer sends becomes a bubble that says what it is."""

from datetime import timedelta
from typing import Any

import pytest

from botbridge.models import TelegramFile
from botbridge.tests.conftest import Json, Phone
from tickets.models import Attachment, AttachmentState, Customer, Event, Message

pytestmark = pytest.mark.django_db

FILE = {"file_id": "long-id", "file_unique_id": "short-id"}
PICTURE = {**FILE, "width": 640, "height": 480}
SMALL = {"width": 90, "height": 67}
STICKER = {"type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"}
CANNOT_OPEN = "Такое сообщение мы открыть не можем, менеджер видит только его вид. Напишите словами, пожалуйста."

FILES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "photo",
        {"photo": [{**FILE, "width": 90, "height": 67}, {**PICTURE, "file_size": 5000}]},
        {"width": 640, "height": 480, "size": 5000},
    ),
    ("video", {"video": {**PICTURE, "duration": 12, "file_size": 7000}}, {"duration": 12, "size": 7000}),
    ("document", {"document": {**FILE, "file_name": "Чек.pdf", "file_size": 90}}, {"file_name": "Чек.pdf", "size": 90}),
    ("voice", {"voice": {**FILE, "duration": 27}}, {"duration": 27}),
    ("audio", {"audio": {**FILE, "duration": 3, "performer": "Роза", "title": "Вальс"}}, {"file_name": "Роза – Вальс"}),
    ("audio", {"audio": {**FILE, "duration": 3, "file_name": "1.mp3", "title": "Вальс"}}, {"file_name": "1.mp3"}),
    ("video_note", {"video_note": {**FILE, "length": 240, "duration": 5}}, {"width": 240, "height": 240}),
    ("animation", {"animation": {**PICTURE, "duration": 2}, "document": FILE}, {"width": 640, "duration": 2}),
    ("sticker", {"sticker": {**PICTURE, **STICKER}}, {"file_name": "👍", "width": 640}),
    (
        "sticker",
        {"sticker": {**PICTURE, **STICKER, "file_id": "drawn", "is_animated": True, "thumbnail": {**FILE, **SMALL}}},
        SMALL,
    ),
]

PLACE = {"latitude": 43.24, "longitude": 76.95}
POLL = {
    "id": "1",
    "question": "Когда привезти?",
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": False,
    "members_only": False,
}

#: Kinds the desk shows by name, and whether the customer is told so.
NAMED: list[tuple[str, dict[str, Any], bool]] = [
    ("story", {"story": {"id": 1, "chat": {"id": 1, "type": "private"}}}, True),
    ("gift_of_the_future", {"gift_of_the_future": {"shine": True}}, True),
]


#: Kinds that say something without a text of their own, and in which words the desk has it.
IN_WORDS: list[tuple[str, dict[str, Any], str]] = [
    ("location", {"location": PLACE}, "43.24, 76.95"),
    (
        "venue",
        {"venue": {"location": PLACE, "title": "Склад", "address": "ул. Абая, 1"}, "location": PLACE},
        "Склад\nул. Абая, 1\n43.24, 76.95",
    ),
    (
        "contact",
        {"contact": {"phone_number": "+77000000100", "first_name": "Брат", "last_name": "Тимура", "user_id": 5}},
        "Брат Тимура\n+77000000100",
    ),
    ("contact", {"contact": {"phone_number": "+77000000100", "first_name": "Брат"}}, "Брат\n+77000000100"),
    (
        "contact",
        {
            "contact": {
                "phone_number": "77000000100",
                "first_name": "Склад",
                "vcard": "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Склад\r\nTEL;TYPE=CELL:+7 700 000-01-00\r\n"
                "item1.TEL;TYPE=WORK;VALUE=uri:tel:+77000000101\r\nEMAIL;TYPE=INTERNET:a@b.kz\r\nEND:VCARD",
            }
        },
        "Склад\n77000000100\n+77000000101\na@b.kz",
    ),
    (
        "poll",
        {
            "poll": {
                **POLL,
                "options": [
                    {"text": "Утром", "voter_count": 0, "persistent_id": "a"},
                    {"text": "Вечером", "voter_count": 0, "persistent_id": "b"},
                ],
            }
        },
        "Когда привезти?\n– Утром\n– Вечером",
    ),
    ("dice", {"dice": {"emoji": "🎲", "value": 3}}, "🎲 3"),
    ("sticker", {"sticker": {**PICTURE, **STICKER, "is_animated": True}}, "👍"),
    (
        "checklist",
        {
            "checklist": {
                "title": "Купить",
                "tasks": [{"id": 1, "text": "Чай", "completion_date": 1}, {"id": 2, "text": "Лампу"}],
            }
        },
        "Купить\n✓ Чай\n– Лампу",
    ),
    (
        "rich_message",
        {
            "rich_message": {
                "blocks": [
                    {"type": "heading", "text": "Заказ", "size": 1},
                    {"type": "paragraph", "text": ["Не ", {"type": "bold", "text": "пришла"}, " лампа"]},
                    {
                        "type": "list",
                        "items": [{"label": "1.", "blocks": [{"type": "paragraph", "text": "Красная"}]}],
                    },
                    {
                        "type": "table",
                        "cells": [
                            [
                                {"align": "left", "valign": "top", "text": "Номер"},
                                {"align": "left", "valign": "top", "text": "719"},
                            ]
                        ],
                    },
                    {"type": "block_of_the_future", "text": "Спасибо"},
                ]
            }
        },
        "Заказ\nНе пришла лампа\n1.\nКрасная\nНомер | 719\nСпасибо",
    ),
]


@pytest.mark.parametrize(("kind", "content", "expected"), FILES)
def test_a_file_is_kept_with_what_telegram_says_of_it(phone: Phone, kind: str, content: Any, expected: dict[str, Any]):
    phone.send(**content, caption="Вот")
    message = Message.objects.get(sender="client")
    attachment = message.attachments.get()
    assert (message.content_type, message.text, attachment.kind) == (kind, "Вот", kind)
    assert {name: getattr(attachment, name) for name in expected} == expected
    assert (attachment.state, attachment.file_unique_id) == (AttachmentState.PENDING, "short-id")
    assert TelegramFile.objects.get(attachment=attachment).file_id == "long-id"


@pytest.mark.parametrize(("kind", "content", "told"), NAMED)
def test_every_other_kind_is_named(phone: Phone, kind: str, content: Any, told: bool):
    phone.send(**content)
    message = Message.objects.get(sender="client")
    assert message.content_type == kind
    assert not Attachment.objects.exists()
    assert (CANNOT_OPEN in phone.heard) is told


@pytest.mark.parametrize(("kind", "content", "words"), IN_WORDS)
def test_what_a_kind_says_is_put_into_words(phone: Phone, kind: str, content: Any, words: str):
    phone.send(**content)
    message = Message.objects.get(sender="client")
    assert (message.content_type, message.text) == (kind, words)
    assert CANNOT_OPEN not in phone.heard


class LiveLocation:
    """One the customer shares for a quarter of an hour."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.id = phone.send(location={**PLACE, "live_period": 900})
        self.began = self.message.sent_at

    @property
    def message(self) -> Message:
        return Message.objects.get(sender="client")

    def move(self, latitude: float, *, after: int, ended: bool = False) -> None:
        """`after` is in seconds from the beginning. The last word bears no period."""
        place: Json = {**PLACE, "latitude": latitude} | ({} if ended else {"live_period": 900})
        date = int(self.began.timestamp())
        moved = self.phone.message(message_id=self.id, date=date, location=place, edit_date=date + after)
        self.phone.line.take({"edited_message": moved["message"]})


@pytest.fixture
def live(phone: Phone) -> LiveLocation:
    return LiveLocation(phone)


def test_a_live_location_moves_and_is_no_stream_of_edits(live: LiveLocation):
    live.move(43.25, after=60)
    live.move(43.26, after=120)
    message = live.message
    assert (message.text, message.edited_at, message.revisions.count()) == ("43.26, 76.95", None, 0)
    assert message.live_until == live.began + timedelta(seconds=900)
    assert message.placed_at == live.began + timedelta(seconds=120)


def test_history_has_a_line_a_minute_of_a_live_location(live: LiveLocation):
    for second in range(10, 190, 10):
        live.move(43.25 + second / 1000, after=second)
    assert live.message.placed_at == live.began + timedelta(seconds=180)
    assert Event.objects.filter(kind=Event.Kind.PLACE).count() == 3


def test_a_live_location_goes_to_no_place_it_has_left(live: LiveLocation):
    live.move(43.26, after=120)
    live.move(43.25, after=60)
    assert live.message.text == "43.26, 76.95"


def test_a_live_location_can_end_early(live: LiveLocation):
    live.move(43.26, after=120)
    live.move(43.27, after=180, ended=True)
    assert live.message.text == "43.27, 76.95"
    assert live.message.live_until == live.began + timedelta(seconds=180)


def test_the_first_place_of_a_live_location_coming_again_is_no_edit(live: LiveLocation):
    live.move(43.26, after=120)
    date = int(live.began.timestamp())
    live.phone.line.take(live.phone.message(message_id=live.id, date=date, location={**PLACE, "live_period": 900}))
    message = live.message
    assert (message.text, message.edited_at, message.revisions.count()) == ("43.26, 76.95", None, 0)


@pytest.mark.parametrize("kind", ["location", "venue"])
def test_a_place_that_stays_does_not_become_a_live_one(phone: Phone, kind: str):
    venue = {"venue": {"location": PLACE, "title": "ТРЦ", "address": "Абая 1"}} if kind == "venue" else {}
    shown = phone.message(location=PLACE, **venue)["message"]
    phone.line.take({"message": shown})
    # Telegram sends edits of what no bot sees as well (Bot API, "Update": edited_message).
    phone.line.take({"edited_message": {**shown, "edit_date": shown["date"] + 60}})
    message = Message.objects.get(sender="client")
    assert (message.content_type, message.live_until) == (kind, None)


def test_a_live_location_seen_first_as_it_moves_tells_as_of_when(phone: Phone):
    moved = phone.message(location={**PLACE, "live_period": 900})["message"]
    phone.line.take({"edited_message": {**moved, "edit_date": moved["date"] + 120}})
    message = Message.objects.get(sender="client")
    assert message.placed_at == message.sent_at + timedelta(seconds=120)
    late = {**PLACE, "latitude": 43.1, "live_period": 900}
    phone.line.take({"edited_message": {**moved, "location": late, "edit_date": moved["date"] + 60}})
    message.refresh_from_db()
    assert message.text == "43.24, 76.95"


@pytest.mark.parametrize("period", [10**9, 10**12, 10**18, -(10**12)])
def test_a_live_location_of_any_period_is_shown(phone: Phone, period: int):
    phone.send(location={**PLACE, "live_period": period})
    assert phone.written == ["43.24, 76.95"]


def test_a_forwarded_poll_tells_its_votes(phone: Phone):
    options = [
        {"text": "Утром", "voter_count": 3, "persistent_id": "a"},
        {"text": "Вечером", "voter_count": 0, "persistent_id": "b"},
    ]
    phone.send(poll={**POLL, "options": options, "total_voter_count": 3})
    assert phone.written == ["Когда привезти?\n– Утром (3)\n– Вечером"]


def test_of_another_bots_message_the_links_of_its_buttons_are_told_too(phone: Phone):
    origin = {"type": "user", "date": 1, "sender_user": {"id": 9, "is_bot": True, "first_name": "Магазин"}}
    keyboard = [[{"text": "Отследить", "url": "https://shop.example/7"}, {"text": "Позже", "callback_data": "later"}]]
    phone.send(text="Заказ в пути 🚚", forward_origin=origin, reply_markup={"inline_keyboard": keyboard})
    message = Message.objects.get(sender="client")
    assert message.text == "Заказ в пути 🚚\nОтследить: https://shop.example/7"
    (link,) = message.entities
    in_utf16 = message.text.encode("utf-16-le")[2 * link["offset"] : 2 * (link["offset"] + link["length"])]
    assert in_utf16.decode("utf-16-le") == "https://shop.example/7"


def test_an_answer_to_a_story_says_so(phone: Phone):
    phone.send(text="Сколько стоит?", reply_to_story={"id": 1, "chat": {"id": 1, "type": "private"}})
    assert Message.objects.get(sender="client").quote_text == "История"


def test_what_the_customer_is_told_about_a_message_stands_on_its_ticket(phone: Phone):
    phone.send(story={"id": 1, "chat": {"id": 1, "type": "private"}})
    phone.send(video={**PICTURE, "duration": 600, "file_size": 61 * 1024 * 1024})
    (ticket,) = phone.tickets
    assert ticket.messages.filter(sender="system").count() == len(phone.heard) == 3


def test_a_story_is_a_link_where_its_author_has_a_name(phone: Phone):
    phone.send(story={"id": 7, "chat": {"id": 1, "type": "private", "username": "timur_a"}})
    message = Message.objects.get(sender="client")
    address = "https://t.me/timur_a/s/7"
    assert (message.text, message.entities) == (address, [{"type": "url", "offset": 0, "length": len(address)}])


# Files that an edit puts in another's place.


def edit(phone: Phone, message_id: int, **content: Any) -> Message:
    event = phone.message(message_id=message_id, edit_date=1_700_000_000, **content)
    phone.line.take({"edited_message": event["message"]})
    return Message.objects.get(sender="client")


@pytest.fixture
def photo(phone: Phone) -> int:
    return phone.send(photo=[PICTURE], caption="Чек")


OTHER = {**PICTURE, "file_id": "other-id", "file_unique_id": "other"}


def test_a_replaced_file_is_fetched_beside_the_one_it_replaced(phone: Phone, photo: int):
    message = edit(phone, photo, photo=[OTHER], caption="Чек")
    assert [item.file_unique_id for item in message.attachments.order_by("position")] == ["short-id", "other"]
    replacement = message.attachments.get(file_unique_id="other")
    assert (replacement.position, replacement.state) == (1, AttachmentState.PENDING)
    assert TelegramFile.objects.get(attachment=replacement).file_id == "other-id"
    assert message.edited_at is not None
    assert [revision.text for revision in message.revisions.all()] == ["Чек"]


def test_a_file_and_its_caption_replaced_at_once_are_one_edit(phone: Phone, photo: int):
    message = edit(phone, photo, photo=[OTHER], caption="Другой чек")
    assert message.text == "Другой чек"
    assert message.attachments.count() == 2
    assert [revision.text for revision in message.revisions.all()] == ["Чек"]


def test_a_new_caption_alone_fetches_nothing(phone: Phone, photo: int):
    assert edit(phone, photo, photo=[PICTURE], caption="Другой чек").attachments.count() == 1


def files(message: Message) -> list[str]:
    return list(message.attachments.order_by("position").values_list("file_unique_id", flat=True))


def test_the_file_a_message_came_with_is_kept_though_the_one_put_in_its_place_came_first(phone: Phone):
    """As when its own update was parked, and is handled again later."""
    message = edit(phone, 77, photo=[OTHER], caption="Чек")
    first = phone.message(message_id=77, photo=[PICTURE], caption="Чек")
    phone.line.take(first)
    phone.line.take(first)  # Telegram says it once more, under another number
    message.refresh_from_db()
    assert files(message) == ["short-id", "other"]
    assert TelegramFile.objects.get(attachment__file_unique_id="short-id").file_id == "long-id"
    assert message.edited_at is not None
    assert message.revisions.count() == 1


def test_both_files_of_a_live_photo_are_kept_when_it_comes_after_what_replaced_it(phone: Phone):
    message = edit(phone, 77, photo=[OTHER])
    moving = {**PICTURE, "file_id": "moving-id", "file_unique_id": "moving", "duration": 3}
    phone.line.take(phone.message(message_id=77, live_photo=moving, photo=[PICTURE]))
    assert files(message) == ["short-id", "moving", "other"]


def test_an_edit_that_comes_after_a_later_one_takes_its_file_back_no_more_than_its_words(phone: Phone, photo: int):
    message = edit(phone, photo, photo=[{**PICTURE, "file_unique_id": "last"}], caption="Последний")
    edited_at = message.edited_at
    before = phone.message(message_id=photo, edit_date=1_600_000_000, photo=[OTHER], caption="Второй")["message"]
    phone.line.take({"edited_message": before})
    phone.line.take({"edited_message": before})
    message.refresh_from_db()
    assert (message.text, message.edited_at) == ("Последний", edited_at)
    assert files(message) == ["short-id", "other", "last"]
    assert {revision.text for revision in message.revisions.all()} == {"Чек", "Второй"}


def test_a_file_put_back_in_its_own_place_stands_last_again(phone: Phone, photo: int):
    edit(phone, photo, photo=[OTHER], caption="Чек")
    back = phone.message(message_id=photo, edit_date=1_700_000_060, photo=[PICTURE], caption="Чек")
    phone.line.take({"edited_message": back["message"]})
    assert files(Message.objects.get(sender="client")) == ["short-id", "other", "short-id"]


def test_both_files_of_a_live_photo_put_in_anothers_place_are_kept(phone: Phone, photo: int):
    moving = {**PICTURE, "file_id": "moving-id", "file_unique_id": "moving", "duration": 3}
    message = edit(phone, photo, live_photo=moving, photo=[OTHER], caption="Чек")
    assert files(message) == ["short-id", "other", "moving"]
    edit(phone, photo, live_photo=moving, photo=[OTHER], caption="Чек и гарантия")
    assert files(message) == ["short-id", "other", "moving"]


def test_a_file_too_big_put_in_anothers_place_is_told_to_the_customer(phone: Phone, photo: int):
    film = {**OTHER, "duration": 600, "file_size": 61 * 1024 * 1024}
    message = edit(phone, photo, video=film, caption="Чек")
    assert message.attachments.get(file_unique_id="other").state == AttachmentState.TOO_BIG
    assert phone.heard[-1].startswith("Файл больше 20 МБ")


def test_a_file_too_big_for_bots_is_shown_and_the_customer_told(phone: Phone):
    phone.send(video={**PICTURE, "duration": 600, "file_size": 61 * 1024 * 1024})
    assert Attachment.objects.get().state == AttachmentState.TOO_BIG
    assert phone.heard[-1] == ("Файл больше 20 МБ, Telegram не даёт нам его скачать. Пришлите файл поменьше или фото.")


def test_what_telegram_itself_writes_into_a_chat_opens_no_ticket(phone: Phone):
    phone.send(write_access_allowed={"web_app_name": "x"})
    assert phone.tickets == []
    phone.write("Вопрос")
    phone.send(pinned_message={"message_id": 1, "date": 0, "chat": phone.chat})
    lines = Message.objects.filter(sender="client").order_by("pk")
    assert [line.content_type for line in lines] == ["text", "pinned_message"]
    assert len(phone.heard) == 1


def test_ones_own_contact_is_a_confirmed_phone(phone: Phone):
    phone.send(contact={"phone_number": "+77000000100", "first_name": "Тимур", "user_id": phone.id})
    customer = phone.customer
    assert customer.phone == "+77000000100"
    assert customer.phone_verified_at is not None


def test_somebody_elses_contact_is_nobodys_phone(phone: Phone):
    phone.send(contact={"phone_number": "+77000000100", "first_name": "Брат", "user_id": 5})
    phone.send(contact={"phone_number": "+77000000100", "first_name": "Тимур"})
    assert Customer.objects.get().phone == ""


#: Messages in which something is of another shape than aiogram knows, and what of them must be on the desk.
UNREADABLE: list[tuple[str, dict[str, Any], str, bool]] = [
    ("photo", {"photo": [PICTURE], "caption": "Вот", "story": "?"}, "Вот", True),
    ("photo", {"photo": "?", "caption": "Вот"}, "Вот", False),
    ("text", {"text": "Где заказ?", "entities": "?"}, "Где заказ?", False),
    ("location", {"location": {"latitude": "там"}}, "", False),
    ("gift_of_the_future", {"gift_of_the_future": 1, "via_bot": "?"}, "", False),
    ("poll", {"poll": {"question": "Когда?"}}, "", False),
    (
        "text",
        {"text": "Алло", "from": {"id": 700_001, "is_bot": "?", "first_name": "Тимур", "last_name": 5}},
        "Алло",
        False,
    ),
]


@pytest.mark.parametrize(("kind", "content", "words", "has_file"), UNREADABLE)
def test_a_message_aiogram_cannot_read_whole_keeps_all_it_can(
    phone: Phone, kind: str, content: Any, words: str, has_file: bool
):
    phone.send(**content)
    message = Message.objects.get(sender="client")
    assert (message.content_type, message.text, message.attachments.exists()) == (kind, words, has_file)
    assert message.customer.name.startswith("Тимур")


def test_of_a_live_photo_the_picture_and_what_moves_are_kept(phone: Phone):
    phone.send(live_photo={**PICTURE, "file_id": "clip", "duration": 3}, photo=[{**FILE, **SMALL}, PICTURE])
    message = Message.objects.get(sender="client")
    assert message.content_type == "live_photo"
    still, clip = message.attachments.order_by("position")
    assert (still.kind, still.width, clip.kind, clip.duration) == ("photo", 640, "live_photo", 3)
    assert [TelegramFile.objects.get(attachment=file).file_id for file in (still, clip)] == ["long-id", "clip"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"photo": "?"}, True),
        ({"photo": "?", "caption": "Вот"}, True),
        ({"location": {"latitude": "там"}}, True),
        ({"photo": [PICTURE], "story": "?"}, False),
        ({"text": "Где заказ?", "entities": "?"}, False),
        ({"rich_message": {"blocks": [{"type": "block_of_the_future", "text": "Да"}]}}, False),
        ({"rich_message": {"blocks": [{"type": "photo", "photo": [PICTURE]}]}}, True),
    ],
)
def test_a_customer_is_told_of_what_the_desk_cannot_show(phone: Phone, content: Any, told: bool):
    phone.send(**content)
    assert (CANNOT_OPEN in phone.heard) is told


def test_a_caption_is_no_command_however_little_of_its_message_can_be_read(phone: Phone):
    phone.send(photo=[PICTURE], caption="/help", story="?")
    message = Message.objects.get(sender="client")
    assert (message.text, message.attachments.count()) == ("/help", 1)


@pytest.mark.parametrize(
    "refused",
    [
        {"from": {"id": 700_001, "is_bot": "?", "first_name": "Тимур"}},
        {"edit_date": "?"},
        {"chat": {"id": 700_001, "type": "private", "first_name": 5}},
    ],
)
def test_what_is_odd_about_a_sender_or_a_chat_costs_no_file(phone: Phone, refused: Any):
    phone.send(photo=[PICTURE], caption="Вот", **refused)
    message = Message.objects.get(sender="client")
    assert (message.text, message.attachments.count(), message.customer.telegram_user_id) == ("Вот", 1, 700_001)


def test_where_the_newer_of_two_forms_cannot_be_read_the_older_is_taken(phone: Phone):
    phone.send(animation="?", document={**FILE, "file_name": "кот.mp4"})
    message = Message.objects.get(sender="client")
    assert (message.content_type, message.attachments.get().file_name) == ("document", "кот.mp4")
