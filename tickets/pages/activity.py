"""What one account has done lately, for a supervisor who lets somebody go or learns of a stolen password."""

from collections import Counter
from dataclasses import dataclass

from django.contrib.admin.models import LogEntry

from tickets.models import ApiSession, DeskSession, Draft, Event, Ticket, TicketReader, User

#: How many of the last acts are looked through, and how many lines of each list are shown.
LOOKED_THROUGH = 1000
SHOWN = 50


@dataclass(frozen=True)
class Activity:
    """`acts`: how many of each kind among the last `LOOKED_THROUGH`, the most frequent first. Lists are newest first.

    Which pages were opened without marking anything as read, and what was copied from them, no row says.
    """

    person: User
    acts: list[tuple[str, int]]
    since: Event | None
    phones: list[Event]
    acted_on: list[Event]
    read: list[TicketReader]
    owned: list[Ticket]
    drafts: list[Draft]
    admin: list[LogEntry]
    devices: list[DeskSession]
    programs: list[ApiSession]


def activity_of(person: User) -> Activity:
    """What the rows say of this person."""
    events = list(Event.objects.filter(actor=person).select_related("ticket").order_by("-pk")[:LOOKED_THROUGH])
    counts = Counter(event.get_kind_display() for event in events)
    last_on_ticket = {event.ticket_id: event for event in reversed(events)}
    acted_on = sorted(last_on_ticket.values(), key=lambda event: -event.pk)
    readers = TicketReader.objects.filter(user=person, seen_message__isnull=False).select_related("ticket")
    return Activity(
        person=person,
        acts=counts.most_common(),
        since=events[-1] if events else None,
        phones=[event for event in events if event.kind == Event.Kind.PHONE_SHOWN][:SHOWN],
        acted_on=acted_on[:SHOWN],
        read=list(readers.order_by("-seen_message")[:SHOWN]),
        owned=list(Ticket.objects.active().filter(assignee=person).order_by("pk")[:SHOWN]),
        drafts=list(
            Draft.objects.filter(user=person).exclude(text="").select_related("ticket").order_by("-pk")[:SHOWN]
        ),
        admin=list(LogEntry.objects.filter(user=person).select_related("content_type").order_by("-pk")[:SHOWN]),
        devices=list(DeskSession.objects.of(person)),
        programs=list(ApiSession.objects.good_of(person)),
    )
