"""Whoever moves on to another ticket acts on that one: answers about the one they left do not stand in its place."""

import re
import uuid
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from conftest import wrote
from tickets import operations
from tickets.models import Status, Ticket, TicketReader, User
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


def test_solving_that_can_no_longer_be_undone_is_told_of_without_touching_the_next_ticket(page, aigerim, ticket, other):
    page.keyboard.press("Alt+KeyE")
    expect(page.locator(TOASTS)).to_contain_text(f"№{ticket.pk} решено")
    go_to(page, other)
    operations.reopen(ticket_id=ticket.pk, actor=aigerim)
    page.click(f"{TOASTS} >> text=Отменить")
    expect(page.locator(TOASTS)).to_contain_text(f"Не сделано в обращении №{ticket.pk}. Обращение уже снова в работе.")
    expect_only(page, other)
    page.click(f"{TOASTS} >> text=Открыть")
    expect_only(page, ticket)


def test_undoing_from_the_next_ticket_waits_for_what_has_not_been_read_in_its_own(page, bolat, ticket, other):
    page.keyboard.press("Alt+KeyE")
    expect(page.locator(TOASTS)).to_contain_text(f"№{ticket.pk} решено")
    operations.note(ticket_id=ticket.pk, actor=bolat, text="Пусть так и будет", client_id=uuid.uuid4())
    wrote(other.customer, "Дальше по новому", ticket=other)  # newer than what has not been read
    go_to(page, other)
    page.click(f"{TOASTS} >> text=Отменить")
    expect(page.locator(TOASTS)).to_contain_text(f"Не сделано в обращении №{ticket.pk}. Ещё 1 сообщение")
    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED


def test_a_reply_refused_after_its_ticket_was_left_offers_nothing_in_the_next_one(page, ticket, other):
    held = Held(page, r"/reply/$")
    page.fill(FIELD, "Ответ вслепую")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    page.fill(FIELD, "Другому клиенту")
    wrote(ticket.customer, "Уже не нужно", ticket=ticket)
    held.let_go()
    expect_only(page, other)
    expect(page.locator(FIELD)).to_have_value("Другому клиенту")
    toast = page.locator(TOASTS)
    expect(toast).to_contain_text(f"Не отправлено в обращении №{ticket.pk}. Текст остался там черновиком.")
    expect(toast).to_contain_text("Ещё 1 сообщение, пока вы писали")
    toast.get_by_role("link", name="Открыть").click()
    expect_only(page, ticket)
    expect(page.locator(FIELD)).to_have_value("Ответ вслепую")


def test_an_act_refused_after_its_ticket_was_left_says_so_beside_the_next_one(page, ticket, other):
    held = Held(page, r"/resolve/$")
    page.keyboard.press("Alt+KeyE")
    go_to(page, other)
    wrote(ticket.customer, "Уже не нужно", ticket=ticket)
    held.let_go()
    expect(page.locator(TOASTS)).to_contain_text(f"Не сделано в обращении №{ticket.pk}. Ещё 1 сообщение")
    expect_only(page, other)


@pytest.mark.parametrize(
    ("status", "why"), [(404, "Обращение передано другой команде."), (403, "Не получилось."), (500, "Не получилось.")]
)
def test_a_reply_that_failed_after_its_ticket_was_left_is_told_of_too(page, ticket, other, status, why):
    held = Held(page, r"/reply/$")
    page.fill(FIELD, "Не ушло")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    held.let_go(
        lambda route: route.fulfill(status=status, content_type="text/html", body="<!doctype html><h1>Нет</h1>")
    )
    expect(page.locator(TOASTS)).to_contain_text(f"Не отправлено в обращении №{ticket.pk}")
    expect(page.locator(TOASTS)).to_contain_text(why)
    expect_only(page, other)


def test_a_reply_that_was_cut_off_after_its_ticket_was_left_is_told_of_beside_the_next_one(page, ticket, other):
    held = Held(page, r"/reply/$")
    page.fill(FIELD, "Не ушло")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    held.let_go(Route.abort)
    expect(page.locator(TOASTS)).to_contain_text(f"Не отправлено в обращении №{ticket.pk}")
    expect(page.locator(TOASTS)).to_contain_text("Нет связи с сервером.")
    expect_only(page, other)


def test_a_repeat_of_a_reply_whose_ticket_is_lost_is_told_of_beside_the_next_one(
    page, aigerim, saule, ticket, other, answer, other_team
):
    client_id = page.locator("#client-id").input_value()
    answer(ticket, aigerim, "Ушло", client_id=client_id)
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
    held = Held(page, r"/reply/$")
    page.fill(FIELD, "Ушло")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    held.let_go()
    expect(page.locator(TOASTS)).to_contain_text(
        f"Ответ уже принят и второй раз не уйдёт. Обращение №{ticket.pk} больше не у вас."
    )
    expect_only(page, other)


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
