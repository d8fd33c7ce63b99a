"""Which call to Telegram is made next: in order within a chat, best lane first, by the pace Telegram asks for.

A call is `sending` in the database before its request leaves, with a lease by the database's clock. One claim is one
call: between a message's parts its delivery is back in the queue, so that a process may end there.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import Error, transaction
from django.db.models import F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from botbridge import alterations, forum_topic_calls, forum_topics, too_many
from botbridge.client import SLOWEST_LINE
from botbridge.models import BotStatus, ChatSession, OutboundCall
from botbridge.parts import Part, part_of, parts_in
from tickets import operations
from tickets.models import Attachment, Customer, Delivery, DeliveryState, Message, Reason

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
#: A request begins only while this much of the lease, its own 20 s and some more, is left.
LEASE_LEFT_TO_SEND = 22.0

#: A bot may send about 30 messages a second and one a second to a chat, which tolerates short bursts (Bot API FAQ,
#: "My bot is hitting limits"). `next_send_at` runs ahead of the clock by one interval for each message; a message may
#: leave while it is no more than the burst ahead.
BOT_INTERVAL = timedelta(seconds=1 / 29)
BOT_BURST = timedelta(seconds=0.03)
CHAT_INTERVAL = timedelta(seconds=1)
CHAT_BURST = timedelta(seconds=2)

CANDIDATES = 20
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Claimed:
    """One call this process has put into `sending` and must now make."""

    call: OutboundCall
    part: Part | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def uploads(self) -> dict[str, Attachment]:
        return self.part.uploads if self.part is not None else {}

    @property
    def sends_by_file_id(self) -> bool:
        return self.part is not None and len(self.part.uploads) < len(self.part.attachments)

    @property
    def may_still_leave(self) -> bool:
        """The time an upload takes is in the lease besides (`_begin`)."""
        return time.monotonic() - self.began < LEASE.total_seconds() - LEASE_LEFT_TO_SEND


@dataclass(frozen=True)
class Pause:
    """Nothing to send now: look again after so many seconds, or when rung."""

    seconds: float


def claim(bot_id: int, worker: str) -> Claimed | Pause:
    """Take the next call, put it into `sending` and commit."""
    began = time.monotonic()
    with transaction.atomic():
        # The bot's row makes claims one after another, in all processes: pace and order are decided under its lock.
        status = _lock_bot(bot_id)
        now: datetime = status.now
        call = _next_unordered(bot_id, worker)
        if call is None and status.next_send_at <= now + too_many.PAUSED_FROM:
            call = _next_alteration(bot_id, worker)
        if call is not None:
            return Claimed(call, began=began)
        if status.next_send_at > now + BOT_BURST:
            return Pause((status.next_send_at - now - BOT_BURST).total_seconds())
        claimed = _next_part(bot_id, worker, now, began)
        if claimed is None:
            return Pause(_until_next(bot_id, now))
        # Telegram counts each message of an album.
        status.next_send_at = max(status.next_send_at, now) + BOT_INTERVAL * parts_in(claimed.call.payload)
        status.save(update_fields=["next_send_at"])
        return claimed


def has_work(bot_id: int) -> bool:
    """Whether anything is due, asked without a lock: most of the time there is nothing."""
    return _unordered(bot_id).exists() or alterations.due(bot_id).exists() or _due(timezone.now()).exists()


def _lock_bot(bot_id: int) -> Any:
    """The bot's row, made where it is missing, with the database's clock as `now`."""
    rows = BotStatus.objects.filter(pk=bot_id).annotate(now=Now()).select_for_update()
    status = rows.first()
    if status is None:
        BotStatus.objects.bulk_create([BotStatus(bot_id=bot_id)], ignore_conflicts=True)
        status = rows.get()
    return status


def _unordered(bot_id: int) -> QuerySet[OutboundCall]:
    return OutboundCall.objects.filter(
        bot_id=bot_id,
        delivery__isnull=True,
        alteration__isnull=True,
        state=DeliveryState.QUEUED,
        due_at__lte=Now(),
    )


def _next_unordered(bot_id: int, worker: str) -> OutboundCall | None:
    """The oldest answer to a press or edit of a keyboard; what has become stale is dropped on the way."""
    waiting = _unordered(bot_id).select_for_update(skip_locked=True).order_by("due_at", "pk")
    call = waiting.first()
    while call is not None and call.expires_at is not None and call.expires_at <= timezone.now():
        call.state, call.settled_at = DeliveryState.CANCELLED, timezone.now()
        call.save(update_fields=["state", "settled_at"])
        call = waiting.all().first()
    if call is not None:
        _begin(call, worker)
    return call


def _next_alteration(bot_id: int, worker: str) -> OutboundCall | None:
    """The next request of a change to what Telegram has; no message, so it waits for no pace, but for 429."""
    call = alterations.next_step(bot_id)
    if call is not None:
        _begin(call, worker)
    return call


def _begin(call: OutboundCall, worker: str, upload_takes: timedelta = timedelta(0)) -> None:
    call.state, call.worker, call.attempts = DeliveryState.SENDING, worker, call.attempts + 1
    call.error, call.settled_at = "", None
    # The lease is the database's time, so that a machine with a wrong clock neither loses nor keeps it.
    call.lease_until = Now() + LEASE + upload_takes
    call.save()


def _due(now: datetime) -> QuerySet[Delivery]:
    """Deliveries that may leave as far as time goes."""
    return Delivery.objects.filter(_is_due(now))


def _is_due(now: datetime) -> Q:
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return alive & Q(state=DeliveryState.QUEUED, due_at__lte=now)


def _heads(bot_id: int, now: datetime) -> QuerySet[Delivery]:
    """The first due delivery of each chat that nobody sends to and that may be sent to by its pace, best lane first.

    Held and unknown deliveries wait for a person and do not hold up what comes after them. One that is released goes
    behind the message of which a piece has left: nothing stands between the pieces of one. Of two such messages, the
    other's rest has just been released and goes behind too.

    The walk follows `delivery_due` and ends with the last row that is asked for; each condition looks one row up by
    the customer. As joins they would be at the mercy of statistics, which lag behind a queue that has just grown: with
    20,000 deliveries PostgreSQL compared each with each, for minutes.
    """
    of_customer = {"customer": OuterRef("customer")}
    unsettled = Delivery.objects.unsettled().filter(**of_customer)
    in_flight = unsettled.filter(state=DeliveryState.SENDING)
    # Said so that `delivery_due`, which knows no customer, is no way to it.
    first = unsettled.filter(_is_due(now) | Q(state=DeliveryState.SENDING)).order_by("pk")
    begun = Delivery.objects.begun().filter(_is_due(now), **of_customer).order_by("queued_at", "pk")
    paced = ChatSession.objects.filter(**of_customer, bot_id=bot_id, next_send_at__gt=now + CHAT_BURST)
    # An erased customer has no chat any more.
    erased = Customer.objects.filter(pk=OuterRef("customer"), erased_at__isnull=False)
    next_of_chat = Coalesce(_one(begun), _one(first))
    free = _due(now).alias(next=next_of_chat, in_flight=_one(in_flight), paced=_one(paced), erased=_one(erased))
    # Two filters: in one Django sorts the conditions, and those that pass all of a chat's queue would come before that
    # which is true of its next alone.
    return free.filter(pk=F("next")).filter(in_flight=None, paced=None, erased=None).order_by("lane", "due_at")


def _one(rows: QuerySet[Any]) -> Subquery:
    """The key of the first of these rows, NULL where there is none; never made into a join."""
    return Subquery(rows.values("pk")[:1])


def _next_part(bot_id: int, worker: str, now: datetime, began: float) -> Claimed | None:
    for head in _heads(bot_id, now)[:CANDIDATES]:
        session = _lock_chat(bot_id, head)
        if session is None or session.next_send_at > now + CHAT_BURST:
            continue
        delivery = operations.start_sending(delivery_id=head.pk)
        claimed = _plan_or_fail(delivery, session, worker, began) if delivery is not None else None
        if claimed is not None:
            session.customer_id = head.customer_id
            session.next_send_at = max(session.next_send_at, now) + CHAT_INTERVAL * parts_in(claimed.call.payload)
            session.save(update_fields=["customer", "next_send_at"])
            return claimed
    return None


def _lock_chat(bot_id: int, delivery: Delivery) -> ChatSession | None:
    """The chat's row; None while the inbox works on that chat, whose turn then comes in a moment."""
    chat_id = delivery.customer.telegram_user_id
    assert chat_id is not None  # only an erased customer has none
    rows = ChatSession.objects.filter(bot_id=bot_id, chat_id=chat_id).select_for_update(skip_locked=True)
    session = rows.first()
    if session is None:
        new = ChatSession(bot_id=bot_id, chat_id=chat_id, customer_id=delivery.customer_id)
        ChatSession.objects.bulk_create([new], ignore_conflicts=True)
        session = rows.all().first()
    return session


def _plan_or_fail(delivery: Delivery, session: ChatSession, worker: str, began: float) -> Claimed | None:
    """A message no request can be made of must not stop all the others."""
    try:
        with transaction.atomic():
            return _plan(delivery, session, worker, began)
    except Error:
        raise
    except Exception:
        logger.exception("Message %s cannot be put into a request", delivery.pk)
        operations.settle(
            delivery_id=delivery.pk,
            state=DeliveryState.FAILED,
            parts_sent=delivery.parts_sent,
            reason=Reason.REFUSED,
        )
        return None


def _plan(delivery: Delivery, session: ChatSession, worker: str, began: float) -> Claimed:
    message = Message.objects.select_related("customer", "author", "ticket__topic").get(pk=delivery.pk)
    place = forum_topics.place_of(message, session)
    if place is None:
        creation = forum_topic_calls.creation_before(delivery, message, session)
        _begin(creation, worker)
        return Claimed(creation, began=began)
    part = part_of(message, delivery.parts_sent, session, place)
    call = OutboundCall.objects.filter(delivery=delivery, part=delivery.parts_sent).first() or OutboundCall(
        delivery=delivery, part=delivery.parts_sent
    )
    call.bot_id, call.chat_id, call.lane = session.bot_id, session.chat_id, delivery.lane
    call.method, call.payload, call.expires_at = part.method, part.payload, delivery.expires_at
    _begin(call, worker, upload_takes(part.uploads))
    return Claimed(call, part, began)


def upload_takes(uploads: Mapping[str, Attachment]) -> timedelta:
    """How long the bytes of these files may be on their way."""
    return timedelta(seconds=sum(attachment.size or 0 for attachment in uploads.values()) / SLOWEST_LINE)


def _until_next(bot_id: int, now: datetime) -> float:
    """Seconds until a chat with something due may be sent to."""
    due = Delivery.objects.unsettled().filter(_is_due(now), customer=OuterRef("customer"))
    paced = ChatSession.objects.filter(bot_id=bot_id, next_send_at__gt=now + CHAT_BURST)
    waiting = paced.alias(due=_one(due)).filter(due__isnull=False)
    soonest: datetime | None = waiting.aggregate(soonest=Min("next_send_at"))["soonest"]
    if soonest is None:
        return 0.05  # a chat's row is locked for a moment, or a call is under way
    return min(max((soonest - CHAT_BURST - now).total_seconds(), 0.01), LOOK_EVERY)
