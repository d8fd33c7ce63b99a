"""A message of ours as Bot API requests: one for each piece of the text alone, or its files, with the text under the
first, in albums where they fit into one.

What the domain counts as parts (`operations.parts_of`) is what is numbered here: an album carries several.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import translation

from botbridge import conversation
from botbridge.buttons import Keyboard, inline_keyboard
from botbridge.chats import listed, topics_offered
from botbridge.forum_topics import FLAT, Place
from botbridge.models import ChatSession, OutboundCall, TelegramFile, TelegramMessage
from tickets.files import MAX_PHOTO, MEGABYTE
from tickets.formatting import Formatted, pieces_of, shifted
from tickets.models import Attachment, ContentType, Language, Message, Notice, Sender, Ticket
from tickets.text import MAX_CAPTION, MAX_TEXT, utf16_length

#: Bytes of an album's files together.
TOGETHER_MOST = 50 * MEGABYTE

#: Which method sends which kind, and the parameter that takes its bytes.
METHODS = {
    ContentType.PHOTO: ("sendPhoto", "photo"),
    ContentType.VIDEO: ("sendVideo", "video"),
    ContentType.VOICE: ("sendVoice", "voice"),
    ContentType.AUDIO: ("sendAudio", "audio"),
}
AS_FILE = ("sendDocument", "document")
SEND_ALBUM = "sendMediaGroup"
MAX_ALBUM = 10
#: "Documents and audio files can be only grouped in an album with messages of the same type" (Bot API,
#: "sendMediaGroup"), pictures with videos too; a voice message stands alone.
ALBUMS = {"photo": "seen", "video": "seen", "audio": "heard", "document": "read"}
#: In a request's payload, the place of a file whose bytes travel with it (Bot API, "InputMediaPhoto").
ATTACHED = "attach://"

NO_WORDS = Formatted("", [])

Json = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One request: `payload` as the Bot API takes it, the message's files it carries, and those of them whose bytes
    travel with it, by the names they have there. Of the others Telegram already has the bytes.
    """

    method: str
    payload: Json
    attachments: Sequence[Attachment] = ()
    uploads: dict[str, Attachment] = field(default_factory=dict)


def part_of(message: Message, number: int, session: ChatSession, place: Place = FLAT) -> Part:
    """The request that carries a message's parts from the `number`-th on, counted from 0, in this chat and this place
    there.
    """
    attachments = list(message.attachments.order_by("position", "pk"))
    captioned = bool(attachments)
    payload: Json = {"chat_id": session.chat_id, **place.payload}
    if number == 0:
        payload |= _words(_piece(message, 0), _lines_above(message, place), captioned=captioned)
        payload |= _quoting(message, session)
        payload |= _buttons(message)
    else:
        piece = NO_WORDS if captioned else _piece(message, number)
        payload |= _words(piece, _number_above_rest(message, number, place), captioned=captioned)
    if not attachments:
        return Part("sendMessage", payload)
    together = _together(attachments[number:])
    return _album(payload, together, session) if len(together) > 1 else _file(payload, together[0], session)


def parts_in(payload: Json) -> int:
    """How many parts of its message a request carries."""
    return len(payload.get("media", ())) or 1


def _together(attachments: Sequence[Attachment]) -> list[Attachment]:
    """The first of these files, with those right after it that may be in one album with it.

    Together they have at most `TOGETHER_MOST` bytes, so that a slow line has time enough for the request.
    """
    first, *others = attachments
    together, size = [first], first.size or 0
    for attachment in others[: MAX_ALBUM - 1]:
        size += attachment.size or 0
        if size > TOGETHER_MOST or (album := _album_for(attachment)) is None or album != _album_for(first):
            break
        together.append(attachment)
    return together


def _album_for(attachment: Attachment) -> str | None:
    _method, name = _method_for(attachment)
    return ALBUMS.get(name)


def _file(payload: Json, attachment: Attachment, session: ChatSession) -> Part:
    method, name = _method_for(attachment)
    known = _file_id(attachment, session)
    if known is not None:
        return Part(method, payload | {name: known}, [attachment])
    return Part(method, payload, [attachment], {name: attachment})


def _album(payload: Json, together: Sequence[Attachment], session: ChatSession) -> Part:
    """One request for several files. Its words stand under the first: Telegram shows them under the whole album."""
    media: list[Json] = []
    uploads = {}
    for number, attachment in enumerate(together):
        _method, kind = _method_for(attachment)
        known = _file_id(attachment, session)
        if known is None:
            uploads[f"file{number}"] = attachment
        media.append({"type": kind, "media": known or f"{ATTACHED}file{number}"})
    for words in ("caption", "caption_entities"):
        if words in payload:
            media[0][words] = payload.pop(words)
    return Part(SEND_ALBUM, payload | {"media": media}, together, uploads)


def _file_id(attachment: Attachment, session: ChatSession) -> str | None:
    known = TelegramFile.objects.with_bytes_of(attachment, bot_id=session.bot_id)
    return known.order_by("-pk").values_list("file_id", flat=True).first()


def _method_for(attachment: Attachment) -> tuple[str, str]:
    if attachment.kind == ContentType.PHOTO and (attachment.size or 0) > MAX_PHOTO:
        return AS_FILE
    return METHODS.get(ContentType(attachment.kind), AS_FILE)


def _piece(message: Message, number: int) -> Formatted:
    return pieces_of(message.text, message.entities)[number]


def _words(piece: Formatted, lines_above: Sequence[str], *, captioned: bool) -> Json:
    """Text or caption, with the lines above it that say who writes and about what.

    Where they would not fit beside a text of the greatest length, the text stands alone: it is never cut.
    """
    text, entities = piece
    head = "\n".join(lines_above)
    limit = MAX_CAPTION if captioned else MAX_TEXT
    joint = "\n" if text else ""
    if head and utf16_length(head + joint + text) <= limit:
        shift = utf16_length(head + joint)
        bold = {"type": "bold", "offset": 0, "length": utf16_length(head)}
        entities = [bold, *shifted(entities, shift)]
        text = f"{head}{joint}{text}"
    return said(text, entities, captioned=captioned)


def said(text: str, entities: list[Json], *, captioned: bool) -> Json:
    """Words as the parameters of a request; none where there are none."""
    name = "caption" if captioned else "text"
    payload: Json = {name: text} if text else {}
    if text and entities:
        payload["caption_entities" if captioned else "entities"] = entities
    return payload


def _lines_above(message: Message, place: Place) -> list[str]:
    """Which ticket, where the place does not tell; who writes, at first and whenever that changes."""
    ticket, author = message.ticket, message.author
    if message.sender == Sender.SYSTEM and ticket is not None:
        return _number_elsewhere(message, ticket, place)
    if message.sender != Sender.MANAGER or ticket is None or author is None:
        return []
    lines = []
    with translation.override(message.customer.language):
        if not place.is_tickets_own and (place.is_elsewhere or _has_others_at_work(ticket)):
            lines.append(conversation.ticket_line(ticket))
        if author.customer_facing_name and not _is_known_author(message):
            lines.append(conversation.author_line(author.customer_facing_name))
    return lines


def _number_above_rest(message: Message, number: int, place: Place) -> list[str]:
    """The number above the rest of a message whose ticket's topic has gone in the middle of it."""
    before = OutboundCall.objects.filter(delivery=message.pk, part__lt=number).order_by("-part").first()
    if not place.is_elsewhere or before is None or "message_thread_id" not in before.payload:
        return []
    return _number(message)


def _number(message: Message) -> list[str]:
    if message.ticket is None:
        return []
    with translation.override(message.customer.language):
        return [conversation.ticket_line(message.ticket)]


def _has_others_at_work(ticket: Ticket) -> bool:
    return Ticket.objects.active().filter(customer=ticket.customer).exclude(pk=ticket.pk).exists()


def _number_elsewhere(message: Message, ticket: Ticket, place: Place) -> list[str]:
    """The number above one of the bot's sentences that has missed its ticket's topic and does not say it itself."""
    return [] if not place.is_elsewhere or f"№{ticket.pk}" in message.text else _number(message)


def _is_known_author(message: Message) -> bool:
    """Whether the customer's last message from a person was by the same one, on the same ticket.

    Of a message whose fate is unknown nobody can say that its line was read.
    """
    earlier = Message.objects.filter(customer=message.customer, sender=Sender.MANAGER, pk__lt=message.pk)
    earlier = earlier.filter(deleted_at__isnull=True)
    last = earlier.filter(delivery__parts_sent__gt=0).order_by("-pk").first()
    return last is not None and (last.author_id, last.ticket_id) == (message.author_id, message.ticket_id)


def _quoting(message: Message, session: ChatSession) -> Json:
    if message.quote_id is None:
        return {}
    quoted = TelegramMessage.objects.filter(bot_id=session.bot_id, chat_id=session.chat_id, message_id=message.quote_id)
    first = quoted.order_by("part").first()
    if first is None:
        return {}
    # The customer may have deleted what is quoted; the answer must come all the same.
    return {"reply_parameters": {"message_id": first.telegram_id, "allow_sending_without_reply": True}}


def _buttons(message: Message) -> Json:
    if message.sender != Sender.SYSTEM:
        return {}
    with translation.override(message.customer.language):
        keyboard = keyboard_under(message)
    return {"reply_markup": inline_keyboard(keyboard)} if keyboard else {}


def keyboard_under(message: Message) -> Keyboard:
    """The buttons that belong under one of the bot's sentences, as things are when it leaves."""
    keyboard: Keyboard = []
    ticket, language = message.ticket, message.customer.language
    match message.notice:
        case Notice.START:
            others = conversation.other_languages(language)
            keyboard = [*conversation.languages_keyboard(others), *_topics()]
        case Notice.TOPIC_CHOSEN:
            keyboard = conversation.change_topic_keyboard()
        case Notice.RECEIPT | Notice.APOLOGY if ticket is not None:
            keyboard = [*([] if ticket.topic_id is not None else _topics()), *_kazakh_offer(ticket, language)]
        case Notice.NEW_OR_SAME if ticket is not None:
            keyboard = conversation.same_or_new_keyboard(ticket)
        case Notice.LIST:
            tickets = listed(message.customer)
            keyboard = conversation.tickets_keyboard(tickets) if len(tickets) > 1 else []
        case Notice.LANGUAGE:
            keyboard = conversation.languages_keyboard([item for item in Language if item.value != language])
        case Notice.SOLVED if ticket is not None:
            keyboard = conversation.not_solved_keyboard(ticket)
    return keyboard


def _topics() -> Keyboard:
    return conversation.topics_keyboard(list(topics_offered()))


def _kazakh_offer(ticket: Ticket, language: str) -> Keyboard:
    """[Қазақша] once, under the first receipt, to a person who writes Kazakh and is answered in Russian."""
    first_words = ticket.opened_by.text if ticket.opened_by is not None else ""
    if language != Language.RU or not conversation.KAZAKH_LETTERS.search(first_words):
        return []
    earlier = Ticket.objects.filter(customer=ticket.customer, pk__lt=ticket.pk)
    return [] if earlier.exists() else conversation.languages_keyboard([Language.KK])


def name_for_customer(attachment: Attachment) -> str:
    """The name the customer sees; Telegram needs one to show a file at all."""
    return attachment.file_name or f"{attachment.kind}-{attachment.position + 1}"
