"""Whatever a customer sends becomes a bubble that says what it is."""

from typing import Any

import pytest

from botbridge.models import TelegramFile
from botbridge.tests.conftest import Phone
from tickets.models import Attachment, AttachmentState, Customer, Message

pytestmark = pytest.mark.django_db

FILE = {"file_id": "long-id", "file_unique_id": "short-id"}
PICTURE = {**FILE, "width": 640, "height": 480}
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
]

#: Kinds the desk shows by name, and whether the customer is told so.
NAMED: list[tuple[str, dict[str, Any], bool]] = [
    ("audio", {"audio": {**FILE, "duration": 3}}, True),
    ("video_note", {"video_note": {**FILE, "length": 240, "duration": 5}}, True),
    ("animation", {"animation": {**PICTURE, "duration": 2}, "document": FILE}, True),
    (
        "sticker",
        {"sticker": {**PICTURE, "type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"}},
        False,
    ),
    ("location", {"location": {"latitude": 43.24, "longitude": 76.95}}, True),
    (
        "venue",
        {"venue": {"location": {"latitude": 43.24, "longitude": 76.95}, "title": "Склад", "address": "ул. Абая, 1"}},
        True,
    ),
    ("contact", {"contact": {"phone_number": "+77000000100", "first_name": "Брат", "user_id": 5}}, False),
    ("dice", {"dice": {"emoji": "🎲", "value": 3}}, False),
    ("story", {"story": {"id": 1, "chat": {"id": 1, "type": "private"}}}, True),
    ("gift_of_the_future", {"gift_of_the_future": {"shine": True}}, True),
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


def test_a_file_too_big_for_bots_is_shown_and_the_customer_told(phone: Phone):
    phone.send(video={**PICTURE, "duration": 600, "file_size": 61 * 1024 * 1024})
    assert Attachment.objects.get().state == AttachmentState.TOO_BIG
    assert phone.heard[-1] == ("Файл больше 20 МБ, Telegram не даёт нам его скачать. Пришлите файл поменьше или фото.")


def test_what_telegram_itself_writes_into_a_chat_opens_no_ticket(phone: Phone):
    phone.send(write_access_allowed={"web_app_name": "x"})
    assert phone.tickets == []
    phone.write("Вопрос")
    phone.send(pinned_message={"message_id": 1, "date": 0, "chat": phone.chat})
    assert [message.content_type for message in Message.objects.filter(sender="client")] == ["text", "pinned_message"]
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
