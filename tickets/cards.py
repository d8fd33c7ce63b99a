"""Payment card numbers among written words: found, and hidden so that every other character stays where it was.

A number is believed to be a card's where its first digits and its length are those of an issuer that exists, its last
digit is right (Luhn, ISO/IEC 7812-1 annex B), and it is written as people write cards: at one go, or in groups parted
by blanks and dashes. What is hidden by mistake can be shown; what is not hidden lies open, so a doubt hides.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

HIDDEN = "•"
SHOWN_DIGITS = 4

#: Digits of any script, and at most three blanks or dashes between two of them.
_RUN = re.compile(r"\d(?:(?:[^\S\r\n]|[\-\u2010-\u2015\u2212]){0,3}\d)*")
_GROUP = re.compile(r"\d+")
#: «+7…» is a phone; digits that touch a Latin letter are an account (IBAN), a key or the name of a file.
_BEFORE = re.compile(r"[A-Za-z_+]")
_AFTER = re.compile(r"[A-Za-z_]")

_LONG = range(16, 20)
#: First digits, from and to, and how many digits there are then: https://en.wikipedia.org/wiki/Payment_card_number
_ISSUERS: tuple[tuple[str, str, Sequence[int]], ...] = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("2200", "2205", _LONG),  # Mir, Borica
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("62", "62", _LONG),  # UnionPay
    ("3528", "3589", _LONG),  # JCB
    ("6011", "6011", _LONG),  # Discover
    ("644", "649", _LONG),
    ("65", "65", _LONG),
    ("300", "305", (14,)),  # Diners Club
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    *((first, first, range(13, 20)) for first in ("5018", "5020", "5038", "5893", "6304", "6759")),  # Maestro
    ("6761", "6763", range(13, 20)),
    ("8600", "8600", (16,)),  # Uzcard
    ("5614", "5614", (16,)),
    ("9860", "9860", (16,)),  # Humo
    ("9112", "9112", (16,)),  # Belkart
    ("9417", "9417", (16,)),  # Elkart
    ("9792", "9792", (16,)),  # Troy
)
_SHORTEST, _LONGEST = 13, 19
#: Thirteen and fourteen digits at one go are as a rule a barcode (those of Kazakhstan begin with 487) or a parcel's
#: number, fifteen parted in some other way may be a phone: so few are believed only as they stand on a card.
_SHAPES_OF_SHORT = {
    13: ((4, 3, 3, 3), (4, 4, 4, 1), (4, 4, 5)),
    14: ((4, 6, 4), (4, 4, 4, 2)),
    15: ((15,), (4, 6, 5), (4, 4, 4, 3)),
}


def masked(text: str) -> str:
    """`text` with all but the last four digits of each card number hidden.

    As long as before in UTF-16 code units, so that entities still point where they did.
    """
    pieces, end = [], 0
    for start, stop in _cards(text):
        pieces += [text[end:start], _hide(text[start:stop])]
        end = stop
    return "".join([*pieces, text[end:]])


def numbers_in(*texts: str) -> list[str]:
    """The card numbers in these texts, each once, in ASCII digits without what stood between them."""
    found = (_digits(text[start:stop]) for text in texts for start, stop in _cards(text))
    return list(dict.fromkeys(found))


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Where each number begins and ends, in characters."""
    for run in _RUN.finditer(text):
        if run.end() - run.start() < _SHORTEST or _is_part_of_a_name(text, run):
            continue
        groups = [match.span() for match in _GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            last = _last_group(text, groups, first)
            if last is None:
                first += 1
            else:
                yield groups[first][0], groups[last][1]
                first = last + 1


def _is_part_of_a_name(text: str, run: re.Match[str]) -> bool:
    return bool(_BEFORE.match(text[run.start() - 1 : run.start()]) or _AFTER.match(text, run.end()))


def _last_group(text: str, groups: Sequence[tuple[int, int]], first: int) -> int | None:
    """The last group of the longest card number that begins with this one: a date or a code may stand behind it."""
    found: int | None = None
    shape: tuple[int, ...] = ()
    for place in range(first, len(groups)):
        start, stop = groups[place]
        shape = (*shape, stop - start)
        if sum(shape) > _LONGEST:
            break
        is_all = first == 0 and place == len(groups) - 1
        if _is_written_so(shape, is_all=is_all) and _is_card(_digits(text[groups[first][0] : stop])):
            found = place
    return found


def _is_written_so(shape: tuple[int, ...], *, is_all: bool) -> bool:
    """`is_all`: nothing else stands beside it, so that sixteen digits and more may be parted in any way."""
    total = sum(shape)
    if total < _LONG.start:
        return shape in _SHAPES_OF_SHORT.get(total, ())
    return is_all or len(shape) == 1 or (set(shape[:-1]) == {4} and shape[-1] <= 4)


def _is_card(number: str) -> bool:
    length = len(number)
    known = any(low <= number[: len(low)] <= high and length in lengths for low, high, lengths in _ISSUERS)
    return known and _luhn(number)


def _luhn(number: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _digits(written: str) -> str:
    return "".join(str(unicodedata.decimal(character)) for character in written if character.isdecimal())


def _hide(written: str) -> str:
    """Digits beyond the basic plane are two code units, and so is what hides them."""
    left = sum(character.isdecimal() for character in written) - SHOWN_DIGITS
    hidden = []
    for character in written:
        if character.isdecimal() and left > 0:
            left -= 1
            hidden.append(HIDDEN * (1 + (ord(character) > 0xFFFF)))
        else:
            hidden.append(character)
    return "".join(hidden)
