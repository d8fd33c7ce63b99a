"""Formatting beside a text: what Telegram takes, what is cut and what is joined."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickets.formatting import Formatted, checked, joined, link_address, pieces_of, trimmed
from tickets.text import PIECE, utf16_length
from tickets.text import pieces_of as texts_of


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


def said(text: str, found: dict[str, Any]) -> str:
    """The words an entity is about."""
    units = text.encode("utf-16-le")[2 * found["offset"] : 2 * (found["offset"] + found["length"])]
    return units.decode("utf-16-le")


@pytest.mark.parametrize(
    "entities",
    [
        [entity("custom_emoji", 0, 1)],
        [entity("bold", -1, 2)],
        [entity("bold", 0, 0)],
        [entity("bold", True, 1)],
        [entity("bold", 0, 9)],
        [entity("bold", 1, 2)],  # inside the emoji
        [entity("bold", 0, 1)],
        [entity("bold", 0, 4), entity("italic", 2, 4)],
        [entity("bold", 0, 6), entity("code", 2, 2)],
        [entity("code", 0, 6), entity("bold", 2, 2)],
        [entity("blockquote", 0, 6), entity("blockquote", 2, 2)],
        [entity("text_link", 0, 6, url="https://a.kz"), entity("text_link", 2, 2, url="https://a.kz")],
        [entity("text_link", 0, 2)],
        [entity("text_link", 0, 2, url="javascript:alert(1)")],
        [{"type": "bold"}],
    ],
    ids=str,
)
def test_what_telegram_would_refuse_or_take_apart_is_refused(entities: list[Any]):
    with pytest.raises(ValueError, match=r"."):
        checked("👍слова", entities)


def test_what_it_takes_is_kept_in_its_order_and_without_more():
    given_entities = [entity("italic", 2, 2, x=1), entity("blockquote", 0, 6), entity("pre", 4, 2, language="js")]
    assert checked("слова!", given_entities) == [
        entity("blockquote", 0, 6),
        entity("italic", 2, 2),
        entity("pre", 4, 2, language="js"),
    ]


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://a.kz/x?y=1#z", True),
        ("HTTP://A.KZ", True),
        ("tg://resolve?domain=x", True),
        ("a.kz", False),
        ("https://localhost/x", False),
        ("https://a.kz/ x", False),
        ("mailto:a@b.kz", False),
        ("javascript:alert(1)//a.kz", False),
        ("tg://a.b", False),
        ("https://" + "a" * 3000 + ".kz", False),
        ("", False),
    ],
)
def test_only_what_telegram_makes_a_link_of_is_one(address: str, is_link: bool):
    assert (link_address(address) == address) is is_link


def test_taking_off_space_moves_the_formatting_along():
    assert trimmed("  \r\n👍 да\r\nнет \n", [entity("bold", 7, 2), entity("italic", 0, 16)]) == (
        "👍 да\nнет",
        [entity("bold", 3, 2), entity("italic", 0, 9)],
    )
    assert trimmed("\n\n x", [entity("bold", 0, 2)]) == ("x", [])
    assert trimmed("x", [entity("bold", 0, 1)]) == ("x", [entity("bold", 0, 1)])


def test_formatting_over_a_border_goes_on_in_the_next_message():
    text = ("слово " * 1200).strip()
    link = entity("text_link", PIECE - 300, 900, url="https://a.kz")
    pieces = pieces_of(text, [entity("bold", 0, len(text)), link])
    assert [piece.text for piece in pieces] == texts_of(text)
    assert [piece.entities[0] for piece in pieces] == [entity("bold", 0, len(piece.text)) for piece in pieces]
    before, after = pieces[0].entities[1], pieces[1].entities[1]
    assert before["offset"] + before["length"] == len(pieces[0].text)
    assert (after["offset"], after["url"]) == (0, "https://a.kz")
    assert said(pieces[0].text, before) + " " + said(pieces[1].text, after) == said(text, link)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["слово ", "😀", "абзац\n\n", "я" * 700 + " ", "x" * 3000]), max_size=14).map("".join),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 9000)), max_size=4),
)
def test_every_piece_says_of_its_words_what_the_whole_text_did(text: str, places: list[tuple[int, int]]):
    text = text.strip()
    total = utf16_length(text)
    entities = [entity("bold", offset, min(length, total - offset)) for offset, length in places if offset < total]
    pieces = pieces_of(text, entities)
    assert [piece.text for piece in pieces] == texts_of(text)
    for piece in pieces:
        assert all(
            0 <= each["offset"] < each["offset"] + each["length"] <= utf16_length(piece.text) for each in piece.entities
        )
    if len(pieces) == 1:
        assert pieces[0] == Formatted(text, entities)
    units = text.encode("utf-16-le")
    marked = {place for each in entities for place in range(each["offset"], each["offset"] + each["length"])}
    at = 0
    for piece in pieces:
        own = piece.text.encode("utf-16-le")
        at = units.index(own, 2 * at) // 2 if own else at
        bold = {
            at + place for each in piece.entities for place in range(each["offset"], each["offset"] + each["length"])
        }
        assert bold == marked & set(range(at, at + len(own) // 2))
        at += len(own) // 2


def test_pieces_become_one_text_again():
    assert joined([Formatted("👍 да", [entity("bold", 3, 2)]), Formatted("нет", [entity("italic", 0, 3)])], "\n") == (
        "👍 да\nнет",
        [entity("bold", 3, 2), entity("italic", 6, 3)],
    )
