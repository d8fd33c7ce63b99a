"""A ticket's conversation as the lines its page shows: days, bubbles, notes, the bot's sentences and history.

Order is the message's id. A line of history stands after the message it followed; an album is one bubble at the place
of its first message, whatever came between its parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import zip_longest
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils import timezone

from tickets.models import Attachment, Event, HiddenCard, Message, MessageRevision, Sender, Ticket, User
from tickets.pages import wording
from tickets.pages.bubbles import Bubble, FilePart
from tickets.pages.history import NAME_FIELDS, SHOWN_EVENTS, events_of, history_line, names_in
from tickets.pages.lines import Day, Fresh, Line, Series
from tickets.pages.series import earlier_of_series, folded

PAGE = 50
ALBUM_SPREAD = 20  # messages among which an album's parts are looked for: it has ten at most (Bot API, sendMediaGroup)
EVENTS_PER_PAGE = 200
GROUP_WITHIN = timedelta(minutes=10)
# What the messages of one album share: sender, Telegram's id of the group, or the message's own outside albums.
Album = tuple[str, str, int]


@dataclass
class Conversation:
    """A stretch of a ticket's conversation, oldest line first."""

    lines: list[Line]
    messages: list[Message] = field(default_factory=list)
    last_event_id: int = 0
    older_than: int | None = None
    #: Those lines that are later parts of an album whose bubble stands higher up.
    joining: list[Bubble] = field(default_factory=list)

    @property
    def last_message_id(self) -> int:
        return self.messages[-1].pk if self.messages else 0

    @cached_property
    def files(self) -> list[FilePart]:
        """The pictures and documents of this stretch, the latest first, for the panel."""
        parts = [FilePart(attachment) for message in self.messages for attachment in message.parts]
        return [part for part in reversed(parts) if part.is_ready]


@dataclass
class Reading:
    """Who reads which ticket, and from where on it is new to them."""

    ticket: Ticket
    reader: User
    may_decide: bool
    seen_id: int | None = None
    editing_id: int | None = None
    #: What a refused change was to make of the message being edited.
    retyped: str | None = None
    #: Shows every photo of a series, for readers without a script.
    unfolded: bool = False
    now: datetime = field(default_factory=timezone.now)

    def latest(self, before: int | None = None) -> Conversation:
        """The last page of the conversation, or the page before message `before`."""
        messages = messages_of(self.ticket)
        if before is not None:
            messages = messages.filter(pk__lt=before)
        newest_first = list(messages.order_by("-pk")[: PAGE + ALBUM_SPREAD + 1])
        length = _page_length(newest_first[: PAGE + ALBUM_SPREAD])
        has_older = len(newest_first) > length
        found = newest_first[:length][::-1]
        events = self._events(found, before=before, from_start=not has_older)
        lines = self._lines(_albums(found), events)
        older_than = found[0].pk if has_older else None
        if not self.unfolded:
            earlier = earlier_of_series(self.ticket, lines) if older_than is not None else []
            lines = folded(lines, earlier)
            older_than = earlier[0] if earlier else older_than
        return Conversation(lines, found, _last_of(events), older_than=older_than)

    def series(self, first_id: int, last_id: int) -> Conversation:
        """The last page of a folded series, with what is before it folded again."""
        messages = messages_of(self.ticket).filter(pk__gte=first_id, pk__lte=last_id)
        newest_first = list(messages.order_by("-pk")[: PAGE + ALBUM_SPREAD])
        found = newest_first[: _page_length(newest_first)][::-1]
        albums = _albums(found)
        standing = [None, *(album[0] for album in albums)]
        lines: list[Line] = [self._bubble(album, before) for album, before in zip(albums, standing, strict=False)]
        rest = (
            self.ticket.messages.filter(pk__gte=first_id, pk__lt=found[0].pk) if found else self.ticket.messages.none()
        )
        ids = list(rest.order_by("pk").values_list("pk", flat=True))
        return Conversation([Series(ids), *lines] if ids else lines, found)

    def after(self, message_id: int, event_id: int | None = None) -> Conversation:
        """What came after a message and, where the page names its last line of history, after that line.

        Later parts of an album the page has begun come first, as a bubble of their own that joins the first one's.
        """
        found = list(messages_of(self.ticket).filter(pk__gt=message_id).order_by("pk")[: PAGE * 4])
        newer = Q(after_message__gt=message_id)
        if event_id is not None:
            newer |= Q(after_message=message_id, pk__gt=event_id) | Q(after_message__isnull=True, pk__gt=event_id)
        events = list(events_of(self.ticket).filter(newer)[:EVENTS_PER_PAGE])
        begun = self._begun_albums(found, message_id)
        new = [album for album in _albums(found) if _album_of(album[0]) not in begun]
        joining = [self._bubble(album, None) for album in _albums(found) if _album_of(album[0]) in begun]
        lines = self._lines(new, events, previous=self._standing_before(message_id + 1))
        return Conversation([*joining, *lines], found, _last_of(events), joining=joining)

    def _begun_albums(self, found: Sequence[Message], message_id: int) -> set[Album]:
        """The albums of `found` whose first part is no newer than `message_id`."""
        groups = {message.media_group_id for message in found if message.media_group_id}
        if not groups:
            return set()
        earlier = self.ticket.messages.filter(media_group_id__in=groups, pk__lte=message_id)
        return {_album_of(message) for message in earlier}

    def bubble(self, message_id: int) -> Bubble | None:
        """One message's bubble, whole albums included; None where the ticket has no such message."""
        message = messages_of(self.ticket).filter(pk=message_id).first()
        if message is None:
            return None
        album = [message]
        if message.media_group_id:
            same = messages_of(self.ticket).filter(media_group_id=message.media_group_id, sender=message.sender)
            album = list(same.order_by("pk"))
        previous = self._standing_before(album[0].pk)
        return self._bubble(album, None if self._is_parted(previous, album[0]) else previous)

    def _is_parted(self, previous: Message | None, message: Message) -> bool:
        """Whether a line of history or a day's heading stands between two bubbles."""
        if previous is None or _day(previous) != _day(message):
            return True
        between = Q(after_message__gte=previous.pk, after_message__lt=message.pk)
        return self.ticket.events.filter(between, kind__in=SHOWN_EVENTS).exists()

    def _standing_before(self, message_id: int) -> Message | None:
        """The first message of the last bubble that begins before `message_id`."""
        before = self.ticket.messages.filter(pk__lt=message_id).only(*STANDING_FIELDS)
        newest_first = before.order_by("-pk")[:ALBUM_SPREAD]
        albums = _albums(list(newest_first)[::-1])
        return albums[-1][0] if albums else None

    def _events(self, found: Sequence[Message], *, before: int | None, from_start: bool) -> list[Event]:
        events = events_of(self.ticket)
        if before is not None:
            events = events.filter(after_message__lt=before)
        if not from_start and found:
            events = events.filter(after_message__gte=found[0].pk)
        return list(events.order_by("-pk")[:EVENTS_PER_PAGE])[::-1]

    def _lines(
        self, albums: Sequence[list[Message]], events: Sequence[Event], previous: Message | None = None
    ) -> list[Line]:
        """The lines these albums and events make; without `previous` a page begins, and so does a day."""
        waiting = list(events)
        names = names_in(events)
        before = _taken(waiting, until=albums[0][0].pk - 1) if albums else []
        lines: list[Line] = [history_line(event, names, self.now) for event in before]
        fresh_from = self._fresh_from(albums)
        day = None if previous is None else _day(previous)
        previous = None if before else previous
        for album, following in zip_longest(albums, albums[1:]):
            if _day(album[0]) != day:
                day = _day(album[0])
                lines.append(self._day(day))
                previous = None
            lines += (history_line(event, names, self.now) for event in _taken(waiting, opened_by=album[0].pk))
            if album is fresh_from:
                lines.append(Fresh())
                previous = None
            lines.append(self._bubble(album, previous))
            followed = _taken(waiting, until=following[0].pk - 1) if following else []
            lines += (history_line(event, names, self.now) for event in followed)
            previous = None if followed else album[0]
        return [*lines, *(history_line(event, names, self.now) for event in waiting)]

    def _day(self, day: date) -> Day:
        return Day(wording.day_heading(day, self.now), day.isoformat(), wording.plain_day(day, self.now))

    def _bubble(self, album: list[Message], previous: Message | None) -> Bubble:
        message = album[0]
        editing = message.pk == self.editing_id
        kinds = {Sender.NOTE: "note", Sender.SYSTEM: "said"}
        return Bubble(
            album,
            self.reader,
            self.ticket.customer.display_name,
            self.may_decide,
            first=previous is None or not _continues(previous, message),
            kind=kinds.get(Sender(message.sender), "message"),
            editing=editing,
            retyped=self.retyped if editing else None,
        )

    def _fresh_from(self, albums: Iterable[list[Message]]) -> list[Message] | None:
        """The first bubble with something of others this person has not seen, if anything before it has been."""
        if self.seen_id is None:
            return None
        return next((album for album in albums if any(self._is_unseen(message) for message in album)), None)

    def _is_unseen(self, message: Message) -> bool:
        is_new = message.pk > (self.seen_id or 0)
        return is_new and message.sender != Sender.SYSTEM and message.author_id != self.reader.pk


#: What decides whether a message joins the one before it.
STANDING_FIELDS = ("ticket", "sender", "author", "service_account", "media_group_id", "sent_at")
MESSAGE_FIELDS = (
    "ticket",
    "sender",
    "content_type",
    "text",
    "entities",
    "media_group_id",
    "quote_text",
    "forwarded_from",
    "resend_of",
    "sent_at",
    "edited_at",
    "edited_after_answer",
    "deleted_at",
    "live_until",
    "placed_at",
    "reactions",
    *(f"alteration__{name}" for name in ("kind", "text", "former_text", "state", "obstacle")),
    *(f"author__{name}" for name in NAME_FIELDS),
    "service_account__name",
    *(f"quote__{name}" for name in ("sender", "content_type", "text", "live_until")),
    *(f"quote__author__{name}" for name in NAME_FIELDS),
    *(f"delivery__{name}" for name in ("lane", "state", "reason", "parts_sent", "decision", "queued_at")),
)


def messages_of(ticket: Ticket) -> "QuerySet[Message]":
    """A ticket's messages with all a bubble shows and no more, in two queries whatever their number."""
    former = MessageRevision.objects.filter(message=OuterRef("pk")).order_by("-pk").values("text")[:1]
    return (
        ticket.messages.select_related("author", "service_account", "quote", "quote__author", "delivery", "alteration")
        .only(*MESSAGE_FIELDS)
        .prefetch_related(Prefetch("attachments", Attachment.objects.order_by("position", "pk"), to_attr="parts"))  # type: ignore[no-redef]
        .annotate(
            former_text=Subquery(former),
            hides_cards=Exists(HiddenCard.objects.filter(message=OuterRef("pk"))),
        )
    )


def _day(message: Message) -> Any:
    return timezone.localtime(message.sent_at).date()


def _album_of(message: Message) -> Album:
    return message.sender, message.media_group_id, 0 if message.media_group_id else message.pk


def _albums(messages: Sequence[Message]) -> list[list[Message]]:
    """The messages one by one, those of one album together at the place of the first."""
    albums: dict[Album, list[Message]] = {}
    for message in messages:
        albums.setdefault(_album_of(message), []).append(message)
    return list(albums.values())


def _page_length(newest_first: Sequence[Message]) -> int:
    """How many of these messages make a page: `PAGE` of them, and more where it would begin amidst an album."""
    length = min(PAGE, len(newest_first))
    places = {_album_of(message): place for place, message in enumerate(newest_first, start=1)}
    while (whole := max((places[_album_of(message)] for message in newest_first[:length]), default=0)) > length:
        length = whole
    return length


def _last_of(events: Sequence[Event]) -> int:
    return max((event.pk for event in events), default=0)


def _continues(previous: Message, message: Message) -> bool:
    """Whether a message joins the bubble above it: the same voice within ten minutes."""
    return _voice(previous) == _voice(message) and message.sent_at - previous.sent_at < GROUP_WITHIN


def _voice(message: Message) -> tuple[str, int | None, int | None]:
    return message.sender, message.author_id, message.service_account_id


def _taken(waiting: list[Event], *, until: int | None = None, opened_by: int | None = None) -> list[Event]:
    """Remove from `waiting` and return the events of messages up to `until`, or the one the first message caused."""
    if opened_by is not None:
        taken = [e for e in waiting if e.kind == Event.Kind.OPENED and e.after_message_id == opened_by]
    else:
        taken = [e for e in waiting if until is not None and (e.after_message_id or 0) <= until]
    for event in taken:
        waiting.remove(event)
    return taken
