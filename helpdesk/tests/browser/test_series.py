"""Hundreds of photos in a row, as a manager meets them: folded, opened by hand, by a link, and growing while open."""

import os
import re
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from playwright.sync_api import Page, expect

from conftest import wrote
from helpdesk.tests.browser.conftest import Desk
from helpdesk.tests.browser.pictures import png
from helpdesk.tests.browser.test_live import path_of
from tickets import operations
from tickets.models import Ticket, User
from tickets.operations import Incoming, IncomingFile

pytestmark = pytest.mark.browser

PHOTO = png(64, 48)


def send_photos(ticket: Ticket, number: int, *, album: str = "") -> list[int]:
    """The ids of the messages, each with its picture loaded."""
    sent = []
    for _photo in range(number):
        incoming = Incoming(
            sent_at=timezone.now(),
            content_type="photo",
            files=[IncomingFile(kind="photo", width=64, height=48)],
            media_group_id=album,
        )
        message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
        operations.attach_file(attachment_id=message.attachments.get().pk, file=ContentFile(PHOTO, name="x"))
        sent.append(message.pk)
    return sent


def folds(page: Page) -> list[int]:
    """How many photos each closed fold names."""
    labels = page.locator(".series > details:not([open]) > summary").all_inner_texts()
    return [int(re.search(r"\d+", label)[0]) for label in labels]


def photos_open(page: Page) -> list[int]:
    ids = page.locator("#log-list .msg:not(.out)[data-message]:has(.album)").evaluate_all(
        "lines => lines.map((line) => line.id)"
    )
    return [int(name[1:]) for name in ids]


def test_a_fold_opens_by_the_keyboard_photo_by_photo(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    sent = send_photos(ticket, 130)
    page = desk.page(aigerim, path_of(ticket))
    assert (folds(page), photos_open(page)) == ([120], sent[-10:])
    for left, seen in (([70], 60), ([20], 110), ([], 130)):
        page.locator(".series > details:not([open]) > summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#log-list .msg:has(.album)")).to_have_count(seen)
        assert folds(page) == left
    assert photos_open(page) == sent


def test_a_link_to_a_folded_photo_opens_what_hides_it(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    sent = send_photos(ticket, 130)
    page = desk.page(aigerim, f"{path_of(ticket)}#m{sent[3]}")
    expect(page.locator(f"li#m{sent[3]}")).to_be_in_viewport()


def test_photos_that_go_on_coming_join_the_fold(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    sent = send_photos(ticket, 30)
    page = desk.page(aigerim, path_of(ticket))
    assert folds(page) == [20]
    for _turn in range(6):
        sent += send_photos(ticket, 10)
        expect(page.locator(f"li#m{sent[-1]} .album")).to_be_visible()
    expect(page.locator(".series")).to_have_count(1)
    expect(page.locator("#log-list > .msg:not(.out) .file")).to_have_count(0)
    page.wait_for_function("document.querySelectorAll('#log-list > .msg:has(.album)').length < 40")
    assert [*range(folds(page)[0]), *photos_open(page)][-len(photos_open(page)) :] == sent[folds(page)[0] :]
    expect(page.locator(f"li#m{sent[-1]}")).to_be_in_viewport()


def test_what_somebody_looks_at_does_not_fold_before_their_eyes(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    sent = send_photos(ticket, 60)
    page = desk.page(aigerim, path_of(ticket))
    page.locator(".series summary").first.click()
    expect(page.locator("#log-list .msg:has(.album)")).to_have_count(60)
    page.evaluate("document.getElementById('log').scrollTop = 0")
    for _turn in range(5):
        sent += send_photos(ticket, 10)
        expect(page.locator(f"li#m{sent[-1]}")).to_be_visible()
    expect(page.locator("#log-list .msg:has(.album)")).to_have_count(len(sent))
    assert photos_open(page) == sent


def test_the_pages_of_a_series_look_as_they_should(desk: Desk, ticket: Ticket, aigerim: User, tmp_path: Path) -> None:
    """PICTURES names a folder to keep them in."""
    wrote(ticket.customer, "Вот все повреждения, сфотографировал каждую коробку.", ticket=ticket)
    for number in range(30):
        send_photos(ticket, 10, album=f"{number}")
    wrote(ticket.customer, "Это всё.", ticket=ticket)
    folder = Path(os.environ.get("PICTURES", tmp_path))
    for width, height in ((1440, 900), (390, 844)):
        for theme in ("light", "dark"):
            page = desk.page(aigerim, path_of(ticket))
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            summary = page.locator(".series summary")
            expect(summary).to_have_text("Ещё 290 фото", use_inner_text=True)
            summary.scroll_into_view_if_needed()
            box = summary.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            page.screenshot(path=folder / f"series-{width}-{theme}.png")
            summary.press("Enter")
            expect(page.locator(".series .msg").first).to_be_visible()
            page.screenshot(path=folder / f"series-{width}-{theme}-open.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.close()
