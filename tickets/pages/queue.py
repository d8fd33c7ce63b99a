"""The queue: four views with counts, those who wait for us first, then the rest, a page at a time."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.db.models import IntegerField, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tickets import access
from tickets.models import COUNT_CAP, ContentType, Priority, Sender, Ticket, Trouble, User, View
from tickets.models.tickets import TicketQuerySet
from tickets.pages import wording
from tickets.pages.bubbles import ICONS
from tickets.pages.statements import WORDED, Statement

PAGE = 50


class CappedCount(Subquery):
    """The number of rows of a sliced queryset as one column: four counts cost one query and never scan a table."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) capped)"
    output_field = IntegerField()
    empty_result_set_value = 0  # for whom no ticket can be visible


@dataclass(frozen=True)
class Tab:
    """One of the queue's views and how many tickets it holds."""

    view: View
    count: int
    is_current: bool

    @property
    def count_label(self) -> str:
        return f"{COUNT_CAP - 1}+" if self.count >= COUNT_CAP else str(self.count)


@dataclass
class Row:
    """A ticket in the queue, as one person sees it."""

    ticket: Ticket
    reader: User
    now: datetime
    is_current: bool = False

    @property
    def unread(self) -> int:
        return int(getattr(self.ticket, "unread", 0))

    @property
    def unread_label(self) -> str:
        return ngettext("%(n)s новое сообщение", "%(n)s новых сообщений", self.unread) % {"n": self.unread}

    @property
    def draft(self) -> str:
        return (getattr(self.ticket, "draft_text", None) or "").strip()

    @property
    def waiting(self) -> str:
        return wording.waiting(self.ticket.waiting_since, self.now) if self.ticket.waiting_since else ""

    @property
    def waiting_time(self) -> str:
        since = self.ticket.waiting_since
        return wording.short_duration((self.now - since).total_seconds()) if since else ""

    @property
    def when(self) -> str:
        with timezone.override(ZoneInfo(self.ticket.team.time_zone)):
            if self.ticket.snoozed_until is not None:
                return wording.until_moment(self.ticket.snoozed_until, self.now)
            return wording.short_moment(self.ticket.last_message_at, self.now)

    @property
    def prefix(self) -> str:
        """Whose words the row repeats, where they are not the customer's."""
        match self.ticket.last_sender:
            case Sender.MANAGER:
                is_mine = self.ticket.last_author_id == self.reader.pk
                return _("Вы:") if is_mine else _("Ответ:")
            case Sender.NOTE:
                return _("Заметка:")
            case Sender.SYSTEM:
                return _("Бот:")
        return ""

    @property
    def icon(self) -> str:
        fallback = "" if self.ticket.last_content_type in ("", ContentType.TEXT) else "i-file"
        return ICONS.get(self.ticket.last_content_type, fallback)

    @property
    def is_urgent(self) -> bool:
        return self.ticket.priority >= Priority.HIGH

    @property
    def trouble(self) -> str:
        return str(Trouble(self.ticket.trouble).label) if self.ticket.trouble else ""

    @property
    def is_failed(self) -> bool:
        return self.ticket.trouble == Trouble.FAILED

    @property
    def is_held(self) -> bool:
        return self.ticket.trouble == Trouble.HELD


@dataclass(frozen=True)
class Cursor:
    """Where a page of the queue ended: the group, its sort key and the ticket."""

    resting: bool
    moment: datetime
    ticket_id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The cursor `text` names, or None: a page number from outside is only a wish."""
        group, _, rest = text.partition("-")
        moment, _, ticket_id = rest.partition("-")
        try:
            when = datetime.fromtimestamp(int(moment) / 1_000_000, tz=UTC)
            return cls(group == "r", when, int(ticket_id))
        except (ValueError, OverflowError, OSError):
            return None

    def __str__(self) -> str:
        whole = round(self.moment.timestamp() * 1_000_000)
        return f"{'r' if self.resting else 'w'}-{whole}-{self.ticket_id}"


@dataclass
class Queue:
    """One page of one view."""

    view: View
    tabs: list[Tab]
    now: datetime
    waiting: list[Row] = field(default_factory=list)
    resting: list[Row] = field(default_factory=list)
    next_cursor: Cursor | None = None
    waiting_count: int = 0
    is_first_page: bool = True
    #: Of this showing of «Взять следующее».
    client_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever anything this page shows does, but for the passing of time within a day."""
        shown = [
            (row.ticket.pk, row.ticket.version, row.unread, row.draft, row.ticket.last_message_at)
            for row in (*self.waiting, *self.resting)
        ]
        counts = [(tab.view.value, tab.count) for tab in self.tabs]
        days = [end.isoformat() for end in self.day_ends]
        return sha256(repr((self.view.value, counts, shown, days)).encode()).hexdigest()[:16]

    @cached_property
    def day_ends(self) -> list[datetime]:
        """When the day ends for the teams whose tickets are shown, the next end first."""
        zones = {row.ticket.team.time_zone for row in (*self.waiting, *self.resting)}
        return sorted({wording.end_of_day(self.now, ZoneInfo(name)) for name in zones})

    @property
    def is_empty(self) -> bool:
        return self.is_first_page and not self.waiting and not self.resting

    @property
    def free_count(self) -> int:
        return next((tab.count for tab in self.tabs if tab.view == View.FREE), 0)

    @property
    def count_of_mine(self) -> int:
        return next((tab.count for tab in self.tabs if tab.view == View.MINE), 0)

    @property
    def undecided(self) -> list[Row]:
        """The rows with a reply that did not simply arrive."""
        return [row for row in (*self.waiting, *self.resting) if row.trouble]

    @property
    def longest(self) -> Row | None:
        """The row whose customer waits longest."""
        return self.waiting[0] if self.waiting else None


@dataclass(frozen=True)
class Viewer:
    """A person by everything that decides which tickets they see: for equal viewers a query has the same words."""

    pk: int
    rights: frozenset[str]
    user: User = field(compare=False)

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(user.pk, access.audiences_of(user), user)

    def tickets(self, view: View) -> "TicketQuerySet":
        return Ticket.objects.active_visible_to(self.user).in_view(view, self.user)


def read_queue(
    user: User, *, view: View, cursor: Cursor | None = None, current_id: int | None = None, with_counts: bool = True
) -> Queue:
    """A page of `view` for `user`: the counts in one query, the rows in two, whatever the size of the table."""
    now = timezone.now()
    viewer = Viewer.of(user)
    counts = _counts(viewer, view) if with_counts else {}
    tabs = [Tab(each, counts.get(each.value, 0), each == view) for each in View]
    waiting: list[Ticket] = []
    if cursor is None or not cursor.resting:
        chosen = _first_waiting(viewer, view).ids if cursor is None else _waiting_after(viewer.tickets(view), cursor)
        waiting = list(_rows(user.pk).filter(pk__in=chosen).waiting_for_us()[: PAGE + 1])
    resting: list[Ticket] = []
    if len(waiting) <= PAGE:
        if cursor is not None and cursor.resting:
            chosen = _resting_after(viewer.tickets(view), cursor)
        else:
            chosen = _first_resting(viewer, view).ids
        resting = list(_rows(user.pk).filter(pk__in=chosen).resting()[: PAGE + 1 - len(waiting)])
    shown = (waiting + resting)[:PAGE]
    more = len(waiting) + len(resting) > PAGE
    rows = {ticket.pk: Row(ticket, user, now, ticket.pk == current_id) for ticket in shown}
    return Queue(
        view,
        tabs,
        now,
        [rows[ticket.pk] for ticket in waiting if ticket.pk in rows],
        [rows[ticket.pk] for ticket in resting if ticket.pk in rows],
        _cursor_at(shown[-1]) if more else None,
        counts.get("waiting", 0),
        cursor is None,
    )


def read_row(user: User, ticket_id: int) -> Row | None:
    """One ticket as a row of the queue, or None where `user` does not see it."""
    ticket = _rows(user.pk).filter(pk=ticket_id).first()
    if ticket is None or not access.can_see(user, ticket):
        return None
    return Row(ticket, user, timezone.now())


@lru_cache(maxsize=WORDED)
def _rows(user_id: int) -> TicketQuerySet:
    """The rows as this person sees them, to be narrowed before they are read. Putting it together takes a while."""
    return Ticket.objects.for_rows(user_id)


# A page's tickets are chosen before anything is joined to them. PostgreSQL takes the waiting ones for a handful, and in
# one go would look up the customer, message and draft of every one of thousands, only to throw away all but a page.


@lru_cache(maxsize=WORDED)
def _first_waiting(viewer: Viewer, view: View) -> Statement:
    return Statement.of(viewer.tickets(view).waiting_for_us().values("pk")[: PAGE + 1])


@lru_cache(maxsize=WORDED)
def _first_resting(viewer: Viewer, view: View) -> Statement:
    return Statement.of(viewer.tickets(view).resting().values("pk")[: PAGE + 1])


def _waiting_after(tickets: "TicketQuerySet", cursor: Cursor) -> "QuerySet[Ticket, Any]":
    later = Q(waiting_since__gt=cursor.moment) | Q(waiting_since=cursor.moment, pk__gt=cursor.ticket_id)
    found = tickets.waiting_for_us().filter(waiting_since__gte=cursor.moment).filter(later)
    return found.values("pk")[: PAGE + 1]


def _resting_after(tickets: "TicketQuerySet", cursor: Cursor) -> "QuerySet[Ticket, Any]":
    earlier = Q(last_message_at__lt=cursor.moment) | Q(last_message_at=cursor.moment, pk__lt=cursor.ticket_id)
    found = tickets.resting().filter(last_message_at__lte=cursor.moment).filter(earlier)
    return found.values("pk")[: PAGE + 1]


def _counts(viewer: Viewer, current: View) -> dict[str, int]:
    """The number of tickets in each view, and of those waiting in the current one, none counted beyond the cap."""
    return dict(zip([*View.values, "waiting"], _counting(viewer, current).row(), strict=True))


@lru_cache(maxsize=WORDED)
def _counting(viewer: Viewer, current: View) -> Statement:
    def capped(tickets: "TicketQuerySet") -> CappedCount:
        return CappedCount(tickets.order_by().values("pk")[:COUNT_CAP])

    counts = {each.value: capped(viewer.tickets(each)) for each in View}
    counts["waiting"] = capped(viewer.tickets(current).filter(waiting_since__isnull=False))
    return Statement.of(User.objects.filter(pk=viewer.pk).values_list(*counts.values()))


def _cursor_at(ticket: Ticket) -> Cursor:
    resting = ticket.waiting_since is None
    return Cursor(resting, ticket.waiting_since or ticket.last_message_at, ticket.pk)
