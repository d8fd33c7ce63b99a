"""What a person types and what it means: nothing typed is lost, nothing ordinary becomes formatting."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickets.formatting import Formatted, checked
from tickets.marks import marks_of, parse, retyped, typed
from tickets.text import utf16_length


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("typed", "text", "entities"),
    [
        ("**жирно**", "жирно", [entity("bold", 0, 5)]),
        ("__курсив__", "курсив", [entity("italic", 0, 6)]),
        ("~~нет~~", "нет", [entity("strikethrough", 0, 3)]),
        ("||тайна||", "тайна", [entity("spoiler", 0, 5)]),
        ("код `123-456` здесь", "код 123-456 здесь", [entity("code", 4, 7)]),
        ("```\na\n  b\n```", "a\n  b", [entity("pre", 0, 5)]),
        ("```python\nx = 1\n```", "x = 1", [entity("pre", 0, 5, language="python")]),
        ("так: ```x``` вот", "так: x вот", [entity("pre", 5, 1)]),
        ("на [сайте](https://a.kz/x)", "на сайте", [entity("text_link", 3, 5, url="https://a.kz/x")]),
        ("[чат](tg://resolve?domain=x)", "чат", [entity("text_link", 0, 3, url="tg://resolve?domain=x")]),
        ("[т](https://a.kz/x_(y))", "т", [entity("text_link", 0, 1, url="https://a.kz/x_(y)")]),
        ("> слова\nответ", "слова\nответ", [entity("blockquote", 0, 5)]),
        ("> раз\n>\n> два", "раз\n\nдва", [entity("blockquote", 0, 8)]),
        ("👍🏽 **да**!", "👍🏽 да!", [entity("bold", 5, 2)]),
        ("**раз** и\n**два**", "раз и\nдва", [entity("bold", 0, 3), entity("bold", 6, 3)]),
        ("Итого: **5 000 ₸**, (**50**%).", "Итого: 5 000 ₸, (50%).", [entity("bold", 7, 7), entity("bold", 17, 2)]),
        ("**«Да»**", "«Да»", [entity("bold", 0, 4)]),
        ("**https://a.kz/x__y**", "https://a.kz/x__y", [entity("bold", 0, 17)]),
        ("__см. (https://a.kz/x)__", "см. (https://a.kz/x)", [entity("italic", 0, 20)]),
    ],
)
def test_each_mark_becomes_its_formatting(typed: str, text: str, entities: list[Any]):
    assert parse(typed) == (text, entities)


def test_formatting_stands_in_formatting_the_outer_one_first():
    assert parse("**очень __важно__**") == ("очень важно", [entity("bold", 0, 11), entity("italic", 6, 5)])
    assert parse("__**всё**__") == ("всё", [entity("italic", 0, 3), entity("bold", 0, 3)])
    assert parse("**см. [тут](https://a.kz)**") == (
        "см. тут",
        [entity("bold", 0, 7), entity("text_link", 4, 3, url="https://a.kz")],
    )
    assert parse("> **да** `x`") == ("да x", [entity("blockquote", 0, 4), entity("bold", 0, 2), entity("code", 3, 1)])


def test_a_sentences_formatting_leaves_out_the_code_in_it():
    """Bold and code cannot contain each other (Bot API, "Formatting options")."""
    assert parse("**Код `123` верный**") == (
        "Код 123 верный",
        [entity("bold", 0, 3), entity("code", 4, 3), entity("bold", 8, 6)],
    )


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "Цена 5*3 = 15, скидка 10%",
        "2**3**4 и 2 ** 3",
        "snake__case__name и __init__.py, __main__(), @some__name__",
        "__init__.py, потом ещё __init__.py",
        "C:\\__tmp__\\x /usr/__pycache__/a ./**/*.py",
        "https://a.kz/__x__/?q=**y**&z=~~w~~ www.a.kz/||x||",
        "a__b__@mail.kz",
        ":) || ^_^ ~~ ** __ ||",
        "**** **** **** 1234, ____, ~~~~, ||||",
        "*** Акция ***",
        "карта на **12 или на ** 34",
        "**не закрыто",
        "закрыто** не открыто",
        "** с пробелами **",
        "**раз ** два**",
        "**строка\nдругая**",
        "if (a || b || c) x||y||z",
        "об`ём и п`ять",
        "`не закрыто",
        "` пробелы `",
        "``два``",
        "```не закрыто",
        "``` ```",
        "массив[0](см. ниже) и [1](прим)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](mailto:a@b.kz)",  # Telegram would make http://mailto:a@b.kz of it
        "[x](https://localhost) [x](a.kz) [x]() [](https://a.kz) [ ](https://a.kz)",
        ">5 дней, > 5",
        ">",
        "\\",
        "\\\\server\\share, C:\\*.txt, \\[x], \\>x, \\ **",
        "+7 (707) **123-45-67",
        "кни**га**",
        "\ufffd\x01\u202e",
    ],
)
def test_what_people_type_ordinarily_stays_as_it_is(typed: str):
    assert parse(typed) == (typed, [])


def test_a_field_sends_its_line_ends_as_two_characters():
    assert typed(" > раз\r\n>\r\n> **два**\r\nтри ") == typed(" > раз\n>\n> **два**\nтри ")
    assert typed("> раз\r\n>\r\n> **два**\r\nтри ") == (
        "раз\n\nдва\nтри",
        [entity("blockquote", 0, 8), entity("bold", 5, 3)],
    )


def test_a_field_left_as_it_was_keeps_what_marks_cannot_say():
    before = Formatted("книга\nда", [entity("bold", 3, 2), entity("underline", 6, 2)])
    assert retyped("книга\r\nда", before) == before
    assert retyped("книга\r\nда!", before) == ("книга\nда!", [])


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("\\**не жирно**", "**не жирно**"),
        ("\\__x__", "__x__"),
        ("\\`x`", "`x`"),
        ("\\```x```", "```x```"),
        ("\\[x](https://a.kz)", "[x](https://a.kz)"),
        ("\\> не цитата", "> не цитата"),
        ("\\\\**x**", "\\**x**"),
    ],
)
def test_a_backslash_takes_a_marks_meaning_away(typed: str, text: str):
    assert parse(typed) == (text, [])


def test_code_holds_no_marks():
    assert parse("`**x** __y__`") == ("**x** __y__", [entity("code", 0, 11)])
    assert parse("```\n> **x**\n[y](https://a.kz)\n```").text == "> **x**\n[y](https://a.kz)"


def test_the_nearest_mark_is_the_one_that_is_closed():
    assert parse("**12 или **34**") == ("**12 или 34", [entity("bold", 9, 2)])
    assert parse("**a __b** c__") == ("a __b c__", [entity("bold", 0, 5)])


def test_what_marks_cannot_say_is_left_out_and_the_words_stay():
    assert marks_of("книга", [entity("bold", 3, 2)]) == "книга"
    assert marks_of("слово", [entity("underline", 0, 5)]) == "слово"
    assert marks_of("да\nнет", [entity("bold", 0, 6)]) == "**да**\n**нет**"
    assert marks_of("a`b", [entity("code", 0, 3)]) == "a`b"


MARKS = [
    "**",
    "__",
    "~~",
    "||",
    "`",
    "```",
    "> ",
    "\n",
    "\n> ",
    "\\",
    "[",
    "](https://a.kz)",
    "](tg://x)",
    "https://a.kz/",
]
WORDS = [
    "слово",
    "x",
    " ",
    ".",
    ",",
    "(",
    ")",
    "*",
    "_",
    "😀",
    "5",
    "-",
    "/",
    ">",
    "]",
    "\r",
    "e\u0301",
    "\u2028",
    "python\n",
]
TYPED = st.one_of(
    st.lists(st.sampled_from(MARKS + WORDS), max_size=24).map("".join),
    st.lists(st.sampled_from([*MARKS, "a", " ", "😀"]), max_size=14).map("".join),
    st.text(max_size=60),
)
#: All that `parse` may take out of a text.
TAKEN = set("*_~|`>\\[]() \npython") | set("https://a.kz/tg:x")


@settings(deadline=None)
@given(TYPED)
def test_nothing_is_lost_but_marks_and_the_formatting_is_telegrams(typed: str):
    text, entities = parse(typed)
    rest = iter(typed)
    taken = []
    for character in text:  # the text is what was typed with some characters taken out
        for other in rest:
            if other == character:
                break
            taken.append(other)
        else:
            pytest.fail(f"{character!r} was not typed")
    assert {*taken, *rest} <= TAKEN
    assert checked(text, entities) == entities
    assert all(entity["offset"] + entity["length"] <= utf16_length(text) for entity in entities)
    if text == typed:
        assert all(entity["type"] not in ("text_link", "pre") for entity in entities)


@settings(deadline=None)
@given(TYPED)
def test_what_was_typed_can_be_typed_again_from_what_it_meant(typed: str):
    meant = parse(typed)
    assert parse(marks_of(*meant)) == meant


@settings(deadline=None)
@given(TYPED)
def test_any_plain_text_can_be_typed(text: str):
    assert parse(marks_of(text, [])) == Formatted(text, [])


KINDS = ["bold", "italic", "underline", "spoiler", "code", "pre", "text_link", "blockquote", "custom_emoji"]


@settings(deadline=None)
@given(
    TYPED,
    st.lists(
        st.builds(entity, st.sampled_from(KINDS), st.integers(0, 20), st.integers(1, 20), url=st.just("https://a.kz")),
        max_size=5,
    ),
)
def test_whatever_formatting_a_text_has_its_words_can_be_typed(text: str, entities: list[Any]):
    assert parse(marks_of(text, entities)).text == text


def test_a_hostile_text_of_the_greatest_length_is_read_at_once():
    for unit in ("**", "**a ", "`", "` ", "``` ", "[", "[a](", "> \n", ">\n", "\\", "__x **", "https://", "**__", "😀"):
        typed = (unit * 20_000)[:20_000]
        assert parse(marks_of(*parse(typed))) == parse(typed)
