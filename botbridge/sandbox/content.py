"""What a message may hold: texts, entities and keyboards, with the refusals of Telegram's own server.

Lengths and offsets are in UTF-16 code units (Bot API, MessageEntity).
"""

import json
import re
from typing import Any

from botbridge.sandbox.errors import bad_request

Json = dict[str, Any]

MAX_TEXT = 4096  # Bot API, sendMessage: "1-4096 characters after entities parsing"
MAX_CAPTION = 1024  # Bot API, sendPhoto: "0-1024 characters after entities parsing"
MAX_QUOTE = 1024  # Bot API, ReplyParameters: "0-1024 characters after entities parsing"
MAX_CALLBACK_DATA = 64  # Bot API, InlineKeyboardButton: "1-64 bytes"

ENTITY_TYPES = frozenset(
    [
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    ]
)
BUTTON_ACTIONS = frozenset(
    [
        "url",
        "callback_data",
        "web_app",
        "login_url",
        "switch_inline_query",
        "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat",
        "copy_text",
        "callback_game",
        "pay",
    ]
)
# What Telegram finds in a text by itself.
FOUND = re.compile(
    r"(?P<url>(?:https?://|(?<![\w@.])www\.)[^\s<>\"']*[\w/])"
    r"|(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<bot_command>(?<![\w/])/[A-Za-z0-9_]{1,32}(?:@\w{3,32})?(?!\w))"
    r"|(?P<mention>(?<!\w)@[A-Za-z]\w{3,31})"
    r"|(?P<hashtag>(?<!\w)#(?=\w*[^\W\d_])\w{1,256})"
    r"|(?P<phone_number>(?<![\w+])\+\d[\d ()-]{8,16}\d(?!\w))"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def length(text: str) -> int:
    """The text's length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def formatted(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """A text as Telegram stores it: control characters gone, trimmed, its own entities and those found in it."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise bad_request("strings must be encoded in UTF-8")
    text = CONTROLS.sub(" ", text.replace("\r", ""))
    given = [_checked_entity(entity, text) for entity in entities]
    leading = length(text) - length(text.lstrip())
    text = text.strip()
    total = length(text)
    shifted = [_clipped(entity, leading, total) for entity in given]
    kept = [entity for entity in shifted if entity["length"] > 0]
    return text, sorted(kept + _found_beside(text, kept), key=lambda entity: (entity["offset"], -entity["length"]))


def message_text(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """A message's text. Raises 400 when it is empty or over 4096 UTF-16 units."""
    if not text:
        raise bad_request("message text is empty")
    text, entities = formatted(text, entities)
    if not text:
        raise bad_request("text must be non-empty")
    if length(text) > MAX_TEXT:
        raise bad_request("message is too long")
    return text, entities


def caption(text: str, entities: list[Json]) -> Json:
    """The caption's fields of a Message; none for an empty one. Raises 400 over 1024 UTF-16 units."""
    text, entities = formatted(text, entities)
    if length(text) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return with_entities("caption", text, entities)


def with_entities(field: str, text: str, entities: list[Json]) -> Json:
    """The text as a Message carries it: {"text": …, "entities": […]}, or the caption's twins."""
    if not text:
        return {}
    key = "entities" if field == "text" else f"{field}_entities"
    return {field: text, **({key: entities} if entities else {})}


def _checked_entity(entity: Any, text: str) -> Json:
    if not isinstance(entity, dict) or entity.get("type") not in ENTITY_TYPES:
        raise bad_request("can't parse MessageEntity: Unsupported type specified")
    offset, units = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(units, int) or offset < 0 or units <= 0:
        raise bad_request("can't parse MessageEntity: Can't find field of type Number")
    if entity["type"] == "text_link":
        _check_link(entity.get("url"))
    encoded = text.encode("utf-16-le")
    if (offset + units) * 2 > len(encoded):
        end = len(encoded) // 2
        raise bad_request(
            f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
        )
    try:
        encoded[offset * 2 : (offset + units) * 2].decode("utf-16-le")
    except UnicodeDecodeError:
        raise bad_request(f"entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol") from None
    return entity


def _check_link(address: Any) -> None:
    """TDLib, LinkManager::check_link: http and https with a host that has a dot, and tg; the rest is refused."""
    if not isinstance(address, str):
        raise bad_request("can't parse MessageEntity: Can't find field \"url\"")
    scheme, separator, rest = address.partition("://")
    scheme, rest = (scheme, rest) if separator else ("", address)
    if scheme.lower() not in ("", "http", "https", "tg"):
        raise bad_request(f"entity URL '{address}' is invalid: Unsupported URL protocol")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    if scheme.lower() == "tg":
        if not re.fullmatch(r"[\w-]+", host, re.ASCII):
            raise bad_request(f"entity URL '{address}' is invalid: Wrong tg URL")
    elif "." not in host:
        raise bad_request(f"entity URL '{address}' is invalid: Wrong HTTP URL")


def _clipped(entity: Json, leading: int, total: int) -> Json:
    """The entity after trimming `leading` units from a text of which `total` are left."""
    start = max(0, entity["offset"] - leading)
    end = min(total, entity["offset"] + entity["length"] - leading)
    return {**entity, "offset": start, "length": max(0, end - start)}


def _found_beside(text: str, given: list[Json]) -> list[Json]:
    found = []
    for match in FOUND.finditer(text):
        kind = match.lastgroup
        start, units = length(text[: match.start()]), length(match[0])
        overlaps = any(e["offset"] < start + units and start < e["offset"] + e["length"] for e in given)
        if kind and not overlaps:
            found.append({"type": kind, "offset": start, "length": units})
    return found


def inline_keyboard(markup: Json) -> Json:
    """The checked InlineKeyboardMarkup. Raises 400 for a button Telegram would refuse."""
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('can\'t parse inline keyboard: Field "inline_keyboard" must be of type Array')
    for button in (button for row in rows for button in row):
        _check_inline_button(button)
    return {"inline_keyboard": [row for row in rows if row]}


def _check_inline_button(button: Any) -> None:
    if not isinstance(button, dict) or not str(button.get("text") or "").strip():
        raise bad_request("can't parse inline keyboard button: Button text must be non-empty")
    if not BUTTON_ACTIONS & button.keys():
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= MAX_CALLBACK_DATA:
        raise bad_request("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and not re.match(r"(https?|tg|ton)://\S+$", str(url)):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def reply_keyboard(markup: Json) -> Json:
    """The checked ReplyKeyboardMarkup, plain strings made buttons (Bot API, KeyboardButton)."""
    rows = [
        [{"text": button} if isinstance(button, str) else button for button in row] for row in markup["keyboard"] if row
    ]
    for button in (button for row in rows for button in row):
        if not isinstance(button, dict) or not str(button.get("text") or "").strip():
            raise bad_request('can\'t parse reply keyboard button: Field "text" must be of type String')
    return {**markup, "keyboard": rows}


def quotation(quoted: Json, parameters: Json) -> Json:
    """The `quote` field for a reply that quotes a part of `quoted`; empty without a quote.

    "The message will fail to send if the quote isn't found in the original message" (Bot API, ReplyParameters).
    """
    quote = parameters.get("quote")
    if not quote:
        return {}
    text = quoted.get("text") or quoted.get("caption") or ""
    if quote not in text or length(quote) > MAX_QUOTE:
        raise bad_request("QUOTE_TEXT_INVALID")
    position = length(text[: text.index(quote)])
    return {
        "quote": {
            **with_entities("text", quote, parameters.get("quote_entities") or []),
            "position": position,
            "is_manual": True,
        }
    }


def same_content(one: Json, other: Json) -> bool:
    """Whether two messages show the same: what "message is not modified" asks."""
    fields = ("text", "entities", "caption", "caption_entities", "reply_markup")
    return json.dumps([one.get(f) for f in fields]) == json.dumps([other.get(f) for f in fields])
