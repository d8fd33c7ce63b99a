"""Customers who stop the bot and let it in again: what waits for them meanwhile, and goes when they are back."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from tickets.models import ACTIVE, Customer, Delivery, DeliveryState, Event, Lane, Reason, Sender, Ticket
from tickets.operations.acts import OUTBOX_CHANNEL, begin, lock_ticket, notify
from tickets.operations.outgoing import RELEASED_WITHIN, settle_all

#: Between Telegram's clock and ours.
CLOCKS_DIFFER = timedelta(minutes=1)


@transaction.atomic
def customer_stopped_bot(*, customer: Customer, at: datetime | None = None) -> None:
    """Mark the customer as unreachable: replies on their way are held, the bot's own sentences dropped.

    `at`: when they stopped the bot, where Telegram says so and it comes late; it says nothing where they have written
    or let the bot in since.
    """
    if customer.stopped_bot_at is not None or (at is not None and _was_heard_after(at, customer)):
        return
    now = timezone.now()
    customer.stopped_bot_at = at if at is not None and at < now - CLOCKS_DIFFER else now
    customer.save(update_fields=["stopped_bot_at"])
    for ticket in lock_tickets_concerned(customer, lanes=Lane):
        begin(ticket).record(Event.Kind.STOPPED)
        _stop_sending(customer, ticket)
    _stop_sending(customer, None)


def _was_heard_after(moment: datetime, customer: Customer) -> bool:
    """Whether the customer wrote in the chat, or let the bot in, after a moment of Telegram's clock."""
    if customer.returned_at is not None and moment < customer.returned_at <= timezone.now():
        return True
    in_chat = customer.messages.filter(sender=Sender.CLIENT, author=None, service_account=None)
    return in_chat.filter(sent_at__gt=moment).exists()


def _stop_sending(customer: Customer, ticket: Ticket | None) -> None:
    queued = Delivery.objects.filter(customer=customer, state=DeliveryState.QUEUED, message__ticket=ticket)
    settle_all(ticket, queued.filter(lane=Lane.REPLY), DeliveryState.HELD, Reason.BLOCKED)
    # Asked now: a question that came back to work is told to be solved no more.
    settle_all(ticket, queued.exclude(lane=Lane.REPLY), DeliveryState.CANCELLED, Reason.BLOCKED)


@transaction.atomic
def customer_returned(*, customer: Customer, at: datetime | None = None) -> None:
    """The customer is reachable again: what was held less than 24 hours ago goes, older waits for its manager.

    `at`: when they did what tells so, by Telegram's clock. What they did before they stopped the bot, and which only
    comes now, tells nothing.
    """
    stopped_at, now = customer.stopped_bot_at, timezone.now()
    # A clock that was ahead may have put either into a time to come.
    if stopped_at is not None and at is not None and at < min(stopped_at, now) - CLOCKS_DIFFER:
        return
    returned_at = min(at or now - CLOCKS_DIFFER, now)
    customer.returned_at = min(max(returned_at, customer.returned_at or returned_at), now)
    customer.stopped_bot_at = None
    customer.save(update_fields=["stopped_bot_at", "returned_at"])
    if stopped_at is None:
        return
    for ticket in lock_tickets_concerned(customer):
        begin(ticket).record(Event.Kind.RETURNED)
        _release(ticket)
    notify(OUTBOX_CHANNEL)


def _release(ticket: Ticket) -> int:
    held = _held_for_return().filter(message__ticket=ticket)
    settle_all(ticket, held.filter(queued_at__lt=timezone.now() - RELEASED_WITHIN), DeliveryState.HELD, Reason.STALE)
    return settle_all(ticket, held, DeliveryState.QUEUED)


def _held_for_return() -> QuerySet[Delivery]:
    """What waits for customers who are back."""
    held = Delivery.objects.unsettled().filter(state=DeliveryState.HELD, reason__in=Delivery.UNREACHABLE)
    return held.filter(customer__stopped_bot_at=None)


def release_to_the_returned() -> int:
    """Let go what waits for a customer who is back: it was written in the very moment of the return, by somebody who
    could not know of it yet. Returns how many replies there were.
    """
    tickets = _held_for_return().order_by("message__ticket").values_list("message__ticket_id", flat=True).distinct()
    return sum(map(_release_in, list(tickets)))


@transaction.atomic
def _release_in(ticket_id: int) -> int:
    released = _release(lock_ticket(ticket_id))
    notify(OUTBOX_CHANNEL)
    return released


def lock_tickets_concerned(customer: Customer, *, lanes: Iterable[Lane] = (Lane.REPLY,)) -> list[Ticket]:
    """The customer's tickets at work and those with a message of these lanes on its way, locked in the order of ids."""
    undelivered = Delivery.objects.filter(
        message__ticket=OuterRef("pk"), lane__in=lanes, state__in=[DeliveryState.QUEUED, DeliveryState.HELD]
    )
    concerned = Ticket.objects.filter(Q(status__in=ACTIVE) | Exists(undelivered), customer=customer)
    return [lock_ticket(ticket_id) for ticket_id in list(concerned.order_by("pk").values_list("pk", flat=True))]
