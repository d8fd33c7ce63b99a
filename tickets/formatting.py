"""A text with its formatting: the Bot API's MessageEntity objects beside plain words, checked, cut and joined.

Offsets and lengths count UTF-16 code units (Bot API, "MessageEntity"). Everything here is pure.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tickets.rendering import safe_address
from tickets.text import piece_spans, utf16_length

Entity = dict[str, Any]

#: What may contain and be part of everything but code (Bot API, "Formatting options").
STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")
CODE = ("code", "pre")
QUOTES = ("blockquote", "expandable_blockquote")
KINDS = (*STYLES, *CODE, *QUOTES, "text_link")

MAX_URL = 2048
TG_HOST = re.compile(r"[A-Za-z0-9_-]+\Z")
#: Line ends as a form sends them, and space around a text, which Telegram takes off.
SUPERFLUOUS = re.compile(r"\A\s+|\r(?=\n)|\s+\Z")


class Formatted(NamedTuple):
    """A text as it is read, and the entities that say how it looks."""

    text: str
    entities: list[Entity]


def link_address(address: str) -> str | None:
    """`address` if Telegram makes a link of it; None of one it refuses or would lead elsewhere.

    It knows http and https with a host that has a dot, and tg; «mailto:a@b.kz» it takes for a host and its user
    (TDLib, LinkManager::check_link). A mail address in plain words it finds by itself.
    """
    safe = safe_address(address)
    if safe != address or len(address) > MAX_URL:
        return None
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme.lower() == "tg":
        return address if TG_HOST.match(parts.netloc) else None
    return address if parts.scheme.lower() in ("http", "https") and "." in host.strip(".") else None


def checked(text: str, entities: Iterable[Mapping[str, Any]]) -> list[Entity]:
    """The entities in Telegram's order, without fields that are not theirs.

    :raises ValueError: one is not what a bot may send, lies outside the text, halves a character, crosses another, or
        is nested as Telegram does not take it (Bot API, "Formatting options"). Its words are for a programmer.
    """
    units = text.encode("utf-16-le", "surrogatepass")
    found = [_checked(entity, units) for entity in entities]
    found.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    around: list[Entity] = []
    for entity in found:
        around = [outer for outer in around if _end(outer) > entity["offset"]]
        for outer in around:
            _check_nesting(outer, entity)
        around.append(entity)
    return found


def _checked(entity: Mapping[str, Any], units: bytes) -> Entity:
    kind, offset, length = entity.get("type"), entity.get("offset"), entity.get("length")
    if kind not in KINDS:
        raise ValueError(f"type is one of {', '.join(KINDS)}")
    if type(offset) is not int or type(length) is not int or offset < 0 or length < 1:
        raise ValueError("offset counts from 0, length from 1")
    if 2 * (offset + length) > len(units):
        raise ValueError(f"the text ends before {offset + length} UTF-16 code units")
    if _halves(units, offset) or _halves(units, offset + length):
        raise ValueError("offset or length falls inside a character")
    known = {"type": kind, "offset": offset, "length": length}
    if kind == "text_link":
        address = entity.get("url")
        if not isinstance(address, str) or link_address(address) is None:
            raise ValueError("url is an http, https or tg address")
        known["url"] = address
    language = entity.get("language")
    if kind == "pre" and isinstance(language, str) and language:
        known["language"] = language
    return known


def _halves(units: bytes, position: int) -> bool:
    after = units[2 * position : 2 * position + 2]
    return len(after) == 2 and 0xDC <= after[1] <= 0xDF


def _end(entity: Entity) -> int:
    return int(entity["offset"] + entity["length"])


def _check_nesting(outer: Entity, inner: Entity) -> None:
    if _end(inner) > _end(outer):
        raise ValueError(f"{inner['type']} crosses the end of {outer['type']}")
    kinds = (outer["type"], inner["type"])
    if set(kinds) & set(CODE) and not (outer["type"] in QUOTES and inner["type"] in CODE):
        raise ValueError("code holds nothing and stands in a quotation at most")
    if all(kind in QUOTES for kind in kinds) or kinds == ("text_link", "text_link"):
        raise ValueError(f"{inner['type']} stands in another one")
    if outer["type"] == "text_link" and inner["type"] in QUOTES:
        raise ValueError("a quotation stands in a link")


def trimmed(text: str, entities: Iterable[Entity] = ()) -> Formatted:
    """The text without the space around it and with line ends of one character, the entities moved along."""
    gone = [place for match in SUPERFLUOUS.finditer(text) for place in range(match.start(), match.end())]
    if not gone:
        return Formatted(text, list(entities))
    # Every character taken off is one unit: there is no space beyond the basic plane.
    before = [0, *accumulate(utf16_length(character) for character in text)]
    units = [before[place] for place in gone]

    def moved(offset: int) -> int:
        return offset - bisect_left(units, offset)

    kept = []
    for entity in entities:
        start, end = moved(entity["offset"]), moved(_end(entity))
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return Formatted(SUPERFLUOUS.sub("", text), kept)


def shifted(entities: Iterable[Entity], by: int) -> list[Entity]:
    """The entities of a text with `by` UTF-16 units put before it."""
    return [{**entity, "offset": entity["offset"] + by} for entity in entities]


def pieces_of(text: str, entities: Sequence[Entity]) -> list[Formatted]:
    """The messages a text leaves in, each with its part of the formatting: what is cut goes on in the next."""
    spans = piece_spans(text)
    if not entities:
        return [Formatted(text[start:end], []) for start, end in spans]
    return [_cut(text, entities, start, end) for start, end in spans]


def _cut(text: str, entities: Iterable[Entity], start: int, end: int) -> Formatted:
    """The characters from `start` to `end` as a text of its own."""
    piece = text[start:end]
    first = utf16_length(text[:start])
    last = first + utf16_length(piece)
    kept = []
    for entity in entities:
        begins, ends = max(entity["offset"], first), min(_end(entity), last)
        if begins < ends:
            kept.append({**entity, "offset": begins - first, "length": ends - begins})
    return Formatted(piece, kept)


def joined(pieces: Sequence[Formatted], separator: str) -> Formatted:
    """The pieces as one text again."""
    step = utf16_length(separator)
    starts = accumulate((utf16_length(piece.text) + step for piece in pieces), initial=0)
    entities = [shifted(piece.entities, start) for piece, start in zip(pieces, starts, strict=False)]
    return Formatted(separator.join(piece.text for piece in pieces), [*chain.from_iterable(entities)])
