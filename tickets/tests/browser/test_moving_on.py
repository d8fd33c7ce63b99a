"""Whoever moves on to another ticket acts on that one: answers about the one they left do not stand in its place."""

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from tickets import operations
from tickets.models import Ticket, TicketReader, User
from tickets.tests.browser.conftest import OpenPage, go_to

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

FIELD, GUARD, LOG, TOASTS = "#reply-text", "#guard", "#log-list", "#toasts"
ON_THE_SPOT = 500  # ms; what would be painted is painted by then


class Held:
    """Requests to addresses like `pattern` wait until they are let go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page = page
        self.routes: list[Route] = []
        page.route(re.compile(pattern), self.hold)

    def hold(self, route: Route) -> None:
        self.routes.append(route)

    def let_go(self, end: Callable[[Route], None] = Route.fallback) -> None:
        while not self.routes:
            self.page.wait_for_timeout(20)
        for route in self.routes:
            end(route)
        self.page.wait_for_timeout(ON_THE_SPOT)


@pytest.fixture
def page(open_page: OpenPage, aigerim: User, ticket: Ticket, other: Ticket) -> Page:
    return open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)


def expect_only(page: Page, ticket: Ticket) -> None:
    """Nothing but `ticket` stands on the page."""
    expect(page.locator("#ticket-head")).to_contain_text(f"№{ticket.pk}")
    expect(page.locator(GUARD)).to_be_empty()
    expect(page.locator(".row > [aria-current]")).to_have_count(1)
    expect(page.locator(f"#row-{ticket.pk} > a")).to_have_attribute("aria-current", "true")
    shown = page.locator(f"{LOG} [data-message]").evaluate_all("lines => lines.map(line => line.id)")
    assert shown == [f"m{message.pk}" for message in ticket.messages.order_by("pk")]


def test_solving_is_undone_from_the_next_ticket_and_that_one_stays(page, ticket, other):
    page.keyboard.press("Alt+KeyE")
    expect(page.locator(TOASTS)).to_contain_text(f"№{ticket.pk} решено")
    go_to(page, other)
    page.click(f"{TOASTS} >> text=Отменить")
    expect(page.locator(TOASTS)).to_contain_text(f"№{ticket.pk} снова в работе")
    expect_only(page, other)
    ticket.refresh_from_db()
    assert ticket.is_active


def test_of_two_tickets_chosen_the_later_choice_stays(open_page, aigerim, ticket, other):
    page = open_page(reverse("tickets:queue", query={"view": "all"}), aigerim)
    held = Held(page, rf"/t/{ticket.pk}/\?view=all$")
    page.click(f"#row-{ticket.pk} > a")
    go_to(page, other)
    held.let_go()
    expect_only(page, other)
    expect(page).to_have_url(re.compile(rf"/t/{other.pk}/"))


def test_of_two_views_chosen_the_later_choice_stays(open_page, aigerim, ticket, other):
    page = open_page(reverse("tickets:queue"), aigerim)
    page.evaluate("document.activeElement.blur()")
    held_free, held_all = Held(page, r"\?view=free$"), Held(page, r"\?view=all$")
    page.keyboard.press("Digit2")
    page.keyboard.press("Digit3")
    held_free.let_go()
    held_all.let_go()
    expect(page.locator("#queue")).to_have_attribute("data-view", "all")


def test_a_ticket_is_read_though_a_newer_one_was_being_marked_read_when_it_opened(open_page, aigerim, ticket, other):
    # Over words begun, a message counts as read a second later: the answer about the newer ticket comes before that.
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Начатый ответ")
    page = open_page(reverse("tickets:queue", query={"view": "all"}), aigerim)
    held = Held(page, rf"/t/{other.pk}/seen/$")
    with page.expect_request(re.compile(r"/seen/$")):
        go_to(page, other)
    go_to(page, ticket)
    with page.expect_response(re.compile(rf"/t/{ticket.pk}/seen/$")):
        held.let_go()
    assert TicketReader.objects.filter(ticket=ticket, user=aigerim, seen_message=ticket.last_message_id).exists()
