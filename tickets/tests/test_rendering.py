import html
import re
from typing import Any

import pytest

from tickets.rendering import render_note, render_text, safe_address


def entity(kind: str, offset: Any, length: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


def words_of(markup: str) -> str:
    """What a reader sees: the markup without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bold", "<b>код</b>"),
        ("italic", "<i>код</i>"),
        ("underline", "<u>код</u>"),
        ("strikethrough", "<s>код</s>"),
        ("code", "<code>код</code>"),
        ("pre", "<pre>код</pre>"),
        ("blockquote", "<blockquote>код</blockquote>"),
        ("spoiler", '<span class="spoiler" tabindex="0">код</span>'),
        ("mention", '<span class="mention">код</span>'),
    ],
)
def test_each_kind_of_markup_becomes_its_element(kind, expected):
    assert render_text("код", [entity(kind, 0, 3)]) == expected


def test_offsets_count_utf16_units_as_telegram_does():
    assert render_text("👍🏽 да", [entity("bold", 5, 2)]) == "👍🏽 <b>да</b>"


def test_nested_entities_nest():
    text = "жирный и курсив"
    marked = render_text(text, [entity("bold", 0, 15), entity("italic", 9, 6)])
    assert marked == "<b>жирный и <i>курсив</i></b>"


def test_no_empty_line_follows_a_quotation_or_a_block_of_code():
    text = "раз\nдва\n\nтри"
    assert render_text(text, [entity("blockquote", 0, 3), entity("pre", 4, 3)]) == (
        "<blockquote>раз\n</blockquote><pre>два\n</pre>\nтри"
    )
    assert render_text("раз\nдва", [entity("bold", 0, 3), entity("pre", 0, 3)]) == "<pre><b>раз</b>\n</pre>два"
    assert render_text("раз\nдва", [entity("blockquote", 0, 3), entity("bold", 3, 4)]) == (
        "<blockquote>раз</blockquote><b>\nдва</b>"
    )


def test_an_entity_that_crosses_another_is_dropped_and_its_words_stay():
    marked = render_text("абвгде", [entity("bold", 0, 4), entity("italic", 2, 4)])
    assert marked == "<b>абвг</b>де"


def test_a_link_opens_elsewhere_and_tells_nothing_about_us():
    marked = render_text("сайт", [entity("text_link", 0, 4, url="https://example.com/?a=1&b=2")])
    assert marked == (
        '<a href="https://example.com/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">сайт</a>'
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("example.com/путь", "https://example.com/путь"),
        ("example.com:8080/x", "https://example.com:8080/x"),
        ("HTTP://EXAMPLE.COM", "HTTP://EXAMPLE.COM"),
        ("tg://user?id=1", "tg://user?id=1"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("javascript:alert(1)", None),
        (" javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("data:text/html,<script>alert(1)</script>", None),
        ("vbscript:x", None),
        ("file:///etc/passwd", None),
        ("https://", None),
        ("http:example.com", None),
        ("//example.com", None),
        ("https://[", None),
    ],
)
def test_only_known_schemes_become_links(address, expected):
    assert safe_address(address) == expected


HOSTILE_TEXTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></div><h1>Чужой заголовок</h1>",
    "&lt;b&gt; & &amp;",
    "{{ settings.SECRET_KEY }} {% load x %}",
    "\u202eпечать наоборот\u202c",
    "ә" * 5000,
    "👨‍👩‍👧‍👦" * 50,
    "строка\nс\rпереносами\u2028и\u2029другими",
    "\ufffd\ufffe\x01\x1f",
]
HOSTILE_ENTITIES: list[Any] = [
    [],
    [entity("bold", -1, 5)],
    [entity("bold", 0, 10**12)],
    [entity("bold", 10**12, 1)],
    [entity("bold", 0, 0)],
    [entity("bold", 1, 1)],
    [entity("bold", "0", "5")],
    [entity("bold", 0.5, 2)],
    [{"type": "bold"}],
    [None, 7, "bold", []],
    [entity("<script>", 0, 3)],
    [entity("text_link", 0, 5)],
    [entity("text_link", 0, 5, url=None)],
    [entity("text_link", 0, 5, url='https://x/" onclick="alert(1)')],
    [entity("text_link", 0, 5, url='https://x/"onclick="alert(1)')],
    [entity("text_link", 0, 5, url="javascript:alert(1)")],
    [entity("text_mention", 0, 3, user={"id": "1 onclick=x"})],
    [entity("text_mention", 0, 3, user="x")],
    [entity("pre", 0, 5, language='"><script>')],
    [entity("url", 0, 6), entity("text_link", 0, 6, url="https://example.com")],
    [entity(kind, start, 3) for kind in ("bold", "italic", "spoiler", "code") for start in range(6)],
    [entity("bold", 0, 8)] * 400,
]
ALLOWED_TAGS = {"b", "i", "u", "s", "code", "pre", "blockquote", "a", "span"}


@pytest.mark.parametrize("entities", HOSTILE_ENTITIES, ids=range(len(HOSTILE_ENTITIES)))
@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_hostile_texts_and_entities_lose_no_word_and_bring_no_markup(text, entities):
    marked = render_text(text, entities)

    assert words_of(marked) == text
    tags = re.findall(r"<(/?)([a-z0-9]*)([^>]*)>", marked)
    assert {name for _, name, _ in tags} <= ALLOWED_TAGS
    assert "onclick" not in re.sub(r'"[^"]*"', "", "".join(attributes for _, _, attributes in tags))
    assert "javascript:" not in "".join(re.findall(r'href="([^"]*)"', marked)).lower()
    open_tags: list[str] = []
    for closing, name, _ in tags:
        if closing:
            assert open_tags.pop() == name
        else:
            open_tags.append(name)
    assert not open_tags


def test_links_never_stand_inside_links():
    marked = render_text("example.com", [entity("text_link", 0, 11, url="https://a.example"), entity("url", 0, 11)])
    assert marked.count("<a ") == 1


def test_a_note_has_its_formatting_too():
    assert render_note("Важно: @Болат Ермеков", [entity("bold", 0, 21)]) == (
        '<b>Важно: <span class="mention">@Болат Ермеков</span></b>'
    )


def test_a_note_shows_whom_it_names():
    assert render_note("👍 @Болат Ермеков, <b>посмотри</b> @ и @один") == (
        '👍 <span class="mention">@Болат Ермеков</span>, &lt;b&gt;посмотри&lt;/b&gt; @ и @один'
    )
