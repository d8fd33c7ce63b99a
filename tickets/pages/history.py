"""A ticket's history as lines between the bubbles: what happened, to whom or what, and who did it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Model, QuerySet, Value
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tickets.models import Event, Priority, Tag, Team, Ticket, Topic, User
from tickets.pages import wording

#: What a person wants to read between messages; the rest of history is for the admin's eyes.
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
    Event.Kind.GAP,
)
NAME_FIELDS = ("first_name", "last_name", "username")
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
#: Names of things by what they are called in an event's data, and their id.
Names = dict[tuple[str, int], str]


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


def events_of(ticket: Ticket) -> "QuerySet[Event]":
    """The lines of a ticket's history its page shows."""
    return ticket.events.filter(kind__in=SHOWN_EVENTS).select_related("actor", "service_account").order_by("pk")


def history_line(event: Event, names: Names, now: datetime) -> HistoryLine:
    """An event as a line, with the names of what it speaks of (`names_in`)."""
    text, subject = _in_words(event, names, now)
    return HistoryLine(event, text, subject, _actor_of(event))


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
            return (_("Отложено, вернётся:"), wording.moment_by_date(until, now)) if until else (_("Отложено"), "")
        case Event.Kind.PRIORITY:
            return _("Приоритет:"), str(dict(Priority.choices).get(event.data.get("priority"), ""))
        case Event.Kind.TOPIC:
            return _("Тема:"), _name(event, names, "topic") or _("нет")
    if kind in ABOUT:
        heading, key = ABOUT[kind]
        return str(heading), _name(event, names, key)
    return event.get_kind_display(), _stretch(event) if kind == Event.Kind.GAP else ""


def _opened(event: Event, topic: str) -> tuple[str, str]:
    if _actor_of(event):
        return (_("Обращение создано, тема"), topic) if topic else (_("Обращение создано"), "")
    return (_("Обращение из Telegram, тема"), topic) if topic else (_("Обращение из Telegram"), "")


def _stretch(event: Event) -> str:
    """«26 ноября 10:00 – 27 ноября 18:00»."""
    moments = (parse_datetime(str(event.data.get(name, ""))) for name in ("since", "until"))
    return " – ".join(wording.exact_moment(moment) for moment in moments if moment is not None)


def _name(event: Event, names: Names, key: str) -> str:
    """The name of what stands in the event's data under `key`, or an empty string."""
    return names.get((key, int(event.data.get(key) or 0)), "")
