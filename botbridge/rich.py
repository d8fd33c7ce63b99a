"""A rich message (Bot API, "RichMessage") as plain text: every word it says, in its order, a line for each block.

Read as JSON and by the names of its parts, so that a block newer than this loses its looks and keeps its words.
"""

from collections.abc import Iterator
from typing import Any

from tickets.models import ContentType

Json = dict[str, Any]

#: Files in a block, and the kind of message each would be alone.
FILES = {
    "photo": ContentType.PHOTO,
    "video": ContentType.VIDEO,
    "animation": ContentType.ANIMATION,
    "audio": ContentType.AUDIO,
    "voice_note": ContentType.VOICE,
    "document": ContentType.DOCUMENT,
}


def words_of_rich_message(message: Any) -> str:
    """`message` is JSON from outside: what is not of the shape it should be says nothing."""
    return "\n".join(line for block in _objects(message, "blocks") for line in _lines(block))


def holds_files(holder: Any) -> bool:
    """Whether a rich message, or a block of one, shows anything that its words only name."""
    blocks = [*_objects(holder, "blocks"), *_objects(holder, "items")]
    return any(FILES.keys() & block.keys() or holds_files(block) for block in blocks)


def _lines(block: Json) -> Iterator[str]:
    file = next((f"[{kind.label}]" for name, kind in FILES.items() if name in block), "")
    yield from filter(None, [file, *(_inline(block.get(name)) for name in ("summary", "label", "text", "expression"))])
    for inner in (*_objects(block, "blocks"), *_objects(block, "items")):
        yield from _lines(inner)
    for row in _rows(block):
        yield " | ".join(_inline(cell) for cell in row)
    place = block.get("location")
    if isinstance(place, dict):
        yield f"{place.get('latitude')}, {place.get('longitude')}"
    caption = block.get("caption")
    credit = [caption.get("credit")] if isinstance(caption, dict) else []
    yield from filter(None, map(_inline, [*_objects(block, "buttons"), caption, *credit, block.get("credit")]))


def _objects(holder: Any, name: str) -> list[Json]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _rows(block: Json) -> list[list[Any]]:
    """A table's cells."""
    cells = block.get("cells")
    return [row for row in cells if isinstance(row, list)] if isinstance(cells, list) else []


def _inline(text: Any) -> str:
    """RichText: a string, a list of pieces, or a piece around another."""
    if isinstance(text, str):
        return text
    if isinstance(text, list):
        return "".join(map(_inline, text))
    if not isinstance(text, dict):
        return ""
    said = _inline(
        next((text[name] for name in ("text", "expression", "alternative_text", "button") if name in text), "")
    )
    address = text.get("url")
    return f"{said} ({address})" if isinstance(address, str) and address != said else said
