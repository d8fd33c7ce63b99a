"""The field a manager writes in: what is typed and attached stays until it is sent, and is sent once."""

import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import unquote_plus

import pytest
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, Route, expect

from conftest import wrote
from tickets import operations
from tickets.models import Draft, Message, Sender, Team, Ticket, User
from tickets.tests.browser.conftest import OpenPage, go_to
from tickets.text import pieces_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

FIELD, GUARD, SAVED = "#reply-text", "#guard", "#saved"
MEGABYTE = 1024 * 1024
PUT_FILES = """([name, size, type]) => {
    const transfer = new DataTransfer();
    const file = new File([], name, {type});
    Object.defineProperty(file, "size", {value: size});
    transfer.items.add(file);
    return transfer;
}"""

HEAR = """ticket => document.body.dispatchEvent(
    new CustomEvent("live:change", {detail: {ticket, kind: "message"}})
)"""


@pytest.fixture
def page(open_page: OpenPage, aigerim: User, ticket: Ticket) -> Page:
    return open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)


def replies() -> list[str]:
    return list(Message.objects.filter(sender=Sender.MANAGER).order_by("pk").values_list("text", flat=True))


def attach(page: Page, *files: tuple[str, int]) -> None:
    page.set_input_files(
        "#reply [name=files]",
        [{"name": name, "mimeType": "application/octet-stream", "buffer": b"x" * size} for name, size in files],
    )


@pytest.mark.parametrize("keys", ["Control+Enter", "Meta+Enter"])
def test_the_reply_leaves_with_the_keys_and_the_field_is_free_again(page, keys):
    page.fill(FIELD, "Проверьте зарядку")
    page.press(FIELD, keys)
    expect(page.locator("#log-list")).to_contain_text("Проверьте зарядку")
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(FIELD)).to_be_focused()
    assert replies() == ["Проверьте зарядку"]


def test_enter_alone_is_a_new_line(page):
    page.fill(FIELD, "Первая")
    page.press(FIELD, "Enter")
    page.type(FIELD, "Вторая")
    expect(page.locator(FIELD)).to_have_value("Первая\nВторая")
    assert replies() == []


def test_two_replies_one_after_the_other_are_two(page):
    for text in ("Первый", "Второй"):
        page.fill(FIELD, text)
        page.press(FIELD, "Control+Enter")
        expect(page.locator("#log-list")).to_contain_text(text)
    assert replies() == ["Первый", "Второй"]


def held_back(page: Page, ending: Literal["fallback", "abort"] = "fallback"):
    """Requests to reply wait until the returned function lets them go, or cuts them off."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/reply/$"), hold)

    def let_go() -> int:
        for route in held:
            getattr(route, ending)()
        return len(held)

    return let_go


def test_pressing_twice_sends_once(page):
    let_go = held_back(page)
    page.fill(FIELD, "Один раз")
    for _press in range(3):
        page.press(FIELD, "Control+Enter")
    assert let_go() == 1
    expect(page.locator(FIELD)).to_have_value("")
    assert replies() == ["Один раз"]


def test_what_is_typed_while_the_reply_is_on_its_way_stays(page):
    let_go = held_back(page)
    page.fill(FIELD, "Первое")
    page.press(FIELD, "Control+Enter")
    page.fill(FIELD, "Второе, ещё не досказа")
    let_go()
    expect(page.locator("#log-list")).to_contain_text("Первое")
    expect(page.locator(FIELD)).to_have_value("Второе, ещё не досказа")
    assert replies() == ["Первое"]


def test_without_a_connection_everything_stays_and_says_so(page):
    page.route(re.compile(r"/reply/$"), lambda route: route.abort())
    page.fill(FIELD, "Не потеряйся")
    attach(page, ("акт.pdf", 10))
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Нет связи с сервером")
    expect(page.locator(FIELD)).to_have_value("Не потеряйся")
    expect(page.locator("#attached .chip")).to_have_count(1)


def test_when_the_server_fails_everything_stays_and_no_page_of_its_breaks_in(page):
    page.route(re.compile(r"/reply/$"), lambda route: route.fulfill(status=500, body="<!doctype html><h1>500</h1>"))
    page.fill(FIELD, "Не потеряйся")
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Не получилось")
    expect(page.locator("h1", has_text="500")).to_have_count(0)
    expect(page.locator(FIELD)).to_have_value("Не потеряйся")


def test_a_refusal_keeps_words_files_and_mode(page, ticket):
    attach(page, ("акт.pdf", 10))
    page.fill(FIELD, "я" * 1025)
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Слишком длинно")
    expect(page.locator(FIELD)).to_have_value("я" * 1025)
    expect(page.locator("#attached .chip")).to_have_count(1)


def test_alt_n_turns_to_the_team_and_back_and_keeps_the_words(page):
    page.fill(FIELD, "Это для команды")
    page.press(FIELD, "Alt+KeyN")
    expect(page.locator(FIELD)).to_have_attribute("placeholder", "Заметка для команды…")
    expect(page.locator("#reply .only-note", has_text="Сохранить заметку")).to_be_visible()
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list .note")).to_contain_text("Это для команды")
    page.press(FIELD, "Alt+KeyN")
    expect(page.locator(FIELD)).to_have_attribute("placeholder", "Ответ клиенту…")
    assert replies() == []


@pytest.mark.parametrize(
    "text",
    [
        "слово " * 700,
        "😀" * 3000,
        "\n\n".join("я" * 2500 for _ in range(5)),
        "\n".join("строка " * 90 for _ in range(12)),
        "x" + "😀" * 4000,
    ],
)
def test_a_long_reply_says_in_how_many_pieces_it_will_leave(page, text):
    page.fill(FIELD, text)
    expect(page.locator("#counter")).to_have_text(f"Уйдёт частями: {len(pieces_of(text.strip()))}")


def test_the_counter_shows_only_near_the_end_and_sooner_with_a_file(page):
    counter = page.locator("#counter")
    page.fill(FIELD, "я" * 3800)
    expect(counter).to_have_text("")
    page.fill(FIELD, "я" * 19_804)
    expect(counter).to_have_text("196")
    page.fill(FIELD, "я" * 1000)
    attach(page, ("акт.pdf", 10))
    expect(counter).to_have_text("24")
    page.fill(FIELD, "👍" * 513)  # each is two UTF-16 units, as Telegram counts
    expect(counter).to_have_text("-2")


def test_files_that_telegram_would_refuse_are_named_at_once_and_do_not_go(page):
    attach(page, ("пусто.txt", 0), ("акт.pdf", 10))
    chips = page.locator("#attached .chip")
    expect(chips.nth(0)).to_contain_text("файл пустой")
    assert page.evaluate("[...document.querySelector('#reply [name=files]').files].map(f => f.name)") == ["акт.pdf"]
    page.get_by_role("button", name="Убрать файл пусто.txt").click()
    expect(chips).to_have_count(1)
    attach(page, *((f"{number}.txt", 5) for number in range(10)))
    expect(chips.nth(10)).to_contain_text("не больше 10 файлов")


def test_a_picture_that_will_go_as_a_file_says_so_before(page):
    target = io.BytesIO()
    Image.new("1", (100, 2001)).save(target, "PNG")
    page.set_input_files(
        "#reply [name=files]", [{"name": "план.png", "mimeType": "image/png", "buffer": target.getvalue()}]
    )
    expect(page.locator("#attached .chip")).to_contain_text("для фото слишком большое или вытянутое, уйдёт файлом")
    page.fill(FIELD, "План")
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list .file")).to_contain_text("план.png")


def test_a_file_over_the_limit_is_named_with_what_to_do(page):
    drop(page, ".log", "drop", 50 * 1024 * 1024 + 1)
    chip = page.locator("#attached .chip.bad")
    expect(chip).to_contain_text("ролик.mov")
    expect(chip).to_contain_text("больше 50 МБ, Telegram не примет: сожмите или пришлите ссылкой")


def drop(page: Page, target: str, kind: str, size: int) -> None:
    transfer = page.evaluate_handle(PUT_FILES, ["ролик.mov", size, "video/quicktime"])
    page.dispatch_event(target, kind, {"dataTransfer": transfer})


def test_files_are_dropped_on_the_whole_conversation(page):
    zone = page.locator("#drop")
    drop(page, ".log", "dragenter", 10)
    expect(zone).to_be_visible()
    expect(zone).to_contain_text("до 10 файлов по 50 МБ")
    drop(page, ".log", "dragleave", 10)
    expect(zone).to_be_hidden()
    drop(page, ".log", "drop", 10)
    expect(page.locator("#attached .chip")).to_contain_text("ролик.mov")


def test_a_picture_is_pasted(page):
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["x"], "снимок.png", {type: "image/png"}));
            const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
            document.getElementById("reply-text").dispatchEvent(event);
        }"""
    )
    expect(page.locator("#attached .chip")).to_contain_text("снимок.png")


def test_the_draft_is_on_the_server_before_one_looks_away(page, ticket, open_page, aigerim):
    page.fill(FIELD, "Недописанный от")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    assert Draft.objects.get(user=aigerim).text == "Недописанный от"
    again = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    expect(again.locator(FIELD)).to_have_value("Недописанный от")


def test_a_draft_the_server_did_not_get_is_in_the_browser(page, ticket):
    page.route(re.compile(r"/draft/$"), lambda route: route.abort())
    page.fill(FIELD, "Только здесь")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён в браузере")
    page.reload()
    expect(page.locator(FIELD)).to_have_value("Только здесь")
    assert not Draft.objects.exists()


def test_what_was_sent_is_no_draft(page, aigerim):
    page.fill(FIELD, "Ответ")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    page.press(FIELD, "Control+Enter")
    expect(page.locator(FIELD)).to_have_value("")
    page.wait_for_function("!localStorage.length")
    assert not Draft.objects.exists()


def test_a_reply_that_has_left_does_not_come_back_as_a_draft(open_page, aigerim, ticket, other):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    let_go = held_back(page)
    saved = []
    page.on("request", lambda request: saved.append(request.post_data) if "/draft/" in request.url else None)
    page.fill(FIELD, "Ушло")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    with page.expect_response(re.compile(rf"/t/{ticket.pk}/draft/$")):
        let_go()
    assert ["Ушло" in unquote_plus(body) for body in saved] == [False]
    assert replies() == ["Ушло"]
    go_to(page, ticket)
    expect(page.locator(FIELD)).to_have_value("")


def test_a_reply_that_failed_after_its_ticket_was_left_is_there_again(open_page, aigerim, ticket, other):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    let_go = held_back(page, "abort")
    page.fill(FIELD, "Не ушло")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    expect(page.locator(FIELD)).to_have_value("")
    let_go()
    go_to(page, ticket)
    expect(page.locator(FIELD)).to_have_value("Не ушло")


def test_a_reload_before_the_draft_is_saved_keeps_the_newest_words_and_the_quote(page, aigerim, ticket):
    page.fill(FIELD, "Старое")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    page.route(re.compile(r"/draft/$"), lambda route: route.abort())
    page.hover(f"#m{ticket.opened_by_id}")
    page.click(f"#m{ticket.opened_by_id} [data-quote]")
    page.fill(FIELD, "Старое и новое")
    page.reload()
    expect(page.locator(FIELD)).to_have_value("Старое и новое")
    expect(page.locator("#quoting")).to_contain_text("Не включается ноутбук")
    page.unroute(re.compile(r"/draft/$"))
    page.reload()
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    assert Draft.objects.get(user=aigerim).text == "Старое и новое"


@pytest.mark.parametrize("text", ["Одно и то же", "\n\n".join(["Первое" + " слово" * 600, "Второе" + " слово" * 600])])
def test_what_another_tab_has_sent_is_not_sent_again_from_this_one(page, aigerim, ticket, answer, text):
    page.fill(FIELD, text)
    if len(text) > 4096:
        expect(page.locator("#reply .preview .words")).to_have_count(2)
    answer(ticket, aigerim, text)
    page.evaluate(HEAR, ticket.pk)
    expect(page.locator(FIELD)).to_have_value("")


def test_a_colleagues_same_words_leave_ones_own(page, aigerim, bolat, saule, ticket, answer):
    page.fill(FIELD, "Одно и то же")
    answer(ticket, saule, "Одно и то же")
    page.evaluate(HEAR, ticket.pk)
    expect(page.locator("#log-list")).to_contain_text("Одно и то же")
    expect(page.locator(FIELD)).to_have_value("Одно и то же")


def test_nothing_leaves_while_a_file_cannot_go(page):
    attach(page, ("пусто.txt", 0), ("акт.pdf", 10))
    page.fill(FIELD, "Смотрите вложение")
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Уберите файлы, отмеченные красным")
    expect(page.locator("#attached .chip")).to_have_count(2)
    assert replies() == []
    page.get_by_role("button", name="Убрать файл пусто.txt").click()
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list .msg.out")).to_contain_text("акт.pdf")
    expect(page.locator("#attached .chip")).to_have_count(0)


def test_another_ticket_has_its_own_words_and_files(open_page, aigerim, ticket, timur, answer):
    other = wrote(timur, "Другой вопрос").ticket
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    page.fill(FIELD, "Слова первого")
    attach(page, ("первый.pdf", 10))
    page.click(f"#row-{other.pk} > a")
    expect(page.locator("#ticket-head")).to_contain_text(f"№{other.pk}")
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator("#attached .chip")).to_have_count(0)
    page.click(f"#row-{ticket.pk} > a")
    expect(page.locator(FIELD)).to_have_value("Слова первого")
    expect(page.locator("#attached .chip")).to_contain_text("первый.pdf")


def test_quoting_shows_what_is_answered_and_can_be_taken_back(page, ticket):
    page.hover(f"#m{ticket.opened_by_id}")
    page.click(f"#m{ticket.opened_by_id} [data-quote]")
    expect(page.locator("#quoting")).to_contain_text("Не включается ноутбук")
    expect(page.locator(FIELD)).to_be_focused()
    page.click("[data-unquote]")
    expect(page.locator("#quoting")).to_be_empty()
    page.click(f"#m{ticket.opened_by_id} [data-quote]")
    page.fill(FIELD, "С цитатой")
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list .msg.out .quote")).to_contain_text("Не включается ноутбук")
    expect(page.locator("#quoting")).to_be_empty()


def test_unseen_messages_stop_the_reply_until_they_are_read(page, ticket):
    page.fill(FIELD, "Ответ вслепую")
    wrote(ticket.customer, "Уже не нужно", ticket=ticket)
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Ещё 1 сообщение, пока вы писали")
    expect(page.locator("#log-list")).to_contain_text("Уже не нужно")
    expect(page.locator(FIELD)).to_have_value("Ответ вслепую")
    assert replies() == []
    page.get_by_role("button", name="Всё равно отправить").click()
    expect(page.locator("#log-list .msg.out")).to_contain_text("Ответ вслепую")
    expect(page.locator(GUARD)).to_be_empty()
    assert replies() == ["Ответ вслепую"]


def make_stale(page: Page) -> None:
    stale = '{"X-CSRFToken": "stale"}'
    page.evaluate("headers => document.body.setAttribute('hx-headers:inherited', headers)", stale)
    page.evaluate("for (const i of document.querySelectorAll('[name=csrfmiddlewaretoken]')) i.value = 'stale'")


def test_signing_in_again_elsewhere_stops_neither_a_reply_nor_an_act(open_page, aigerim, ticket):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim, enforce_csrf_checks=True)
    make_stale(page)
    page.fill(FIELD, "Не потеряйся")
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list")).to_contain_text("Не потеряйся")
    expect(page.locator(FIELD)).to_have_value("")
    assert replies() == ["Не потеряйся"]
    make_stale(page)
    page.click("#ticket-head [data-key=resolve]")
    expect(page.locator("#ticket-state")).to_contain_text("Решено сегодня")


def test_what_is_forbidden_is_tried_once_more_and_no_oftener(page):
    tries = []

    def forbid(route: Route) -> None:
        tries.append(route)
        route.fulfill(status=403, content_type="text/html", body="<!doctype html><h1>403</h1>")

    page.route(re.compile(r"/reply/$"), forbid)
    page.fill(FIELD, "Не потеряйся")
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Не получилось")
    expect(page.locator(FIELD)).to_have_value("Не потеряйся")
    assert len(tries) == 2


def test_a_reply_that_had_left_is_not_kept_though_its_ticket_is_lost(page, aigerim, saule, ticket, answer, other_team):
    page.route(re.compile(r"/reply/$"), lambda route: route.abort(), times=1)
    client_id = page.locator("#client-id").input_value()
    page.fill(FIELD, "Проверьте зарядку")
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Нет связи с сервером")
    answer(ticket, aigerim, "Проверьте зарядку", client_id=client_id)
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
    page.press(FIELD, "Control+Enter")
    expect(page.locator(GUARD)).to_contain_text("Ответ уже принят и второй раз не уйдёт.")
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(SAVED)).to_have_text("")
    page.wait_for_timeout(1500)  # longer than a draft waits for its next letter
    expect(page.locator(SAVED)).to_have_text("")
    assert page.evaluate("localStorage.length") == 0
    assert replies() == ["Проверьте зарядку"]


OLD_COPY = """([ticket, text, at]) => localStorage.setItem(
    `draft ${document.body.dataset.user} ${ticket}`, JSON.stringify({text, note: false, quote: "", at})
)"""


def leave_copy(page: Page, ticket: Ticket, text: str, *, seconds_ago: int) -> None:
    """What this browser has kept of a draft since the server was last out of its reach."""
    at = (timezone.now() - timedelta(seconds=seconds_ago)).timestamp() * 1000
    page.evaluate(OLD_COPY, [ticket.pk, text, at])


def both_are_kept(page: Page) -> None:
    """The newer draft stays on the server, and the older words are there to be added."""
    page.wait_for_timeout(1500)  # longer than a draft waits for its next letter
    assert Draft.objects.get().text == "новое"
    page.reload()
    page.locator(GUARD).get_by_role("button", name="Добавить в поле").click()
    expect(page.locator(FIELD)).to_have_value("новое\n\nстарое")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    assert Draft.objects.get().text == "новое\n\nстарое"


def test_an_old_copy_gives_way_to_a_newer_draft_from_elsewhere(page, aigerim, ticket):
    leave_copy(page, ticket, "старое", seconds_ago=60)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="новое")
    page.reload()
    expect(page.locator(FIELD)).to_have_value("новое")
    expect(page.locator(GUARD)).to_contain_text("В этом браузере осталось набранное раньше")
    both_are_kept(page)


def test_an_old_copy_gives_way_to_a_draft_cleared_elsewhere(page, aigerim, ticket):
    leave_copy(page, ticket, "старое", seconds_ago=60)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="старое и дальше")
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
    page.reload()
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(GUARD)).to_contain_text("В этом браузере осталось набранное раньше")
    page.wait_for_timeout(1500)  # longer than a draft waits for its next letter
    assert not Draft.objects.exclude(text="").exists()


def test_an_old_copy_of_what_was_sent_elsewhere_is_not_unsent(page, aigerim, ticket, answer):
    leave_copy(page, ticket, "Проверьте заряд", seconds_ago=60)
    answer(ticket, aigerim, "Проверьте зарядку, пожалуйста")
    page.reload()
    expect(page.locator("#log-list")).to_contain_text("Проверьте зарядку, пожалуйста")
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(GUARD)).to_be_empty()


def test_a_newer_copy_goes_before_the_servers_draft(page, aigerim, ticket):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="старое")
    leave_copy(page, ticket, "новое", seconds_ago=0)
    page.reload()
    expect(page.locator(FIELD)).to_have_value("новое")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    assert Draft.objects.get(user=aigerim).text == "новое"


@pytest.fixture
def left_offline(page: Page, clock: Callable[[datetime], None]) -> Callable[[], None]:
    """A page that was cut off with a draft, and lies about for a minute; the call gives it the connection back."""
    page.route(re.compile(r"/draft/$"), lambda route: route.abort())
    page.fill(FIELD, "старое")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён в браузере")
    clock(timezone.now() + timedelta(minutes=1))
    return lambda: page.unroute(re.compile(r"/draft/$"))


def test_a_page_that_was_cut_off_gives_way_to_a_newer_draft_and_offers_its_own(page, aigerim, ticket, left_offline):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="новое", is_note=True)
    left_offline()
    expect(page.locator(FIELD)).to_have_value("новое", timeout=10_000)
    expect(page.locator("#reply [value=note]")).to_be_checked()
    expect(page.locator(GUARD)).to_contain_text("В этом браузере осталось набранное раньше")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    both_are_kept(page)


def test_a_page_that_was_cut_off_gives_way_to_a_draft_cleared_elsewhere(page, aigerim, ticket, left_offline):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="новое")
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
    left_offline()
    expect(page.locator(GUARD)).to_contain_text("В этом браузере осталось набранное раньше", timeout=10_000)
    expect(page.locator(FIELD)).to_have_value("")
    assert not Draft.objects.exclude(text="").exists()


def test_a_page_that_was_cut_off_takes_no_sent_words_for_unsent(page, aigerim, ticket, answer, left_offline):
    answer(ticket, aigerim, "Это уже старое")
    left_offline()
    expect(page.locator(FIELD)).to_have_value("", timeout=10_000)
    assert not Draft.objects.exists()
    page.evaluate(HEAR, ticket.pk)
    expect(page.locator("#log-list")).to_contain_text("Это уже старое")
    expect(page.locator(GUARD)).to_be_empty()
    page.reload()
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(GUARD)).to_be_empty()


def test_what_is_typed_after_the_cut_goes_before_what_came_meanwhile(page, aigerim, ticket, left_offline):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="новое")
    page.clock.set_system_time(timezone.now())
    page.fill(FIELD, "новейшее")
    left_offline()
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён", timeout=10_000)
    expect(page.locator(FIELD)).to_have_value("новейшее")
    assert Draft.objects.get(user=aigerim).text == "новейшее"


def test_a_ticket_that_was_left_meanwhile_offers_the_older_draft_when_it_is_opened(
    open_page, aigerim, ticket, other, clock
):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    page.route(re.compile(r"/draft/$"), lambda route: route.abort())
    page.fill(FIELD, "старое")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён в браузере")
    go_to(page, other)
    clock(timezone.now() + timedelta(minutes=1))
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="новое")
    page.unroute(re.compile(r"/draft/$"))
    with page.expect_response(re.compile(rf"/t/{ticket.pk}/draft/$"), timeout=10_000) as answered:
        pass
    assert answered.value.status == 409
    expect(page.locator(FIELD)).to_have_value("")
    go_to(page, ticket)
    expect(page.locator(FIELD)).to_have_value("новое")
    expect(page.locator(GUARD)).to_contain_text("В этом браузере осталось набранное раньше")


LOST, QUEUE = "#lost .banner", reverse("tickets:queue", query={"view": "all"})


def lose(ticket: Ticket, saule: User, team: Team) -> None:
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=team.pk)


def test_words_of_a_lost_ticket_are_offered_wherever_their_writer_goes(
    open_page, aigerim, saule, ticket, other, other_team
):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    let_go = held_back(page)
    page.fill(FIELD, "Длинный ответ <b>впустую</b>")
    page.press(FIELD, "Control+Enter")
    go_to(page, other)
    lose(ticket, saule, other_team)
    let_go()
    lost = page.locator(LOST)
    expect(lost).to_contain_text(f"Обращение №{ticket.pk} больше не у вас")
    page.goto(QUEUE)
    expect(lost).to_have_count(1)
    expect(lost.get_by_text("Длинный ответ")).to_be_hidden()
    lost.get_by_text("Показать текст").click()
    expect(lost.get_by_text("Длинный ответ <b>впустую</b>")).to_be_visible()
    lost.get_by_role("button", name="Удалить текст").click()
    expect(lost).to_have_count(0)
    page.reload()
    expect(lost).to_have_count(0)
    assert page.evaluate("localStorage.length") == 0


def test_words_of_a_lost_ticket_are_in_its_field_when_it_is_back(
    open_page, aigerim, saule, ticket, other, team, other_team
):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}), aigerim)
    lose(ticket, saule, other_team)
    page.fill(FIELD, "Начатый ответ")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён в браузере")
    expect(page.locator(LOST)).to_have_count(0)  # they stand before their writer's eyes
    go_to(page, other)
    expect(page.locator(LOST)).to_have_count(1)
    lose(ticket, saule, team)
    page.goto(reverse("tickets:ticket", args=[ticket.pk], query={"view": "all"}))
    expect(page.locator(FIELD)).to_have_value("Начатый ответ")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён")
    go_to(page, other)
    expect(page.locator(LOST)).to_have_count(0)
    assert Draft.objects.get(user=aigerim).text == "Начатый ответ"


def test_what_a_closed_page_left_in_the_browser_goes_on_or_is_told_of(
    open_page, aigerim, saule, ticket, other, other_team
):
    page = open_page(QUEUE, aigerim)
    leave_copy(page, ticket, "Потерянное", seconds_ago=120)
    leave_copy(page, other, "Дописанное", seconds_ago=120)
    lose(ticket, saule, other_team)
    page.reload()
    expect(page.locator(LOST)).to_have_text(re.compile(f"Обращение №{ticket.pk} больше"))
    page.wait_for_function("localStorage.length === 1")
    assert Draft.objects.get(user=aigerim).text == "Дописанное"


def test_copies_are_compared_by_the_servers_clock(page, aigerim, ticket):
    """A browser whose clock is an hour fast writes no newer words by that."""
    page.clock.set_system_time(timezone.now() + timedelta(hours=1))
    page.reload()
    page.route(re.compile(r"/draft/$"), lambda route: route.abort())
    page.fill(FIELD, "старое")
    expect(page.locator(SAVED)).to_have_text("Черновик сохранён в браузере")
    Draft.objects.create(ticket=ticket, user=aigerim, text="новое", updated_at=timezone.now() + timedelta(minutes=1))
    page.reload()
    expect(page.locator(FIELD)).to_have_value("новое")
