"""A page that stays open over midnight comes to say the right words by itself."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from conftest import wrote
from tickets import operations
from tickets.models import Message, Ticket, User
from tickets.tests.browser.conftest import OpenPage
from tickets.tests.test_desk_queries import fill

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

FIELD = "#reply-text"
DAYS = "#log-list > .day"


@pytest.fixture
def night(midnight: datetime, clock: Callable[[datetime], None]) -> Callable[[Page], None]:
    """`night(page)`: twenty minutes pass, and the day ends."""

    def pass_by(page: Page) -> None:
        clock(midnight + timedelta(minutes=10))
        page.clock.fast_forward("20:00")

    return pass_by


@pytest.fixture
def snoozed(midnight: datetime, aigerim: User, ticket: Ticket, answer: Callable[..., Message]) -> Ticket:
    answer(ticket, aigerim)
    return operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=midnight + timedelta(hours=9))


def opened(open_page: OpenPage, user: User, path: str) -> Page:
    page = open_page(path, user)
    page.clock.install()
    page.reload()
    return page


def place(page: Page) -> float:
    """Of the second day's heading in the conversation; banners above that come and go as they do."""
    y: float = page.evaluate(
        """() => document.querySelectorAll("#log-list > .day")[1].getBoundingClientRect().top
            - document.getElementById("log").getBoundingClientRect().top"""
    )
    return y


def address(ticket: Ticket, view: str) -> str:
    return reverse("tickets:ticket", args=[ticket.pk], query={"view": view})


def test_the_queue_turns_its_words(open_page, night, aigerim, snoozed):
    page = opened(open_page, aigerim, reverse("tickets:queue", query={"view": "later"}))
    expect(page.locator(f"#row-{snoozed.pk} .wait")).to_have_text("до завтра")
    night(page)
    expect(page.locator(f"#row-{snoozed.pk} .wait")).to_have_text("до 09:00")


def test_the_queue_turns_its_words_under_a_pointer_too(open_page, night, aigerim, snoozed):
    page = opened(open_page, aigerim, reverse("tickets:queue", query={"view": "later"}))
    page.hover(f"#row-{snoozed.pk}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    night(page)
    expect(page.locator(f"#row-{snoozed.pk} .wait")).to_have_text("до 09:00")
    asked.clear()
    page.clock.fast_forward("05:00")
    assert not [url for url in asked if "/desk/?view=" in url]


def test_rows_opened_further_down_turn_too(open_page, night, aigerim, team, midnight):
    fill(team, aigerim, 140)
    page = opened(open_page, aigerim, reverse("tickets:queue"))
    rows = page.locator("#queue-list .row")
    page.locator("#more-rows a").dispatch_event("click")
    expect(rows).to_have_count(100)
    page.locator("#more-rows a").dispatch_event("click")
    expect(rows).to_have_count(140)
    night(page)
    resting = page.locator("#queue-list .wait:not([data-since])")
    expect(resting).to_have_text(["вчера"] * 70)
    expect(rows).to_have_count(140)


def test_the_ticket_turns_its_words_under_the_writers_hands(open_page, night, aigerim, snoozed):
    page = opened(open_page, aigerim, address(snoozed, "later"))
    expect(page.locator(DAYS)).to_have_text([re.compile("^Сегодня, ")])
    expect(page.locator("#ticket-state")).to_contain_text("Вернётся в очередь завтра в 09:00")
    page.fill(FIELD, "Начатый ответ")
    page.locator(FIELD).evaluate("field => field.setSelectionRange(3, 7)")
    night(page)
    expect(page.locator(DAYS)).to_have_text([re.compile("^Вчера, ")])
    expect(page.locator("#ticket-state")).to_contain_text("Вернётся в очередь сегодня в 09:00")
    expect(page.locator("#panel-ticket")).to_contain_text("Отложено до: сегодня в 09:00")
    expect(page.locator(FIELD)).to_have_value("Начатый ответ")
    expect(page.locator(FIELD)).to_be_focused()
    assert page.locator(FIELD).evaluate("field => [field.selectionStart, field.selectionEnd]") == [3, 7]


def test_days_further_up_turn_too_and_nothing_moves(open_page, night, clock, midnight, aigerim, timur):
    clock(midnight - timedelta(days=2, minutes=10))
    ticket = operations.take(ticket_id=wrote(timur, "Началось позавчера").ticket.pk, actor=aigerim)
    for days in (1, 0):
        clock(midnight - timedelta(days=days, minutes=10))
        for number in range(40):
            wrote(timur, f"Подробность {number}", ticket=ticket)
    page = opened(open_page, aigerim, address(ticket, "mine"))
    page.click("#older a")
    expect(page.locator(DAYS)).to_have_count(3)
    page.locator(DAYS).nth(1).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    before = place(page)
    plain = page.locator(DAYS).nth(1).inner_text().removeprefix("Вчера, ")
    night(page)
    expect(page.locator(DAYS).nth(2)).to_have_text(re.compile("^Вчера, "))
    expect(page.locator(DAYS).nth(1)).to_have_text(plain)
    assert place(page) == before


def test_the_customers_other_tickets_turn_too(open_page, night, aigerim, ticket, other):
    page = opened(open_page, aigerim, address(ticket, "all"))
    expect(page.locator("#panel-more time")).to_have_text([re.compile(r"^\d\d:\d\d$")])
    night(page)
    expect(page.locator("#panel-more time")).to_have_text(["вчера"])


def test_a_page_nobody_looks_at_asks_when_it_is_looked_at(open_page, night, aigerim, snoozed):
    page = opened(open_page, aigerim, address(snoozed, "later"))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    night(page)
    page.wait_for_timeout(300)
    assert not [url for url in asked if "/head/" in url]
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(DAYS)).to_have_text([re.compile("^Вчера, ")])


def test_a_day_that_is_not_over_is_not_asked_about(open_page, clock, midnight, aigerim, snoozed):
    page = opened(open_page, aigerim, address(snoozed, "later"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    clock(midnight - timedelta(minutes=1))
    page.clock.fast_forward("09:00")
    page.wait_for_timeout(300)
    assert not [url for url in asked if "/head/" in url or "/desk/?view=" in url]
