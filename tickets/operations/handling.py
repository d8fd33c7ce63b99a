"""Who answers, and how a question comes to its end: take, assign, resolve, reopen, snooze, sort."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.models import ACTIVE, Event, Priority, Status, Tag, Team, Ticket, Topic, User
from tickets.operations.acts import Act, acting, begin, lock_ticket
from tickets.operations.conversation import put_back_to_work, unanswered_since, wake
from tickets.operations.errors import Invalid, WrongState
from tickets.operations.outgoing import cancel_solved_notice, is_solved_unsaid, say_solved
from tickets.operations.seen import Seen

MAX_SNOOZE = timedelta(days=366)
MAX_TAG = 40
TOO_LATE = _("Вернуть в работу можно решённое обращение, в течение семи дней.")


def take(*, ticket_id: int, actor: User, seen: Seen | None = None) -> Ticket:
    """Become responsible: for a free ticket, or for a colleague's while that colleague is away."""
    with acting(ticket_id, actor=actor, may=access.can_take, seen=seen) as act:
        mark_taken(act)
        return act.ticket


def mark_taken(act: Act, **data: Any) -> None:
    """Make the actor responsible, within an act already begun; `data` goes into its Event."""
    ticket, before = act.ticket, act.ticket.assignee_id
    ticket.assignee = act.actor
    if ticket.status == Status.NEW:
        ticket.status = Status.OPEN
    act.record(Event.Kind.TAKEN, was=before, **data)


@transaction.atomic
def take_next(*, actor: User, client_id: uuid.UUID | None = None) -> Ticket | None:
    """Take the free ticket whose customer has waited longest in the actor's teams; where nobody waits, the one
    longest silent that is free all the same. None where there is none.

    Two people pressing at once get two tickets: a row another transaction holds is passed over. One person pressing
    twice, with the same `client_id`, gets one.
    """
    press = {"client_id": str(client_id)} if client_id is not None else {}
    if press:
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # the second press waits here for the first
        pressed_before = Event.objects.filter(
            ticket=OuterRef("pk"), kind=Event.Kind.TAKEN, actor=actor, data__client_id=press["client_id"]
        )
        taken = Ticket.objects.active().filter(Exists(pressed_before), assignee=actor).first()
        if taken is not None:
            return taken
    free = Ticket.objects.filter(status__in=ACTIVE, assignee__isnull=True, snoozed_until__isnull=True)
    if not access.is_supervisor(actor):
        free = free.filter(team__in=actor.team_ids)
    unheld = free.select_for_update(of=("self",), skip_locked=True)
    waiting = unheld.filter(waiting_since__isnull=False).order_by("waiting_since", "pk")
    # As `ticket_queue_resting` has them: by their keys the walk would pass every ticket ever solved.
    resting = unheld.filter(waiting_since__isnull=True).order_by("last_message_at", "pk")
    candidate = waiting.first() or resting.first()
    if candidate is None:
        return None
    with acting(candidate.pk, actor=actor, may=access.can_take) as act:
        mark_taken(act, **press)
        return act.ticket


def assign(*, ticket_id: int, actor: User, assignee_id: int | None, seen: Seen | None = None) -> Ticket:
    """Hand the ticket to a member of its team, or back to the queue with None.

    :raises Invalid: this person cannot be made responsible for it.
    """
    with acting(ticket_id, actor=actor, may=access.can_assign, seen=seen) as act:
        ticket, before = act.ticket, act.ticket.assignee_id
        ticket.assignee = _assignee(ticket, assignee_id)
        if ticket.assignee_id == before:
            return ticket
        if ticket.assignee is None:
            act.record(Event.Kind.UNASSIGNED, was=before)
            return ticket
        if ticket.status == Status.NEW:
            ticket.status = Status.OPEN
        act.record(Event.Kind.ASSIGNED, was=before, to=ticket.assignee.pk)
        return ticket


def _assignee(ticket: Ticket, assignee_id: int | None) -> User | None:
    if assignee_id is None:
        return None
    assignee = User.objects.filter(pk=assignee_id).first()
    if assignee is None or not access.can_be_assigned(assignee, ticket):
        raise Invalid("assignee", _("Передать можно только действующему участнику команды этого обращения."))
    return assignee


def move_to_team(*, ticket_id: int, actor: User, team_id: int, seen: Seen | None = None) -> Ticket:
    """Give the ticket to another team, for supervisors. A responsible person outside it lets go.

    :raises Invalid: there is no such team at work.
    """
    with acting(ticket_id, actor=actor, may=lambda user, _ticket: access.is_supervisor(user), seen=seen) as act:
        team = Team.objects.filter(pk=team_id, retired_at__isnull=True).first()
        if team is None:
            raise Invalid("team", _("Такой команды нет."))
        act.ticket.team = team
        if act.ticket.assignee is not None and not access.can_be_assigned(act.ticket.assignee, act.ticket):
            act.ticket.assignee = None
        act.record(Event.Kind.MOVED, team=team.pk)
        return act.ticket


def resolve(*, ticket_id: int, actor: User, seen: Seen | None = None) -> Ticket:
    """Call the question solved. The customer hears of it after eight seconds, in which it can be undone.

    :raises WrongState: it is solved already.
    """
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        if not act.ticket.is_active:
            raise WrongState(_("Обращение уже решено."))
        mark_resolved(act)
        return act.ticket


def mark_resolved(act: Act) -> None:
    """Solve the ticket within an act already begun; the Event keeps what an undo must bring back."""
    ticket = act.ticket
    was = {
        "status": ticket.status,
        "waiting_since": ticket.waiting_since and ticket.waiting_since.isoformat(),
        "snoozed_until": ticket.snoozed_until and ticket.snoozed_until.isoformat(),
    }
    ticket.status = Status.RESOLVED
    ticket.resolved_at = timezone.now()
    ticket.waiting_since = None
    wake(ticket)
    act.record(Event.Kind.RESOLVED, was=was)
    say_solved(act)


def undo_resolve(*, ticket_id: int, actor: User, seen: Seen | None = None) -> Ticket:
    """Take back «Решить» while the customer has not heard of it.

    :raises WrongState: the message has left, and the ticket can still be reopened; or it is closed for good.
    """
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        ticket = act.ticket
        resolved = ticket.events.filter(kind=Event.Kind.RESOLVED).order_by("-pk").first()
        if ticket.is_active:
            raise WrongState(_("Обращение уже снова в работе."))
        if not ticket.can_reopen(timezone.now()):
            raise WrongState(TOO_LATE)
        if resolved is None or not (cancel_solved_notice(ticket) or is_solved_unsaid(ticket)):
            raise WrongState(_("Клиенту уже написали, что вопрос решён. Верните обращение в работу."))
        was = resolved.data["was"]
        ticket.status = was["status"]
        ticket.waiting_since = was["waiting_since"] and parse_datetime(was["waiting_since"])
        ticket.snoozed_until = was["snoozed_until"] and parse_datetime(was["snoozed_until"])
        ticket.resolved_at = None
        act.record(Event.Kind.UNDONE)
        return ticket


def reopen(*, ticket_id: int, actor: User, seen: Seen | None = None) -> Ticket:
    """Bring a solved ticket back to work.

    :raises WrongState: it is at work, or closed for good.
    """
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        if not act.ticket.can_reopen(timezone.now()):
            raise WrongState(TOO_LATE)
        cancel_solved_notice(act.ticket)
        put_back_to_work(act.ticket)
        act.ticket.waiting_since = unanswered_since(act.ticket)
        act.record(Event.Kind.REOPENED)
        return act.ticket


def snooze(*, ticket_id: int, actor: User, until: datetime, seen: Seen | None = None) -> Ticket:
    """Put the ticket away until a moment in the future; a message from the customer wakes it earlier.

    :raises Invalid: the moment is past or more than a year away.
    :raises WrongState: it is solved.
    """
    check_snooze(until)
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        if not act.ticket.is_active:
            raise WrongState(_("Обращение решено, откладывать нечего."))
        act.ticket.snoozed_until = until
        act.record(Event.Kind.SNOOZED, until=until.isoformat())
        return act.ticket


def check_snooze(until: datetime | None) -> None:
    """Refuse a moment nobody can wait for."""
    now = timezone.now()
    if until is None or not now < until <= now + MAX_SNOOZE:
        raise Invalid("snooze_until", _("Выберите время в будущем, не дальше года."))


def unsnooze(*, ticket_id: int, actor: User, seen: Seen | None = None) -> Ticket:
    """Bring a snoozed ticket back to the queue by hand."""
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        wake(act.ticket)
        act.record(Event.Kind.WOKEN)
        return act.ticket


def set_topic(*, ticket_id: int, actor: User, topic_id: int | None, seen: Seen | None = None) -> Ticket:
    """Say what the question is about. The team never changes by itself.

    :raises Invalid: there is no such topic in use.
    """
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        topic = Topic.objects.filter(pk=topic_id, retired_at__isnull=True).first() if topic_id is not None else None
        if topic_id is not None and topic is None:
            raise Invalid("topic", _("Такой темы нет."))
        if act.ticket.topic == topic:
            return act.ticket
        act.ticket.topic = topic
        act.record(Event.Kind.TOPIC, topic=topic and topic.pk)
        return act.ticket


def set_priority(*, ticket_id: int, actor: User, priority: Priority, seen: Seen | None = None) -> Ticket:
    """Say how urgent it is."""
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        if act.ticket.priority == priority:
            return act.ticket
        act.ticket.priority = priority
        act.record(Event.Kind.PRIORITY, priority=priority.value)
        return act.ticket


def add_tag(*, ticket_id: int, actor: User, name: str, seen: Seen | None = None) -> Tag:
    """Put a tag on the ticket, making the word where it is new.

    :raises Invalid: the name is empty or longer than 40 characters.
    """
    name = Tag.normal_form(name)
    if not 0 < len(name) <= MAX_TAG:
        raise Invalid("tag", _("Назовите метку: от 1 до 40 знаков."))
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        tag, _created = Tag.objects.get_or_create(name=name)
        if act.ticket.tags.filter(pk=tag.pk).exists():
            return tag
        act.ticket.tags.add(tag)
        act.record(Event.Kind.TAGGED, tag=tag.pk)
        return tag


def remove_tag(*, ticket_id: int, actor: User, tag_id: int, seen: Seen | None = None) -> Ticket:
    """Take a tag off the ticket."""
    with acting(ticket_id, actor=actor, may=access.can_work_on, seen=seen) as act:
        if not act.ticket.tags.filter(pk=tag_id).exists():
            return act.ticket
        act.ticket.tags.remove(tag_id)
        act.record(Event.Kind.UNTAGGED, tag=tag_id)
        return act.ticket


@transaction.atomic
def free_ticket_of_the_gone(ticket_id: int, *, actor: User | None = None) -> bool:
    """Return a ticket whose responsible person is disabled to the queue; False where that is not so any more."""
    ticket = lock_ticket(ticket_id)
    if ticket.assignee is None or ticket.assignee.is_active or not ticket.is_active:
        return False
    act = begin(ticket, actor)
    was, ticket.assignee = ticket.assignee_id, None
    act.record(Event.Kind.UNASSIGNED, was=was)
    return True
