"""Lists one chooses from, the drawer of a narrow window, time that passes, and what a page weighs."""

import re
from datetime import timedelta
from pathlib import Path

import brotli
import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Route, expect

from conftest import wrote
from tickets import operations
from tickets.models import Customer, Delivery, DeliveryState, Event, Status, Ticket, Topic

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

KILOBYTE = 1024
OVERLAPS = """[...document.querySelectorAll(".props > div")].filter((line) => {
    const range = document.createRange();
    range.selectNodeContents(line.children[0]);
    return range.getBoundingClientRect().right > line.children[1].getBoundingClientRect().left;
}).map((line) => line.textContent)"""
# Which of three presses the page itself stops; nothing is sent.
STOPPED = """selector => {
    const stopped = [];
    addEventListener("submit", (event) => {
        stopped.push(event.defaultPrevented);
        event.preventDefault();
    });
    for (let press = 0; press < 3; press += 1) document.querySelector(selector).click();
    return stopped;
}"""
SMALL = """selector => [...document.querySelectorAll(selector)].filter((control) => {
    const box = control.getBoundingClientRect();
    return box.width && (box.width < 44 || box.height < 44);
}).map((control) => control.outerHTML)"""
COMPRESSED = {"Accept-Encoding": "gzip"}


@pytest.fixture
def page(open_page, aigerim, ticket):
    return open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)


def test_a_topic_is_chosen_where_it_stands(open_page, aigerim, ticket):
    Topic.objects.create(name="Гарантия и ремонт")
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.click("#panel-ticket [data-opens=topics]")
    page.click("#chooser >> text=Гарантия и ремонт")
    expect(page.locator("#panel-ticket")).to_contain_text("Гарантия и ремонт")
    expect(page.locator("#chooser")).to_be_hidden()
    expect(page.locator("#log-list .event").last).to_contain_text("Тема: Гарантия и ремонт")


def test_a_ticket_is_handed_over_from_the_menu(page, bolat):
    page.click("[popovertarget=more-menu]")
    page.click("#more-menu >> text=Передать…")
    page.click("#chooser >> text=Болат Ермеков")
    expect(page.locator("#ticket-state")).to_contain_text("Отвечает Болат Ермеков.")
    expect(page.locator("#toasts")).to_contain_text("передано")


def test_enter_in_the_field_of_a_tag_adds_it_and_solves_nothing(page, ticket):
    page.click("#panel-ticket [data-opens=tags]")
    page.fill("#chooser input", "замена")
    page.press("#chooser input", "Enter")
    expect(page.locator("#panel-ticket .tag")).to_contain_text("замена")
    ticket.refresh_from_db()
    assert ticket.status != Status.RESOLVED


def test_solving_is_taken_back_from_the_toast(page, ticket):
    page.click("#ticket-head [data-key=resolve]")
    page.click("#toasts >> text=Отменить")
    expect(page.locator("#panel-ticket")).to_contain_text("В работе")
    expect(page.locator("#ticket-state .closed")).to_have_count(0)


def test_a_double_click_acts_once_and_warns_of_nothing(page, ticket):
    page.dblclick("#ticket-head [data-key=resolve]")
    expect(page.locator("#ticket-state")).to_contain_text("Решено сегодня")
    page.dblclick("#toasts >> text=Отменить")
    expect(page.locator("#panel-ticket")).to_contain_text("В работе")
    expect(page.locator("#guard")).to_be_empty()
    kinds = [Event.Kind.RESOLVED, Event.Kind.UNDONE, Event.Kind.REOPENED]
    assert list(ticket.events.filter(kind__in=kinds).order_by("pk").values_list("kind", flat=True)) == kinds[:2]


def test_an_act_pressed_again_while_it_is_on_its_way_is_done_once(page, ticket):
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/resolve/$"), hold)
    with page.expect_request(re.compile(r"/resolve/$")):
        page.keyboard.press("Alt+KeyE")
    page.keyboard.press("Alt+KeyE")
    held[0].fallback()
    expect(page.locator("#ticket-state")).to_contain_text("Решено сегодня")
    assert len(held) == 1
    expect(page.locator("#guard")).to_be_empty()


def test_the_next_one_is_not_asked_for_again_while_the_answer_is_slow(open_page, bolat, free_ticket):
    page = open_page(reverse("tickets:queue"), bolat)
    assert page.evaluate(STOPPED, "#take-next") == [False, True, True]


@pytest.mark.parametrize("language", ["ru", "kk", "en"])
def test_the_views_stand_on_one_line_and_labels_clear_of_values(open_page, aigerim, ticket, language):
    for number in range(10):
        wrote(Customer.objects.create(telegram_user_id=number + 1, name=f"Клиент {number}"), "Вопрос")
    aigerim.language = language
    aigerim.save()
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    views = page.locator(".views")
    assert views.bounding_box()["height"] < 50
    assert views.evaluate("views => views.scrollWidth <= views.clientWidth")
    assert page.evaluate(OVERLAPS) == []


def test_a_finger_finds_44_pixels(open_page, aigerim, ticket, answer):
    ticket.customer.phone = "+77071234567"
    ticket.customer.save()
    reply = answer(ticket, aigerim)
    Delivery.objects.filter(pk=reply.pk).update(state=DeliveryState.SENDING)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim, width=390)
    assert page.locator(".failure .btn").count() == 2
    assert page.evaluate(SMALL, ".failure .btn, .mode, .split .btn") == []
    page.click(".open-panel")
    assert page.evaluate(SMALL, "#panel .set, #phone button, #add-tag") == []


def test_supervisors_see_who_answers_without_scrolling(open_page, saule, aigerim, ticket):
    Ticket.objects.filter(pk=ticket.pk).update(subject="Очень длинный вопрос о гарантии и ремонте " * 3)
    page = open_page(reverse("admin:tickets_ticket_changelist"), saule)
    for name in ("shown_status", "assignee"):
        box = page.locator(f"td.field-{name}").first.bounding_box()
        assert box["x"] + box["width"] <= 1440 - 280  # beside the filters


def test_a_reply_is_changed_in_its_place_before_it_leaves(page):
    page.fill("#reply-text", "Завтар")
    page.press("#reply-text", "Control+Enter")
    page.hover("#log-list .msg.out")
    page.get_by_role("link", name="Изменить").click()
    page.fill(".msg-edit textarea", "Завтра")
    page.click("text=Сохранить и отправить")
    expect(page.locator("#log-list .msg.out .words")).to_contain_text("Завтра")
    expect(page.locator(".msg-edit")).to_have_count(0)


def test_the_phone_is_shown_in_its_place(open_page, aigerim, ticket):
    ticket.customer.phone = "+77071234567"
    ticket.customer.save()
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.click("#phone button")
    expect(page.locator("#phone")).to_have_text("+77071234567")


def test_a_card_number_is_shown_in_its_place(open_page, aigerim, timur, ticket):
    message = wrote(timur, "Оплатил картой 4111 1111 1111 1111", ticket=ticket).message
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    bubble = page.locator(f"#m{message.pk}")
    expect(bubble).to_contain_text("картой •••• •••• •••• 1111")
    bubble.get_by_role("button", name="Показать номер карты").click()
    expect(page.locator(f"#cards-{message.pk}")).to_have_text("4111 1111 1111 1111")


def test_the_panel_is_a_drawer_where_there_is_no_room(open_page, aigerim, ticket):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim, width=390)
    panel = page.locator("#panel")
    expect(panel).to_be_hidden()
    page.get_by_role("button", name="Клиент и обращение").click()
    expect(panel).to_be_visible()
    page.get_by_role("button", name="Закрыть", exact=True).click()
    expect(panel).to_be_hidden()


def test_a_phone_shows_one_pane_and_the_way_back(open_page, aigerim, ticket):
    page = open_page(reverse("tickets:queue"), aigerim, width=390)
    page.click(f"#row-{ticket.pk} > a")
    expect(page.locator("#queue")).to_be_hidden()
    page.get_by_role("link", name="К списку обращений").last.click()
    expect(page.locator("#queue")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 1024, 760, 390, 320])
def test_no_page_is_wider_than_its_window(open_page, aigerim, ticket, width):
    wrote(ticket.customer, "ә" * 300 + " https://example.com/" + "x" * 300, ticket=ticket)
    for name, ids in (("queue", []), ("ticket", [ticket.pk]), ("login", [])):
        page = open_page(reverse(f"tickets:{name}", args=ids), None if name == "login" else aigerim, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_time_passes_by_itself(open_page, aigerim, ticket):
    Ticket.objects.filter(pk=ticket.pk).update(waiting_since=timezone.now() - timedelta(minutes=5))
    page = open_page(reverse("tickets:queue"), aigerim)
    page.evaluate("document.querySelector('.row .wait').dataset.since = new Date(Date.now() - 4320e3).toISOString()")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".row .wait")).to_have_text("ждёт 1\u00a0ч 12\u00a0мин")


def test_back_and_forward_lead_between_tickets(open_page, aigerim, ticket, timur):
    other = wrote(timur, "Другой вопрос").ticket
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    page.click(f"#row-{other.pk} > a")
    expect(page.locator("#ticket-head")).to_contain_text(f"№{other.pk}")
    page.go_back()
    expect(page.locator("#ticket-head")).to_contain_text(f"№{ticket.pk}")
    page.go_forward()
    expect(page.locator("#ticket-head")).to_contain_text(f"№{other.pk}")


def squeezed(content: bytes) -> int:
    """What a file weighs on the wire, as the site serves it."""
    return len(brotli.compress(content))


def test_the_first_load_weighs_at_most_90_kb(open_page, desk, aigerim, ticket):
    for number in range(49):
        wrote(ticket.customer, f"Сообщение {number}, и в нём несколько обычных слов.", ticket=ticket)
    address = reverse("tickets:ticket", args=[ticket.pk])
    page = open_page(address, aigerim)
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)")
    files = {path.removeprefix("/static/") for path in loaded if path.startswith("/static/")}
    assert {"css/app.css", "vendor/htmx/htmx.min.js", "js/composer.js", "icons/sprite.svg"} <= files
    weight = len(desk(aigerim).get(address, headers=COMPRESSED).content)
    for name in files:
        found = finders.find(name)
        assert isinstance(found, str)
        weight += squeezed(Path(found).read_bytes())
    assert weight <= 90 * KILOBYTE


def test_a_day_has_one_heading_however_many_pages_of_it_are_open(open_page, aigerim, ticket):
    for number in range(70):
        wrote(ticket.customer, f"Сообщение {number}", ticket=ticket)
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.locator("#older").scroll_into_view_if_needed()
    expect(page.locator("#log-list")).to_contain_text("Сообщение 0")
    expect(page.locator("#log-list > .day")).to_have_count(1)


def test_a_fragment_weighs_at_most_15_kb(htmx, saule, ticket):
    for number in range(60):
        wrote(ticket.customer, f"Сообщение {number}, и в нём несколько обычных слов.", ticket=ticket)
        wrote(Customer.objects.create(telegram_user_id=number + 1, name=f"Клиент {number}"), "Ещё один вопрос.")
    client, address = htmx(saule), reverse("tickets:ticket", args=[ticket.pk])
    page = client.get(address, headers=COMPRESSED)
    before = page.context["page"].conversation.older_than
    parts = [f"{address}{name}" for name in ("head/", "panel/", "state/", "row/", f"messages/?before={before}")]
    for part in [address, reverse("tickets:queue", query={"view": "all"}), *parts]:
        assert len(client.get(part, headers=COMPRESSED).content) <= 15 * KILOBYTE, part
