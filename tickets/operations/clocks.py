"""What time alone brings about. Each is called often, does what is due and says how much that was."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from tickets.models import REOPEN_WITHIN, Change, Event, Status, Ticket
from tickets.operations.acts import begin, lock_ticket
from tickets.operations.conversation import wake
from tickets.operations.handling import free_ticket_of_the_gone

CHANGES_LIVE = timedelta(hours=1)


def wake_snoozed(*, now: datetime | None = None) -> int:
    """Bring snoozed tickets whose time has come back to the queue."""
    moment = now or timezone.now()
    due = Ticket.objects.filter(snoozed_until__lte=moment).order_by("snoozed_until").values_list("pk", flat=True)
    return sum(_wake(ticket_id, moment) for ticket_id in list(due))


@transaction.atomic
def _wake(ticket_id: int, now: datetime) -> bool:
    ticket = lock_ticket(ticket_id)
    if ticket.snoozed_until is None or ticket.snoozed_until > now:
        return False
    wake(ticket)
    begin(ticket).record(Event.Kind.WOKEN)
    return True


def close_resolved(*, now: datetime | None = None) -> int:
    """Close tickets solved seven days ago: from now on a message opens a new one."""
    moment = now or timezone.now()
    due = Ticket.objects.filter(status=Status.RESOLVED, resolved_at__lte=moment - REOPEN_WITHIN)
    return sum(
        _close(ticket_id, moment) for ticket_id in list(due.order_by("resolved_at").values_list("pk", flat=True))
    )


@transaction.atomic
def _close(ticket_id: int, now: datetime) -> bool:
    ticket = lock_ticket(ticket_id)
    if ticket.status != Status.RESOLVED or ticket.can_reopen(now):
        return False
    ticket.status, ticket.closed_at = Status.CLOSED, now
    begin(ticket).record(Event.Kind.CLOSED)
    return True


def free_tickets_of_the_gone() -> int:
    """Return to the queue what a disabled person took in the very moment they were disabled."""
    abandoned = Ticket.objects.active().filter(assignee__is_active=False).values_list("pk", flat=True)
    return sum(free_ticket_of_the_gone(ticket_id) for ticket_id in list(abandoned))


@transaction.atomic
def mark_gap(*, ticket_id: int, since: datetime, until: datetime) -> None:
    """Say in a ticket at work that what its customer wrote between these moments may never have come."""
    ticket = lock_ticket(ticket_id)
    if ticket.is_active:
        begin(ticket).record(Event.Kind.GAP, since=since.isoformat(), until=until.isoformat())


def prune_changes(*, now: datetime | None = None) -> int:
    """Drop Changes older than an hour: there is no replay, pages ask for what they missed."""
    deleted, _rows = Change.objects.filter(created_at__lt=(now or timezone.now()) - CHANGES_LIVE).delete()
    return deleted
