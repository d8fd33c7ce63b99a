"""Words as Telegram counts them, and how a long reply falls into messages."""

import pytest

from tickets.text import MAX_REPLY, MAX_TEXT, PIECE, pieces_of, utf16_length

HALF, MOST = "я" * (PIECE // 2 + 5), "я" * (PIECE - 5)


@pytest.mark.parametrize("text", ["", "Да", "я" * MAX_TEXT, "😀" * (MAX_TEXT // 2)])
def test_what_fits_into_one_message_is_left_whole(text: str) -> None:
    assert pieces_of(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HALF}\n\n{HALF}\n{HALF}", [HALF, f"{HALF}\n", HALF]),
        (f"{HALF}\n{HALF} {HALF}", [HALF, HALF, HALF]),
        (f"{HALF} {HALF} {HALF}", [HALF, HALF, HALF]),
        (f"Да\n\n{MOST} {HALF}", [f"Да\n\n{MOST}"[:PIECE], f"{MOST} {HALF}"[PIECE - 4 :]]),
        ("я" * (MAX_TEXT + 1), ["я" * PIECE, "я" * (MAX_TEXT + 1 - PIECE)]),
    ],
    ids=["paragraphs", "lines", "words", "not too early", "no end"],
)
def test_a_longer_one_is_cut_where_it_hurts_least(text: str, expected: list[str]) -> None:
    assert [piece.strip() for piece in pieces_of(text)] == [piece.strip() for piece in expected]


@pytest.mark.parametrize("words", ["слово ", "😀", "x😀", "строка\n", "абзац\n\n"])
def test_nothing_of_it_is_lost_and_each_piece_leaves_room_for_who_writes(words: str) -> None:
    text = (words * MAX_REPLY)[: MAX_REPLY // 2].strip()
    pieces = pieces_of(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < utf16_length(piece) <= PIECE for piece in pieces)
