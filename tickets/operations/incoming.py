"""What customers do: write, choose a topic, bring a solved question back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tickets.cards import masked, numbers_in
from tickets.models import (
    MAX_ORIGIN,
    SUBJECT_LENGTH,
    Attachment,
    AttachmentState,
    Change,
    ContentType,
    Customer,
    Event,
    Language,
    Message,
    Sender,
    ServiceAccount,
    Status,
    Team,
    Ticket,
    Topic,
    User,
)
from tickets.operations.acts import begin, lock_ticket
from tickets.operations.cards import keep_cards
from tickets.operations.conversation import is_thanks, put_back_to_work, show_last, wake
from tickets.operations.errors import WrongState
from tickets.operations.outgoing import cancel_solved_notice
from tickets.operations.reachability import customer_returned
from tickets.text import storable

#: The time `opens_most` speaks of.
OPENED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class IncomingFile:
    """A file the customer sent, as Telegram describes it; the bytes are fetched later.

    `size` in bytes, `duration` in seconds; `refused` is the state of a file that will never be fetched.
    """

    kind: str
    file_unique_id: str = ""
    file_name: str = ""
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration: int | None = None
    refused: AttachmentState | None = None


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A customer's message in the domain's words. `entities` are the Bot API's MessageEntity objects as JSON."""

    sent_at: datetime
    content_type: str = ContentType.TEXT
    text: str = ""
    entities: Sequence[dict[str, Any]] = ()
    files: Sequence[IncomingFile] = field(default_factory=tuple)
    quote: Message | None = None
    quote_text: str = ""
    #: Of a live location, until when the customer shows where they are.
    live_until: datetime | None = None
    #: Of one that had moved already when it was first heard of, as of when this is the place.
    placed_at: datetime | None = None
    #: Of one first heard of by an edit, when that was made.
    edited_at: datetime | None = None
    #: Whose words these are, where the customer passes somebody else's on.
    forwarded_from: str = ""
    media_group_id: str = ""
    #: What the question is about, where somebody said; else the first line of its words.
    subject: str = ""
    #: Who took it down for the customer, or the program the customer wrote in: not the chat with the bot.
    entered_by: User | None = None
    service_account: ServiceAccount | None = None

    @property
    def is_from_chat(self) -> bool:
        return self.entered_by is None and self.service_account is None


@dataclass(frozen=True)
class Received:
    """Where a customer's message went: appended, opening a ticket, or bringing a solved one back.

    `joined`: it would have opened one more ticket, but went to the newest.
    """

    message: Message
    ticket: Ticket
    opened: bool = False
    reopened: bool = False
    joined: bool = False


def identify_customer(
    *, telegram_user_id: int, name: str, username: str, language_code: str, known: Customer | None = None
) -> Customer:
    """The customer with this Telegram id, made on the first meeting; a changed name is taken over.

    `language_code` is Telegram's IETF tag; it chooses the language once, later the customer does (/lang). `known`: who
    the caller has just read and takes it to be, so that nobody is looked up who has been found.
    """
    name, username = storable(name)[:200].strip(), storable(username)[:64]
    if known is not None and known.telegram_user_id == telegram_user_id:
        customer, created = known, False
    else:
        customer, created = Customer.objects.get_or_create(
            telegram_user_id=telegram_user_id,
            defaults={"name": name, "username": username, "language": language_for(language_code)},
        )
    if not created and (customer.name, customer.username) != (name, username):
        customer.name, customer.username = name, username
        customer.save(update_fields=["name", "username"])
    return customer


def language_for(language_code: str) -> str:
    """The bot's language for a Telegram client set to `language_code`; the site's default where it is none of ours."""
    primary = language_code.lower().split("-")[0]
    return primary if primary in Language.values else settings.LANGUAGE_CODE


@transaction.atomic
def set_customer_language(*, customer: Customer, language: Language) -> Customer:
    """Speak this language to the customer from now on."""
    customer.language = language
    customer.save(update_fields=["language"])
    return customer


@transaction.atomic
def set_customer_phone(*, customer: Customer, phone: str, verified: bool) -> Customer:
    """Keep the customer's phone. `verified` only where Telegram vouches that it is the sender's own."""
    customer.phone = storable(phone)[:20]
    customer.phone_verified_at = timezone.now() if verified else None
    customer.save(update_fields=["phone", "phone_verified_at"])
    return customer


@transaction.atomic
def receive(
    *,
    customer: Customer,
    incoming: Incoming,
    ticket: Ticket | None = None,
    topic: Topic | None = None,
    opens_most: int | None = None,
) -> Received:
    """Store what a customer wrote, visible and unread, whatever the bot was waiting for.

    Without a `ticket` one is opened, for `topic`'s team or the default one. A ticket solved less than seven days ago
    comes back to work unless the message is bare thanks; an older one is followed up by a new ticket.

    A customer who is muted, or has opened `opens_most` tickets within the hour, opens no other from the chat: the
    newest takes it.

    Numbers of payment cards are kept apart, and masked in whatever anybody reads.
    """
    if customer.stopped_bot_at is not None and incoming.is_from_chat:
        customer_returned(customer=customer, at=incoming.sent_at)
    names = (file.file_name for file in incoming.files)
    numbers = numbers_in(incoming.text, incoming.quote_text, incoming.subject, *names)
    if numbers:
        incoming = replace(
            incoming,
            text=masked(incoming.text),
            quote_text=masked(incoming.quote_text),
            subject=masked(incoming.subject),
        )
    received = _receive(customer, incoming, ticket, topic, opens_most)
    keep_cards(received.message, numbers)
    return received


def _receive(
    customer: Customer, incoming: Incoming, ticket: Ticket | None, topic: Topic | None, opens_most: int | None
) -> Received:
    current = lock_ticket(ticket.pk) if ticket is not None else None
    if (current is None or _is_over(current)) and incoming.is_from_chat:
        newest = _ticket_to_join(customer, opens_most)
        if newest is not None:
            return replace(_append(lock_ticket(newest.pk), incoming), joined=True)
    if current is None:
        return _open(customer, incoming, topic=topic)
    if _is_over(current):
        return _open(customer, incoming, topic=topic or current.topic, follows_up=current)
    return _append(current, incoming)


def _is_over(ticket: Ticket) -> bool:
    return not ticket.is_active and not ticket.can_reopen(timezone.now())


def _ticket_to_join(customer: Customer, opens_most: int | None) -> Ticket | None:
    """The newest ticket of a customer who may not open another now."""
    newest = Ticket.objects.filter(customer=customer).order_by("-pk")
    if customer.is_muted:
        return newest.first()
    if opens_most is None:
        return None
    last = list(newest[:opens_most])
    if len(last) < opens_most or timezone.now() - last[-1].created_at > OPENED_WITHIN or _is_over(last[0]):
        return None
    return last[0]


def _open(
    customer: Customer,
    incoming: Incoming,
    *,
    topic: Topic | None,
    follows_up: Ticket | None = None,
) -> Received:
    team = topic.team if topic is not None and topic.team is not None else None
    ticket = Ticket.objects.create(
        customer=customer,
        topic=topic,
        team=team or Team.objects.get(is_default=True),
        subject=_subject(incoming),
        follows_up=follows_up,
        waiting_since=None if customer.is_muted and incoming.is_from_chat else incoming.sent_at,
    )
    act = begin(ticket, incoming.entered_by, service_account=incoming.service_account)
    message = _store(ticket, incoming)
    ticket.opened_by = message
    show_last(ticket, message)
    act.record(Event.Kind.OPENED, change=Change.Kind.MESSAGE, message=message)
    return Received(message, ticket, opened=True)


def _append(ticket: Ticket, incoming: Incoming) -> Received:
    act = begin(ticket, incoming.entered_by, service_account=incoming.service_account)
    message = _store(ticket, incoming)
    show_last(ticket, message)
    calls_nobody = ticket.customer.is_muted and incoming.is_from_chat
    stays_solved = not ticket.is_active and (calls_nobody or is_thanks(incoming.content_type, incoming.text))
    reopened = not ticket.is_active and not stays_solved
    if reopened:
        put_back_to_work(ticket)
        cancel_solved_notice(ticket)
    if not stays_solved and not calls_nobody:
        ticket.waiting_since = ticket.waiting_since or incoming.sent_at
        wake(ticket)
        if ticket.status == Status.WAITING:
            ticket.status = Status.OPEN
    kind = Event.Kind.REOPENED if reopened else Event.Kind.RECEIVED
    act.record(kind, change=Change.Kind.MESSAGE, message=message)
    return Received(message, ticket, reopened=reopened)


def _subject(incoming: Incoming) -> str:
    if incoming.subject:
        return storable(incoming.subject)[:SUBJECT_LENGTH]
    first_line = next((line.strip() for line in storable(incoming.text).splitlines() if line.strip()), "")
    return first_line[:SUBJECT_LENGTH]


def _store(ticket: Ticket, incoming: Incoming) -> Message:
    message = Message.objects.create(
        ticket=ticket,
        customer=ticket.customer,
        sender=Sender.CLIENT,
        author=incoming.entered_by,
        service_account=incoming.service_account,
        content_type=incoming.content_type[:40],
        text=storable(incoming.text),
        entities=list(incoming.entities),
        quote=incoming.quote,
        quote_text=storable(incoming.quote_text)[:1024],
        forwarded_from=storable(incoming.forwarded_from)[:MAX_ORIGIN],
        media_group_id=incoming.media_group_id[:64],
        sent_at=incoming.sent_at,
        last_edit_at=incoming.edited_at,
        live_until=incoming.live_until,
        placed_at=incoming.placed_at,
    )
    for position, file in enumerate(incoming.files):
        expect_file(message, file, position)
    return message


def expect_file(message: Message, file: IncomingFile, position: int) -> Attachment:
    """The row of a file the jobs will fetch, or of one that is refused from the start."""
    return Attachment.objects.create(
        message=message,
        kind=file.kind,
        position=position,
        file_name=masked(storable(file.file_name))[:255],
        size=file.size,
        width=file.width,
        height=file.height,
        duration=file.duration,
        file_unique_id=file.file_unique_id,
        state=file.refused or AttachmentState.PENDING,
        due_at=None if file.refused else timezone.now(),
    )


@transaction.atomic
def choose_topic(*, ticket: Ticket, topic: Topic) -> Ticket:
    """The customer says what the question is about. The team stays: it may be answering already."""
    locked = lock_ticket(ticket.pk)
    locked.topic = topic
    begin(locked).record(Event.Kind.TOPIC, topic=topic.pk)
    return locked


@transaction.atomic
def reopen_by_customer(*, ticket: Ticket) -> Ticket:
    """The customer presses «Вопрос не решён».

    :raises WrongState: the ticket is not solved, or was solved more than seven days ago.
    """
    locked = lock_ticket(ticket.pk)
    now = timezone.now()
    if not locked.can_reopen(now):
        raise WrongState
    put_back_to_work(locked)
    cancel_solved_notice(locked)
    locked.waiting_since = now
    begin(locked).record(Event.Kind.REOPENED)
    return locked
