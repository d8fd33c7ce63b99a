"""What an account left behind, for a supervisor who has to know what its holder, or a thief, has seen and done."""

from collections.abc import Iterable
from dataclasses import dataclass

from axes.models import AccessLog
from django.contrib.admin.models import LogEntry

from tickets.models import ApiSession, Draft, Event, Message, SignIn, Ticket, TicketReader, User

#: Lines of each list, the newest first.
SHOWN = 200


@dataclass(frozen=True)
class Work:
    """How much of everything an account holds now."""

    active: int
    snoozed: int
    drafts: int
    browsers: int
    programs: int


@dataclass(frozen=True)
class Trail:
    """The rows that name this account. What leaves no row is told on the page itself."""

    sign_ins: Iterable[AccessLog]
    programs: Iterable[ApiSession]
    opened: Iterable[TicketReader]
    revealed: Iterable[Event]
    sent: Iterable[Message]
    acts: Iterable[Event]
    in_admin: Iterable[LogEntry]


def work_of(user: User) -> Work:
    """What locking this account would end and hand over."""
    active = Ticket.objects.filter(assignee=user).active()
    return Work(
        active=active.count(),
        snoozed=active.filter(snoozed_until__isnull=False).count(),
        drafts=Draft.objects.filter(user=user).exclude(text="").count(),
        browsers=SignIn.objects.of(user).count(),
        programs=sum(session.is_good for session in user.api_sessions.filter(ended_at__isnull=True)),
    )


def trail_of(user: User) -> Trail:
    """The newest of what this account opened, revealed, sent and changed."""
    events = Event.objects.filter(actor=user).select_related("ticket").order_by("-pk")
    messages = Message.objects.filter(author=user).select_related("ticket", "delivery").order_by("-pk")
    opened = TicketReader.objects.filter(user=user).select_related("ticket").order_by("-seen_message_id", "-ticket_id")
    return Trail(
        sign_ins=AccessLog.objects.filter(username=user.username).order_by("-attempt_time")[:SHOWN],
        programs=user.api_sessions.order_by("-pk")[:SHOWN],
        opened=opened[:SHOWN],
        revealed=events.filter(kind__in=[Event.Kind.PHONE_SHOWN, Event.Kind.CARD_SHOWN])[:SHOWN],
        sent=messages[:SHOWN],
        acts=events[:SHOWN],
        in_admin=LogEntry.objects.filter(user=user).select_related("content_type").order_by("-pk")[:SHOWN],
    )
