"""Deliveries and calls to Telegram: in order within a chat, best lane first, and with the truth about each.

A call is `sending` in the database before its request leaves, with a lease by the database's clock. It is repeated by
itself only when Telegram surely has not taken it: it answered 429, or the connection never opened. A request that
left without a clear answer is `unknown` for good, since Telegram knows no key that would make a repeat harmless.

One claim is one call: between a message's parts its delivery is back in the queue, so that a process may end there.
"""

import asyncio
import logging
import os
import platform
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiogram import Bot
from aiogram.types import InputFile
from django.db import Error, transaction
from django.db.models import F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.utils import timezone

from botbridge import calls, crash, log_context, metrics, requests
from botbridge.client import StoredFile
from botbridge.doorbell import Bell
from botbridge.models import MAX_REASON, BotStatus, ChatSession, OutboundCall, TelegramMessage
from botbridge.parts import name_for_customer, part_of
from botbridge.requests import Outcome
from botbridge.threads import in_thread
from tickets import operations
from tickets.log_context import request_id
from tickets.models import Attachment, Customer, Delivery, DeliveryState, Event, Lane, Message, Reason

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

RETRY_IDEMPOTENT = timedelta(seconds=2)

IN_FLIGHT = 40
CANDIDATES = 20
LEASES_CHECKED_EVERY = 5.0
LOOK_EVERY = 1.0
LAST_ANSWERS = 1.5


@dataclass(frozen=True)
class Claimed:
    """One call this process has put into `sending` and must now make."""

    call: OutboundCall
    attachment: Attachment | None = None
    file_field: str = ""
    began: float = field(default_factory=time.monotonic)

    @property
    def may_still_leave(self) -> bool:
        return time.monotonic() - self.began < LEASE.total_seconds() - LEASE_LEFT_TO_SEND


@dataclass(frozen=True)
class Pause:
    """Nothing to send now: look again after so many seconds, or when rung."""

    seconds: float


# Claiming.


def claim(bot_id: int, worker: str) -> Claimed | Pause:
    """Take the next call, put it into `sending` and commit."""
    began = time.monotonic()
    with transaction.atomic():
        # The bot's row makes claims one after another, in all processes: pace and order are decided under its lock.
        status = _lock_bot(bot_id)
        now: datetime = status.now
        call = _next_unordered(bot_id, worker)
        if call is not None:
            return Claimed(call, began=began)
        if status.next_send_at > now + BOT_BURST:
            return Pause((status.next_send_at - now - BOT_BURST).total_seconds())
        claimed = _next_part(bot_id, worker, now, began)
        if claimed is None:
            return Pause(_until_next(bot_id, now))
        status.next_send_at = max(status.next_send_at, now) + BOT_INTERVAL
        status.save(update_fields=["next_send_at"])
        return claimed


def has_work(bot_id: int) -> bool:
    """Whether anything is due, asked without a lock: most of the time there is nothing."""
    return _unordered(bot_id).exists() or _due(timezone.now()).exists()


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
        bot_id=bot_id, delivery__isnull=True, state=DeliveryState.QUEUED, due_at__lte=Now()
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


def _begin(call: OutboundCall, worker: str) -> None:
    call.state, call.worker, call.attempts = DeliveryState.SENDING, worker, call.attempts + 1
    call.error, call.settled_at = "", None
    # The lease is the database's time, so that a machine with a wrong clock neither loses nor keeps it.
    call.lease_until = Now() + LEASE
    call.save()


def _due(now: datetime) -> QuerySet[Delivery]:
    """Deliveries that may leave as far as time goes."""
    return Delivery.objects.filter(_is_due(now))


def _is_due(now: datetime) -> Q:
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return alive & Q(state=DeliveryState.QUEUED, due_at__lte=now)


def _unsettled() -> QuerySet[Delivery]:
    """What the index `delivery_unsettled` holds. SQLite sees that only where the states are written out."""
    written_out = [RawSQL(f"'{state.value}'", ()) for state in Delivery.UNSETTLED]  # noqa: S611  # our own words
    return Delivery.objects.filter(state__in=written_out)


def _heads(bot_id: int, now: datetime) -> QuerySet[Delivery]:
    """The first due delivery of each chat that nobody sends to and that may be sent to by its pace, best lane first.

    Held and unknown deliveries wait for a person and do not hold up what comes after them.

    The walk follows `delivery_due` and ends with the last row that is asked for; each condition looks one row up by
    the customer. As joins they would be at the mercy of statistics, which lag behind a queue that has just grown: with
    20,000 deliveries PostgreSQL compared each with each, for minutes.
    """
    of_customer = {"customer": OuterRef("customer")}
    unsettled = _unsettled().filter(**of_customer)
    in_flight = unsettled.filter(state=DeliveryState.SENDING)
    # Said so that `delivery_due`, which knows no customer, is no way to it.
    first = unsettled.filter(_is_due(now) | Q(state=DeliveryState.SENDING)).order_by("pk")
    paced = ChatSession.objects.filter(**of_customer, bot_id=bot_id, next_send_at__gt=now + CHAT_BURST)
    # An erased customer has no chat any more.
    erased = Customer.objects.filter(pk=OuterRef("customer"), erased_at__isnull=False)
    free = _due(now).alias(in_flight=_one(in_flight), first=_one(first), paced=_one(paced), erased=_one(erased))
    return free.filter(pk=F("first"), in_flight=None, paced=None, erased=None).order_by("lane", "due_at")


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
            session.next_send_at = max(session.next_send_at, now) + CHAT_INTERVAL
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
    part = part_of(message, delivery.parts_sent, session)
    call = OutboundCall.objects.filter(delivery=delivery, part=delivery.parts_sent).first() or OutboundCall(
        delivery=delivery, part=delivery.parts_sent
    )
    call.bot_id, call.chat_id, call.lane = session.bot_id, session.chat_id, delivery.lane
    call.method, call.payload, call.expires_at = part.method, part.payload, delivery.expires_at
    _begin(call, worker)
    return Claimed(call, part.attachment, part.file_field, began)


def _until_next(bot_id: int, now: datetime) -> float:
    """Seconds until a chat with something due may be sent to."""
    due = _unsettled().filter(_is_due(now), customer=OuterRef("customer"))
    paced = ChatSession.objects.filter(bot_id=bot_id, next_send_at__gt=now + CHAT_BURST)
    waiting = paced.alias(due=_one(due)).filter(due__isnull=False)
    soonest: datetime | None = waiting.aggregate(soonest=Min("next_send_at"))["soonest"]
    if soonest is None:
        return 0.05  # a chat's row is locked for a moment, or a call is under way
    return min(max((soonest - CHAT_BURST - now).total_seconds(), 0.01), LOOK_EVERY)


async def perform(bot: Bot, claimed: Claimed) -> Outcome:
    """Make a claimed call, unless so much of its lease is gone that it could end in the middle."""
    if not claimed.may_still_leave:
        return Outcome(DeliveryState.QUEUED, "the lease was nearly over before the request could leave")
    files: dict[str, InputFile] = {}
    if claimed.attachment is not None:
        file = claimed.attachment.file
        if not file.name or not await in_thread(file.storage.exists, file.name):
            return Outcome(DeliveryState.FAILED, "the file is not in storage", Reason.BAD_FILE)
        files[claimed.file_field] = StoredFile(file.open, name_for_customer(claimed.attachment))
    started = time.monotonic()
    outcome = await requests.make(bot, claimed.call.method, claimed.call.payload, files)
    metrics.count_call(claimed.call, outcome.state, seconds=time.monotonic() - started)
    return outcome


# Settling.


def settle(call: OutboundCall, outcome: Outcome) -> None:
    """Write down what became of a call, its delivery and its chat, in one transaction.

    A worker whose lease has expired may still bring a success; anything else it brings comes too late.
    """
    if outcome.bot_pause or outcome.stopped:
        _pause_bot(call.bot_id, outcome)
    with transaction.atomic():
        session = _session_of(call)
        current = OutboundCall.objects.select_for_update().get(pk=call.pk)
        in_time = current.state == DeliveryState.SENDING and current.worker == call.worker
        late_success = current.state == DeliveryState.UNKNOWN and outcome.state == DeliveryState.SENT
        if not in_time and not late_success:
            return
        if outcome.chat_pause:
            # No burst after Telegram has asked for a pause.
            ChatSession.objects.filter(pk=session.pk).update(next_send_at=Now() + outcome.chat_pause + CHAT_BURST)
        if current.delivery_id is None:
            _settle_unordered(current, outcome)
        else:
            _settle_part(current, current.delivery_id, outcome, session, late=late_success)


def _session_of(call: OutboundCall) -> ChatSession:
    """The chat's row, locked before any ticket's, as the inbox does."""
    rows = ChatSession.objects.filter(bot_id=call.bot_id, chat_id=call.chat_id)
    return rows.select_for_update().get()


def _pause_bot(bot_id: int, outcome: Outcome) -> None:
    rows = BotStatus.objects.filter(pk=bot_id)
    rows.update(
        next_send_at=Now() + outcome.bot_pause + BOT_BURST,
        last_error=outcome.error[:MAX_REASON],
        last_error_at=Now(),
        stopped_reason=outcome.stopped,
    )


def _settle_unordered(call: OutboundCall, outcome: Outcome) -> None:
    """Harmless calls are simply tried again until they are stale; a line to a group is not."""
    state = outcome.state
    if state == DeliveryState.UNKNOWN and call.method in calls.IDEMPOTENT:
        state = DeliveryState.QUEUED
    if state == DeliveryState.QUEUED:
        call.due_at = timezone.now() + max(outcome.chat_pause, outcome.bot_pause, RETRY_IDEMPOTENT)
    if state == DeliveryState.HELD:
        state = DeliveryState.CANCELLED
    _finish(call, state, outcome)


def _settle_part(call: OutboundCall, delivery_id: int, outcome: Outcome, session: ChatSession, *, late: bool) -> None:
    delivery = Delivery.objects.select_related("message__customer", "message__ticket").get(pk=delivery_id)
    message, state, parts_sent = delivery.message, outcome.state, call.part
    if state == DeliveryState.HELD:
        operations.customer_stopped_bot(customer=message.customer)
        state = DeliveryState.HELD if delivery.lane == Lane.REPLY else DeliveryState.CANCELLED
    _finish(call, state, outcome)
    if state == DeliveryState.SENT:
        parts_sent += 1
        _remember(call, message, session)
        if parts_sent < operations.parts_of(message):
            state = DeliveryState.QUEUED
    operations.settle(delivery_id=delivery_id, state=state, parts_sent=parts_sent, reason=outcome.reason, late=late)


def _finish(call: OutboundCall, state: DeliveryState, outcome: Outcome) -> None:
    call.state, call.error, call.lease_until = state, outcome.error[:MAX_REASON], None
    call.message_id = outcome.message_id
    call.settled_at = None if state == DeliveryState.QUEUED else timezone.now()
    call.save()


def _remember(call: OutboundCall, message: Message, session: ChatSession) -> None:
    assert call.message_id is not None  # the row's constraint
    known = TelegramMessage(
        bot_id=call.bot_id, chat_id=call.chat_id, telegram_id=call.message_id, message=message, part=call.part
    )
    TelegramMessage.objects.bulk_create([known], ignore_conflicts=True)
    ticket = message.ticket
    if call.lane == Lane.REPLY and ticket is not None and ticket.is_active:
        # The customer answers what was read last, whatever the bot was waiting for.
        session.current_ticket, session.state, session.data = ticket, "", {}
        session.save(update_fields=["current_ticket", "state", "data"])


def expire_leases(bot_id: int) -> int:
    """Calls whose worker died or hangs: whether Telegram has them, nobody knows. Returns how many there were."""
    expired = OutboundCall.objects.filter(bot_id=bot_id, state=DeliveryState.SENDING, lease_until__lt=Now())
    lost = list(expired.order_by("pk"))
    for call in lost:
        settle(call, Outcome(DeliveryState.UNKNOWN, "its worker's lease expired"))
    return len(lost)


def request_of(call: OutboundCall) -> str | None:
    """The id of the request that wrote, or last changed, what this call carries."""
    if call.delivery is None:
        return None
    about = Event.objects.filter(ticket=call.delivery.message.ticket, data__message=call.delivery.pk)
    last = about.filter(data__has_key="request").order_by("-pk")
    return last.values_list("data__request", flat=True).first()


async def name_request(call: OutboundCall) -> None:
    """Name in this call's log lines the request it comes from, if the database tells."""
    with suppress(Error):
        request_id.set(await in_thread(request_of, call))


class Outbox:
    """Sends what is due, many chats at a time, until asked to stop."""

    def __init__(self, bot: Bot, bell: Bell) -> None:
        self._bot = bot
        self._bell = bell
        self._worker = f"{platform.node()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._in_flight: set[asyncio.Task[None]] = set()
        self._busy = False
        self._leases_checked = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until asked to stop, then gives requests under way a few seconds to be answered."""
        while not stopping.is_set():
            try:
                pause = await self._step()
            except Error as error:
                logger.warning("Outbox: the database does not answer (%s)", type(error).__name__)
                pause = LOOK_EVERY
            if pause:
                await self._bell.wait(pause)
        if self._in_flight:
            _done, unanswered = await asyncio.wait(self._in_flight, timeout=LAST_ANSWERS)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)

    async def _step(self) -> float:
        """Begin one call. Returns the seconds to rest, 0 to go on at once."""
        if time.monotonic() - self._leases_checked > LEASES_CHECKED_EVERY:
            await in_thread(expire_leases, self._bot.id)
            self._leases_checked = time.monotonic()
        if len(self._in_flight) >= IN_FLIGHT:
            await asyncio.wait(self._in_flight, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            return 0
        if not self._busy and not await in_thread(has_work, self._bot.id):
            return LOOK_EVERY
        claimed = await in_thread(claim, self._bot.id, self._worker)
        # What was due a moment ago need not be asked for: only a rest ends with that question.
        self._busy = isinstance(claimed, Claimed)
        if isinstance(claimed, Pause):
            return claimed.seconds
        crash.at(crash.AFTER_SENDING)
        task = asyncio.create_task(self._carry_out(claimed))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return 0

    async def _carry_out(self, claimed: Claimed) -> None:
        log_context.chat_id.set(claimed.call.chat_id)
        outcome = await perform(self._bot, claimed)
        crash.at(crash.AFTER_HTTP)
        if outcome.error:
            await name_request(claimed.call)
            logger.warning("%s: %s, %s", claimed.call.method, outcome.state.value, outcome.error)
        while True:
            try:
                await in_thread(settle, claimed.call, outcome)
            except Error as error:
                # What Telegram said must not be forgotten because the database is away for a while.
                logger.warning("Outbox: an answer waits for the database (%s)", type(error).__name__)
                await asyncio.sleep(LOOK_EVERY)
            else:
                self._bell.ring()
                return
