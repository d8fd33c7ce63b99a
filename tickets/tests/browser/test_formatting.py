"""Formatting in the composer: buttons and keys put marks, the preview shows what they mean, nothing hostile comes."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from tickets.models import Message, Sender, Ticket, User
from tickets.tests.browser.conftest import OpenPage
from tickets.tests.browser.test_axe import barriers
from tickets.text import pieces_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

FIELD, PREVIEW = "#reply-text", "#reply .preview"


@pytest.fixture
def page(open_page: OpenPage, aigerim: User, ticket: Ticket) -> Page:
    return open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)


def choose(page: Page, text: str, words: str) -> None:
    """Type a text and select the words in it."""
    page.fill(FIELD, text)
    page.evaluate(
        """([selector, from, to]) => document.querySelector(selector).setSelectionRange(from, to)""",
        [FIELD, text.index(words), text.index(words) + len(words)],
    )


def written() -> Message:
    return Message.objects.filter(sender__in=[Sender.MANAGER, Sender.NOTE]).latest("pk")


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("Жирный", "цена **5 000 ₸** сегодня"),
        ("Курсив", "цена __5 000 ₸__ сегодня"),
        ("Зачёркнутый", "цена ~~5 000 ₸~~ сегодня"),
        ("Скрытый, пока не нажмут", "цена ||5 000 ₸|| сегодня"),
        ("Код", "цена `5 000 ₸` сегодня"),
        ("Цитата", "> цена 5 000 ₸ сегодня"),
        ("Ссылка", "цена [5 000 ₸](https://) сегодня"),
    ],
)
def test_a_button_puts_marks_around_what_is_selected_and_undo_takes_them_back(page, name, marked):
    choose(page, "цена 5 000 ₸ сегодня", "5 000 ₸")
    page.get_by_role("group", name="Разметка текста").get_by_role("button", name=name).click()
    expect(page.locator(FIELD)).to_have_value(marked)
    expect(page.locator(FIELD)).to_be_focused()
    page.keyboard.press("Control+z")
    expect(page.locator(FIELD)).to_have_value("цена 5 000 ₸ сегодня")


@pytest.mark.parametrize(
    ("keys", "marked"),
    [("Control+KeyB", "**да**"), ("Control+KeyI", "__да__"), ("Control+Shift+KeyX", "~~да~~")],
)
def test_a_key_puts_marks_and_takes_them_away_again(page, keys, marked):
    choose(page, "да", "да")
    page.press(FIELD, keys)
    expect(page.locator(FIELD)).to_have_value(marked)
    page.press(FIELD, keys)
    expect(page.locator(FIELD)).to_have_value("да")


def test_a_link_is_typed_between_its_brackets(page):
    choose(page, "на сайте", "сайте")
    page.press(FIELD, "Control+KeyK")
    page.keyboard.type("a.kz")
    expect(page.locator(FIELD)).to_have_value("на [сайте](https://a.kz)")
    choose(page, "см. https://a.kz/x", "https://a.kz/x")
    page.press(FIELD, "Control+KeyK")
    page.keyboard.type("тут")
    expect(page.locator(FIELD)).to_have_value("см. [тут](https://a.kz/x)")


def test_whole_words_are_marked_each_in_its_line(page):
    choose(page, "книга о доме", "га о до")
    page.press(FIELD, "Control+KeyB")
    expect(page.locator(FIELD)).to_have_value("**книга о доме**")
    choose(page, " раз\n\nдва ", " раз\n\nдва ")
    page.press(FIELD, "Control+KeyB")
    expect(page.locator(FIELD)).to_have_value(" **раз**\n\n**два** ")
    choose(page, "x = 1\ny = 2", "x = 1\ny = 2")
    page.get_by_role("button", name="Код").click()
    expect(page.locator(FIELD)).to_have_value("```\nx = 1\ny = 2\n```")
    choose(page, "раз\n\nдва", "раз\n\nдва")
    page.get_by_role("button", name="Цитата").click()
    expect(page.locator(FIELD)).to_have_value("> раз\n>\n> два")


def test_with_nothing_selected_one_types_between_the_marks(page):
    page.fill(FIELD, "")
    page.press(FIELD, "Control+KeyB")
    page.keyboard.type("Важно")
    expect(page.locator(FIELD)).to_have_value("**Важно**")


def test_the_preview_shows_what_is_sent_and_what_is_sent_is_what_it_showed(page):
    page.fill(FIELD, "**Важно:** код `12-34`\n> слова клиента\nна [сайте](https://a.kz)")
    shown = page.locator(f"{PREVIEW} .words")
    expect(shown.locator("b")).to_have_text("Важно:")
    expect(shown.locator("code")).to_have_text("12-34")
    expect(shown.locator("blockquote")).to_contain_text("слова клиента")
    expect(shown.locator("a")).to_have_attribute("href", "https://a.kz")
    expect(page.locator(PREVIEW)).to_contain_text("Как увидит клиент")
    as_shown = shown.inner_html()
    page.press(FIELD, "Control+Enter")
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(PREVIEW)).to_be_hidden()
    sent = page.locator("#log-list .msg.out .words").last
    expect(sent).to_contain_text("Важно: код 12-34")
    assert sent.inner_html().startswith(as_shown)
    assert written().text == "Важно: код 12-34\nслова клиента\nна сайте"


@pytest.mark.parametrize("first", ["Первое", "**Первое**"])
def test_where_a_long_text_is_cut_is_seen_before_it_leaves(page, first):
    text = "\n\n".join([first + " слово" * 600, "Второе" + " слово" * 600])
    page.fill(FIELD, text)
    pieces = page.locator(f"{PREVIEW} .words")
    expect(pieces).to_have_count(2)
    expect(pieces.last).to_contain_text("Второе")
    expect(pieces.first).not_to_contain_text("Второе")
    expect(page.locator("#counter")).to_have_text("Уйдёт частями: 2")


@pytest.mark.parametrize("text", ["5*3 = 15", "2**3**4", "snake__case__name", ":) ||", "C:\\__tmp__\\x", "> "])
def test_what_means_itself_has_no_preview(page, text):
    with page.expect_response(re.compile(r"/draft/$")):
        page.fill(FIELD, text)
    expect(page.locator(PREVIEW)).to_be_hidden()
    page.press(FIELD, "Control+Enter")
    expect(page.locator(FIELD)).to_have_value("")
    assert (written().text, written().entities) == (text.strip(), [])


def test_an_older_answer_never_stands_for_newer_words(page):
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.fallback()
        held.append(route)

    page.route(re.compile(r"/preview/$"), hold)
    with page.expect_request(re.compile(r"/preview/$")):
        page.fill(FIELD, "**старое**")
    page.fill(FIELD, "**новое**")
    expect(page.locator(f"{PREVIEW} b")).to_have_text("новое")
    held[0].abort()
    page.fill(FIELD, "просто")
    expect(page.locator(PREVIEW)).to_be_hidden()


def test_a_question_that_is_no_longer_asked_leaves_nothing(page):
    page.route(re.compile(r"/preview/$"), lambda _route: None)
    with page.expect_request(re.compile(r"/preview/$")):
        page.fill(FIELD, "**старое**")
    with page.expect_response(re.compile(r"/draft/$")):
        page.fill(FIELD, "просто")
    expect(page.locator(PREVIEW)).to_be_hidden()


def test_without_a_connection_the_preview_says_so(page):
    page.route(re.compile(r"/preview/$"), lambda route: route.abort())
    page.fill(FIELD, "**да**")
    expect(page.locator(PREVIEW)).to_contain_text("Нет связи с сервером")
    expect(page.locator(FIELD)).to_have_value("**да**")


def test_a_note_is_previewed_for_the_team(page):
    page.check("#reply [value=note]")
    page.fill(FIELD, "**Запчасть** есть, @Болат Ермеков")
    expect(page.locator(PREVIEW)).to_contain_text("Как увидит команда")
    expect(page.locator(f"{PREVIEW} .mention")).to_have_text("@Болат Ермеков")
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list .note b", has_text="Запчасть")).to_be_visible()


def test_the_pieces_and_what_is_left_are_counted_without_marks(page):
    counter = page.locator("#counter")
    text = "слово " * 682  # 4,091 without the last space
    page.fill(FIELD, f"**{text.strip()}** да")
    expect(page.locator(f"{PREVIEW} b")).to_be_visible()
    expect(counter).to_have_text("")
    longer = "\n\n".join("слово " * 500 for _ in range(3)).strip()
    page.fill(FIELD, f"**Важно**\n{longer}")
    expect(counter).to_have_text(f"Уйдёт частями: {len(pieces_of('Важно' + chr(10) + longer))}")
    link = "[сайт](https://a.kz/" + "x" * 1000 + ")"
    page.set_input_files("#reply [name=files]", [{"name": "а.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}])
    page.fill(FIELD, link)
    expect(page.locator(f"{PREVIEW} a")).to_be_visible()
    expect(counter).to_have_text("")
    page.press(FIELD, "Control+Enter")
    expect(page.locator("#log-list .msg.out .words a")).to_have_text("сайт")


def test_what_waits_is_changed_with_its_marks(page, ticket, aigerim, open_page, answer):
    message = answer(ticket, aigerim, "Приезжайте в 18:00", entities=[{"type": "bold", "offset": 13, "length": 5}])
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim)
    page.press(FIELD, "ArrowUp")
    field = page.locator(f"#edit-{message.pk}")
    expect(field).to_have_value("Приезжайте в **18:00**")
    expect(page.locator(".msg-edit .preview b")).to_have_text("18:00")
    field.fill("Приезжайте в **19:00**, __ждём__")
    expect(page.locator(".msg-edit .preview i")).to_have_text("ждём")
    page.get_by_role("button", name="Сохранить и отправить").click()
    expect(page.locator(".msg-edit")).to_have_count(0)  # its preview has the same words
    expect(page.locator(f"#m{message.pk} .words i")).to_have_text("ждём")
    message.refresh_from_db()
    assert message.text == "Приезжайте в 19:00, ждём"
    assert [entity["type"] for entity in message.entities] == ["bold", "italic"]


def test_the_same_formatted_words_from_another_tab_are_not_sent_again(page, ticket, aigerim, answer):
    page.fill(FIELD, "**Одно** и то же")
    expect(page.locator(f"{PREVIEW} b")).to_be_visible()
    answer(ticket, aigerim, "Одно и то же", entities=[{"type": "bold", "offset": 0, "length": 4}])
    detail = {"ticket": ticket.pk, "kind": "message"}
    page.evaluate("detail => document.body.dispatchEvent(new CustomEvent('live:change', {detail}))", detail)
    expect(page.locator("#log-list")).to_contain_text("Одно и то же")
    expect(page.locator(FIELD)).to_have_value("")
    expect(page.locator(PREVIEW)).to_be_hidden()


HOSTILE = [
    "**<img src=x onerror=window.hit=1>**",
    "`<script>window.hit=1</script>`",
    "[x](javascript:window.hit=1) **y**",
    '[x](https://a.kz/"onmouseover="window.hit=1) **y**',
    "[<svg/onload=window.hit=1>](https://a.kz)",
    '```"><script>window.hit=1</script>\nx\n```',
    "> <iframe srcdoc='<script>parent.hit=1</script>'>\n**y**",
    "[x](tg://a'onclick='window.hit=1) **y**",
    "||{{ settings.SECRET_KEY }}</div></form><h1>x||",
]


def test_nothing_hostile_comes_of_marks(page):
    for text in HOSTILE:
        page.fill(FIELD, text)
        expect(page.locator(f"{PREVIEW} [data-length]")).to_have_attribute("data-length", re.compile(r"\d"))
        page.wait_for_function(
            "([selector, text]) => document.querySelector(selector).textContent.length <= text.length",
            arg=[f"{PREVIEW} .words", text],
        )
        page.press(FIELD, "Control+Enter")
        expect(page.locator(FIELD)).to_have_value("")
    page.hover("#log-list .msg.out >> nth=-1")
    tags = page.evaluate("[...new Set([...document.querySelectorAll('.words *')].map(e => e.localName))]")
    assert set(tags) <= {"b", "i", "s", "code", "pre", "a", "span", "blockquote", "time", "svg", "use"}
    links = page.evaluate("[...document.querySelectorAll('#log-list .words a')].map(a => a.protocol)")
    assert set(links) <= {"https:", "tg:"}
    attributes = "[...document.querySelectorAll('.words *')].flatMap(e => e.getAttributeNames())"
    assert not [name for name in page.evaluate(attributes) if name.startswith("on")]
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_can_be_used_by_all_and_crowds_nothing(open_page, aigerim, ticket, width, theme):
    page = open_page(reverse("tickets:ticket", args=[ticket.pk]), aigerim, width=width, theme=theme)
    formats = page.get_by_role("group", name="Разметка текста")
    if width == 390:
        expect(formats).to_be_hidden()
        page.get_by_role("button", name="Разметка текста").click()
    expect(formats).to_be_visible()
    page.fill(FIELD, "**Важно:** код `12-34`, __до среды__\n> слова клиента\nна [сайте](https://a.kz)")
    expect(page.locator(f"{PREVIEW} a")).to_be_visible()
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("button", name="Отправить", exact=True)).to_be_in_viewport()
