"""Keys work by their place on the keyboard, never fire in a field, and the plain ones can be switched off."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from conftest import wrote
from tickets import operations
from tickets.models import Customer, DeliveryState, Status, Ticket, User
from tickets.tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

FIELD = "#reply-text"


@pytest.fixture
def page(open_page: OpenPage, aigerim: User, ticket: Ticket) -> Page:
    shown = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    shown.evaluate("document.activeElement.blur()")
    return shown


def press_on_russian_layout(page: Page, code: str, letter: str, *, alt: bool = False) -> None:
    event = {"code": code, "key": letter, "altKey": alt, "bubbles": True, "cancelable": True}
    page.evaluate("event => document.body.dispatchEvent(new KeyboardEvent('keydown', event))", event)


def test_r_and_n_lead_to_the_field_in_their_mode(page):
    page.keyboard.press("KeyN")
    expect(page.locator(FIELD)).to_be_focused()
    expect(page.locator("#reply [value=note]")).to_be_checked()
    page.keyboard.press("Escape")
    page.keyboard.press("KeyR")
    expect(page.locator(FIELD)).to_be_focused()
    expect(page.locator("#reply [value=reply]")).to_be_checked()


def test_keys_work_on_a_russian_layout(page):
    press_on_russian_layout(page, "KeyR", "к")
    expect(page.locator(FIELD)).to_be_focused()


@pytest.mark.parametrize("width", [390, 1440])
def test_what_can_be_done_with_a_message_is_in_reach_of_a_key(open_page, aigerim, ticket, width):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim, width=width)
    reaction = page.get_by_role("link", name="Поставить реакцию").first
    page.get_by_role("link", name="Ответить на это сообщение").first.focus()
    page.keyboard.press("Tab")
    expect(reaction).to_be_focused()
    expect(reaction.locator("..")).to_have_css("opacity", "1")
    assert reaction.bounding_box()["width"] > 24
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="👍")).to_be_focused()


def test_without_scripts_it_is_seen_on_a_narrow_page(open_page, aigerim, ticket):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim, width=390, scripts=False)
    reaction = page.get_by_role("link", name="Поставить реакцию").first
    assert reaction.bounding_box()["width"] > 24
    reaction.click()
    page.get_by_role("button", name="👍").click()
    expect(page.get_by_label("Реакция ставится у клиента…")).to_be_visible()


def test_no_plain_key_fires_in_a_field(page):
    page.focus(FIELD)
    page.keyboard.type("rn1?j")
    expect(page.locator(FIELD)).to_have_value("rn1?j")
    expect(page.locator("#keys")).to_be_hidden()


def test_plain_keys_are_switched_off_in_the_profile_and_acts_are_not(open_page, aigerim, ticket):
    aigerim.keys = False
    aigerim.save()
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("KeyR")
    page.keyboard.press("?")
    expect(page.locator(FIELD)).not_to_be_focused()
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Alt+KeyH")
    expect(page.locator("#snooze-menu")).to_be_visible()


@pytest.mark.parametrize("letter", ["e", "i", "a", "h", "u"])
def test_no_letter_alone_does_anything_to_a_ticket(page, ticket, letter):
    ticket.refresh_from_db()
    version = ticket.version
    page.keyboard.press(f"Key{letter.upper()}")
    page.wait_for_timeout(200)
    ticket.refresh_from_db()
    assert ticket.version == version


def test_alt_e_solves_even_from_the_field(page, ticket):
    page.focus(FIELD)
    page.keyboard.press("Alt+KeyE")
    expect(page.locator("#ticket-state")).to_contain_text("Решено сегодня")
    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED


def test_alt_i_takes(open_page, bolat, free_ticket):
    page = open_page(reverse("tickets:ticket", args=[free_ticket.pk]), bolat)
    page.keyboard.press("Alt+KeyI")
    expect(page.locator("#panel-ticket")).to_contain_text("Болат Ермеков")


def test_alt_a_offers_colleagues(page, bolat):
    page.keyboard.press("Alt+KeyA")
    expect(page.locator("#chooser")).to_contain_text("Болат Ермеков")


def test_alt_j_takes_the_next_one(open_page, bolat, free_ticket):
    page = open_page(reverse("tickets:queue"), bolat)
    page.keyboard.press("Alt+KeyJ")
    expect(page.locator("#ticket-head")).to_contain_text(f"№{free_ticket.pk}")


def test_the_question_mark_shows_all_keys(page):
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_j_and_k_walk_the_queue_and_enter_opens(open_page, bolat):
    people = [Customer.objects.create(telegram_user_id=10 + n, name=f"Клиент {n}") for n in range(3)]
    tickets = [wrote(person, "Вопрос").ticket for person in people]
    page = open_page(reverse("tickets:queue", query={"view": "free"}), bolat)
    for _step in range(2):
        page.keyboard.press("KeyJ")
    expect(page.locator(f"#row-{tickets[1].pk} > a")).to_be_focused()
    page.keyboard.press("KeyK")
    page.keyboard.press("Enter")
    expect(page.locator("#ticket-head")).to_contain_text(f"№{tickets[0].pk}")


@pytest.mark.parametrize(("digit", "name"), [(1, "Мои"), (2, "Свободные"), (3, "Все"), (4, "Позже")])
def test_digits_choose_the_view(page, digit, name):
    page.keyboard.press(f"Digit{digit}")
    expect(page.locator(".views [aria-current=true]")).to_contain_text(name)


def test_up_in_the_empty_field_opens_ones_own_last_reply_that_has_not_left(open_page, aigerim, ticket, answer):
    reply = answer(ticket, aigerim, "Проверьте зарядку")
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.focus(FIELD)
    page.keyboard.type("а")
    page.keyboard.press("ArrowUp")
    expect(page.locator(f"#edit-{reply.pk}")).to_have_count(0)
    page.keyboard.press("Delete")
    page.keyboard.press("ArrowUp")
    expect(page.locator(f"#edit-{reply.pk}")).to_be_focused()


def test_up_in_the_empty_field_changes_what_has_arrived_too(open_page, aigerim, ticket, answer):
    reply = answer(ticket, aigerim, "Проверьте зарядку")
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.SENT, parts_sent=1)
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.focus(FIELD)
    page.keyboard.press("ArrowUp")
    expect(page.locator(f"#edit-{reply.pk}")).to_be_focused()


def test_alt_h_leads_into_its_list(page):
    page.keyboard.press("Alt+KeyH")
    expect(page.locator("#snooze-menu .item").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#snooze")).to_be_focused()


def test_the_focus_comes_back_to_what_was_changed(page):
    page.focus("#set-priority")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#set-priority")).to_contain_text("Срочно")
    expect(page.locator("#set-priority")).to_be_focused()


def test_alt_l_adds_a_tag_and_comes_back(page):
    page.keyboard.press("Alt+KeyL")
    expect(page.locator("#chooser input")).to_be_focused()
    page.keyboard.type("замена")
    page.keyboard.press("Enter")
    expect(page.locator("#panel-ticket .tag")).to_contain_text("замена")
    expect(page.locator("#add-tag")).to_be_focused()
