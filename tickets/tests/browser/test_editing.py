"""A reply opened for editing: its new words stay in its field until they are saved or given up."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from conftest import wrote
from tickets import operations
from tickets.models import Customer, Message, Ticket, User
from tickets.tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

FIELD = "#reply-text"
NEW_WORDS = "Курьер будет до 19:00, позвонит за час"
IS_ASKED = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"


@pytest.fixture
def reply(ticket: Ticket, aigerim: User, answer: Callable[..., Message]) -> Message:
    return answer(ticket, aigerim, "Курьер будет до 18:00")


@pytest.fixture
def other(timur: Customer, reply: Message) -> Ticket:
    return wrote(timur, "Другой вопрос").ticket


def address(ticket: Ticket) -> str:
    return reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"})


def edited(page: Page, reply: Message) -> None:
    page.hover(f"#m{reply.pk}")
    page.click(f"#m{reply.pk} [hx-get$='?edit']")
    page.fill(f"#edit-{reply.pk}", NEW_WORDS)


def go_to(page: Page, ticket: Ticket) -> None:
    page.click(f"#row-{ticket.pk} > a")
    expect(page.locator("#ticket-head")).to_contain_text(f"№{ticket.pk}")


def test_new_words_wait_while_one_looks_at_another_ticket(open_page: OpenPage, aigerim, ticket, reply, other):
    page = open_page(address(ticket), aigerim)
    edited(page, reply)
    go_to(page, other)
    assert page.evaluate(IS_ASKED)
    go_to(page, ticket)
    expect(page.locator(f"#edit-{reply.pk}")).to_have_value(NEW_WORDS)
    page.click(f"#m{reply.pk} .msg-edit [type=submit]")
    expect(page.locator(f"#m{reply.pk} .stack")).to_contain_text("до 19:00")
    assert not page.evaluate(IS_ASKED)
    go_to(page, other)
    go_to(page, ticket)
    expect(page.locator(f"#m{reply.pk} .msg-edit")).to_have_count(0)


def test_new_words_wait_through_the_browsers_own_ways(open_page: OpenPage, aigerim, ticket, reply, other):
    page = open_page(address(other), aigerim)
    go_to(page, ticket)
    edited(page, reply)
    page.go_back()
    expect(page.locator("#ticket-head")).to_contain_text(f"№{other.pk}")
    page.go_forward()
    expect(page.locator(f"#edit-{reply.pk}")).to_have_value(NEW_WORDS)
    page.click(f"#m{reply.pk} .msg-edit a:has-text('Не менять')")
    expect(page.locator(f"#m{reply.pk} .stack")).to_contain_text("до 18:00")
    assert not page.evaluate(IS_ASKED)


def test_a_page_with_new_words_asks_before_it_goes(open_page: OpenPage, aigerim, ticket, reply):
    page = open_page(address(ticket), aigerim)
    page.hover(f"#m{reply.pk}")
    page.click(f"#m{reply.pk} [hx-get$='?edit']")
    expect(page.locator(f"#edit-{reply.pk}")).to_be_visible()
    assert not page.evaluate(IS_ASKED)
    page.fill(f"#edit-{reply.pk}", NEW_WORDS)
    assert page.evaluate(IS_ASKED)


def refused_without_scripts(
    open_page: OpenPage, aigerim: User, ticket: Ticket, reply: Message, refuse: Callable[[], object]
) -> Page:
    page = open_page(f"{reverse('tickets:ticket', args=[ticket.pk])}?edit={reply.pk}", aigerim, scripts=False)
    page.fill(f"#edit-{reply.pk}", NEW_WORDS)
    refuse()
    page.click(f"#m{reply.pk} .msg-edit [type=submit]")
    expect(page.locator("#guard .strip")).to_be_visible()
    return page


def test_without_scripts_a_refused_edit_is_still_an_edit(open_page: OpenPage, aigerim, timur, ticket, reply):
    def say_more():
        wrote(timur, "А можно вечером?", ticket=ticket)

    page = refused_without_scripts(open_page, aigerim, ticket, reply, say_more)
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(f"#edit-{reply.pk}")).to_have_value(NEW_WORDS)
    page.click(f"#m{reply.pk} .msg-edit [type=submit]")
    expect(page.locator(f"#m{reply.pk} .stack")).to_contain_text("до 19:00")


def test_without_scripts_words_that_came_too_late_can_still_be_copied(open_page: OpenPage, aigerim, ticket, reply):
    def leave():
        operations.start_sending(delivery_id=reply.pk)

    page = refused_without_scripts(open_page, aigerim, ticket, reply, leave)
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(f"#edit-{reply.pk}")).to_have_value(NEW_WORDS)
