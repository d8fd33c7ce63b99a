"""What every act on a ticket shares: the locked row, the rights asked again, one Event, one Change, one ring."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from tickets import access
from tickets.log_context import request_id
from tickets.models import Change, Event, Message, ServiceAccount, Ticket, User
from tickets.operations.errors import NotAllowed, NotVisible, Unseen
from tickets.operations.seen import Seen

CHANGES_CHANNEL = "helpdesk_changes"
OUTBOX_CHANNEL = "helpdesk_outbox"


@dataclass
class Act:
    """One act on one ticket whose row is locked until the transaction ends: a person's, a program's or nobody's."""

    ticket: Ticket
    actor: User | None = None
    service_account: ServiceAccount | None = None
    _audience_before: set[str] = field(default_factory=set)

    def record(
        self, kind: Event.Kind, *, change: Change.Kind = Change.Kind.HEAD, message: Message | None = None, **data: Any
    ) -> Event:
        """Save the ticket one version further, write its Event and the Change that wakes open pages.

        `data` holds ids and enums only: history must not keep the customer's words. The request that caused the act is
        one of them, so that whoever sends a reply later can name it in the log.
        """
        self._save_next_version()
        event = self._event(kind, self._last_message_id(), message, data)
        event.save(force_insert=True)
        announce(self.ticket, change, message=message, before=self._audience_before)
        return event

    def record_each(self, kind: Event.Kind, messages: Sequence[Message], *, change: Change.Kind, **data: Any) -> None:
        """As `record` of each message, in as few queries as of one: the ticket goes a version further for each."""
        self._save_next_version(len(messages))
        after = self._last_message_id()
        Event.objects.bulk_create([self._event(kind, after, message, data) for message in messages])
        audience = sorted(access.audience(self.ticket))
        version = self.ticket.version
        ring_all(
            [
                Change(ticket=self.ticket, message=message, version=version, kind=change, audience=audience)
                for message in messages
            ]
        )

    def _save_next_version(self, steps: int = 1) -> None:
        self.ticket.version += steps
        self.ticket.updated_at = timezone.now()
        self.ticket.save()

    def _last_message_id(self) -> int | None:
        """Notes and the bot's sentences count too, though the queue's row does not show them as the last word."""
        return self.ticket.messages.order_by("-pk").values_list("pk", flat=True).first()

    def _event(self, kind: Event.Kind, after: int | None, message: Message | None, data: dict[str, Any]) -> Event:
        about = {"message": message.pk} if message is not None else {}
        request = request_id.get()
        return Event(
            ticket=self.ticket,
            kind=kind,
            actor=self.actor,
            service_account=self.service_account,
            after_message_id=after,
            data={**data, **about, **({"request": request} if request else {})},
        )


def begin(ticket: Ticket, actor: User | None = None, *, service_account: ServiceAccount | None = None) -> Act:
    """An act on a ticket just made or already locked by this transaction."""
    # Nobody stops following by an act: only who saw the ticket by right can lose it.
    before = access.audience_by_right(ticket)
    return Act(ticket=ticket, actor=actor, service_account=service_account, _audience_before=before)


def lock_ticket(ticket_id: int) -> Ticket:
    """The ticket's row, locked until the transaction ends (SQLite locks the whole file instead).

    :raises NotVisible: there is no such ticket.
    """
    # Two queries: one that locked and joined at once would, after waiting for another transaction, give the ticket as
    # it is now beside its assignee as that was before (PostgreSQL re-reads only the locked row).
    if not Ticket.objects.select_for_update().filter(pk=ticket_id).values_list("pk", flat=True):
        raise NotVisible
    return Ticket.objects.select_related("customer", "team", "assignee", "topic").get(pk=ticket_id)


@contextmanager
def acting(
    ticket_id: int,
    *,
    actor: User,
    may: Callable[[User, Ticket], bool],
    seen: Seen | None = None,
    sees: Callable[[User, Ticket], bool] = access.can_see,
) -> Iterator[Act]:
    """Run the body as one act of `actor`: one transaction, the row locked, rights asked inside the lock.

    `seen` is how far the actor has read; None asks for no guard. `sees` is for acts that do nothing anew and show
    nothing of the ticket.

    :raises NotVisible: the actor does not see the ticket.
    :raises NotAllowed: the actor sees it but may not do this.
    :raises Unseen: others wrote, or the customer changed what was written, after `seen`.
    """
    with transaction.atomic():
        ticket = lock_ticket(ticket_id)
        if not sees(actor, ticket):
            raise NotVisible
        if not may(actor, ticket):
            raise NotAllowed
        refuse_unseen(ticket, actor, seen)
        yield begin(ticket, actor)


def refuse_unseen(ticket: Ticket, actor: User, seen: Seen | None) -> None:
    """Stop an act done over words its actor has not read.

    :raises Unseen: with the new messages and the changed ones.
    """
    if seen is None:
        return
    missed = list(Message.objects.filter(ticket=ticket).unseen_since(seen.message, actor.pk))
    edits = [] if seen.event is None else list(ticket.events.filter(kind=Event.Kind.REVISED, pk__gt=seen.event))
    revised = ticket.messages.filter(pk__in={edit.data["message"] for edit in edits}, pk__lte=seen.message)
    if missed or revised:
        last_edit = max((edit.pk for edit in edits), default=None)
        read_to = seen.further(Seen(missed[-1].pk if missed else 0, last_edit))
        raise Unseen(missed, list(revised.order_by("pk")), read_to)


def announce(
    ticket: Ticket, kind: Change.Kind, *, message: Message | None = None, before: set[str] | None = None
) -> Change:
    """Write the Change open pages listen for, addressed to those who see the ticket now and those who just lost it."""
    now_visible_to = access.audience(ticket)
    return ring(
        Change(
            ticket=ticket,
            message=message,
            version=ticket.version,
            kind=kind,
            audience=sorted(now_visible_to),
            lost=sorted((before or set()) - now_visible_to),
        )
    )


def ring(change: Change) -> Change:
    """Save a Change and, on PostgreSQL, notify its id; the notification leaves with the commit, never before it.

    On SQLite the listeners see the commit itself (`PRAGMA data_version`).
    """
    change.save(force_insert=True)
    notify(CHANGES_CHANNEL, str(change.pk))
    return change


def ring_all(changes: Sequence[Change]) -> None:
    """As `ring`, for many in two queries."""
    saved = Change.objects.bulk_create(changes)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            ids = [change.pk for change in saved]
            cursor.execute("SELECT pg_notify(%s, id::text) FROM unnest(%s::bigint[]) AS id", [CHANGES_CHANNEL, ids])


def notify(channel: str, payload: str = "") -> None:
    """Ring a PostgreSQL doorbell with the current transaction's commit."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
