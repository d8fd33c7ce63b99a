"""The ticket page: the row with all its page asks of it, the reader's rights, the composer and the panel."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, F, JSONField, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone

from tickets import access
from tickets.models import SUPERVISORS, Draft, Event, Message, Priority, Sender, Status, Tag, Ticket, TicketReader, User
from tickets.models.tickets import TicketQuerySet
from tickets.operations import UNDO_WINDOW, Refused, Seen, Unseen
from tickets.pages import wording
from tickets.pages.conversation import Conversation, Reading
from tickets.pages.statements import WORDED

OTHER_TICKETS = 5
THUMBS = 8
PEER_WRITES = timedelta(minutes=1)

STATUS_ICONS = {
    Status.NEW: "s-new",
    Status.OPEN: "s-open",
    Status.WAITING: "s-wait",
    Status.RESOLVED: "s-done",
    Status.CLOSED: "s-done",
}
STATUS_TONES = {
    Status.NEW: "new",
    Status.OPEN: "open",
    Status.WAITING: "wait",
    Status.RESOLVED: "done",
    Status.CLOSED: "done",
}


class JSONList(Aggregate):
    """The rows of a group as one JSON array, so that a ticket's tags come with its own row."""

    function = "JSON_GROUP_ARRAY"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, function="JSONB_AGG", **extra)


def ticket_for_page(user: User, ticket_id: int, *, with_row: bool = False) -> Ticket | None:
    """The ticket with its people, tags, this reader's place and draft; None where it is not visible.

    In one query, as a rule: see `access.can_see`. `with_row` asks also for what the ticket's row in the queue shows.
    """
    ticket = _for_page(user.pk, with_row=with_row).filter(pk=ticket_id).first()
    return ticket if ticket is not None and access.can_see(user, ticket) else None


@lru_cache(maxsize=WORDED)
def _for_page(user_id: int, *, with_row: bool) -> TicketQuerySet:
    """Tickets as this person's page shows them, to be narrowed before they are read."""
    own_reader = TicketReader.objects.filter(ticket=OuterRef("pk"), user=user_id)
    own_draft = Draft.objects.filter(ticket=OuterRef("pk"), user=user_id)
    tags = (
        Tag.objects.filter(tickets=OuterRef("pk"))
        .order_by()
        .values(on=F("tickets"))
        .annotate(names=JSONList(JSONObject(id="pk", name="name")))
        .values("names")
    )
    own: dict[str, Subquery] = {
        "seen_id": Subquery(own_reader.values("seen_message_id")[:1]),
        "last_event_id": Subquery(Event.objects.filter(ticket=OuterRef("pk")).order_by("-pk").values("pk")[:1]),
        "draft_text": Subquery(own_draft.values("text")[:1]),
        "draft_is_note": Subquery(own_draft.values("is_note")[:1]),
        "draft_quote_id": Subquery(own_draft.values("quote_id")[:1]),
        "draft_at": Subquery(own_draft.values("updated_at")[:1]),
    }
    tickets = Ticket.objects.select_related("customer", "topic", "assignee", "team")
    tickets = tickets.annotate(tag_names=Subquery(tags), **own)
    return tickets.with_news(user_id) if with_row else tickets


@dataclass(frozen=True)
class Rights:
    """What this reader may do with this ticket; operations ask again."""

    reply: bool
    work: bool
    take: bool

    @classmethod
    def of(cls, user: User, ticket: Ticket) -> "Rights":
        return cls(access.can_reply(user, ticket), access.can_work_on(user, ticket), access.can_take(user, ticket))


@dataclass
class Composer:
    """What stands in the field: the draft, or what a refused submit brought back."""

    text: str = ""
    is_note: bool = False
    quote: Message | None = None
    client_id: uuid.UUID = field(default_factory=uuid.uuid4)
    had_files: bool = False


@dataclass
class TicketPage:
    """One ticket as one person sees it."""

    ticket: Ticket
    reader: User
    quote_id: int | None = None
    editing_id: int | None = None
    retyped: str | None = None
    before: int | None = None
    unfolded: bool = False
    refusal: Refused | None = None
    submitted: Mapping[str, Any] | None = None
    now: datetime = field(default_factory=timezone.now)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The clock of the ticket's team."""
        return ZoneInfo(self.ticket.team.time_zone)

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def day_ends(self) -> datetime:
        return wording.end_of_day(self.now, self.zone)

    @property
    def version(self) -> str:
        """Changes whenever the parts that follow the ticket do; its day is in their words."""
        return f"{self.ticket.version}.{self.today}"

    @cached_property
    def may(self) -> Rights:
        return Rights.of(self.reader, self.ticket)

    @cached_property
    def reading(self) -> Reading:
        return Reading(
            self.ticket,
            self.reader,
            may_decide=self.may.work,
            seen_id=getattr(self.ticket, "seen_id", None),
            editing_id=self.editing_id,
            retyped=self.retyped,
            unfolded=self.unfolded,
            now=self.now,
        )

    @cached_property
    def conversation(self) -> Conversation:
        return self.reading.latest(before=self.before)

    @property
    def seen(self) -> Seen:
        """What an act on this page has seen: its last message, and all the history there was when it was made."""
        return Seen(self.conversation.last_message_id, getattr(self.ticket, "last_event_id", None))

    @property
    def tags(self) -> list[dict[str, Any]]:
        return sorted(getattr(self.ticket, "tag_names", None) or [], key=lambda tag: str(tag["name"]).casefold())

    @property
    def status_icon(self) -> str:
        return "i-snooze" if self.ticket.snoozed_until else STATUS_ICONS[Status(self.ticket.status)]

    @property
    def status_tone(self) -> str:
        return "snooze" if self.ticket.snoozed_until else STATUS_TONES[Status(self.ticket.status)]

    @property
    def status_label(self) -> str:
        return str(Status(self.ticket.status).label)

    @property
    def snoozed_until(self) -> str:
        until = self.ticket.snoozed_until
        return wording.moment_in_words(until, self.now) if until is not None else ""

    @property
    def resolved_at(self) -> str:
        moment = self.ticket.resolved_at
        return wording.moment_in_words(moment, self.now) if moment is not None else ""

    @property
    def can_undo(self) -> bool:
        """Whether «Решить» can still be taken back before the customer hears of it."""
        resolved = self.ticket.resolved_at
        return self.ticket.status == Status.RESOLVED and resolved is not None and self.now - resolved < UNDO_WINDOW

    @property
    def can_reopen(self) -> bool:
        return self.ticket.can_reopen(self.now)

    @property
    def waiting(self) -> str:
        since = self.ticket.waiting_since
        return wording.waiting(since, self.now) if since is not None else ""

    @property
    def priorities(self) -> list[tuple[int, str]]:
        return [(priority.value, str(priority.label)) for priority in reversed(Priority)]

    @property
    def is_urgent(self) -> bool:
        return self.ticket.priority >= Priority.HIGH

    @cached_property
    def other_tickets(self) -> list["OtherTicket"]:
        others = (
            Ticket.objects.filter(customer=self.ticket.customer_id)
            .exclude(pk=self.ticket.pk)
            .order_by("-pk")
            .select_related("team")
            .only("subject", "status", "last_message_at", "assignee", "team__is_strict")
        )
        found = list(others[:OTHER_TICKETS])
        if not all(access.sees_by_right(self.reader, ticket) for ticket in found):
            found = list(others.visible_to(self.reader)[:OTHER_TICKETS])
        return [OtherTicket(ticket, self.now) for ticket in found]

    @cached_property
    def composer(self) -> Composer:
        if self.submitted is not None:
            return self._submitted_again(self.submitted)
        text = getattr(self.ticket, "draft_text", None) or ""
        is_note = getattr(self.ticket, "draft_is_note", None) if text else not self.may.reply
        quote_id = self.quote_id or getattr(self.ticket, "draft_quote_id", None)
        return Composer(text, bool(is_note), self._quotable(quote_id))

    @property
    def written_at(self) -> datetime | None:
        """When what stands in the field was last written, or cleared by sending it, as far as this page tells."""
        sent = [message.sent_at for message in self.conversation.messages if message.author_id == self.reader.pk]
        moments = [getattr(self.ticket, "draft_at", None), *sent[-1:]]
        return max((moment for moment in moments if moment is not None), default=None)

    def _submitted_again(self, submitted: Mapping[str, Any]) -> Composer:
        quote = str(submitted.get("quote", ""))
        return Composer(
            str(submitted.get("text", "")),
            submitted.get("kind") == "note",
            self._quotable(int(quote)) if quote.isdecimal() else None,
            had_files=bool(submitted.get("had_files")),
        )

    def _quotable(self, message_id: int | None) -> Message | None:
        if message_id is None:
            return None
        loaded = next((message for message in self.conversation.messages if message.pk == message_id), None)
        message = loaded or self.ticket.messages.select_related("author").filter(pk=message_id).first()
        return message if message is not None and message.sender != Sender.NOTE else None

    @property
    def unseen(self) -> Unseen | None:
        """What an act was refused for, where others had written meanwhile."""
        return self.refusal if isinstance(self.refusal, Unseen) else None


@dataclass(frozen=True)
class OtherTicket:
    """Another ticket of the same customer, as one line of the panel."""

    ticket: Ticket
    now: datetime

    @property
    def icon(self) -> str:
        return STATUS_ICONS[Status(self.ticket.status)]

    @property
    def tone(self) -> str:
        return STATUS_TONES[Status(self.ticket.status)]

    @property
    def title(self) -> str:
        return self.ticket.subject or f"№{self.ticket.pk}"

    @property
    def when(self) -> str:
        return wording.short_moment(self.ticket.last_message_at, self.now)


def colleagues_writing(ticket: Ticket, reader: User) -> list[User]:
    """Who else has typed on this ticket within the last minute."""
    since = timezone.now() - PEER_WRITES
    drafts = Draft.objects.filter(ticket=ticket, is_note=False, updated_at__gt=since).exclude(text="")
    return [draft.user for draft in drafts.exclude(user=reader).select_related("user").order_by("-updated_at")]


def people_for(ticket: Ticket) -> "QuerySet[User]":
    """Who may be made responsible for a ticket: the active members of its team, and supervisors."""
    team = User.objects.filter(teams=ticket.team)
    supervisors = User.objects.filter(groups__name=SUPERVISORS)
    return (team | supervisors).filter(is_active=True).distinct().order_by("first_name", "last_name", "pk")
