"""What must reach the customer, from the first wish to Telegram's last word on it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext

from tickets import access
from tickets.models import (
    Alteration,
    Change,
    ContentType,
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    Message,
    Notice,
    Reason,
    Sender,
    Status,
    Ticket,
    Trouble,
)
from tickets.operations.acts import OUTBOX_CHANNEL, Act, begin, lock_ticket, notify, ring
from tickets.operations.conversation import put_back_to_work, recount_waiting, wake
from tickets.text import pieces_of

UNDO_WINDOW = timedelta(seconds=8)
STALE_AFTER = timedelta(minutes=30)
RELEASED_WITHIN = timedelta(hours=24)
AUTOMATIC_LIVES = timedelta(hours=1)

FINAL = (DeliveryState.SENT, DeliveryState.CANCELLED)
IN_TROUBLE = (DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED)


@transaction.atomic
def say(
    *,
    customer: Customer,
    notice: Notice,
    text: str,
    ticket: Ticket | None = None,
    entities: Sequence[dict[str, Any]] = (),
    lane: Lane = Lane.RECEIPT,
    due_in: timedelta = timedelta(0),
    expires_in: timedelta = AUTOMATIC_LIVES,
) -> Message:
    """One sentence of the bot: a system message and its delivery. It expires, unlike a person's words."""
    # The ticket before its message: a row that names it would hold it, though not as whoever works on it needs it.
    locked = lock_ticket(ticket.pk) if ticket is not None else None
    message = _write(customer, ticket, notice, text, entities=entities, lane=lane, due_in=due_in, expires_in=expires_in)
    if locked is not None:
        begin(locked).record(Event.Kind.SAID, change=Change.Kind.MESSAGE, message=message)
    return message


def _write(
    customer: Customer,
    ticket: Ticket | None,
    notice: Notice,
    text: str,
    *,
    lane: Lane,
    due_in: timedelta,
    expires_in: timedelta,
    entities: Sequence[dict[str, Any]] = (),
) -> Message:
    message = Message.objects.create(
        ticket=ticket,
        customer=customer,
        sender=Sender.SYSTEM,
        notice=notice,
        content_type=ContentType.TEXT,
        text=text,
        entities=list(entities),
    )
    due_at = timezone.now() + due_in
    queue(message, lane=lane, due_at=due_at, expires_at=due_at + expires_in)
    return message


def queue(
    message: Message, *, lane: Lane, due_at: datetime | None = None, expires_at: datetime | None = None
) -> Delivery:
    """Put a message on its way. To a customer who stopped the bot a person's reply is held at once: it would be 403."""
    now = timezone.now()
    blocked = message.customer.stopped_bot_at is not None and lane == Lane.REPLY
    delivery = Delivery.objects.create(
        message=message,
        customer=message.customer,
        lane=lane,
        state=DeliveryState.HELD if blocked else DeliveryState.QUEUED,
        reason=Reason.BLOCKED if blocked else "",
        queued_at=now,
        due_at=due_at or now,
        expires_at=expires_at,
    )
    notify(OUTBOX_CHANNEL)
    return delivery


def say_solved(act: Act) -> Message:
    """Tell the customer the ticket is solved, but only after the time in which the manager may take it back."""
    ticket = act.ticket
    with translation.override(ticket.customer.language):
        text = gettext("Менеджер отметил обращение №{n} решённым.").format(n=ticket.pk)
    message = _write(
        ticket.customer,
        ticket,
        Notice.SOLVED,
        text,
        lane=Lane.ANSWER,
        due_in=UNDO_WINDOW,
        expires_in=RELEASED_WITHIN,
    )
    act.record(Event.Kind.SAID, change=Change.Kind.MESSAGE, message=message)
    return message


def is_solved_unsaid(ticket: Ticket) -> bool:
    """Whether the last «solved» message was dropped on its way, so that the customer knows nothing of it."""
    notices = Delivery.objects.filter(message__ticket=ticket, message__notice=Notice.SOLVED)
    last = notices.order_by("-pk").first()
    return last is not None and last.state == DeliveryState.CANCELLED and last.parts_sent == 0


def cancel_solved_notice(ticket: Ticket) -> bool:
    """Take back the «solved» message while it waits. False when it has already left for the customer."""
    queued = Delivery.objects.filter(message__ticket=ticket, message__notice=Notice.SOLVED, state=DeliveryState.QUEUED)
    return settle_all(ticket, queued, DeliveryState.CANCELLED, Reason.UNDONE) > 0


@transaction.atomic
def start_sending(*, delivery_id: int) -> Delivery | None:
    """Claim a delivery for the worker that is about to send it. None when it may not leave any more, or not yet."""
    now = timezone.now()
    fresh = Delivery.objects.filter(~_is_stale(now), state=DeliveryState.QUEUED, due_at__lte=now)
    delivery = fresh.exclude(expires_at__lte=now).select_for_update().filter(pk=delivery_id).first()
    if delivery is None:
        # After an outage the outbox may be quicker than the clock that holds what has become old.
        if _stale(now).filter(pk=delivery_id).exists():
            _settle_if_queued(delivery_id, DeliveryState.HELD, Reason.STALE)
        return None
    delivery.state = DeliveryState.SENDING
    delivery.reason = ""
    delivery.save(update_fields=["state", "reason"])
    return delivery


@transaction.atomic
def settle(
    *,
    delivery_id: int,
    state: DeliveryState,
    parts_sent: int,
    parts_tried: int = 1,
    reason: Reason | str = "",
    late: bool = False,
) -> Delivery:
    """What became of a delivery. `parts_sent` counts the parts Telegram has accepted so far, `parts_tried` those the
    last request carried; `late` is news of a part that was given up as unknown before, while others may be on their
    way.

    Only a success that comes late changes what is already settled: an unknown one may still become sent, or go on with
    its other parts as long as nobody has decided about it.
    """
    ticket, delivery = _lock(delivery_id)
    if delivery.state in FINAL or (late and delivery.state != DeliveryState.UNKNOWN):
        return delivery
    if delivery.state == DeliveryState.UNKNOWN:
        goes_on = state == DeliveryState.QUEUED and parts_sent > delivery.parts_sent and not delivery.decision
        if state != DeliveryState.SENT and not goes_on:
            return delivery
        if goes_on:  # behind what was begun meanwhile
            delivery.queued_at = timezone.now()
    if state == DeliveryState.QUEUED and _is_undone(ticket, delivery.message):
        state, reason = DeliveryState.CANCELLED, Reason.UNDONE
    delivery.parts_sent, delivery.parts_tried = parts_sent, parts_tried
    _settle(ticket, delivery, state, reason)
    return delivery


def _is_undone(ticket: Ticket | None, message: Message) -> bool:
    """Whether a «solved» message that was on its way when it could be taken back no longer says what is so, or a later
    one says it.
    """
    if ticket is None or message.notice != Notice.SOLVED:
        return False
    return ticket.is_active or ticket.messages.filter(notice=Notice.SOLVED, pk__gt=message.pk).exists()


def _lock(delivery_id: int) -> tuple[Ticket | None, Delivery]:
    """The ticket first, as every act locks, then the delivery."""
    ticket_id = Delivery.objects.values_list("message__ticket_id", flat=True).get(pk=delivery_id)
    ticket = lock_ticket(ticket_id) if ticket_id is not None else None
    delivery = Delivery.objects.select_for_update(of=("self",)).select_related("message").get(pk=delivery_id)
    return ticket, delivery


def _settle(ticket: Ticket | None, delivery: Delivery, state: DeliveryState, reason: Reason | str) -> None:
    # Back in the queue after one of its parts, or because Telegram asked to wait: nobody sees a difference.
    looks_the_same = state == DeliveryState.QUEUED and delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING)
    delivery.state, delivery.reason = state, reason
    delivery.settled_at = None if state == DeliveryState.QUEUED else timezone.now()
    if state in IN_TROUBLE:
        # A decision about an earlier part says nothing of this one.
        delivery.decision, delivery.decided_by = "", None
    fields = ["state", "reason", "parts_sent", "parts_tried", "queued_at", "settled_at", "decision", "decided_by"]
    delivery.save(update_fields=fields)
    if ticket is not None and not looks_the_same:
        if delivery.lane == Lane.REPLY and state in IN_TROUBLE:
            bring_back_unanswered(ticket)
            tell_author(ticket, delivery.message)
        if ticket.trouble or state in IN_TROUBLE:
            show_trouble(ticket)
        begin(ticket).record(
            Event.Kind.DELIVERY, change=Change.Kind.MESSAGE_STATE, message=delivery.message, state=state.value
        )


def tell_author(ticket: Ticket, message: Message) -> None:
    """Whoever wrote it may have left the ticket, and must hear that it did not simply arrive."""
    author = message.author
    if author is not None and access.can_see(author, ticket):
        audience = [access.user_token(author.pk)]
        ring(Change(ticket=ticket, message=message, kind=Change.Kind.TROUBLE, audience=audience))


def bring_back(ticket: Ticket) -> None:
    """A ticket with which something is wrong is neither solved, which its customer is not to be told, nor put off: it
    stands in its manager's queue with the sign of what it is. The caller saves.
    """
    if ticket.status == Status.RESOLVED:
        put_back_to_work(ticket)
        cancel_solved_notice(ticket)
    wake(ticket)


def bring_back_unanswered(ticket: Ticket) -> None:
    """Bring back a question whose answer may not have come: its customer may be waiting again. The caller saves."""
    bring_back(ticket)
    recount_waiting(ticket)


def show_trouble(ticket: Ticket) -> None:
    """Carry the worst that befell a person's reply, and nobody has decided about, into the ticket's row. The caller
    saves.
    """
    replies = Delivery.objects.filter(message__ticket=ticket, lane=Lane.REPLY)
    found = Trouble.NONE
    if replies.filter(state=DeliveryState.HELD).exists():
        found = Trouble.HELD
    if replies.filter(state=DeliveryState.UNKNOWN, decision="").exists():
        found = Trouble.UNKNOWN
    if replies.filter(state=DeliveryState.FAILED, decision="").exists():
        found = Trouble.FAILED
    if found == Trouble.NONE and Alteration.objects.to_look_at().filter(message__ticket=ticket).exists():
        found = Trouble.UNALTERED
    ticket.trouble = found


def settle_all(
    ticket: Ticket | None, deliveries: QuerySet[Delivery], state: DeliveryState, reason: Reason | str = ""
) -> int:
    """Settle these of a locked ticket as `_settle` does each, in as few queries as one: they may be thousands. Returns
    how many there were.
    """
    locked = deliveries.select_for_update(of=("self",)).select_related("message__author").order_by("pk")
    messages = [delivery.message for delivery in locked]
    if not messages:
        return 0
    now = timezone.now()
    if state == DeliveryState.QUEUED:
        deliveries.update(state=state, reason=reason, queued_at=now, settled_at=None)
    else:
        deliveries.update(state=state, reason=reason, settled_at=now, decision="", decided_by=None)
    if ticket is None:
        return len(messages)
    if state in IN_TROUBLE:
        bring_back_unanswered(ticket)
        for message in {message.author_id: message for message in reversed(messages)}.values():
            tell_author(ticket, message)
    elif state == DeliveryState.QUEUED:
        recount_waiting(ticket)
    show_trouble(ticket)
    begin(ticket).record_each(Event.Kind.DELIVERY, messages, change=Change.Kind.MESSAGE_STATE, state=state.value)
    return len(messages)


def hold_stale(*, now: datetime | None = None) -> int:
    """Hold replies that have waited half an hour: yesterday's «приезжайте до 18:00» must not leave by itself."""
    stale = list(_stale(now or timezone.now()).values_list("pk", flat=True))
    return sum(_settle_if_queued(delivery_id, DeliveryState.HELD, Reason.STALE) for delivery_id in stale)


def _stale(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(_is_stale(now), state=DeliveryState.QUEUED)


def _is_stale(now: datetime) -> Q:
    limit = now - STALE_AFTER
    return Q(lane=Lane.REPLY, queued_at__lt=limit, due_at__lt=limit)


def doubt_undelivered() -> int:
    """After a restore: what the backup holds as to be sent may have left since it was made, so nobody sends it by
    itself. A person decides about replies, also about held ones, which may have been released. Returns how many.
    """
    undelivered = Delivery.objects.filter(state__in=Delivery.UNSETTLED).order_by("pk")
    return sum(_doubt(delivery_id) for delivery_id in list(undelivered.values_list("pk", flat=True)))


@transaction.atomic
def _doubt(delivery_id: int) -> bool:
    ticket, delivery = _lock(delivery_id)
    if delivery.state not in Delivery.UNSETTLED:
        return False  # taken back with a reply of its ticket, as the notice that it is solved
    _settle(ticket, delivery, DeliveryState.UNKNOWN, Reason.RESTORED)
    return True


def expire_automatic(*, now: datetime | None = None) -> int:
    """Drop the bot's own sentences whose time has passed: a receipt an hour late only confuses."""
    expired = Delivery.objects.filter(
        state=DeliveryState.QUEUED, lane__gt=Lane.REPLY, expires_at__lte=now or timezone.now()
    )
    return sum(
        _settle_if_queued(pk, DeliveryState.CANCELLED, Reason.EXPIRED) for pk in expired.values_list("pk", flat=True)
    )


@transaction.atomic
def _settle_if_queued(delivery_id: int, state: DeliveryState, reason: Reason) -> bool:
    """Settle a delivery unless a worker has claimed it since it was listed."""
    ticket, delivery = _lock(delivery_id)
    if delivery.state != DeliveryState.QUEUED:
        return False
    _settle(ticket, delivery, state, reason)
    return True


def parts_of(message: Message) -> int:
    """How many calls a message takes: one for each file, or one for each piece of its text where there is none."""
    return message.attachments.count() or len(pieces_of(message.text))
