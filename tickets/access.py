"""The permission matrix, once (DESIGN.md keeps the table; `helpdesk/tests/test_access.py` holds every row).

Two questions are answered here and nowhere else: which tickets a person sees (`visible_to`, a `Q` for sets) and what
a person may do with one of them (a predicate per act). Not visible is answered with 404, visible but not allowed with
403. Operations ask again inside the act, so that no page, API or admin action can go around.

A program with a service account is no person: it sees what is the customer's whom it names, as that customer would.
"""

from dataclasses import dataclass
from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from tickets.models import (
    MANAGERS,
    PAST,
    SUPERVISORS,
    DeliveryState,
    Event,
    Message,
    Scope,
    Sender,
    ServiceAccount,
    Team,
    Ticket,
    TicketReader,
    User,
)

NOBODY = Q(pk__in=[])
SUPERVISORS_TOKEN = "supervisors"  # noqa: S105  # an audience, not a secret
#: What of a ticket's history its customer may know, besides that a message of ours has arrived.
CUSTOMERS_EVENTS = (
    Event.Kind.OPENED,
    Event.Kind.RECEIVED,
    Event.Kind.REVISED,
    Event.Kind.TOPIC,
    Event.Kind.RESOLVED,
    Event.Kind.UNDONE,
    Event.Kind.REOPENED,
    Event.Kind.CLOSED,
)
#: What has left for the customer: all else may still be changed or taken back.
DEPARTED = (DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.UNKNOWN)


@dataclass(frozen=True)
class Program:
    """A service account in one call, speaking for the customer with this Telegram user id."""

    account: ServiceAccount
    telegram_user_id: int

    is_authenticated: ClassVar[bool] = True

    def may(self, scope: Scope) -> bool:
        return self.account.is_good and scope in self.account.scopes


Caller = User | AnonymousUser | Program


def is_supervisor(user: User | AnonymousUser) -> bool:
    return isinstance(user, User) and user.is_active and (user.is_superuser or SUPERVISORS in user.group_names)


def is_manager(user: User | AnonymousUser) -> bool:
    return isinstance(user, User) and user.is_active and MANAGERS in user.group_names


def may_enter(user: User | AnonymousUser) -> bool:
    """Whether this person works here: the desk opens for managers and supervisors."""
    return is_manager(user) or is_supervisor(user)


def people_at_work() -> QuerySet[User]:
    """Everyone who may enter, for lists of people to hand work to."""
    of_our_groups = Exists(
        User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=[MANAGERS, SUPERVISORS])
    )
    return User.objects.filter(Q(is_superuser=True) | of_our_groups, is_active=True)


def visible_to(user: Caller) -> Q:
    """A filter for `Ticket` rows this person may see, or this program: the named customer's."""
    if isinstance(user, Program):
        return Q(customer__telegram_user_id=user.telegram_user_id)
    if is_supervisor(user) or not isinstance(user, User) or not is_manager(user):
        return active_visible_to(user)
    of_customers_i_see = Q(
        Exists(Ticket.objects.filter(_of_teams(user), customer=OuterRef("customer")).exclude(pk=OuterRef("pk")))
    )
    past = Q(status__in=PAST, team__is_strict=False) & of_customers_i_see
    return active_visible_to(user) | past


def active_visible_to(user: User | AnonymousUser) -> Q:
    """`visible_to` for active tickets alone: the rule about past ones would be most of what a queue costs."""
    if is_supervisor(user):
        return Q()
    if not isinstance(user, User) or not is_manager(user):
        return NOBODY
    followed = Q(Exists(TicketReader.objects.filter(ticket=OuterRef("pk"), user=user, follows=True)))
    return _of_teams(user) | followed


def _of_teams(user: User) -> Q:
    of_open_teams = Q(team__in=user.team_ids, team__is_strict=False)
    free_in_strict_teams = Q(team__in=user.team_ids, assignee__isnull=True)
    return of_open_teams | free_in_strict_teams | Q(assignee=user)


def sees_by_right(user: User | Program, ticket: Ticket) -> bool:
    """Whether this person sees this one ticket as a supervisor, its assignee or one of its team; asks no query.

    Others may see it all the same: who follows it, or knows its customer (`can_see`).
    """
    if not isinstance(user, User) or is_supervisor(user):
        return isinstance(user, User)
    is_open_to_team = not ticket.team.is_strict or ticket.assignee_id is None
    is_of_team = ticket.team_id in user.team_ids and is_open_to_team
    return is_manager(user) and (ticket.assignee_id == user.pk or is_of_team)


def visible_messages(caller: Caller) -> Q:
    """A filter for `Message` rows of a visible ticket: all for people; what the customer has written or been sent.

    A program never sees a note, nor a reply that its author can still take back or that was deleted again. An imported
    reply left from the earlier system, and has no delivery here.
    """
    if not isinstance(caller, Program):
        return Q()
    departed = Q(delivery__isnull=True) | Q(delivery__state__in=DEPARTED) | Q(delivery__parts_sent__gt=0)
    ours = Q(sender__in=[Sender.MANAGER, Sender.SYSTEM], deleted_at__isnull=True)
    return Q(sender=Sender.CLIENT) | (ours & departed)


def visible_events(caller: Caller) -> Q:
    """A filter for `Event` rows of a visible ticket: all for people; what the customer may know for a program."""
    if not isinstance(caller, Program):
        return Q()
    arrived = Q(kind=Event.Kind.DELIVERY, data__state=DeliveryState.SENT.value)
    return Q(kind__in=CUSTOMERS_EVENTS) | arrived


def can_see(user: User | Program, ticket: Ticket) -> bool:
    """Whether this person or program sees this one ticket, by the same rule as the set.

    What most often lets a person see it needs no query.
    """
    return sees_by_right(user, ticket) or Ticket.objects.filter(visible_to(user), pk=ticket.pk).exists()


def can_take(user: User, ticket: Ticket) -> bool:
    """Unassigned in own teams, or a colleague's while that colleague is offline or disabled."""
    if is_supervisor(user):
        return ticket.assignee_id != user.pk
    if not is_manager(user) or ticket.team_id not in user.team_ids or ticket.assignee_id == user.pk:
        return False
    return ticket.assignee is None or not ticket.assignee.is_around(timezone.now())


def can_work_on(user: User, ticket: Ticket) -> bool:
    """Reply, resolve, reopen, snooze, set topic, tags and priority: the assignee's; supervisors' everywhere."""
    return is_supervisor(user) or (is_manager(user) and ticket.assignee_id == user.pk)


def can_reply(user: User, ticket: Ticket) -> bool:
    """The assignee, or anyone of the team where nobody is assigned: replying takes the ticket."""
    free_in_own_team = ticket.assignee_id is None and is_manager(user) and ticket.team_id in user.team_ids
    return can_work_on(user, ticket) or free_in_own_team


def can_note(user: User, ticket: Ticket) -> bool:
    """Any ticket this person sees; the caller has asked `can_see`."""
    return may_enter(user)


def can_assign(user: User, ticket: Ticket) -> bool:
    """Their own, to a member of the ticket's team or back to the queue."""
    return can_work_on(user, ticket)


def can_be_assigned(user: User, ticket: Ticket) -> bool:
    """Whether `user` may be made responsible: an active member of the ticket's team, or a supervisor."""
    return is_supervisor(user) or (is_manager(user) and ticket.team_id in user.team_ids)


def can_decide(user: User, message: Message) -> bool:
    """Edit, withdraw, delete, release, confirm or resend a reply: the ticket's assignee; supervisors everywhere."""
    return message.ticket is not None and can_work_on(user, message.ticket)


def may_enter_by_hand(user: User) -> bool:
    """Whether this person may take down in a customer's name what was said elsewhere."""
    return is_supervisor(user)


def may_set_pending_media(actor: User | Program) -> bool:
    """Whether this person or program may say which albums of a chat are still on their way."""
    return program_may(actor, Scope.SESSIONS_WRITE) if isinstance(actor, Program) else is_supervisor(actor)


def program_may(program: Program, scope: Scope) -> bool:
    """Whether the account still has this right: it may have been revoked or narrowed since the call came in."""
    account = ServiceAccount.objects.filter(pk=program.account.pk).first()
    return account is not None and Program(account, program.telegram_user_id).may(scope)


def may_mute(user: User) -> bool:
    """Whether this person may silence a customer, and let them be heard again."""
    return is_supervisor(user)


def audience(ticket: Ticket) -> set[str]:
    """Tokens of those who see an active ticket, for the live stream; `audiences_of` gives a person's own tokens.

    Past tickets of a known customer are visible too, but no stream follows them: those pages are read again on focus.
    """
    followers = ticket.readers.filter(follows=True).values_list("user_id", flat=True)
    return audience_by_right(ticket) | {user_token(user_id) for user_id in followers}


def audience_by_right(ticket: Ticket) -> set[str]:
    """The tokens of those who see an active ticket whether they follow it or not. Asks no query."""
    tokens = {SUPERVISORS_TOKEN}
    if ticket.assignee_id is None or not ticket.team.is_strict:
        tokens.add(team_token(ticket.team))
    if ticket.assignee_id is not None:
        tokens.add(user_token(ticket.assignee_id))
    return tokens


def audiences_of(user: User) -> frozenset[str]:
    """The tokens whose changes this person may hear of; empty for those who may not enter."""
    if not may_enter(user):
        return frozenset()
    tokens = {user_token(user.pk)}
    if is_manager(user):
        tokens |= {f"team:{team_id}" for team_id in user.team_ids}
    if is_supervisor(user):
        tokens.add(SUPERVISORS_TOKEN)
    return frozenset(tokens)


def user_token(user_id: int) -> str:
    return f"user:{user_id}"


def team_token(team: Team) -> str:
    return f"team:{team.pk}"


def visible_customers(user: User | Program) -> Q:
    """A filter for `Customer` rows: those with a ticket this person sees; for a program the one it names."""
    if isinstance(user, Program):
        return Q(telegram_user_id=user.telegram_user_id)
    if is_supervisor(user):
        return Q()
    return Q(Exists(Ticket.objects.filter(visible_to(user), customer=OuterRef("pk"))))
