"""Every kind of message as the desk shows it, in light and in dark.

With PICTURES naming a folder, the pictures in docs/telegram.md are taken anew:

    PICTURES=docs/pictures .venv/bin/python -m pytest helpdesk/tests/browser/test_every_bubble.py
"""

import io
import os
import uuid
import wave
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connections
from PIL import Image, ImageOps
from playwright.sync_api import Page, expect

from botbridge.tests.conftest import Phone, bot, line, phone
from botbridge.tests.test_kinds import FILES, IN_WORDS, NAMED, PICTURE, PLACE
from helpdesk.tests.browser.conftest import Desk
from tickets import operations
from tickets.models import Attachment, AttachmentState, Delivery, DeliveryState, Message, Sender, Ticket, User

__all__ = ["bot", "line", "phone"]  # fixtures

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WIDTH = 1000
SEEN = ("photo", "sticker")
MOVING = ("video", "video_note", "animation", "live_photo")
HEARD = ("audio", "voice")
#: HTMLMediaElement.HAVE_ENOUGH_DATA
PLAYS = 4
#: Chromium draws a second of a moving square.
FILM = """async () => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 320, height: 240});
    const brush = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(20), {mimeType: "video/webm"});
    const pieces = [];
    recorder.ondataavailable = (event) => pieces.push(event.data);
    const ended = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start();
    for (let x = 0; x < 20; x += 1) {
        brush.fillStyle = "#245";
        brush.fillRect(0, 0, 320, 240);
        brush.fillStyle = "#8cd";
        brush.fillRect(x * 14, 90, 60, 60);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    recorder.stop();
    await ended;
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
}"""


def picture() -> bytes:
    shades = Image.linear_gradient("L").resize((640, 480))
    drawn = io.BytesIO()
    ImageOps.colorize(shades, "#dceff2", "#1d5f6b").save(drawn, "PNG")
    return drawn.getvalue()


def sound() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as track:
        track.setnchannels(1)
        track.setsampwidth(1)
        track.setframerate(8000)
        track.writeframes(bytes([128]) * 16_000)
    return written.getvalue()


@pytest.fixture
def aside() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Runs what the bot does where Playwright has no loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda act: pool.submit(act).result()
        pool.submit(connections.close_all).result()


def send_everything(phone: Phone) -> None:
    phone.write("Здравствуйте! Вот всё, что бывает.")
    for _kind, content, _expected in FILES:
        phone.send(**content)
    for _kind, content, _words in IN_WORDS:
        phone.send(**content)
    for _kind, content, _told in NAMED:
        phone.send(**content)
    phone.send(live_photo={**PICTURE, "duration": 1}, photo=[PICTURE])
    phone.send(location={**PLACE, "live_period": 900})
    phone.send(pinned_message=phone.message(text="Здравствуйте")["message"])
    bold = [{"type": "bold", "offset": 0, "length": 6}, {"type": "spoiler", "offset": 7, "length": 7}]
    phone.send(text="Жирное скрытое и https://shop.example", entities=bold)
    keyboard = {"inline_keyboard": [[{"text": "Отследить", "url": "https://shop.example/7"}]]}
    shop = {"type": "hidden_user", "date": 1, "sender_user_name": "Магазин"}
    phone.send(text="Заказ в пути", forward_origin=shop, reply_markup=keyboard)
    phone.edit(phone.write("Опечатка"), "Без опечатки")
    phone.write("Моя карта 4111 1111 1111 1111")


def fill_files(film: bytes) -> None:
    contents = dict.fromkeys(SEEN, picture()) | dict.fromkeys(MOVING, film) | dict.fromkeys(HEARD, sound())
    for attachment in Attachment.objects.filter(state=AttachmentState.PENDING):
        content = contents.get(attachment.kind, b"%PDF-1.4 " + bytes(100))
        operations.attach_file(attachment_id=attachment.pk, file=ContentFile(content, name="x"))


def answer_in_every_state(ticket: Ticket, manager: User) -> None:
    quoted = ticket.messages.filter(sender=Sender.CLIENT).latest("pk")
    for state in (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED):
        reply = operations.reply(
            ticket_id=ticket.pk,
            actor=manager,
            text=f"Ответ: {state.label}",
            entities=[{"type": "bold", "offset": 0, "length": 5}],
            quote_id=quoted.pk,
            client_id=uuid.uuid4(),
        )
        Delivery.objects.filter(pk=reply.pk).update(state=DeliveryState.SENDING)
        operations.settle(delivery_id=reply.pk, state=state, parts_sent=int(state == DeliveryState.SENT))
    operations.reply(ticket_id=ticket.pk, actor=manager, text="Ждёт отправки", client_id=uuid.uuid4())
    operations.note(ticket_id=ticket.pk, actor=manager, text="Заметка для своих", client_id=uuid.uuid4())


def opened(desk: Desk, ticket: Ticket, manager: User, theme: str) -> Page:
    """The ticket's page, high enough to show its whole log."""
    page = desk.page(manager)
    page.emulate_media(color_scheme=theme)
    page.goto(f"/desk/t/{ticket.pk}/")
    height = page.locator(".log").evaluate("log => log.scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": height + 400})
    return page


def test_each_is_seen_and_plays_in_light_and_dark(
    desk: Desk, phone: Phone, aigerim: User, aside: Callable[[Callable[[], Any]], Any]
) -> None:
    blank = desk.page(aigerim)
    film = b64decode(blank.evaluate(FILM))
    aside(lambda: send_everything(phone))
    fill_files(film)
    (ticket,) = phone.tickets
    operations.take(ticket_id=ticket.pk, actor=aigerim)
    answer_in_every_state(ticket, aigerim)
    said = Message.objects.filter(ticket=ticket).exclude(sender=Sender.SYSTEM)
    for theme in ("light", "dark"):
        page = opened(desk, ticket, aigerim, theme)
        for message in said:
            expect(page.locator(f"#m{message.pk}")).to_be_visible()
        for shown in page.locator(".log img").all():
            expect(shown).not_to_have_js_property("naturalWidth", 0)
        for played in page.locator(".log video, .log audio").all():
            played.evaluate("one => { one.preload = 'auto'; one.load(); }")
            expect(played).to_have_js_property("readyState", PLAYS)
        if folder := os.environ.get("PICTURES"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.locator("#log-list").screenshot(path=Path(folder) / f"bubbles-{theme}.jpg", type="jpeg", quality=80)
