"""A ticket's conversation as the lines its page shows: days, bubbles, notes, the bot's sentences and history.

Order is the message's id. A line of history stands after the message it followed; an album is one bubble at the place
of its first message, whatever came between its parts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import zip_longest
from typing import Any

from django.db.models import F, Model, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tickets.files import INLINE_TYPES
from tickets.models import (
    Attachment,
    AttachmentState,
    ContentType,
    Decision,
    Delivery,
    DeliveryState,
    Event,
    Message,
    MessageRevision,
    Priority,
    Reason,
    Sender,
    Tag,
    Team,
    Ticket,
    Topic,
    User,
)
from tickets.pages import wording
from tickets.rendering import render_note, render_text

PAGE = 50
ALBUM_SPREAD = 20  # messages among which an album's parts are looked for: it has ten at most (Bot API, sendMediaGroup)
EVENTS_PER_PAGE = 200
GROUP_WITHIN = timedelta(minutes=10)

# What a person wants to read between messages; the rest of history is for the admin's eyes.
SHOWN_EVENTS = (
    Event.Kind.OPENED,
    Event.Kind.IMPORTED,
    Event.Kind.REVISED,
    Event.Kind.TAKEN,
    Event.Kind.ASSIGNED,
    Event.Kind.UNASSIGNED,
    Event.Kind.MOVED,
    Event.Kind.RESOLVED,
    Event.Kind.UNDONE,
    Event.Kind.REOPENED,
    Event.Kind.CLOSED,
    Event.Kind.SNOOZED,
    Event.Kind.WOKEN,
    Event.Kind.TOPIC,
    Event.Kind.PRIORITY,
    Event.Kind.TAGGED,
    Event.Kind.UNTAGGED,
    Event.Kind.STOPPED,
    Event.Kind.RETURNED,
    Event.Kind.MUTED,
    Event.Kind.UNMUTED,
)

ICONS: dict[str, str] = {
    ContentType.PHOTO: "i-image",
    ContentType.VIDEO: "i-play",
    ContentType.VIDEO_NOTE: "i-play",
    ContentType.ANIMATION: "i-image",
    ContentType.VOICE: "i-mic",
    ContentType.AUDIO: "i-mic",
    ContentType.STICKER: "i-image",
    ContentType.LIVE_PHOTO: "i-play",
    ContentType.CONTACT: "i-phone",
}


#: Kinds that are heard and not seen, whatever their file could hold.
SOUNDS = (ContentType.AUDIO, ContentType.VOICE)
PLACES = (ContentType.LOCATION, ContentType.VENUE)
#: Degrees, at the end of what a place says of itself.
COORDINATES = re.compile(r"(?P<lat>-?\d{1,2}(?:\.\d+)?), (?P<lon>-?\d{1,3}(?:\.\d+)?)\s*\Z")
MAP = "https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=17/{lat}/{lon}"


@dataclass(frozen=True)
class Day:
    """A heading over the messages of one day."""

    heading: str
    day: str
    kind: str = "day"


@dataclass(frozen=True)
class Fresh:
    """The line above what this person has not read yet."""

    kind: str = "fresh"


@dataclass(frozen=True)
class HistoryLine:
    """One line of history in words. `subject` is what it is about, `actor` who did it."""

    event: Event
    text: str
    subject: str
    actor: str
    kind: str = "event"

    @property
    def message_id(self) -> int | None:
        """The message whose words the customer changed."""
        return self.event.data.get("message") if self.event.kind == Event.Kind.REVISED else None


@dataclass(frozen=True)
class Mark:
    """What is known of a message's way to the customer: an icon with its meaning in words."""

    icon: str
    label: str
    pending: bool = False


@dataclass(frozen=True)
class Quote:
    """The message a bubble answers; without an id it is one this ticket does not hold, known by its words alone."""

    text: str
    name: str = ""
    message_id: int | None = None


@dataclass
class FilePart:
    """A file as a bubble shows it."""

    attachment: Attachment

    @property
    def is_ready(self) -> bool:
        return self.attachment.state == AttachmentState.READY

    @property
    def is_loading(self) -> bool:
        return self.attachment.state in (AttachmentState.PENDING, AttachmentState.FETCHING)

    @property
    def can_be_retried(self) -> bool:
        return self.attachment.state in (AttachmentState.FAILED, AttachmentState.GONE)

    @property
    def trouble(self) -> str:
        """Why there is no file, in words."""
        return self.attachment.reason or self.attachment.get_state_display()

    @property
    def shown_as(self) -> str:
        """The element a file becomes: image, video, audio or card. Only a type sniffed from the bytes is played."""
        media_type = self.attachment.sniffed_type
        if not self.is_ready or media_type not in INLINE_TYPES or self.attachment.kind == ContentType.DOCUMENT:
            return "card"
        # MP4 holds a sound alone as well as a film.
        return "audio" if self.attachment.kind in SOUNDS else media_type.partition("/")[0]

    @property
    def is_picture(self) -> bool:
        """Whether this file takes a picture's place in an album, loaded or not."""
        return self.shown_as in ("image", "video")

    @property
    def is_sticker(self) -> bool:
        return self.attachment.kind == ContentType.STICKER

    @property
    def is_round(self) -> bool:
        return self.attachment.kind == ContentType.VIDEO_NOTE

    @property
    def goes_round(self) -> bool:
        """Whether it begins anew when it has ended, and is silent, as Telegram plays it."""
        return self.attachment.kind in (ContentType.ANIMATION, ContentType.STICKER, ContentType.LIVE_PHOTO)

    @property
    def name(self) -> str:
        """Its file's name; of a sticker what it is and the emoji it stands for."""
        kind = str(self.attachment.get_kind_display())
        if self.is_sticker:
            return f"{kind} {self.attachment.file_name}".rstrip()
        return self.attachment.file_name or kind

    @property
    def icon(self) -> str:
        return ICONS.get(self.attachment.kind, "i-file")


@dataclass
class Bubble:
    """One message, or the several messages of one album, as the log shows it."""

    messages: list[Message]
    reader: User
    customer_name: str
    may_decide: bool
    first: bool = True
    kind: str = "message"
    editing: bool = False

    @property
    def message(self) -> Message:
        return self.messages[0]

    @property
    def last_id(self) -> int:
        return self.messages[-1].pk

    @property
    def other_ids(self) -> list[int]:
        """Ids of the album's other messages, so that links to them find their place."""
        return [message.pk for message in self.messages[1:]]

    @property
    def is_out(self) -> bool:
        return self.message.is_from_us

    @property
    def by(self) -> str:
        """Whose reply this is, where it is not the reader's own; how a customer's words came from elsewhere."""
        author, account = self.message.author, self.message.service_account
        if self.message.sender == Sender.SYSTEM:
            return _("Бот")
        if account is not None:
            return _("Через «%(name)s»") % {"name": account.name}
        if self.message.sender == Sender.CLIENT:
            return _("Записано со слов клиента: %(name)s") % {"name": author.display_name} if author else ""
        return author.display_name if author is not None and author.pk != self.reader.pk else ""

    @cached_property
    def html(self) -> SafeString:
        if self.message.sender == Sender.NOTE:
            return render_note(self.message.text)
        texts = [message for message in self.messages if message.text]
        return render_text(texts[0].text, texts[0].entities) if texts else SafeString("")

    @cached_property
    def more_html(self) -> list[SafeString]:
        """The captions of an album's other messages: rare, but never hidden."""
        texts = [message for message in self.messages if message.text]
        return [render_text(message.text, message.entities) for message in texts[1:]]

    @cached_property
    def files(self) -> list[FilePart]:
        return [FilePart(attachment) for message in self.messages for attachment in message.parts]

    @cached_property
    def pictures(self) -> list[FilePart]:
        return [part for part in self.files if part.is_picture]

    @cached_property
    def other_files(self) -> list[FilePart]:
        return [part for part in self.files if not part.is_picture]

    @property
    def ends_with_file(self) -> bool:
        """Whether the bubble is a card of a file alone: its time then stands in the card."""
        others = self.other_files
        return not self.html and bool(others) and others[-1].is_ready and others[-1].shown_as == "card"

    @property
    def named_kind(self) -> str:
        """The kind in words, of a message that has no file to show; also of one in an album beside others that have."""
        without = (each for each in self.messages if each.content_type != ContentType.TEXT and not each.parts)
        return next((each.content_label for each in without), "")

    @property
    def icon(self) -> str:
        return ICONS.get(self.message.content_type, "i-file")

    @property
    def map_url(self) -> str:
        """Where the place a message names is to be seen; empty where it names none."""
        place = COORDINATES.search(self.message.text) if self.message.content_type in PLACES else None
        return MAP.format(lat=place["lat"], lon=place["lon"]) if place else ""

    @property
    def edited(self) -> Message | None:
        """The message that was edited, of an album's the one edited last; `former_text` is what it said before."""
        edits = [(message.edited_at, message.pk, message) for message in self.messages if message.edited_at is not None]
        return max(edits)[2] if edits else None

    @property
    def delivery(self) -> Delivery | None:
        return getattr(self.message, "delivery", None)

    @property
    def state(self) -> str:
        """The state that colours the bubble and asks for a decision; empty where there is nothing to decide."""
        delivery = self.delivery
        return delivery.state if delivery is not None and delivery.needs_decision else ""

    @property
    def is_cancelled(self) -> bool:
        """Whether these words were taken back and never reached the customer."""
        return self.delivery is not None and self.delivery.state == DeliveryState.CANCELLED

    @property
    def trouble(self) -> str:
        """What happened to the delivery, in a sentence."""
        delivery = self.delivery
        if delivery is None or not delivery.needs_decision:
            return ""
        if delivery.state == DeliveryState.FAILED and delivery.reason:
            return str(Reason(delivery.reason).label)
        return _state_in_words(delivery)

    @property
    def mark(self) -> Mark | None:
        return mark_of(self.delivery) if self.delivery is not None else None

    @property
    def decided(self) -> str:
        """What a person decided about a message whose fate Telegram did not tell."""
        delivery = self.delivery
        if delivery is None or delivery.state != DeliveryState.UNKNOWN or not delivery.decision:
            return ""
        words = {Decision.ARRIVED: _("отмечено дошедшим"), Decision.RESENT: _("могло не дойти, повтор ниже")}
        return words[Decision(delivery.decision)]

    @property
    def can_be_changed(self) -> bool:
        """Whether this person may still edit or withdraw these words."""
        return self.may_decide and self.delivery is not None and self.delivery.can_be_changed

    @property
    def resent(self) -> bool:
        """Whether this message repeats one whose fate Telegram did not tell."""
        return self.message.resend_of_id is not None

    @cached_property
    def quote(self) -> Quote | None:
        quoted = self.message.quote
        if quoted is None:
            return Quote(self.message.quote_text) if self.message.quote_text else None
        return Quote(self.message.quote_text or quoted.preview, self._name_of(quoted), quoted.pk)

    def _name_of(self, message: Message) -> str:
        match message.sender:
            case Sender.CLIENT:
                return self.customer_name
            case Sender.SYSTEM:
                return _("Бот")
        if message.author_id == self.reader.pk:
            return _("Вы")
        return message.author.display_name if message.author is not None else ""


def mark_of(delivery: Delivery) -> Mark | None:
    """One tick, and only with Telegram's word for it; a clock while the message waits."""
    label = _state_in_words(delivery)
    match delivery.state:
        case DeliveryState.SENT:
            return Mark("i-tick", label)
        case DeliveryState.QUEUED | DeliveryState.SENDING | DeliveryState.HELD:
            return Mark("i-clock", label, pending=True)
        case DeliveryState.CANCELLED:
            return Mark("i-x", label, pending=True)
        case DeliveryState.UNKNOWN if delivery.decision:
            return None  # a person's decision is said in words: a tick is Telegram's alone
    return Mark("i-alert", label, pending=True)


def _state_in_words(delivery: Delivery) -> str:
    """Of one that came from a backup nobody can say that Telegram was silent."""
    if delivery.state == DeliveryState.UNKNOWN and delivery.reason == Reason.RESTORED:
        return str(Reason.RESTORED.label)
    return str(DeliveryState(delivery.state).label)


# What the messages of one album share: sender, Telegram's id of the group, or the message's own outside albums.
Album = tuple[str, str, int]

Line = Day | Fresh | HistoryLine | Bubble

# Names of things by what they are called in an event's data, and their id.
Names = dict[tuple[str, int], str]


@dataclass
class Conversation:
    """A stretch of a ticket's conversation, oldest line first."""

    lines: list[Line]
    messages: list[Message] = field(default_factory=list)
    last_event_id: int = 0
    older_than: int | None = None
    # Those lines that are later parts of an album whose bubble stands higher up.
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
        return Conversation(lines, found, _last_of(events), older_than=found[0].pk if has_older else None)

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
        lines: list[Line] = [self._history(event, names) for event in before]
        fresh_from = self._fresh_from(albums)
        day = None if previous is None else _day(previous)
        previous = None if before else previous
        for album, following in zip_longest(albums, albums[1:]):
            if _day(album[0]) != day:
                day = _day(album[0])
                lines.append(Day(wording.day_heading(day, self.now), day.isoformat()))
                previous = None
            lines += (self._history(event, names) for event in _taken(waiting, opened_by=album[0].pk))
            if album is fresh_from:
                lines.append(Fresh())
                previous = None
            lines.append(self._bubble(album, previous))
            followed = _taken(waiting, until=following[0].pk - 1) if following else []
            lines += (self._history(event, names) for event in followed)
            previous = None if followed else album[0]
        return [*lines, *(self._history(event, names) for event in waiting)]

    def _bubble(self, album: list[Message], previous: Message | None) -> Bubble:
        message = album[0]
        kinds = {Sender.NOTE: "note", Sender.SYSTEM: "said"}
        return Bubble(
            album,
            self.reader,
            self.ticket.customer.display_name,
            self.may_decide,
            first=previous is None or not _continues(previous, message),
            kind=kinds.get(Sender(message.sender), "message"),
            editing=message.pk == self.editing_id,
        )

    def _fresh_from(self, albums: Iterable[list[Message]]) -> list[Message] | None:
        """The first bubble with something of others this person has not seen, if anything before it has been."""
        if self.seen_id is None:
            return None
        return next((album for album in albums if any(self._is_unseen(message) for message in album)), None)

    def _is_unseen(self, message: Message) -> bool:
        is_new = message.pk > (self.seen_id or 0)
        return is_new and message.sender != Sender.SYSTEM and message.author_id != self.reader.pk

    def _history(self, event: Event, names: Names) -> HistoryLine:
        text, subject = _in_words(event, names, self.now)
        return HistoryLine(event, text, subject, _actor_of(event))


#: What decides whether a message joins the one before it.
STANDING_FIELDS = ("ticket", "sender", "author", "service_account", "media_group_id", "sent_at")
NAME_FIELDS = ("first_name", "last_name", "username")
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
    *(f"author__{name}" for name in NAME_FIELDS),
    "service_account__name",
    *(f"quote__{name}" for name in ("sender", "content_type", "text")),
    *(f"quote__author__{name}" for name in NAME_FIELDS),
    *(f"delivery__{name}" for name in ("lane", "state", "reason", "parts_sent", "decision")),
)


def messages_of(ticket: Ticket) -> "QuerySet[Message]":
    """A ticket's messages with all a bubble shows and no more, in two queries whatever their number."""
    former = MessageRevision.objects.filter(message=OuterRef("pk")).order_by("-pk").values("text")[:1]
    return (
        ticket.messages.select_related("author", "service_account", "quote", "quote__author", "delivery")
        .only(*MESSAGE_FIELDS)
        .prefetch_related(Prefetch("attachments", Attachment.objects.order_by("position", "pk"), to_attr="parts"))  # type: ignore[no-redef]
        .annotate(former_text=Subquery(former))
    )


def events_of(ticket: Ticket) -> "QuerySet[Event]":
    """The lines of a ticket's history its page shows."""
    return ticket.events.filter(kind__in=SHOWN_EVENTS).select_related("actor", "service_account").order_by("pk")


#: What the ids in an event's data are called there, and by which columns each is named.
NAMED: dict[str, tuple[type[Model], str, str, str]] = {
    "to": (User, *NAME_FIELDS),
    "topic": (Topic, "name", "name_kk", "name_en"),
    "tag": (Tag, "name", "", ""),
    "team": (Team, "name", "", ""),
}
#: What a kind of event says of the thing it names.
ABOUT = {
    Event.Kind.ASSIGNED: (gettext_lazy("Ответственный:"), "to"),
    Event.Kind.MOVED: (gettext_lazy("Команда:"), "team"),
    Event.Kind.TAGGED: (gettext_lazy("Метка:"), "tag"),
    Event.Kind.UNTAGGED: (gettext_lazy("Метка снята:"), "tag"),
}


def names_in(events: Iterable[Event]) -> Names:
    """The names these events speak of, since their data holds ids only; one query where there are any."""
    asked = {key: {int(event.data[key]) for event in events if event.data.get(key)} for key in NAMED}
    queries = [
        model._default_manager.filter(pk__in=asked[key])
        .order_by()
        .values_list(Value(key), "pk", *(F(column) if column else Value("") for column in columns))
        for key, (model, *columns) in NAMED.items()
        if asked[key]
    ]
    found = queries[0].union(*queries[1:], all=True) if queries else ()
    return {(key, pk): _joined_name(key, *columns) for key, pk, *columns in found}


def _joined_name(key: str, *columns: str) -> str:
    match key:
        case "to":
            first, last, login = columns
            return f"{first} {last}".strip() or login
        case "topic":
            name, name_kk, name_en = columns
            return Topic(name=name, name_kk=name_kk, name_en=name_en).label()
    return columns[0]


def _actor_of(event: Event) -> str:
    if event.service_account is not None:
        return _("через «%(name)s»") % {"name": event.service_account.name}
    return event.actor.display_name if event.actor is not None else ""


def _in_words(event: Event, names: Names, now: datetime) -> tuple[str, str]:
    """What happened, and whom or what it concerns."""
    kind = Event.Kind(event.kind)
    match kind:
        case Event.Kind.OPENED:
            return _opened(event, _name(event, names, "topic"))
        case Event.Kind.SNOOZED:
            until = parse_datetime(str(event.data.get("until", "")))
            return (_("Отложено, вернётся:"), wording.moment_in_words(until, now)) if until else (_("Отложено"), "")
        case Event.Kind.PRIORITY:
            return _("Приоритет:"), str(dict(Priority.choices).get(event.data.get("priority"), ""))
        case Event.Kind.TOPIC:
            return _("Тема:"), _name(event, names, "topic") or _("нет")
    if kind in ABOUT:
        heading, key = ABOUT[kind]
        return str(heading), _name(event, names, key)
    return event.get_kind_display(), ""


def _opened(event: Event, topic: str) -> tuple[str, str]:
    if _actor_of(event):
        return (_("Обращение создано, тема"), topic) if topic else (_("Обращение создано"), "")
    return (_("Обращение из Telegram, тема"), topic) if topic else (_("Обращение из Telegram"), "")


def _name(event: Event, names: Names, key: str) -> str:
    """The name of what stands in the event's data under `key`, or an empty string."""
    return names.get((key, int(event.data.get(key) or 0)), "")


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
