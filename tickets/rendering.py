"""Telegram's text and entities as HTML: everything escaped, links of known schemes only.

Entities come from outside and are claims: offsets may lie, overlap or point into the middle of an emoji. What cannot
be honoured is dropped; the words always stay. Offsets and lengths count UTF-16 code units (Bot API, "MessageEntity").
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from tickets.text import utf16_length

SCHEMES = frozenset({"http", "https", "tg", "mailto"})
# A colleague's full name, as `operations.note` looks for it.
MENTION = re.compile(r"@[^\W\d_][\w-]* [^\W\d_][\w-]*")
Span = tuple[int, int, str, str]

LINK = '<a href="{}" target="_blank" rel="noopener noreferrer nofollow">'

# Where two entities cover the same words the outer one comes first: code inside a link, never a link inside code.
_TAGS = {
    "blockquote": ("<blockquote>", "</blockquote>"),
    "expandable_blockquote": ("<blockquote>", "</blockquote>"),
    "pre": ("<pre>", "</pre>"),
    "bold": ("<b>", "</b>"),
    "italic": ("<i>", "</i>"),
    "underline": ("<u>", "</u>"),
    "strikethrough": ("<s>", "</s>"),
    "spoiler": ('<span class="spoiler" tabindex="0">', "</span>"),
    "mention": ('<span class="mention">', "</span>"),
    "hashtag": ('<span class="mention">', "</span>"),
    "code": ("<code>", "</code>"),
}
BLOCK_ENDS = ("</blockquote>", "</pre>")
_LINKS = ("text_link", "url", "email", "text_mention")
_ORDER = {kind: place for place, kind in enumerate([*list(_TAGS)[:2], *_LINKS, *list(_TAGS)[2:]])}


def render_text(text: str, entities: Iterable[Any] = ()) -> SafeString:
    """`text` with its entities as HTML that is safe to put on a page."""
    if not entities:
        return mark_safe(escape(text))  # noqa: S308  # escaped here
    units = text.encode("utf-16-le", "surrogatepass")
    spans = _nested(_spans(units, entities))
    return mark_safe(_render(units, spans))  # noqa: S308  # every piece is escaped by _piece and _link


def render_note(text: str, entities: Iterable[Any] = ()) -> SafeString:
    """A note with its formatting, and the colleagues it names made visible."""
    return render_text(text, [*entities, *(_mention(text, match) for match in MENTION.finditer(text))])


def _mention(text: str, match: re.Match[str]) -> dict[str, Any]:
    before, name = utf16_length(text[: match.start()]), utf16_length(match.group())
    return {"type": "mention", "offset": before, "length": name}


def _spans(units: bytes, entities: Iterable[Any]) -> list[Span]:
    """(start, end, opening tag, closing tag) in UTF-16 units for each entity that can be honoured, outermost first."""
    length = len(units) // 2
    found = []
    for entity in entities:
        if not isinstance(entity, dict):
            continue
        start, size, kind = entity.get("offset"), entity.get("length"), entity.get("type")
        if not isinstance(start, int) or not isinstance(size, int) or not isinstance(kind, str):
            continue
        end = min(start + size, length)
        if start < 0 or start >= end or _splits_pair(units, start) or _splits_pair(units, end):
            continue
        tags = _tags_of(kind, entity, _piece(units, start, end))
        if tags is not None:
            found.append((start, -end, _ORDER.get(kind, len(_ORDER)), *tags))
    return [(start, -end, opening, closing) for start, end, _, opening, closing in sorted(found)]


def _splits_pair(units: bytes, position: int) -> bool:
    """Whether `position` falls between the two halves of one character beyond the basic plane."""
    after = units[2 * position : 2 * position + 2]
    return len(after) == 2 and 0xDC <= after[1] <= 0xDF


def _tags_of(kind: str, entity: dict[str, Any], covered: str) -> tuple[str, str] | None:
    if kind not in _LINKS:
        return _TAGS.get(kind)
    href = _href(kind, entity, covered)
    return (LINK.format(escape(href)), "</a>") if href is not None else None


def _href(kind: str, entity: dict[str, Any], covered: str) -> str | None:
    """Where a link may lead, or None where it may not."""
    if kind == "email":
        return f"mailto:{quote(covered, safe='@.+-_')}"
    if kind == "text_mention":
        user = entity.get("user")
        user_id = user.get("id") if isinstance(user, dict) else None
        return f"tg://user?id={user_id}" if isinstance(user_id, int) else None
    address = entity.get("url") if kind == "text_link" else covered
    return safe_address(address) if isinstance(address, str) else None


def safe_address(address: str) -> str | None:
    """`address` if a browser may follow it, with https:// where Telegram left the scheme out; None otherwise."""
    address = address.strip()
    if any(character <= " " or character == "\x7f" for character in address):
        return None
    try:
        scheme, host = urlsplit(address).scheme.lower(), urlsplit(address).netloc
        if not scheme or ("." in scheme and not host):  # «example.com:8080/path» reads as a scheme
            address = f"https://{address}"
            scheme, host = "https", urlsplit(address).netloc
    except ValueError:
        return None
    if scheme not in SCHEMES or (scheme in ("http", "https") and not host):
        return None
    return address


def _nested(spans: list[Span]) -> list[Span]:
    """The spans without those that would cross another's end: HTML has no crossing tags."""
    kept: list[Span] = []
    ends: list[int] = []
    inside_link: list[int] = []
    for span in spans:
        start, end, opening, _ = span
        while ends and ends[-1] <= start:
            ends.pop()
        while inside_link and inside_link[-1] <= start:
            inside_link.pop()
        is_link = opening.startswith("<a ")
        if (ends and end > ends[-1]) or (is_link and inside_link):
            continue
        ends.append(end)
        if is_link:
            inside_link.append(end)
        kept.append(span)
    return kept


def _render(units: bytes, spans: list[Span]) -> str:
    html: list[str] = []
    open_spans: list[tuple[int, str]] = []
    position = 0

    def write_until(stop: int) -> None:
        nonlocal position
        while open_spans and open_spans[-1][0] <= stop:
            end, closing = open_spans.pop()
            html.append(escape(_piece(units, position, end)))
            position = end
            # A block ends its line by itself: with the line's own end behind it an empty line would follow.
            inside = not open_spans or open_spans[-1][0] > end
            if closing in BLOCK_ENDS and inside and end < stop and _piece(units, end, end + 1) == "\n":
                html.append("\n")
                position = end + 1
            html.append(closing)
        html.append(escape(_piece(units, position, stop)))
        position = stop

    for start, end, opening, closing in spans:
        write_until(start)
        html.append(opening)
        open_spans.append((end, closing))
    write_until(len(units) // 2)
    return "".join(html)


def _piece(units: bytes, start: int, end: int) -> str:
    return units[2 * start : 2 * end].decode("utf-16-le", "replace")
