"""A message of ours as Bot API requests: one for each piece of the text alone, or one for each file with the text under
the first.

What the domain counts as parts (`operations.parts_of`) is what is numbered here.
"""

from dataclasses import dataclass
from typing import Any

from django.utils import translation

from botbridge import conversation
from botbridge.buttons import Keyboard, inline_keyboard
from botbridge.chats import listed, topics_offered
from botbridge.models import ChatSession, TelegramMessage
from tickets.models import Attachment, ContentType, Language, Message, Notice, Sender, Ticket
from tickets.text import MAX_CAPTION, MAX_TEXT, pieces_of, utf16_length

#: sendPhoto takes up to 10 MB (Bot API, "Sending files"); bigger pictures go as files, unharmed.
MAX_PHOTO = 10 * 1024 * 1024

#: Which method sends which kind, and the parameter that takes its bytes.
METHODS = {
    ContentType.PHOTO: ("sendPhoto", "photo"),
    ContentType.VIDEO: ("sendVideo", "video"),
    ContentType.VOICE: ("sendVoice", "voice"),
    ContentType.AUDIO: ("sendAudio", "audio"),
}
AS_FILE = ("sendDocument", "document")

Json = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One request: `payload` as the Bot API takes it, and the file that belongs into it."""

    method: str
    payload: Json
    file_field: str = ""
    attachment: Attachment | None = None


def part_of(message: Message, number: int, session: ChatSession) -> Part:
    """The `number`-th request of a message, counted from 0, in this chat."""
    attachments = list(message.attachments.order_by("position", "pk"))
    payload: Json = {"chat_id": session.chat_id}
    if number == 0:
        payload |= _words(message, captioned=bool(attachments))
        payload |= _quoting(message, session)
        payload |= _buttons(message)
    elif not attachments:
        payload["text"] = pieces_of(message.text)[number]
    if not attachments:
        return Part("sendMessage", payload)
    attachment = attachments[number]
    method, field = _method_for(attachment)
    return Part(method, payload, field, attachment)


def _method_for(attachment: Attachment) -> tuple[str, str]:
    if attachment.kind == ContentType.PHOTO and (attachment.size or 0) > MAX_PHOTO:
        return AS_FILE
    return METHODS.get(ContentType(attachment.kind), AS_FILE)


def _words(message: Message, *, captioned: bool) -> Json:
    """Text or caption, with the lines above it that say who writes and about what.

    Where they would not fit beside a text of the greatest length, the text stands alone: it is never cut.
    """
    pieces = pieces_of(message.text)
    # What is longer than a message was written by a manager, and so has no formatting.
    text, entities = pieces[0], list(message.entities) if len(pieces) == 1 else []
    head = "\n".join(_lines_above(message))
    limit = MAX_CAPTION if captioned else MAX_TEXT
    joint = "\n" if text else ""
    if head and utf16_length(head + joint + text) <= limit:
        shift = utf16_length(head + joint)
        bold = {"type": "bold", "offset": 0, "length": utf16_length(head)}
        entities = [bold, *({**entity, "offset": entity["offset"] + shift} for entity in entities)]
        text = f"{head}{joint}{text}"
    name = "caption" if captioned else "text"
    payload: Json = {name: text} if text else {}
    if text and entities:
        payload["caption_entities" if captioned else "entities"] = entities
    return payload


def _lines_above(message: Message) -> list[str]:
    """Which ticket, where the customer has several at work; who writes, at first and whenever that changes."""
    ticket, author = message.ticket, message.author
    if message.sender != Sender.MANAGER or ticket is None or author is None:
        return []
    lines = []
    with translation.override(message.customer.language):
        if Ticket.objects.active().filter(customer=message.customer).exclude(pk=ticket.pk).exists():
            lines.append(conversation.ticket_line(ticket))
        if author.customer_facing_name and not _is_known_author(message):
            lines.append(conversation.author_line(author.customer_facing_name))
    return lines


def _is_known_author(message: Message) -> bool:
    """Whether the customer's last message from a person was by the same one, on the same ticket.

    Of a message whose fate is unknown nobody can say that its line was read.
    """
    earlier = Message.objects.filter(customer=message.customer, sender=Sender.MANAGER, pk__lt=message.pk)
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
        case Notice.RECEIPT if ticket is not None:
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
