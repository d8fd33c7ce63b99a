import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone, translation

from conftest import wrote
from tickets import operations
from tickets.models import AttachmentState, Missing
from tickets.operations import Incoming, IncomingFile
from tickets.pages.bubbles import FilePart

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
MP4, M4A = b"\0\0\0\x18ftypisom" + bytes(80), b"\0\0\0\x18ftypM4A " + bytes(80)
MATROSKA = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84"
WEBM, MKV = MATROSKA + b"webm" + bytes(60), MATROSKA + b"matroska" + bytes(60)


@pytest.fixture
def keep(ticket):
    """A file of the customer's, fetched: `keep(bytes, "имя")`."""

    def store(content: bytes = PNG, name: str = "фото.png", kind: str = "photo"):
        incoming = Incoming(sent_at=timezone.now(), content_type=kind, files=[IncomingFile(kind=kind, file_name=name)])
        message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
        return operations.attach_file(attachment_id=message.attachments.get().pk, file=ContentFile(content, name="x"))

    return store


def address(ticket, attachment, name: str = "file") -> str:
    return reverse(f"tickets:{name}", args=[ticket.pk, attachment.pk])


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_a_picture_is_shown_in_place_under_its_own_type(desk, bolat, ticket, keep):
    answer = desk(bolat).get(address(ticket, keep()))
    assert answer.status_code == 200
    assert body(answer) == PNG
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["Content-Length"] == str(len(PNG))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<html><script>alert(1)</script>", "фото.png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "рисунок.svg"),
        (b"%PDF-1.4 x", "акт.pdf"),
        (b"MZ\x90\x00", "photo.jpg"),
    ],
)
def test_anything_else_is_downloaded_as_bytes(desk, aigerim, ticket, keep, content, name):
    answer = desk(aigerim).get(address(ticket, keep(content, name)))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_name_from_outside_breaks_no_header(desk, aigerim, ticket, keep):
    answer = desk(aigerim).get(address(ticket, keep(b"x", 'a"\r\nSet-Cookie: x=1;.png')))
    assert "Set-Cookie" not in answer.headers
    assert "\n" not in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("asked", "expected", "said"),
    [
        ("bytes=0-9", PNG[:10], "0-9"),
        ("bytes=100-", PNG[100:], f"100-{len(PNG) - 1}"),
        ("bytes=-5", PNG[-5:], f"{len(PNG) - 5}-{len(PNG) - 1}"),
        ("bytes=5-99999", PNG[5:], f"5-{len(PNG) - 1}"),
    ],
)
def test_a_player_gets_the_piece_it_asks_for(desk, aigerim, ticket, keep, asked, expected, said):
    answer = desk(aigerim).get(address(ticket, keep()), headers={"Range": asked})
    assert answer.status_code == 206
    assert body(answer) == expected
    assert answer.headers["Content-Range"] == f"bytes {said}/{len(PNG)}"
    assert answer.headers["Content-Length"] == str(len(expected))


def test_a_piece_beyond_the_end_is_refused(desk, aigerim, ticket, keep):
    answer = desk(aigerim).get(address(ticket, keep()), headers={"Range": "bytes=999999-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(PNG)}"


NO_RANGES = ["bytes=", "bytes=-", "items=0-5", "bytes=0-5,10-15", "bytes=a-b", f"bytes={'9' * 5000}-", "bytes=٣-٤"]


@pytest.mark.parametrize("asked", NO_RANGES)
def test_a_range_nobody_understands_gets_the_whole(desk, aigerim, ticket, keep, asked):
    answer = desk(aigerim).get(address(ticket, keep()), headers={"Range": asked})
    assert answer.status_code == 200
    assert body(answer) == PNG


def test_a_file_is_asked_for_again_but_not_sent_twice(desk, aigerim, dana, ticket, keep):
    client, target = desk(aigerim), address(ticket, keep())
    first = client.get(target)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert client.get(target, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert desk(dana).get(target, headers={"If-None-Match": first.headers["ETag"]}).status_code == 404


def test_a_stranger_gets_404(desk, dana, client, ticket, keep):
    target = address(ticket, keep())
    assert desk(dana).get(target).status_code == 404
    assert client.get(target).status_code == 302


def test_a_file_of_another_ticket_is_not_here(desk, aigerim, timur, ticket, keep):
    other = wrote(timur, "Другой вопрос").ticket
    assert desk(aigerim).get(address(other, keep())).status_code == 404


def test_a_file_that_has_not_come_yet_is_announced_and_404(desk, aigerim, ticket):
    incoming = Incoming(
        sent_at=timezone.now(), content_type="video", files=[IncomingFile(kind="video", size=8_600_000, file_name="v")]
    )
    message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
    client = desk(aigerim)
    assert client.get(address(ticket, message.attachments.get())).status_code == 404
    text = client.get(reverse("tickets:ticket", args=[ticket.pk])).text
    assert "Загружается из Telegram · 8,2\u00a0МБ" in text


def test_a_failed_file_says_why_and_can_be_asked_for_again(desk, aigerim, dana, ticket):
    incoming = Incoming(sent_at=timezone.now(), content_type="photo", files=[IncomingFile(kind="photo")])
    message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
    attachment = message.attachments.get()
    operations.fail_file(attachment_id=attachment.pk, state=AttachmentState.FAILED, reason=Missing.NOT_GIVEN)
    target = address(ticket, attachment, "retry-file")
    assert "Telegram больше не отдаёт этот файл." in desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    assert desk(dana).post(target).status_code == 404
    assert desk(aigerim).get(target).status_code == 405
    attachment.refresh_from_db()
    with translation.override("en"):
        assert FilePart(attachment).trouble == "Telegram no longer gives this file."
    desk(aigerim).post(target)
    attachment.refresh_from_db()
    assert attachment.state == AttachmentState.PENDING


def test_a_file_that_was_too_big_can_be_asked_for_once_it_is_not(desk, aigerim, ticket, settings):
    film = IncomingFile(kind="video", size=30 * 1024 * 1024, refused=AttachmentState.TOO_BIG)
    incoming = Incoming(sent_at=timezone.now(), content_type="video", files=[film])
    attachment = operations.receive(
        customer=ticket.customer, incoming=incoming, ticket=ticket
    ).message.attachments.get()
    target, page = address(ticket, attachment, "retry-file"), reverse("tickets:ticket", args=[ticket.pk])
    assert target not in desk(aigerim).get(page).text
    desk(aigerim).post(target)
    attachment.refresh_from_db()
    assert attachment.state == AttachmentState.TOO_BIG

    settings.TELEGRAM_DOWNLOAD_MB = 2000  # with a Bot API server of one's own

    assert target in desk(aigerim).get(page).text
    desk(aigerim).post(target)
    attachment.refresh_from_db()
    assert attachment.state == AttachmentState.PENDING


def test_a_file_that_has_gone_from_the_disk_is_said_to_be_and_asked_for_again(desk, aigerim, ticket, keep):
    attachment = keep()
    attachment.file.storage.delete(attachment.file.name)
    client, page = desk(aigerim), reverse("tickets:ticket", args=[ticket.pk])
    text = client.get(page).text
    assert "Файл пропал с диска сервера." in text
    assert f'<img src="{address(ticket, attachment)}"' not in text
    assert address(ticket, attachment, "retry-file") in text
    assert client.get(address(ticket, attachment)).status_code == 404
    client.post(address(ticket, attachment, "retry-file"))
    attachment.refresh_from_db()
    assert attachment.state == AttachmentState.PENDING


def test_one_of_ours_that_has_gone_cannot_be_had_from_telegram(desk, aigerim, ticket, answer):
    upload = operations.Upload(name="акт.pdf", file=ContentFile(b"%PDF-1.4", name="x"))
    attachment = answer(ticket, aigerim, uploads=[upload]).attachments.get()
    attachment.file.storage.delete(attachment.file.name)
    text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    assert "Файл пропал с диска сервера." in text
    assert address(ticket, attachment, "retry-file") not in text


def test_a_file_that_is_there_is_not_asked_for_again(desk, aigerim, ticket, keep):
    attachment = keep()
    desk(aigerim).post(address(ticket, attachment, "retry-file"))
    attachment.refresh_from_db()
    assert attachment.state == AttachmentState.READY


@pytest.mark.parametrize(
    ("content", "kind", "element"),
    [
        (PNG, "photo", "<img "),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 64, "video", "<video "),
        (b"OggS" + b"\0" * 64, "voice", "<audio "),
        (b"<html>", "photo", 'class="file"'),
        (PNG, "document", 'class="file"'),
    ],
)
def test_a_file_becomes_what_its_bytes_are(desk, aigerim, ticket, keep, content, kind, element):
    attachment = keep(content, "имя", kind)
    text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    bubble = text[text.index(f'id="m{attachment.message_id}"') :]
    assert element in bubble[: bubble.index("</li>")]


@pytest.mark.parametrize(
    ("content", "kind", "name", "shown"),
    [
        (MP4, "video_note", "", '<video class="round" src='),
        (MP4, "animation", "", 'preload="metadata" loop muted playsinline'),
        (MP4, "live_photo", "", 'preload="metadata" loop muted playsinline'),
        (WEBM, "sticker", "👍", '<video class="sticker" src='),
        (PNG, "sticker", "👍", 'alt="Стикер 👍"'),
        (MP4, "audio", "Вальс", "<audio src="),
        (M4A, "audio", "Вальс.m4a", "<audio src="),
        (b"fLaC" + bytes(80), "audio", "Вальс.flac", "<audio src="),
        (MKV, "video", "Кино.mkv", '<a class="file" href='),
    ],
)
def test_every_kind_of_file_is_played_or_handed_over(desk, aigerim, ticket, keep, content, kind, name, shown):
    keep(content, name, kind)
    text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    assert shown in text[text.index('id="log-list"') : text.index('id="reply"')]
