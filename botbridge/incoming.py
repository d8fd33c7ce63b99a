"""What a message of Telegram's is in the domain's words."""

from datetime import UTC, datetime
from typing import Any

from aiogram import types

from tickets.models import AttachmentState, ContentType, Message
from tickets.operations import Incoming, IncomingFile

#: What getFile gives bots (Bot API, "getFile": files of up to 20 MB in size).
MAX_DOWNLOAD_MB = 20
MAX_DOWNLOAD = MAX_DOWNLOAD_MB * 1024 * 1024

#: Kinds the desk opens; of every other kind it shows the name.
OPENED = (ContentType.PHOTO, ContentType.VIDEO, ContentType.DOCUMENT, ContentType.VOICE)
#: Kinds that leave nothing unsaid when the desk shows their name and, of all but stickers, what they say in words.
NOTHING_TO_OPEN = (
    ContentType.STICKER,
    ContentType.DICE,
    ContentType.CONTACT,
    ContentType.LOCATION,
    ContentType.VENUE,
    ContentType.POLL,
)

#: What happens in a chat without anybody writing it; it joins a question at work and never opens one.
SERVICE = frozenset(
    {
        "boost_added",
        "chat_background_set",
        "connected_website",
        "message_auto_delete_timer_changed",
        "pinned_message",
        "proximity_alert_triggered",
        "write_access_allowed",
    }
)

TelegramFileObject = types.PhotoSize | types.Video | types.Document | types.Voice


def kind_of(message: types.Message) -> str:
    """The Bot API's name for what the message carries, also one that is newer than aiogram."""
    kind = str(message.content_type.value if hasattr(message.content_type, "value") else message.content_type)
    if kind != "unknown":
        return kind
    return next(iter(message.model_extra or ()), kind)


def file_of(message: types.Message) -> TelegramFileObject | None:
    """The file the desk is to have; of a photo's sizes the largest."""
    match kind_of(message):
        case ContentType.PHOTO:
            return max(message.photo or [], key=lambda size: size.width * size.height, default=None)
        case ContentType.VIDEO:
            return message.video
        case ContentType.DOCUMENT:
            return message.document
        case ContentType.VOICE:
            return message.voice
    return None


def words_of(message: types.Message) -> tuple[str, list[dict[str, Any]]]:
    """The message's text or caption with its entities; of «/new текст» what follows the command.

    Where there is neither, what the message says in a form of its own: a contact, a place, a poll, a die.
    """
    text = message.text or message.caption or _content_in_words(message)
    entities = [
        entity.model_dump(mode="json", exclude_none=True)
        for entity in message.entities or message.caption_entities or ()
    ]
    if not is_new_command(message):
        return text, entities
    question = text.split(maxsplit=1)[1]
    cut = len(text) - len(question)  # a command and blanks: as many UTF-16 units as characters
    moved = [{**entity, "offset": entity["offset"] - cut} for entity in entities if entity["offset"] >= cut]
    return question, moved


def _content_in_words(message: types.Message) -> str:
    if message.contact is not None:
        name = " ".join(filter(None, [message.contact.first_name, message.contact.last_name]))
        return f"{name}\n{message.contact.phone_number}"
    if message.venue is not None:  # before its location, which Telegram sends along
        return "\n".join([message.venue.title, message.venue.address, _coordinates(message.venue.location)])
    if message.location is not None:
        return _coordinates(message.location)
    if message.poll is not None:
        return "\n".join([message.poll.question, *(f"– {option.text}" for option in message.poll.options)])
    return f"{message.dice.emoji} {message.dice.value}" if message.dice is not None else ""


def _coordinates(location: types.Location) -> str:
    """Latitude and longitude in degrees, as maps take them in their search."""
    return f"{location.latitude}, {location.longitude}"


def is_new_command(message: types.Message) -> bool:
    """Whether the message is «/new» with a question behind it."""
    words = (message.text or "").split(maxsplit=1)
    return len(words) == 2 and words[0].split("@")[0].lower() == "/new"


def incoming(message: types.Message, *, quote: Message | None) -> Incoming:
    """The domain's view of a customer's message."""
    text, entities = words_of(message)
    file = file_of(message)
    return Incoming(
        content_type=kind_of(message),
        text=text,
        entities=entities,
        sent_at=as_time(message.date),
        files=[incoming_file(message, file)] if file is not None else [],
        quote=quote,
        quote_text=message.quote.text if message.quote is not None else "",
        media_group_id=message.media_group_id or "",
    )


def as_time(moment: datetime | int) -> datetime:
    """A Bot API date, which is Unix time (edit_date) or what aiogram has made of it (date)."""
    return moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)


def is_too_big(file: TelegramFileObject | None) -> bool:
    return file is not None and (file.file_size or 0) > MAX_DOWNLOAD


def incoming_file(message: types.Message, file: TelegramFileObject) -> IncomingFile:
    """The domain's view of the message's file."""
    return IncomingFile(
        kind=kind_of(message),
        file_unique_id=file.file_unique_id,
        file_name=getattr(file, "file_name", None) or "",
        size=file.file_size,
        width=getattr(file, "width", None),
        height=getattr(file, "height", None),
        duration=getattr(file, "duration", None),
        refused=AttachmentState.TOO_BIG if is_too_big(file) else None,
    )
