"""Several files of one reply leave as an album, and a file Telegram has is not brought again."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from botbridge.client import make_bot, sent_messages
from botbridge.models import BotStatus, ChatSession, OutboundCall, TelegramFile, TelegramMessage
from botbridge.parts import part_of
from botbridge.requests import Outcome
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import expire_leases, settle
from botbridge.tests.conftest import BOT_ID, OGG, TOKEN, ask, claim_now, state_of, upload
from tickets import operations
from tickets.models import Attachment, Customer, Delivery, DeliveryState, Message, Reason, Ticket, User
from tickets.operations import Upload

pytestmark = pytest.mark.django_db

Answer = Callable[..., Message]
SendNext = Callable[[], Outcome]

PICTURE = (Path(settings.BASE_DIR) / "static/sandbox/samples/box.jpg").read_bytes()
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(2000)
MP3 = b"ID3" + bytes(2000)


@pytest.fixture
def timur(timurs_telegram: CustomerClient) -> Customer:
    """The customer, with Telegram in his hands."""
    return Customer.objects.create(telegram_user_id=timurs_telegram.id, name="Тимур Ахметов")


@pytest.fixture
def session(timur: Customer) -> ChatSession:
    return ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur)


def pictures(count: int) -> list[Upload]:
    """Pictures of different bytes."""
    return [upload(f"{number}.jpg", PICTURE + bytes(number)) for number in range(count)]


def requests_for(message: Message, session: ChatSession) -> list[list[str]]:
    """What a message would leave as: a request's method and the kinds of an album's files."""
    planned, number = [], 0
    while number < operations.parts_of(message):
        part = part_of(message, number, session)
        planned.append([part.method, *(item["type"] for item in part.payload.get("media", []))])
        number += len(part.attachments)
    return planned


# Which files go together.


@pytest.mark.parametrize(
    ("files", "requests"),
    [
        ([PICTURE, PICTURE + b"1"], [["sendMediaGroup", "photo", "photo"]]),
        ([PICTURE, MP4, PICTURE], [["sendMediaGroup", "photo", "video", "photo"]]),
        ([b"one", b"two"], [["sendMediaGroup", "document", "document"]]),
        ([MP3, MP3 + b"1"], [["sendMediaGroup", "audio", "audio"]]),
        ([OGG, OGG + b"1"], [["sendVoice"], ["sendVoice"]]),
        ([PICTURE, b"one"], [["sendPhoto"], ["sendDocument"]]),
        ([PICTURE, b"one", PICTURE, PICTURE], [["sendPhoto"], ["sendDocument"], ["sendMediaGroup", "photo", "photo"]]),
    ],
)
def test_files_of_kinds_that_go_together_are_an_album(
    ticket: Ticket, aigerim: User, answer: Answer, session: ChatSession, files: list[bytes], requests: list[list[str]]
):
    uploads = [upload(f"{number}", content) for number, content in enumerate(files)]
    assert requests_for(answer(ticket, aigerim, "Вот", uploads=uploads), session) == requests


def test_an_album_is_no_bigger_than_one_file_may_be(
    ticket: Ticket, aigerim: User, answer: Answer, session: ChatSession
):
    message = answer(ticket, aigerim, "", uploads=[upload(f"{n}.txt") for n in range(3)])
    Attachment.objects.update(size=20 * 1024 * 1024)
    assert requests_for(message, session) == [["sendMediaGroup", "document", "document"], ["sendDocument"]]


def test_a_picture_too_big_for_a_photo_goes_among_the_files(
    ticket: Ticket, aigerim: User, answer: Answer, session: ChatSession
):
    message = answer(ticket, aigerim, "", uploads=[*pictures(1), upload("чек.txt")])
    Attachment.objects.filter(kind="photo").update(size=11 * 1024 * 1024)
    assert requests_for(message, session) == [["sendMediaGroup", "document", "document"]]


# On its way.


def test_ten_pictures_arrive_as_one_album_with_the_words_under_it(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "Все десять", uploads=pictures(10), quote_id=ticket.opened_by_id)
    send_next()
    album = timurs_telegram.received()[-10:]
    assert len({item["media_group_id"] for item in album}) == 1
    assert [item.get("caption") for item in album] == ["Айгерим, поддержка\nВсе десять", *[None] * 9]
    assert state_of(message) == (DeliveryState.SENT, "")
    known = TelegramMessage.objects.filter(message=message).order_by("part")
    assert list(known.values_list("part", "telegram_id")) == [
        (part, item["message_id"]) for part, item in enumerate(album)
    ]
    assert Delivery.objects.get(pk=message.pk).parts_sent == 10


def test_telegram_counts_each_message_of_an_album(ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext):
    answer(ticket, aigerim, "", uploads=pictures(5))
    now = timezone.now()
    send_next()
    in_chat = ChatSession.objects.get().next_send_at - now
    in_all = BotStatus.objects.get().next_send_at - now
    assert in_chat.total_seconds() >= 5
    assert in_all.total_seconds() >= 5 / 29


def test_an_answer_to_any_picture_of_an_album_leads_to_it(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext
):
    message = answer(ticket, aigerim, "", uploads=pictures(3))
    send_next()
    quoted = answer(ticket, aigerim, "К ним", quote_id=message.pk)
    first = TelegramMessage.objects.get(message=message, part=0)
    claimed = claim_now()
    assert claimed.call.delivery_id == quoted.pk
    assert claimed.call.payload["reply_parameters"]["message_id"] == first.telegram_id


# When it does not go well.


def test_half_an_album_is_in_doubt_as_a_whole_and_nobody_resends_it(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext, sandbox: SandboxServer
):
    sandbox.knobs.turn_on("partial_album", times=1)
    message = answer(ticket, aigerim, "", uploads=pictures(4))
    send_next()
    assert state_of(message) == (DeliveryState.UNKNOWN, "")
    delivery = Delivery.objects.get(pk=message.pk)
    assert (delivery.parts_sent, delivery.parts_tried) == (0, 4)


def test_marked_as_arrived_the_whole_album_is_and_what_follows_it_goes(
    ticket: Ticket,
    aigerim: User,
    answer: Answer,
    send_next: SendNext,
    sandbox: SandboxServer,
    timurs_telegram: CustomerClient,
):
    sandbox.knobs.turn_on("cut", times=1)
    message = answer(ticket, aigerim, "", uploads=[*pictures(3), upload("чек.txt")])
    send_next()
    operations.mark_arrived(message_id=message.pk, actor=aigerim)
    send_next()
    assert state_of(message)[0] == DeliveryState.SENT
    assert [("photo" in item, "document" in item) for item in timurs_telegram.received()[-4:]] == [
        *[(True, False)] * 3,
        (False, True),
    ]


def test_sent_once_more_an_album_is_an_album(
    ticket: Ticket,
    aigerim: User,
    answer: Answer,
    send_next: SendNext,
    sandbox: SandboxServer,
    timurs_telegram: CustomerClient,
):
    sandbox.knobs.turn_on("drop", times=1)
    message = answer(ticket, aigerim, "Вот", uploads=pictures(3))
    send_next()
    repeat = operations.resend(message_id=message.pk, actor=aigerim)
    send_next()
    assert state_of(repeat)[0] == DeliveryState.SENT
    assert len({item["media_group_id"] for item in timurs_telegram.received()[-3:]}) == 1


def test_an_album_that_was_taken_and_whose_worker_was_late_is_still_told_whole(
    ticket: Ticket, aigerim: User, answer: Answer, api_url: str, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "", uploads=pictures(3))
    claimed = claim_now()
    outcome = ask(claimed, make_bot(TOKEN, api_url))
    OutboundCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    expire_leases()
    assert state_of(message)[0] == DeliveryState.UNKNOWN
    settle(claimed.call, outcome)
    assert state_of(message)[0] == DeliveryState.SENT
    assert TelegramMessage.objects.filter(message=message).count() == 3


def test_an_album_one_file_of_which_is_gone_is_not_sent_in_part(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext, timurs_telegram: CustomerClient
):
    before = len(timurs_telegram.received())
    message = answer(ticket, aigerim, "", uploads=pictures(3))
    last = Attachment.objects.order_by("position").last()
    assert last is not None
    last.file.storage.delete(last.file.name)
    send_next()
    assert state_of(message) == (DeliveryState.FAILED, Reason.BAD_FILE)
    assert len(timurs_telegram.received()) == before


def test_a_big_upload_has_time_and_a_lease_that_covers_it(ticket: Ticket, aigerim: User, answer: Answer):
    answer(ticket, aigerim, "", uploads=[upload("кино.txt")])
    Attachment.objects.update(size=50 * 1024 * 1024)
    claimed = claim_now()
    call = OutboundCall.objects.get(pk=claimed.call.pk)
    assert call.lease_until is not None
    assert (call.lease_until - timezone.now()).total_seconds() > 200


# A file Telegram has.


def sent_bytes(sandbox: SandboxServer) -> list[dict[str, Any]]:
    """The last request's files whose bytes travelled with it, as the sandbox's log has them."""
    payload = sandbox.sends()[-1]["payload"]
    return [value for value in payload.values() if isinstance(value, dict) and "file_size" in value]


@pytest.mark.parametrize(
    "files", [[("прайс.pdf", b"%PDF-1.4 prices")], [("1.jpg", PICTURE), ("2.jpg", PICTURE + b"2")]]
)
def test_the_same_file_goes_again_without_its_bytes(
    ticket: Ticket,
    aigerim: User,
    answer: Answer,
    send_next: SendNext,
    sandbox: SandboxServer,
    timurs_telegram: CustomerClient,
    files: list[tuple[str, bytes]],
):
    answer(ticket, aigerim, "Раз", uploads=[upload(*file) for file in files])
    send_next()
    assert len(sent_bytes(sandbox)) == len(files)
    again = answer(ticket, aigerim, "Два", uploads=[upload(*file) for file in files])
    send_next()
    assert sent_bytes(sandbox) == []
    assert state_of(again)[0] == DeliveryState.SENT
    arrived = [sent.file_id for sent in sent_messages(timurs_telegram.received()[-2 * len(files) :])]
    assert arrived[: len(files)] == arrived[len(files) :]


def test_under_another_name_it_is_another_file(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext, timurs_telegram: CustomerClient
):
    for name in ("прайс.pdf", "прайс на декабрь.pdf"):
        answer(ticket, aigerim, "", uploads=[upload(name, b"%PDF-1.4 prices")])
        send_next()
    assert timurs_telegram.received()[-1]["document"]["file_name"] == "прайс на декабрь.pdf"


def test_another_bot_brings_the_bytes_itself(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext, sandbox: SandboxServer
):
    answer(ticket, aigerim, "", uploads=[upload("прайс.pdf", b"%PDF-1.4 prices")])
    send_next()
    TelegramFile.objects.update(bot_id=BOT_ID + 1)
    answer(ticket, aigerim, "", uploads=[upload("прайс.pdf", b"%PDF-1.4 prices")])
    send_next()
    assert len(sent_bytes(sandbox)) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_where_telegram_knows_the_file_no_more_it_is_brought_again(
    ticket: Ticket,
    aigerim: User,
    answer: Answer,
    send_next: SendNext,
    sandbox: SandboxServer,
    timurs_telegram: CustomerClient,
    count: int,
):
    answer(ticket, aigerim, "Раз", uploads=pictures(count))
    send_next()
    TelegramFile.objects.update(file_id="AgACAgIAAxkDAAI-forgotten")
    again = answer(ticket, aigerim, "Два", uploads=pictures(count))
    send_next()
    assert state_of(again) == (DeliveryState.QUEUED, "")
    send_next()
    assert state_of(again)[0] == DeliveryState.SENT
    assert len(sent_bytes(sandbox)) == count
    captions = [item["caption"].split("\n")[-1] for item in timurs_telegram.received() if item.get("caption")]
    assert captions.count("Два") == 1


def test_a_film_telegram_has_kept_as_something_else_is_brought_again(
    ticket: Ticket, aigerim: User, answer: Answer, send_next: SendNext, sandbox: SandboxServer
):
    for name in ("экран.mp4", "файл"):
        answer(ticket, aigerim, "Раз", uploads=[upload(name, MP4 if name != "файл" else b"text")])
        send_next()
    film, other = TelegramFile.objects.order_by("pk")
    TelegramFile.objects.filter(pk=other.pk).delete()
    TelegramFile.objects.filter(pk=film.pk).update(file_id=other.file_id)
    again = answer(ticket, aigerim, "Два", uploads=[upload("экран.mp4", MP4)])
    assert "can't use file of type" in send_next().error
    assert state_of(again) == (DeliveryState.QUEUED, "")
    send_next()
    assert state_of(again)[0] == DeliveryState.SENT
    assert len(sent_bytes(sandbox)) == 1


def test_a_customers_file_is_never_taken_for_ours(ticket: Ticket, aigerim: User, answer: Answer, session: ChatSession):
    """Nobody has read what a customer sent: it has no fingerprint, as a file of ours from before there was one."""
    for number in range(2):
        message = answer(ticket, aigerim, "", uploads=[upload("прайс.pdf", b"%PDF-1.4 prices")])
        Attachment.objects.filter(message=message).update(digest="")
        attachment = Attachment.objects.get(message=message)
        if number == 0:
            TelegramFile.objects.create(bot_id=BOT_ID, attachment=attachment, file_id="of another")
    assert list(part_of(message, 0, session).uploads) == ["document"]
