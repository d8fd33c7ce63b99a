"""Open pages hear: one stream a browser, news on the open ticket and in the queue, and the end of a session."""

import re
from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, Route, expect

from conftest import wrote
from helpdesk.live.hub import STREAMS_EACH
from helpdesk.tests.browser.conftest import Desk
from helpdesk.tests.browser.pictures import png
from helpdesk.tests.servers import streams_counted
from tickets import access, operations
from tickets.models import Change, Customer, DeliveryState, Message, Team, Ticket, User
from tickets.operations.acts import ring

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

OPEN_PAGE = "html[data-live=on]"


def tabs(context: BrowserContext, path: str, number: int) -> list[Page]:
    pages = [context.new_page() for _ in range(number)]
    for page in pages:
        page.goto(path)
    for page in pages:
        page.wait_for_selector(OPEN_PAGE, state="attached")
    return pages


def path_of(ticket: Ticket) -> str:
    return f"/desk/t/{ticket.pk}/"


def test_a_message_appears_on_the_open_ticket_within_a_second(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = desk.page(aigerim, path_of(ticket))
    wrote(ticket.customer, "Уже включился, спасибо", ticket=ticket)
    expect(page.locator("#log-list")).to_contain_text("Уже включился, спасибо", timeout=1000)


def test_a_new_ticket_appears_in_the_queue_within_three_seconds(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = desk.page(aigerim, "/desk/?view=free")
    new = wrote(ticket.customer, "И ещё вопрос про доставку").ticket
    assert new is not None
    expect(page.locator(f"#row-{new.pk}")).to_be_visible(timeout=3000)


def test_ten_tabs_stay_live_with_one_stream(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    context = desk.open(aigerim)
    streams: list[str] = []
    context.on("request", lambda request: streams.append(request.url) if request.url.endswith("/events") else None)
    pages = tabs(context, path_of(ticket), 10)
    wrote(ticket.customer, "Слышно всем", ticket=ticket)
    for page in pages:
        expect(page.locator("#log-list")).to_contain_text("Слышно всем")
    assert len(streams) == 1


def test_ten_tabs_over_plain_http_leave_the_desk_answering(plain_desk: Desk, ticket: Ticket, aigerim: User) -> None:
    context = plain_desk.open(aigerim)
    pages = tabs(context, path_of(ticket), 10)
    assert not pages[0].evaluate("isSecureContext"), "the test would show nothing"
    wrote(ticket.customer, "Слышно всем", ticket=ticket)
    for page in pages:
        expect(page.locator("#log-list")).to_contain_text("Слышно всем")
    assert streams_counted(plain_desk.port) == 1
    pages[0].close()
    pages[-1].reload()
    expect(pages[-1].locator("#live")).to_have_attribute("aria-label", "На связи, обновляется само")


def test_signing_out_in_one_tab_ends_all_over_plain_http_too(plain_desk: Desk, ticket: Ticket, aigerim: User) -> None:
    first, *others = tabs(plain_desk.open(aigerim), path_of(ticket), 3)
    first.locator(".me").click()
    first.get_by_role("button", name="Выйти").click()
    for page in (first, *others):
        expect(page).to_have_url(re.compile("/desk/login/"))


def test_a_page_that_had_to_make_room_says_so_until_somebody_wants_it_back(
    desk: Desk, ticket: Ticket, aigerim: User
) -> None:
    page = desk.page(aigerim, path_of(ticket))
    others = [desk.page(aigerim, path_of(ticket)) for _ in range(STREAMS_EACH)]
    expect(page.locator("#live")).to_have_attribute("aria-label", "Не обновляется: открыто слишком много страниц")
    expect(page.locator("#offline")).to_be_hidden()
    wrote(ticket.customer, "Пока не видно", ticket=ticket)
    expect(others[0].locator("#log-list")).to_contain_text("Пока не видно")
    expect(page.locator("#log-list")).not_to_contain_text("Пока не видно")
    page.get_by_role("button", name="Обновлять здесь").click()
    expect(page.locator("#live")).to_have_attribute("aria-label", "На связи, обновляется само")
    expect(page.locator("#log-list")).to_contain_text("Пока не видно")
    expect(others[0].locator("#crowded")).to_be_visible()


def test_another_tab_takes_over_when_the_leader_closes(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    context = desk.open(aigerim)
    leader, *others = tabs(context, path_of(ticket), 3)
    leader.close()
    wrote(ticket.customer, "После смены ведущей", ticket=ticket)
    for page in others:
        expect(page.locator("#log-list")).to_contain_text("После смены ведущей")


def test_signing_out_in_one_tab_ends_all(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    first, *others = tabs(desk.open(aigerim), path_of(ticket), 3)
    first.locator(".me").click()
    first.get_by_role("button", name="Выйти").click()
    for page in (first, *others):
        expect(page).to_have_url(re.compile("/desk/login/"))


def test_a_disabled_person_is_out_at_once(desk: Desk, ticket: Ticket, aigerim: User, saule: User) -> None:
    page = desk.page(aigerim, path_of(ticket))
    operations.disable_user(actor=saule, user=aigerim)
    expect(page).to_have_url(re.compile("/desk/login/"), timeout=5000)


def test_who_has_words_unsent_is_not_torn_away_from_them(
    desk: Desk, ticket: Ticket, aigerim: User, saule: User
) -> None:
    page = desk.page(aigerim, path_of(ticket))
    page.locator("#reply-text").fill("Сейчас посмотрю")
    operations.disable_user(actor=saule, user=aigerim)
    expect(page.locator("#guard")).to_contain_text("Вы вышли из системы")
    expect(page.locator("#reply-text")).to_have_value("Сейчас посмотрю")


def test_who_changes_a_reply_is_not_torn_away_from_it_either(
    desk: Desk, ticket: Ticket, aigerim: User, saule: User, answer: Callable[..., Message]
) -> None:
    reply = answer(ticket, aigerim, "Курьер будет до 18:00")
    page = desk.page(aigerim, path_of(ticket))
    page.locator(f"#m{reply.pk}").hover()
    page.locator(f"#m{reply.pk} [hx-get$='?edit']").click()
    page.locator(f"#edit-{reply.pk}").fill("Курьер будет до 19:00")
    operations.disable_user(actor=saule, user=aigerim)
    expect(page.locator("#guard")).to_contain_text("Вы вышли из системы")
    expect(page.locator(f"#edit-{reply.pk}")).to_have_value("Курьер будет до 19:00")


def test_a_hand_over_says_so_on_the_losers_page_at_once(
    desk: Desk, ticket: Ticket, aigerim: User, saule: User, other_team: Team
) -> None:
    page = desk.page(aigerim, path_of(ticket))
    page.locator("#reply-text").fill("Начатый ответ")
    given: list[str] = []
    page.on("response", lambda answer: given.append(answer.url) if answer.status == 200 else None)
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
    expect(page.locator("#guard")).to_contain_text("Обращение передано другой команде", timeout=1000)
    expect(page.locator("#reply-text")).to_have_value("Начатый ответ")
    expect(page.locator(f"#row-{ticket.pk}")).to_have_count(0)
    assert not [address for address in given if f"/t/{ticket.pk}/" in address], "no content is sent"


def test_a_file_that_has_come_stands_in_the_panel_too(
    desk: Desk, ticket: Ticket, aigerim: User, timur: Customer
) -> None:
    operations.set_customer_phone(customer=timur, phone="+77010000001", verified=True)
    page = desk.page(aigerim, path_of(ticket))
    page.get_by_role("button", name="Показать телефон полностью").click()
    expect(page.locator("#phone")).to_have_text("+77010000001")
    photo = operations.Incoming(
        content_type="photo", sent_at=timezone.now(), files=[operations.IncomingFile(kind="photo", width=60, height=40)]
    )
    message = operations.receive(customer=timur, incoming=photo, ticket=ticket).message
    operations.attach_file(attachment_id=message.attachments.get().pk, file=ContentFile(png(60, 40), name="p.png"))
    expect(page.locator("#panel-more .thumbs img")).to_have_count(1)
    expect(page.locator("#phone")).to_have_text("+77010000001")


def test_a_phone_that_has_come_stands_in_the_panel(desk: Desk, ticket: Ticket, aigerim: User, timur: Customer) -> None:
    page = desk.page(aigerim, path_of(ticket))
    operations.set_customer_phone(customer=timur, phone="+77010000001", verified=True)
    wrote(timur, "Вот мой номер", ticket=ticket)
    expect(page.locator("#phone")).to_be_visible()


def test_who_left_the_ticket_hears_that_the_reply_there_did_not_simply_arrive(
    desk: Desk, ticket: Ticket, aigerim: User, answer: Callable[..., Message]
) -> None:
    reply = answer(ticket, aigerim)
    page = desk.page(aigerim)
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    toast = page.locator(".toast")
    expect(toast).to_contain_text(f"Ответ в обращении №{ticket.pk} ждёт вашего решения")
    toast.get_by_role("link", name="Открыть").click()
    expect(page).to_have_url(re.compile(path_of(ticket)))
    expect(page.locator(f"#m{reply.pk}")).to_contain_text("Telegram не ответил")
    expect(toast).to_have_count(0)


def test_on_the_open_ticket_no_words_but_the_messages_own_are_needed(
    desk: Desk, ticket: Ticket, aigerim: User, answer: Callable[..., Message]
) -> None:
    reply = answer(ticket, aigerim)
    page = desk.page(aigerim, path_of(ticket))
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    expect(page.locator(f"#m{reply.pk}")).to_contain_text("Telegram не ответил")
    expect(page.locator(".toast")).to_have_count(0)


@pytest.mark.parametrize("kind", [Change.Kind.READ, Change.Kind.PEER])
def test_a_late_word_about_a_ticket_that_is_gone_does_not_bring_it_back(
    desk: Desk, ticket: Ticket, aigerim: User, saule: User, other_team: Team, kind: Change.Kind
) -> None:
    page = desk.page(aigerim, path_of(ticket))
    page.locator("#reply-text").fill("Начатый ответ")
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
    expect(page.locator("#guard")).to_contain_text("Обращение передано другой команде")
    with page.expect_response(lambda answer: answer.url.endswith(f"{path_of(ticket)}head/?v=0")) as asked:
        ring(Change(ticket=ticket, kind=kind, audience=[access.user_token(aigerim.pk)]))
    assert asked.value.status == 404
    expect(page.locator("#guard")).to_contain_text("Обращение передано другой команде")


def test_a_ticket_that_really_comes_back_is_shown_again(
    desk: Desk, ticket: Ticket, aigerim: User, saule: User, team: Team, other_team: Team
) -> None:
    page = desk.page(aigerim, path_of(ticket))
    page.locator("#reply-text").fill("Начатый ответ")
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
    expect(page.locator("#guard")).to_contain_text("Обращение передано другой команде")
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=team.pk)
    expect(page.locator("#guard")).to_be_empty()
    wrote(ticket.customer, "Снова у вас", ticket=ticket)
    expect(page.locator("#log-list")).to_contain_text("Снова у вас")
    expect(page.locator("#reply-text")).to_have_value("Начатый ответ")


def test_the_dot_and_the_banner_tell_the_truth(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = desk.page(aigerim, path_of(ticket))
    expect(page.locator("#live")).to_have_attribute("aria-label", "На связи, обновляется само")
    expect(page.locator("#offline")).to_be_hidden()
    desk.stop()
    expect(page.locator("#live")).to_have_attribute("aria-label", "Нет связи, пробуем снова")
    expect(page.locator("#offline")).to_be_visible()
    desk.start()
    expect(page.locator("#live")).to_have_attribute("aria-label", "На связи, обновляется само", timeout=30_000)
    expect(page.locator("#offline")).to_be_hidden()


def test_what_was_said_while_the_server_was_away_is_there_when_it_is_back(
    desk: Desk, ticket: Ticket, aigerim: User
) -> None:
    page = desk.page(aigerim, path_of(ticket))
    desk.stop()
    wrote(ticket.customer, "Пока вас не было", ticket=ticket)
    desk.start()
    expect(page.locator("#log-list")).to_contain_text("Пока вас не было", timeout=30_000)


def test_a_reply_on_its_way_gets_its_tick_though_the_page_heard_nothing(
    desk: Desk, ticket: Ticket, aigerim: User, answer: Callable[..., Message]
) -> None:
    reply = answer(ticket, aigerim)
    page = desk.page(aigerim, path_of(ticket))
    bubble = page.locator(f"#m{reply.pk}")
    expect(bubble.get_by_label("Ждёт отправки")).to_be_visible()
    desk.stop()
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.SENT, parts_sent=1)
    desk.start()
    expect(bubble.get_by_label("Доставлено в Telegram")).to_be_visible(timeout=30_000)


def test_an_album_stays_one_bubble_though_it_comes_piece_by_piece(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = desk.page(aigerim, path_of(ticket))
    for number in range(3):
        picture = operations.Incoming(
            content_type="photo",
            sent_at=timezone.now(),
            files=[operations.IncomingFile(kind="photo", width=60, height=40, file_unique_id=f"photo{number}")],
            media_group_id="album",
        )
        operations.receive(customer=ticket.customer, incoming=picture, ticket=ticket)
        expect(page.locator("[data-album] .file, [data-album] img")).to_have_count(number + 1)
    expect(page.locator("#log-list > [data-album]")).to_have_count(1)


def test_the_title_counts_what_is_unread(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=ticket.last_message_id or 0)
    page = desk.page(aigerim)
    assert not page.title().startswith("(")
    wrote(ticket.customer, "Раз", ticket=ticket)
    wrote(ticket.customer, "Два", ticket=ticket)
    expect(page).to_have_title(re.compile(r"^\(2\) "))


def test_a_page_leaves_when_somebody_else_has_signed_in(desk: Desk, ticket: Ticket, aigerim: User, bolat: User) -> None:
    page = desk.page(aigerim, path_of(ticket))
    desk.sign_in(page.context, bolat)
    desk.stop()
    desk.start()
    expect(page.locator(".me")).to_have_attribute("aria-label", re.compile("Болат Ермеков"), timeout=30_000)


def test_what_happens_while_a_ticket_is_being_opened_is_not_missed(desk: Desk, ticket: Ticket, aigerim: User) -> None:
    page = desk.page(aigerim)
    held: list[Route] = []

    def hold(route: Route) -> None:
        """The ticket's page is made, but does not arrive before more is said."""
        held.append(route)
        answer = route.fetch()
        wrote(ticket.customer, "В последний миг", ticket=ticket)
        page.wait_for_timeout(500)
        route.fulfill(response=answer)

    page.route(f"**{path_of(ticket)}?view=mine", hold)
    page.locator(f"#row-{ticket.pk} > a").click()
    expect(page.locator("#log-list")).to_contain_text("В последний миг")
    assert held


@pytest.fixture
def other(ticket: Ticket, timur: Customer) -> Ticket:
    found = wrote(timur, "И ещё вопрос про доставку").ticket
    assert found is not None
    return found


def opened_second(desk: Desk, ticket: Ticket, other: Ticket, user: User) -> Page:
    """A page that has `other` open, with `ticket` behind it in the browser's history."""
    page = desk.page(user, f"{path_of(ticket)}?view=all")
    page.locator(f"#row-{other.pk} > a").click()
    expect(page.locator("#page-title")).to_contain_text(f"№{other.pk}")
    return page


def go_back(page: Page, ticket: Ticket) -> None:
    page.go_back()
    expect(page.locator("#page-title")).to_contain_text(f"№{ticket.pk}")


def test_a_page_the_browser_went_back_to_is_as_live_as_before(
    desk: Desk, ticket: Ticket, other: Ticket, aigerim: User
) -> None:
    page = opened_second(desk, ticket, other, aigerim)
    go_back(page, ticket)
    expect(page.locator("#live")).to_have_attribute("aria-label", re.compile("На связи"))
    expect(page.locator(".rail [data-opens=keys]")).to_be_visible()
    page.keyboard.press("Alt+KeyE")
    expect(page.locator(".toast")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)


def test_a_page_that_is_not_updated_says_so_after_going_back_too(
    desk: Desk, ticket: Ticket, other: Ticket, aigerim: User
) -> None:
    page = opened_second(desk, ticket, other, aigerim)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:crowded'))")
    expect(page.locator("#crowded")).to_be_visible()
    go_back(page, ticket)
    expect(page.locator("#crowded")).to_be_visible()


def test_going_back_leaves_no_older_queue_to_come_after_it(
    desk: Desk, ticket: Ticket, other: Ticket, aigerim: User, timur: Customer
) -> None:
    page = opened_second(desk, ticket, other, aigerim)
    page.locator(f"#row-{other.pk}").hover()
    wrote(timur, "Третий вопрос")
    expect(page.locator("#queue-news")).to_be_visible()
    page.route(re.compile(r"/desk/\?view=\w+&v="), lambda route: route.abort())
    newest = wrote(timur, "Четвёртый вопрос").ticket
    assert newest is not None
    go_back(page, ticket)
    expect(page.locator(f"#row-{newest.pk}")).to_be_visible()
    page.locator("#reply-text").hover()
    page.wait_for_timeout(500)
    expect(page.locator(f"#row-{newest.pk}")).to_be_visible()


def test_a_row_that_has_left_the_view_under_the_pointer_says_so_instead_of_what_was_true(
    desk: Desk, free_ticket: Ticket, aigerim: User, bolat: User, timur: Customer
) -> None:
    page = desk.page(aigerim, "/desk/?view=free")
    row = page.locator(f"#row-{free_ticket.pk}")
    row.hover()
    operations.take(ticket_id=free_ticket.pk, actor=bolat)
    wrote(timur, "Вы тут?", ticket=free_ticket)
    expect(row).to_contain_text("уже не в этом списке")
    expect(row.locator(".count")).to_have_count(0)
    page.mouse.move(900, 500)
    expect(row).to_have_count(0)


def test_the_title_keeps_its_count_when_a_ticket_is_opened(
    desk: Desk, ticket: Ticket, other: Ticket, aigerim: User
) -> None:
    page = opened_second(desk, ticket, other, aigerim)
    expect(page).to_have_title(re.compile(rf"^\(\d+\) .*№{other.pk}\b"))
