"""What a message of Telegram's is in the domain's words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiogram import types

from botbridge.in_words import content_in_words
from botbridge.rich import holds_files
from tickets.files import max_download
from tickets.models import AttachmentState, ContentType, Message
from tickets.operations import Incoming, IncomingFile
from tickets.text import utf16_length

#: Kinds the desk opens; of every other kind it shows the name.
OPENED = (
    ContentType.PHOTO,
    ContentType.VIDEO,
    ContentType.DOCUMENT,
    ContentType.VOICE,
    ContentType.AUDIO,
    ContentType.VIDEO_NOTE,
    ContentType.ANIMATION,
    ContentType.STICKER,
    ContentType.LIVE_PHOTO,
)
#: Kinds that leave nothing unsaid when the desk shows what they say in words.
NOTHING_UNSAID = (
    ContentType.DICE,
    ContentType.CONTACT,
    ContentType.LOCATION,
    ContentType.VENUE,
    ContentType.POLL,
    ContentType.CHECKLIST,
    ContentType.WEB_APP_DATA,
)

#: What happens in a chat without anybody writing it; it joins a question at work and never opens one.
SERVICE = frozenset(
    {
        "boost_added",
        "checklist_tasks_done",
        "forum_topic_closed",
        "forum_topic_created",
        "forum_topic_edited",
        "forum_topic_reopened",
        "chat_background_set",
        "connected_website",
        "message_auto_delete_timer_changed",
        "pinned_message",
        "proximity_alert_triggered",
        "write_access_allowed",
    }
)

#: What of it is about the chat's topics, in a private chat as in a forum.
ABOUT_FORUM_TOPICS = frozenset(kind for kind in SERVICE if kind.startswith("forum_topic_"))

TelegramFileObject = (
    types.PhotoSize
    | types.Video
    | types.Document
    | types.Voice
    | types.Audio
    | types.VideoNote
    | types.Animation
    | types.Sticker
    | types.LivePhoto
)


#: The period in seconds of a live location without an end (Bot API, "editMessageLiveLocation").
FOREVER = 0x7FFFFFFF
#: Where the inbox notes the kind of a message that aiogram could not read whole.
UNREAD_KIND = "kind_of_unread"
#: Where it notes that such a message was forwarded.
UNREAD_ORIGIN = "is_unread_forwarded"
#: Kinds whose messages look like another as well (Bot API, "Message": animation, venue, live_photo).
LOOK_LIKE_ANOTHER = (ContentType.ANIMATION, ContentType.VENUE, ContentType.LIVE_PHOTO)


def kind_in_json(message: dict[str, Any]) -> str:
    """The kind of a message as Telegram sent it; of one newer than aiogram the first name it does not know."""
    known = next((kind.value for kind in (*LOOK_LIKE_ANOTHER, *ContentType) if kind.value in message), None)
    names = {field.alias or name for name, field in types.Message.model_fields.items()}
    return known or next((name for name in message if name not in names), "unknown")


def kind_of(message: types.Message) -> str:
    """The Bot API's name for what the message carries, also one that is newer than aiogram."""
    unread = (message.model_extra or {}).get(UNREAD_KIND)
    kind = str(message.content_type.value if hasattr(message.content_type, "value") else message.content_type)
    if unread is not None and (kind in ("text", "unknown") or getattr(message, unread, None) is not None):
        return str(unread)
    if kind != "unknown":
        return kind
    return next(iter(message.model_extra or ()), kind)


def lost_its_content(message: types.Message) -> bool:
    """Whether aiogram could not read what the message is about, and no words stand for it."""
    kind = (message.model_extra or {}).get(UNREAD_KIND, ContentType.TEXT)
    return kind not in (ContentType.TEXT, ContentType.RICH_MESSAGE) and getattr(message, kind, None) is None


def file_of(message: types.Message) -> TelegramFileObject | None:
    """The file the desk is to have; of a photo's sizes the largest, of a live photo what moves."""
    kind = kind_of(message)
    if kind == ContentType.PHOTO:
        return _largest(message.photo or [])
    if kind == ContentType.STICKER and message.sticker is not None and message.sticker.is_animated:
        return message.sticker.thumbnail  # the sticker itself is drawn by Telegram's own programs alone
    return getattr(message, kind) if kind in OPENED else None


def files_of(message: types.Message) -> list[TelegramFileObject]:
    """All the desk is to have: of a live photo the picture itself comes before what moves."""
    main = file_of(message)
    still = _largest(message.photo or []) if kind_of(message) == ContentType.LIVE_PHOTO else None
    return [file for file in (still, main) if file is not None]


def shows_files_in_words(message: types.Message) -> bool:
    """Whether it is a rich message with files in it, which the desk names only."""
    rich = message.rich_message
    return rich is not None and holds_files(rich.model_dump(mode="json", exclude_none=True))


def _largest(sizes: Sequence[types.PhotoSize]) -> types.PhotoSize | None:
    return max(sizes, key=lambda size: size.width * size.height, default=None)


def thread_of(message: object) -> int | None:
    """The topic of its chat a message stands in, None for the main chat (Bot API, "Message").

    In groups replies bear a `message_thread_id` too, so `is_topic_message` has to say that it is a topic's.
    """
    thread_id = getattr(message, "message_thread_id", None)
    return thread_id if getattr(message, "is_topic_message", None) else None


def words_of(message: types.Message) -> tuple[str, list[dict[str, Any]]]:
    """The message's text or caption with its entities; of «/new текст» what follows the command.

    Where there is neither, what the message says in a form of its own: a contact, a place, a poll, a die. Below stand
    the links of the buttons another bot's message had, which the customer forwards.
    """
    text = message.text or message.caption or content_in_words(message, kind_of(message))
    entities = [
        entity.model_dump(mode="json", exclude_none=True)
        for entity in message.entities or message.caption_entities or ()
    ]
    if text and text == content_in_words(message, ContentType.STORY):
        entities = [{"type": "url", "offset": 0, "length": len(text)}]
    if not is_new_command(message):
        return with_links(text, entities, links_of(message))
    question = text.split(maxsplit=1)[1]
    cut = len(text) - len(question)  # a command and blanks: as many UTF-16 units as characters
    moved = [{**entity, "offset": entity["offset"] - cut} for entity in entities if entity["offset"] >= cut]
    return question, moved


def links_of(message: types.Message) -> list[tuple[str, str]]:
    """Words and addresses of the buttons under a message; forwarded, it has no others (Bot API, "reply_markup")."""
    rows = message.reply_markup.inline_keyboard if message.reply_markup is not None else []
    return [(button.text, button.url) for row in rows for button in row if button.url]


def with_links(
    text: str, entities: list[dict[str, Any]], links: Sequence[tuple[str, str]]
) -> tuple[str, list[dict[str, Any]]]:
    for label, address in links:
        text = "\n".join(filter(None, [text, f"{label}: "]))
        entities = [*entities, {"type": "url", "offset": utf16_length(text), "length": utf16_length(address)}]
        text += address
    return text, entities


def is_new_command(message: types.Message) -> bool:
    """Whether the message is «/new» with a question behind it."""
    words = (message.text or "").split(maxsplit=1)
    return len(words) == 2 and words[0].split("@")[0].lower() == "/new"


def incoming(message: types.Message, *, quote: Message | None) -> Incoming:
    """The domain's view of a customer's message."""
    text, entities = words_of(message)
    return Incoming(
        content_type=kind_of(message),
        text=text,
        entities=entities,
        sent_at=as_time(message.date),
        files=[incoming_file(message, file) for file in files_of(message)],
        quote=quote,
        quote_text=_quoted_words(message, quote),
        edited_at=as_time(message.edit_date) if message.edit_date else None,
        live_until=live_until(message),
        placed_at=as_time(message.edit_date) if message.location is not None and message.edit_date else None,
        forwarded_from=_origin(message),
        media_group_id=message.media_group_id or "",
    )


def live_until(message: types.Message) -> datetime | None:
    """Until when the customer shows where they are; None of a place that stays (Bot API, "Location")."""
    location = message.location
    if location is None or location.live_period is None:
        return None
    return as_time(message.date) + timedelta(seconds=min(max(location.live_period, 0), FOREVER))


def _quoted_words(message: types.Message, quote: Message | None) -> str:
    """The part that was quoted; of a message the desk does not hold, the whole of it or what it was."""
    if message.quote is not None:
        return message.quote.text
    answered = message.reply_to_message
    if quote is None and isinstance(answered, types.Message) and kind_of(answered) not in SERVICE:
        return words_of(answered)[0] or name_of_kind(kind_of(answered))
    if message.external_reply is not None:
        kinds = (*LOOK_LIKE_ANOTHER, *ContentType)
        kind = next((kind.value for kind in kinds if getattr(message.external_reply, kind.value, None)), "")
        return name_of_kind(kind)
    return name_of_kind(ContentType.STORY) if message.reply_to_story is not None else ""


def name_of_kind(kind: str) -> str:
    """In words; a kind nobody knows yet under its own name."""
    return str(ContentType(kind).label) if kind in ContentType.values else kind


def _origin(message: types.Message) -> str:
    """Who said first what the customer forwards, as Telegram shows it (Bot API, "MessageOrigin").

    A question mark for whoever has no name any more, or a shape nobody knows: these are not the customer's own words.
    """
    match message.forward_origin:
        case None:
            return "?" if (message.model_extra or {}).get(UNREAD_ORIGIN) else ""
        case types.MessageOriginUser() as origin:
            name = origin.sender_user.full_name
        case types.MessageOriginHiddenUser() as origin:
            name = origin.sender_user_name
        case types.MessageOriginChat() as origin:
            name = origin.sender_chat.title or origin.sender_chat.full_name
        case types.MessageOriginChannel() as origin:
            name = origin.chat.title or origin.chat.full_name
    return name.strip() or "?"


def as_time(moment: datetime | int) -> datetime:
    """A Bot API date, which is Unix time (edit_date) or what aiogram has made of it (date)."""
    return moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)


def written_at(message: types.Message) -> datetime:
    """When the customer wrote it, or edited it last."""
    return as_time(message.edit_date or message.date)


def is_too_big(file: TelegramFileObject | None) -> bool:
    return file is not None and (file.file_size or 0) > max_download()


def incoming_file(message: types.Message, file: TelegramFileObject) -> IncomingFile:
    """The domain's view of the message's file."""
    is_still = isinstance(file, types.PhotoSize) and kind_of(message) == ContentType.LIVE_PHOTO
    return IncomingFile(
        kind=ContentType.PHOTO if is_still else kind_of(message),
        file_unique_id=file.file_unique_id,
        file_name=_name_of_file(file) or (message.sticker.emoji if message.sticker is not None else "") or "",
        size=file.file_size,
        width=getattr(file, "width", None) or getattr(file, "length", None),
        height=getattr(file, "height", None) or getattr(file, "length", None),
        duration=getattr(file, "duration", None),
        refused=AttachmentState.TOO_BIG if is_too_big(file) else None,
    )


def _name_of_file(file: TelegramFileObject) -> str:
    """Its own; of a sound without one who plays what."""
    if isinstance(file, types.Audio):
        return file.file_name or " – ".join(filter(None, [file.performer, file.title]))
    return getattr(file, "file_name", None) or ""
