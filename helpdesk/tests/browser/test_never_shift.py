"""Nothing moves under the reader's eyes or hands, and nothing typed is lost, whatever happens elsewhere."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from playwright.sync_api import Locator, Page, Route, expect

from conftest import wrote
from helpdesk.tests.browser.conftest import Desk
from helpdesk.tests.browser.pictures import png
from helpdesk.tests.test_supervisor import eventually
from tickets import operations
from tickets.models import Customer, Message, Ticket, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

WORDS = "Проверьте зарядку и напишите модель ноутбука"


def open_ticket(desk: Desk, ticket: Ticket, user: User) -> Page:
    return desk.page(user, f"/desk/t/{ticket.pk}/")


def say_much(ticket: Ticket, number: int = 40) -> None:
    for each in range(number):
        wrote(ticket.customer, f"Подробность номер {each}, чтобы было что листать", ticket=ticket)


def many_tickets(number: int, user: User) -> list[Ticket]:
    """Tickets of `user`'s, the one waiting longest first."""
    began = timezone.now() - timedelta(hours=number)
    tickets = []
    for each in range(number):
        customer = Customer.objects.create(telegram_user_id=800_000 + each, name=f"Клиент {each}")
        opened = wrote(customer, f"Вопрос номер {each}", sent_at=began + timedelta(hours=each)).ticket
        assert opened is not None
        tickets.append(operations.take(ticket_id=opened.pk, actor=user))
    return tickets


def box(locator: Locator) -> dict[str, float]:
    found = locator.bounding_box()
    assert found is not None
    return dict(found)


class TestTheComposer:
    """1. Text, caret, selection, mode and attachments survive any event."""

    def begin(self, page: Page) -> None:
        page.locator("#reply input[type=radio][value=note]").check()
        page.locator("#reply input[type=file]").set_input_files(
            [{"name": "схема.txt", "mimeType": "text/plain", "buffer": b"plan"}]
        )
        page.locator("#reply-text").fill(WORDS)
        page.locator("#reply-text").evaluate("field => field.setSelectionRange(4, 9, 'backward')")

    def check_untouched(self, page: Page) -> None:
        field = page.locator("#reply-text")
        expect(field).to_have_value(WORDS)
        expect(field).to_be_focused()
        selection = "field => [field.selectionStart, field.selectionEnd, field.selectionDirection]"
        assert field.evaluate(selection) == [4, 9, "backward"]
        expect(page.locator("#reply input[value=note]")).to_be_checked()
        expect(page.locator("#attached .chip")).to_contain_text("схема.txt")
        assert page.locator("#reply input[type=file]").evaluate("input => input.files[0].name") == "схема.txt"

    def test_survives_a_message(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        page = open_ticket(desk, ticket, aigerim)
        self.begin(page)
        wrote(ticket.customer, "А ещё он греется", ticket=ticket)
        expect(page.locator("#log-list")).to_contain_text("А ещё он греется")
        self.check_untouched(page)

    def test_survives_a_change_of_owner(
        self, desk: Desk, ticket: Ticket, aigerim: User, bolat: User, saule: User
    ) -> None:
        page = open_ticket(desk, ticket, aigerim)
        self.begin(page)
        operations.assign(ticket_id=ticket.pk, actor=saule, assignee_id=bolat.pk)
        expect(page.locator("#ticket-state")).to_contain_text("Отвечает Болат Ермеков")
        self.check_untouched(page)

    def test_survives_solving_and_a_strip_appears_above(
        self, desk: Desk, ticket: Ticket, aigerim: User, saule: User
    ) -> None:
        page = open_ticket(desk, ticket, aigerim)
        self.begin(page)
        operations.resolve(ticket_id=ticket.pk, actor=saule)
        strip = page.locator("#ticket-state .closed")
        expect(strip).to_contain_text("Решено")
        self.check_untouched(page)
        assert box(strip)["y"] < box(page.locator("#reply"))["y"]

    def test_survives_the_tickets_going_to_another_team(
        self, desk: Desk, ticket: Ticket, aigerim: User, saule: User, other_team: Any
    ) -> None:
        page = open_ticket(desk, ticket, aigerim)
        self.begin(page)
        operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
        expect(page.locator("#guard")).to_contain_text("Обращение передано другой команде")
        self.check_untouched(page)


class TestTheLog:
    """2. At the bottom it follows; scrolled up, nothing moves and a pill counts."""

    def test_at_the_bottom_it_follows(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        say_much(ticket)
        page = open_ticket(desk, ticket, aigerim)
        wrote(ticket.customer, "Самое новое", ticket=ticket)
        newest = page.get_by_text("Самое новое").last
        expect(newest).to_be_in_viewport()
        expect(page.locator("#jump")).to_be_hidden()

    def test_scrolled_up_nothing_moves_and_a_pill_counts(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        say_much(ticket)
        page = open_ticket(desk, ticket, aigerim)
        probe = page.locator("#log-list > .msg").nth(8)
        probe.scroll_into_view_if_needed()
        before = box(probe)
        wrote(ticket.customer, "Первое новое", ticket=ticket)
        wrote(ticket.customer, "Второе новое", ticket=ticket)
        expect(page.locator("#jump")).to_contain_text("2 новых сообщения")
        assert abs(box(probe)["y"] - before["y"]) < 1, "not by a pixel"
        page.locator("#jump").click()
        expect(page.locator("#log-list > .msg").last).to_be_in_viewport()
        expect(page.locator("#jump")).to_be_hidden()


class TestTheQueue:
    """3. The focused row and the scroll survive; under a hand the order is frozen and new rows wait."""

    def test_the_focused_row_and_the_scroll_stay(self, desk: Desk, aigerim: User) -> None:
        tickets = many_tickets(30, aigerim)
        page = desk.page(aigerim)
        row = page.locator(f"#row-{tickets[20].pk} > a")
        row.scroll_into_view_if_needed()
        row.focus()
        before = box(row)
        wrote(tickets[20].customer, "Ещё слово", ticket=tickets[20])
        expect(row).to_contain_text("Ещё слово")
        expect(row).to_be_focused()
        assert box(row)["y"] == before["y"]

    def test_under_the_pointer_the_order_is_frozen_and_new_rows_wait(
        self, desk: Desk, aigerim: User, timur: Customer
    ) -> None:
        tickets = many_tickets(5, aigerim)
        page = desk.page(aigerim)
        order = page.locator("#queue-list .row").evaluate_all("rows => rows.map(row => row.id)")
        page.locator(f"#row-{tickets[0].pk}").hover()
        operations.reply(ticket_id=tickets[0].pk, actor=aigerim, text="Ответ", client_id=uuid.uuid4())
        new = wrote(timur, "Новый вопрос").ticket
        assert new is not None
        operations.take(ticket_id=new.pk, actor=aigerim)
        expect(page.locator("#queue-news")).to_have_text("1 новое")
        expect(page.locator(f"#row-{tickets[0].pk}")).to_contain_text("Ответ")
        assert page.locator("#queue-list .row").evaluate_all("rows => rows.map(row => row.id)") == order
        page.locator(".sheet").hover()
        expect(page.locator(f"#row-{new.pk}")).to_be_visible()
        expect(page.locator("#queue-news")).to_be_hidden()
        # Answered: from the first to wait to the last who does not.
        expect(page.locator("#queue-list .row").last).to_have_attribute("id", f"row-{tickets[0].pk}")

    def test_the_pill_shows_what_waits(self, desk: Desk, aigerim: User, timur: Customer) -> None:
        tickets = many_tickets(5, aigerim)
        page = desk.page(aigerim)
        page.locator(f"#row-{tickets[0].pk}").hover()
        new = wrote(timur, "Новый вопрос").ticket
        assert new is not None
        operations.take(ticket_id=new.pk, actor=aigerim)
        page.locator("#queue-news").click()
        expect(page.locator(f"#row-{new.pk}")).to_be_visible()


class TestPictures:
    """4. Boxes of media have their size before the bytes are there."""

    def test_a_picture_takes_its_place_before_it_is_loaded(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        photo = operations.Incoming(
            content_type="photo",
            text="Вот фото",
            sent_at=timezone.now(),
            files=[operations.IncomingFile(kind="photo", width=600, height=400)],
        )
        message = operations.receive(customer=ticket.customer, incoming=photo, ticket=ticket).message
        content = ContentFile(png(600, 400), name="photo.png")
        operations.attach_file(attachment_id=message.attachments.get().pk, file=content)
        page = desk.open(aigerim).new_page()
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/file/**", hold)
        page.goto(f"/desk/t/{ticket.pk}/", wait_until="domcontentloaded")
        picture = page.locator(f"#m{message.pk} img")
        before = box(picture)
        while not held:
            page.wait_for_timeout(50)
        held[0].continue_()
        page.wait_for_function("picture => picture.complete && picture.naturalWidth", arg=picture.element_handle())
        assert box(picture) == before
        assert before["height"] > 100


class TestDrafts:
    """5. On the server for each person and ticket, and in the browser until the server has it."""

    def test_comes_back_after_a_reload(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        page = open_ticket(desk, ticket, aigerim)
        page.locator("#reply-text").fill(WORDS)
        expect(page.locator("#saved")).to_have_text("Черновик сохранён")
        page.reload()
        expect(page.locator("#reply-text")).to_have_value(WORDS)

    def test_comes_back_though_the_server_was_away(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        page = open_ticket(desk, ticket, aigerim)
        page.route("**/draft/", lambda route: route.abort())
        page.locator("#reply-text").fill(WORDS)
        expect(page.locator("#saved")).to_have_text("Черновик сохранён в браузере")
        page.reload()
        expect(page.locator("#reply-text")).to_have_value(WORDS)

    def test_stays_where_it_was_begun(self, desk: Desk, ticket: Ticket, aigerim: User) -> None:
        other = many_tickets(1, aigerim)[0]
        page = open_ticket(desk, ticket, aigerim)
        page.locator("#reply-text").fill(WORDS)
        page.locator(f"#row-{other.pk} > a").click()
        expect(page.locator("#page-title")).to_contain_text(f"№{other.pk}")
        expect(page.locator("#reply-text")).to_have_value("")
        page.locator(f"#row-{ticket.pk} > a").click()
        expect(page.locator("#page-title")).to_contain_text(f"№{ticket.pk}")
        expect(page.locator("#reply-text")).to_have_value(WORDS)


def test_6_a_colleague_who_writes_does_not_push_the_composer(
    desk: Desk, ticket: Ticket, aigerim: User, bolat: User
) -> None:
    page = open_ticket(desk, ticket, aigerim)
    before = box(page.locator("#reply"))
    operations.save_draft(ticket_id=ticket.pk, user=bolat, text="Я бы ответил так")
    expect(page.locator("#peer")).to_contain_text("Болат Ермеков тоже пишет ответ")
    assert box(page.locator("#reply")) == before


def test_7_a_toast_covers_no_composer_and_takes_no_focus(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = open_ticket(desk, ticket, aigerim)
    page.locator("#reply-text").fill(WORDS)
    page.keyboard.press("Alt+KeyE")
    toast = box(page.locator(".toast"))
    composer = box(page.locator("#reply"))
    assert toast["x"] + toast["width"] <= composer["x"] or toast["y"] >= composer["y"] + composer["height"]
    expect(page.locator("#reply-text")).to_be_focused()
    expect(page.locator("#reply-text")).to_have_value(WORDS)


def test_a_reply_over_an_unseen_message_waits_and_keeps_its_words(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    say_much(ticket)
    page = open_ticket(desk, ticket, aigerim)
    page.locator("#log-list > .msg").nth(8).scroll_into_view_if_needed()
    wrote(ticket.customer, "Уже не нужно", ticket=ticket)
    expect(page.locator("#jump")).to_be_visible()
    page.locator("#reply-text").fill(WORDS)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#guard")).to_contain_text("1 сообщение, пока вы писали")
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    assert not Message.objects.filter(ticket=ticket, text=WORDS).exists()


def test_a_message_that_comes_while_one_types_is_not_read_at_once(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = open_ticket(desk, ticket, aigerim)
    page.locator("#reply-text").fill(WORDS)
    wrote(ticket.customer, "Уже не нужно", ticket=ticket)
    page.wait_for_selector("#log-list :text('Уже не нужно')")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#guard")).to_contain_text("пока вы писали")
    expect(page.locator("#reply-text")).to_have_value(WORDS)


def test_a_reply_over_an_edit_further_up_waits_until_it_is_read(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    say_much(ticket, 20)
    page = open_ticket(desk, ticket, aigerim)
    page.locator("#log-list > .msg").nth(4).scroll_into_view_if_needed()
    assert ticket.opened_by is not None
    changed = "Не включается телефон"
    operations.revise(message=ticket.opened_by, text=changed, entities=[], edited_at=timezone.now())
    expect(page.locator("#log-list")).to_contain_text("Клиент изменил сообщение")
    page.locator("#reply-text").fill(WORDS)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#guard")).to_contain_text("клиент изменил сообщение")
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    page.get_by_role("link", name="Прочитать").click()
    expect(page.locator("#log-list > .msg").first).to_contain_text(changed)
    expect(page.locator("#log-list > .msg").first).to_be_in_viewport()
    page.get_by_role("link", name="Клиент изменил сообщение").scroll_into_view_if_needed()
    expect(page.locator("#log-list > .msg").last).to_be_in_viewport()

    def sends() -> bool:
        """What appears while one types counts as read after a second before one's eyes."""
        page.locator("#reply-text").press("Control+Enter")
        return Message.objects.filter(ticket=ticket, text=WORDS).exists()

    assert eventually(sends)
    expect(page.locator("#log-list")).to_contain_text(WORDS)
