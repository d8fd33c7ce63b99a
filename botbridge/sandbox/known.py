"""People who wrote to the bot before this sandbox was there, and what stands on their phones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db.models import Q

from tickets.models import AttachmentState, ContentType, Customer, DeliveryState, Message, Sender

Json = dict[str, Any]

#: More people would only make the page's list long, more messages only the phone's screen.
PEOPLE_AT_MOST = 100
MESSAGES_AT_MOST = 50

FILE_KINDS = (ContentType.PHOTO, ContentType.VIDEO, ContentType.VOICE, ContentType.AUDIO, ContentType.DOCUMENT)


@dataclass(frozen=True)
class Past:
    """One message of the time before: whose, when, its words, and its file's kind, name and place on disk."""

    is_customers: bool
    sent_at: datetime
    text: str
    entities: list[Json]
    file: tuple[str, str, Path] | None = None


@dataclass(frozen=True)
class Known:
    """A customer as the Bot API's User with a phone beside, and the conversation so far, oldest first."""

    person: Json
    past: list[Past] = field(default_factory=list)


def known_customers() -> list[Known]:
    """The desk's customers: a manager must be able to answer those of the demo, too.

    Empty where there is no migrated database: the sandbox also serves alone.
    """
    customers = Customer.objects.filter(telegram_user_id__isnull=False)[:PEOPLE_AT_MOST]
    try:
        return [Known(_person(customer), list(_past(customer))) for customer in customers]
    except DatabaseError:
        return []


def _person(customer: Customer) -> Json:
    return {
        "id": customer.telegram_user_id,
        "first_name": customer.name or "?",
        "username": customer.username,
        "language_code": customer.language,
        "phone": customer.phone,
    }


def _past(customer: Customer) -> Iterator[Past]:
    """What the customer wrote and what certainly reached them; a message with several files is one each."""
    on_the_phone = Q(sender=Sender.CLIENT) | Q(delivery__state=DeliveryState.SENT)
    latest = Message.objects.filter(on_the_phone, customer=customer).order_by("-pk")[:MESSAGES_AT_MOST]
    for message in reversed(latest.prefetch_related("attachments")):
        words: tuple[str, list[Json]] = (message.text, message.entities)
        for attachment in message.attachments.all():
            if attachment.state != AttachmentState.READY or attachment.kind not in FILE_KINDS:
                continue
            path = Path(attachment.file.path)
            if not path.is_file():
                continue
            file = (attachment.kind, attachment.file_name or attachment.kind, path)
            yield Past(message.sender == Sender.CLIENT, message.sent_at, *words, file)
            words = ("", [])
        if words[0]:
            yield Past(message.sender == Sender.CLIENT, message.sent_at, *words)
