"""That a manager writes, for the customer to see: cheap, unordered, forgotten within seconds."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tickets import access
from tickets.models import Delivery, DeliveryState, Message, Sender, Ticket, Typing, User
from tickets.operations.acts import OUTBOX_CHANNEL, notify
from tickets.operations.errors import NotAllowed, NotVisible

#: "The status is set for 5 seconds or less" (Bot API, sendChatAction): shown again no sooner, and no later worth it.
TYPING_SHOWN_FOR = timedelta(seconds=5)


def show_typing(*, ticket_id: int, user: User) -> None:
    """Note that this person types a reply. No row of the ticket is locked and nothing of it is recorded.

    The customer is shown nothing while a reply to them is held back or they cannot be reached: no answer would follow.

    :raises Refused: not visible, or not allowed to reply.
    """
    ticket = Ticket.objects.select_related("customer", "team", "assignee").filter(pk=ticket_id).first()
    if ticket is None or not access.can_see(user, ticket):
        raise NotVisible
    if not access.can_reply(user, ticket):
        raise NotAllowed
    customer = ticket.customer
    if customer.stopped_bot_at is not None or customer.telegram_user_id is None:
        return
    if Delivery.objects.filter(customer=customer, state=DeliveryState.HELD).exists():
        return
    now = timezone.now()
    Typing.objects.update_or_create(customer=customer, defaults={"ticket": ticket, "typed_at": now})
    notify(OUTBOX_CHANNEL)


def take_typing() -> dict[int, Ticket | None]:
    """Who is to be shown now that somebody writes to them: their Telegram ids, and the ticket it is about where that is
    known. Each is given to one caller only.
    """
    now = timezone.now()
    written_since = Message.objects.filter(
        customer=OuterRef("customer"), sender=Sender.MANAGER, created_at__gte=OuterRef("typed_at")
    )
    reachable = Typing.objects.filter(customer__stopped_bot_at__isnull=True, customer__telegram_user_id__isnull=False)
    fresh = Q(typed_at__gt=now - TYPING_SHOWN_FOR) & _shown_before(now)
    due = reachable.filter(fresh & ~Exists(written_since)).select_related("customer", "ticket")
    return {
        typing.customer.telegram_user_id: typing.ticket
        for typing in due
        if typing.customer.telegram_user_id
        and Typing.objects.filter(_shown_before(now), pk=typing.pk).update(shown_at=now)
    }


def _shown_before(now: datetime) -> Q:
    return Q(shown_at__isnull=True) | Q(shown_at__lte=now - TYPING_SHOWN_FOR)
