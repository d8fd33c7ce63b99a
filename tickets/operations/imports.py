"""History from an earlier system: tickets with their conversations as they were, in portions, twice without harm.

Imported words are past: nothing is delivered, nobody is notified, nothing becomes unread.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from tickets import access
from tickets.models import (
    PREVIEW_LENGTH,
    REOPEN_WITHIN,
    SUBJECT_LENGTH,
    Attachment,
    AttachmentState,
    ContentType,
    Customer,
    Event,
    Message,
    Missing,
    Priority,
    Sender,
    Status,
    Team,
    Ticket,
    TicketReader,
    User,
)
from tickets.operations.conversation import show_last
from tickets.text import storable

#: Whom replies and notes are by whose writer the earlier system did not name. Signs in nowhere; nobody else can have
#: this login, since forms refuse a space.
EARLIER_SYSTEM = "earlier system"


@dataclass(frozen=True, kw_only=True)
class PastFile:
    """A file of a past message. Without a `file_id` it stayed in the earlier system; `size` in bytes."""

    kind: ContentType
    file_id: str = ""
    file_name: str = ""
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class PastMessage:
    """A message as the earlier system kept it. `author` is who of us wrote it, where that is known."""

    imported_id: int
    sender: Sender
    sent_at: datetime
    text: str = ""
    content_type: str = ContentType.TEXT
    author: User | None = None
    files: Sequence[PastFile] = ()


@dataclass(frozen=True, kw_only=True)
class PastTicket:
    """A ticket as the earlier system kept it, its messages in the order they were written."""

    imported_id: int
    telegram_user_id: int
    created_at: datetime
    updated_at: datetime
    customer_name: str = ""
    username: str = ""
    subject: str = ""
    status: Status = Status.NEW
    priority: Priority = Priority.NORMAL
    assignee: User | None = None
    solved_at: datetime | None = None
    messages: Sequence[PastMessage] = ()


@dataclass
class Imported:
    """What became of a portion: numbers of tickets, and of messages written.

    `moved_on` are messages of tickets that somebody has worked on here since they were imported: these stay as they
    are. `late` are messages that were not there, or did not fit, when later ones of their ticket were written: after
    those they would stand in the wrong order. `files` are those to be fetched, by their attachment.
    """

    created: int = 0
    continued: int = 0
    unchanged: int = 0
    messages: int = 0
    moved_on: list[PastMessage] = field(default_factory=list)
    late: list[PastMessage] = field(default_factory=list)
    files: list[tuple[Attachment, str]] = field(default_factory=list)


@transaction.atomic
def import_tickets(past: Sequence[PastTicket], *, fetch_files: bool) -> Imported:
    """Write a portion of history. A ticket that is here already gets what it lacks, unless it has moved on.

    Where `fetch_files` is False, files are marked as gone: no bot is set up that could ask Telegram for them.
    """
    return _Portion(past, fetch_files=fetch_files).write()


class _Portion:
    """The tickets of one transaction, written table by table: row by row ten thousand would take minutes."""

    def __init__(self, past: Sequence[PastTicket], *, fetch_files: bool) -> None:
        self.past = past
        self.fetch_files = fetch_files
        self.now = timezone.now()
        self.result = Imported()
        self.fresh: list[tuple[PastTicket, Ticket, list[PastMessage]]] = []

    def write(self) -> Imported:
        self._sort_out()
        self._make_tickets()
        written = self._write_messages()
        tickets = [ticket for _past, ticket, _messages in self.fresh]
        for past, ticket, _messages in self.fresh:
            _shape(ticket, past, written.get(ticket.pk, []), self.now)
        Ticket.objects.bulk_update(tickets, SHAPED)
        self._write_events(written)
        self._mark_read(tickets)
        return self.result

    def _sort_out(self) -> None:
        """Which tickets are new, which have grown, and which have been worked on here."""
        ids = [past.imported_id for past in self.past]
        here = Ticket.objects.select_for_update(of=("self",)).filter(imported_id__in=ids).order_by("pk")
        known = {ticket.imported_id: ticket for ticket in here}
        last: dict[int, int] = {}
        written: Counter[int] = Counter()
        moved_on = set()
        for event in Event.objects.filter(ticket__in=known.values()).order_by("pk"):
            if event.kind == Event.Kind.IMPORTED:
                last[event.ticket_id] = event.data["last"]
                written[event.ticket_id] += event.data["messages"]
            else:
                moved_on.add(event.ticket_id)
        for past in self.past:
            ticket = known.get(past.imported_id)
            if ticket is None:
                self.result.created += 1
                self.fresh.append((past, Ticket(imported_id=past.imported_id), list(past.messages)))
                continue
            unknown = [message for message in past.messages if message.imported_id > last[ticket.pk]]
            if len(past.messages) - len(unknown) > written[ticket.pk]:
                self.result.late += _not_here(ticket, past.messages, up_to=last[ticket.pk])
            if ticket.pk in moved_on:
                self.result.moved_on += unknown
            elif unknown or _differs(ticket, past):
                self.result.continued += 1
                self.fresh.append((past, ticket, unknown))
                continue
            self.result.unchanged += 1

    def _make_tickets(self) -> None:
        customers = self._customers()
        team = Team.objects.get(is_default=True)
        new = [(past, ticket) for past, ticket, _messages in self.fresh if ticket._state.adding]
        for past, ticket in new:
            ticket.customer, ticket.team = customers[past.telegram_user_id], team
            ticket.created_at = ticket.last_message_at = past.created_at
        Ticket.objects.bulk_create(ticket for _past, ticket in new)

    def _customers(self) -> dict[int, Customer]:
        first: dict[int, PastTicket] = {}
        for past, _ticket, _messages in self.fresh:
            earlier = first.setdefault(past.telegram_user_id, past)
            if not earlier.customer_name and past.customer_name:
                first[past.telegram_user_id] = past
        rows = Customer.objects.filter(telegram_user_id__in=first)
        known = set(rows.values_list("telegram_user_id", flat=True))
        made = (
            Customer(
                telegram_user_id=telegram_id,
                name=storable(past.customer_name)[:200].strip(),
                username=storable(past.username)[:64],
                created_at=past.created_at,
            )
            for telegram_id, past in first.items()
            if telegram_id not in known
        )
        # The bot may meet one of them in this very moment.
        Customer.objects.bulk_create(made, ignore_conflicts=True)
        return {customer.telegram_user_id: customer for customer in rows.all() if customer.telegram_user_id}

    def _write_messages(self) -> dict[int, list[Message]]:
        voice = earlier_system()
        made: dict[int, list[Message]] = {}
        written: list[tuple[PastMessage, Message]] = []
        for _past, ticket, messages in self.fresh:
            for past in messages:
                message = _message(ticket, past, voice)
                made.setdefault(ticket.pk, []).append(message)
                written.append((past, message))
        Message.objects.bulk_create([message for _past, message in written])
        self.result.messages = len(written)
        self._write_files(written)
        return made

    def _write_files(self, written: list[tuple[PastMessage, Message]]) -> None:
        made = [
            (self._attachment(message, file, position), file.file_id)
            for past, message in written
            for position, file in enumerate(past.files)
        ]
        Attachment.objects.bulk_create([attachment for attachment, _file_id in made])
        self.result.files = [(row, file_id) for row, file_id in made if row.state == AttachmentState.PENDING]

    def _attachment(self, message: Message, file: PastFile, position: int) -> Attachment:
        can_come = bool(file.file_id) and self.fetch_files
        return Attachment(
            message=message,
            kind=file.kind,
            position=position,
            file_name=storable(file.file_name)[:255],
            size=file.size,
            state=AttachmentState.PENDING if can_come else AttachmentState.GONE,
            reason="" if can_come else Missing.LEFT_BEHIND,
            due_at=self.now if can_come else None,
        )

    def _write_events(self, written: dict[int, list[Message]]) -> None:
        Event.objects.bulk_create(
            Event(
                ticket=ticket,
                kind=Event.Kind.IMPORTED,
                after_message=written[ticket.pk][-1] if ticket.pk in written else ticket.last_message,
                data={
                    "imported": past.imported_id,
                    "messages": len(messages),
                    "last": max((message.imported_id for message in past.messages), default=0),
                },
            )
            for past, ticket, messages in self.fresh
        )

    def _mark_read(self, tickets: Sequence[Ticket]) -> None:
        people = list(access.people_at_work())
        TicketReader.objects.bulk_create(
            (
                TicketReader(ticket=ticket, user=person, seen_message=ticket.last_message)
                for ticket in tickets
                if ticket.status != Status.CLOSED and ticket.last_message is not None
                for person in people
            ),
            update_conflicts=True,
            unique_fields=["ticket", "user"],
            update_fields=["seen_message"],
            batch_size=1000,
        )


SHAPED = [
    "subject",
    "status",
    "priority",
    "assignee",
    "opened_by",
    "waiting_since",
    "first_answered_at",
    "resolved_at",
    "closed_at",
    "last_message",
    "last_sender",
    "last_content_type",
    "last_text",
    "last_message_at",
    "version",
    "updated_at",
]


def earlier_system() -> User:
    """The person whom words of ours are by whose writer is not known: disabled, in no group, without a password."""
    user, created = User.objects.get_or_create(
        username=EARLIER_SYSTEM, defaults={"is_active": False, "first_name": gettext("Прежняя система")}
    )
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _message(ticket: Ticket, past: PastMessage, voice: User) -> Message:
    ours = past.sender in (Sender.MANAGER, Sender.NOTE)
    return Message(
        ticket=ticket,
        customer_id=ticket.customer_id,
        sender=past.sender,
        author=(past.author or voice) if ours else None,
        content_type=past.content_type[:40],
        text=storable(past.text),
        sent_at=past.sent_at,
        created_at=past.sent_at,
    )


def _not_here(ticket: Ticket, past: Sequence[PastMessage], *, up_to: int) -> list[PastMessage]:
    """Those of a ticket's messages with such ids that it does not have: their ids are kept nowhere here."""
    here = Counter(ticket.messages.values_list("sender", "sent_at", "text"))
    missing = []
    for message in past:
        words = (message.sender, message.sent_at, storable(message.text))
        if message.imported_id > up_to:
            continue
        if not here[words]:
            missing.append(message)
        here[words] -= 1
    return missing


def _differs(ticket: Ticket, past: PastTicket) -> bool:
    """Whether the earlier system has gone on with a ticket that nobody has touched here."""
    return ticket.updated_at != past.updated_at


def _shape(ticket: Ticket, past: PastTicket, new: Sequence[Message], now: datetime) -> None:
    """What follows for the ticket's row from its past and the messages it has."""
    said = [message for message in new if message.sender in (Sender.CLIENT, Sender.MANAGER)]
    ticket.opened_by = ticket.opened_by or next((m for m in new if m.sender == Sender.CLIENT), None)
    ticket.subject = storable(past.subject)[:SUBJECT_LENGTH] or ticket.subject or _first_line(past)
    if said:
        show_last(ticket, said[-1])
    elif ticket.last_message is None:
        ticket.last_text = ticket.subject[:PREVIEW_LENGTH]
    ticket.priority, ticket.assignee = past.priority, past.assignee
    ticket.updated_at = past.updated_at
    ticket.version += 1
    answers = [message.sent_at for message in past.messages if message.sender == Sender.MANAGER]
    ticket.first_answered_at = answers[0] if answers else None
    waiting_since = _waiting_since(past)
    _set_status(ticket, past, waiting=waiting_since is not None, now=now)
    ticket.waiting_since = waiting_since if ticket.is_active else None


def _first_line(past: PastTicket) -> str:
    text = next((message.text for message in past.messages if message.sender == Sender.CLIENT), "")
    return next((line.strip() for line in storable(text).splitlines() if line.strip()), "")[:SUBJECT_LENGTH]


def _waiting_since(past: PastTicket) -> datetime | None:
    """The first of the customer's messages after our last answer; without any message the subject is the question."""
    if not past.messages and past.status in (Status.NEW, Status.OPEN):
        return past.created_at
    since = None
    for message in past.messages:
        if message.sender == Sender.MANAGER:
            since = None
        elif message.sender == Sender.CLIENT:
            since = since or message.sent_at
    return since


def _set_status(ticket: Ticket, past: PastTicket, *, waiting: bool, now: datetime) -> None:
    """The status it had, where the words allow it: whose customer has written last waits for us, and what was solved
    longer ago than a customer may bring it back is closed.
    """
    ticket.status, ticket.resolved_at, ticket.closed_at = past.status, None, None
    solved_at = past.solved_at or past.updated_at
    if (past.status == Status.WAITING and waiting) or (past.status == Status.NEW and past.assignee is not None):
        ticket.status = Status.OPEN
    elif past.status == Status.CLOSED:
        ticket.resolved_at = ticket.closed_at = solved_at
    elif past.status == Status.RESOLVED:
        ticket.resolved_at = solved_at
        if now - solved_at >= REOPEN_WITHIN:
            ticket.status, ticket.closed_at = Status.CLOSED, solved_at + REOPEN_WITHIN
