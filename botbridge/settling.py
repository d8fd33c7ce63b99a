"""What became of a call to Telegram, written down with its delivery and its chat: the truth about each.

A request that left without a clear answer is `unknown` for good, since Telegram knows no key that would make a repeat
harmless.
"""

from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from botbridge import alterations, calls, forum_topic_calls, too_many
from botbridge.claiming import BOT_BURST, CHAT_BURST, LEASE
from botbridge.models import MAX_REASON, BotStatus, ChatSession, OutboundCall, TelegramFile, TelegramMessage
from botbridge.parts import parts_in
from botbridge.requests import Outcome
from tickets import operations
from tickets.models import Attachment, Delivery, DeliveryState, Lane, Message

RETRY_IDEMPOTENT = timedelta(seconds=2)
#: Between Telegram's clock, in whole seconds, and the database's.
CLOCKS_DIFFER = timedelta(seconds=5)


def settle(call: OutboundCall, outcome: Outcome) -> None:
    """Write down what became of a call, its delivery and its chat, in one transaction.

    A worker whose lease has expired may still bring a success; anything else it brings comes too late.
    """
    if outcome.chat_pause:
        pause = too_many.bot_pause(call.bot_id, call.chat_id, outcome.chat_pause)
        outcome = replace(outcome, bot_pause=max(outcome.bot_pause, pause))
    if outcome.bot_pause or outcome.stopped:
        _pause_bot(call, outcome)
    with transaction.atomic():
        session = _session_of(call)
        current = OutboundCall.objects.select_for_update().get(pk=call.pk)
        in_time = current.state == DeliveryState.SENDING and current.worker == call.worker
        late_success = current.state == DeliveryState.UNKNOWN and outcome.state == DeliveryState.SENT
        if not in_time and not late_success:
            return
        outcome = _unless_they_came_back(current, session, outcome)
        if outcome.chat_pause:
            # No burst after Telegram has asked for a pause.
            ChatSession.objects.filter(pk=session.pk).update(next_send_at=Now() + outcome.chat_pause + CHAT_BURST)
        if current.alteration_id is not None:
            _finish(current, alterations.settle(current.alteration_id, current, outcome), outcome)
        elif current.method == calls.CREATE_FORUM_TOPIC:
            _settle_creation(current, outcome)
        elif current.delivery_id is None:
            _settle_unordered(current, outcome)
        else:
            _settle_part(current, current.delivery_id, outcome, session, late=late_success)


def _session_of(call: OutboundCall) -> ChatSession:
    """The chat's row, locked before any ticket's, as the inbox does."""
    rows = ChatSession.objects.filter(bot_id=call.bot_id, chat_id=call.chat_id)
    return rows.select_for_update().get()


def _unless_they_came_back(call: OutboundCall, session: ChatSession, outcome: Outcome) -> Outcome:
    """What was refused because the customer had stopped the bot, who has let it in since, is sent once more."""
    if outcome.state != DeliveryState.HELD or session.customer is None or call.lease_until is None:
        return outcome
    returned_at, began = session.customer.returned_at, call.lease_until - LEASE
    # Where they had come back before it began, it is only refused again, later. A return yet to come is none.
    if returned_at is None or not began - CLOCKS_DIFFER < returned_at <= timezone.now():
        return outcome
    return replace(outcome, state=DeliveryState.QUEUED, reason="")


def _pause_bot(call: OutboundCall, outcome: Outcome) -> None:
    """Let all calls wait, and note why, unless a poll has been answered since this one began: then all is well."""
    rows = BotStatus.objects.filter(pk=call.bot_id)
    rows.update(next_send_at=Now() + outcome.bot_pause + BOT_BURST)
    if outcome.chat_pause:
        return  # Telegram answered, that it is too much
    lease_until = OutboundCall.objects.values_list("lease_until", flat=True).get(pk=call.pk)
    answered_since = Q() if lease_until is None else Q(last_polled_at__gt=lease_until - LEASE)
    rows.exclude(answered_since).update(
        last_error=outcome.error[:MAX_REASON], last_error_at=Now(), stopped_reason=outcome.stopped
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
    if call.method == calls.EDIT_FORUM_TOPIC:
        forum_topic_calls.settle_renaming(call)


def _settle_creation(call: OutboundCall, outcome: Outcome) -> None:
    """Let the delivery go on that has waited for its ticket's topic, with the topic or without."""
    # Not repeated by itself but with the delivery, in its turn.
    repeats = outcome.state in (DeliveryState.QUEUED, DeliveryState.HELD)
    _finish(call, DeliveryState.CANCELLED if repeats else outcome.state, outcome)
    delivery = forum_topic_calls.settle_creation(call, outcome)
    if delivery is None:
        return
    state, reason = DeliveryState.QUEUED, ""
    if outcome.state == DeliveryState.HELD:
        state, reason = _held(delivery), outcome.reason
    operations.settle(delivery_id=delivery.pk, state=state, parts_sent=delivery.parts_sent, reason=reason)


def _held(delivery: Delivery) -> DeliveryState:
    """What becomes of a message to a customer who has stopped the bot: a person's waits for them."""
    operations.customer_stopped_bot(customer=delivery.customer)
    return DeliveryState.HELD if delivery.lane == Lane.REPLY else DeliveryState.CANCELLED


def _settle_part(call: OutboundCall, delivery_id: int, outcome: Outcome, session: ChatSession, *, late: bool) -> None:
    delivery = Delivery.objects.select_related("customer", "message__ticket").get(pk=delivery_id)
    outcome = forum_topic_calls.after_send(call, outcome)
    message, state, parts_sent = delivery.message, outcome.state, call.part
    if state == DeliveryState.HELD:
        state = _held(delivery)
    _finish(call, state, outcome)
    if outcome.file_ids_refused:
        _forget_files(call, message)
    if state == DeliveryState.SENT:
        parts_sent += parts_in(call.payload)
        _remember(call, message, session, outcome)
        if not late:
            _note_reachable(delivery)
        if parts_sent < operations.parts_of(message):
            state = DeliveryState.QUEUED
    operations.settle(
        delivery_id=delivery_id,
        state=state,
        parts_sent=parts_sent,
        parts_tried=parts_in(call.payload),
        reason=outcome.reason,
        late=late,
    )


def _note_reachable(delivery: Delivery) -> None:
    """Telegram has taken what was put on its way after the customer had stopped the bot: they let it in again, and
    Telegram's word for that did not come or came before another's.
    """
    stopped_at = delivery.customer.stopped_bot_at
    if stopped_at is not None and delivery.queued_at > stopped_at:
        operations.customer_returned(customer=delivery.customer)


def _finish(call: OutboundCall, state: DeliveryState, outcome: Outcome) -> None:
    call.state, call.error, call.lease_until = state, outcome.error[:MAX_REASON], None
    call.message_id = outcome.sent[0].message_id if outcome.sent else None
    call.settled_at = None if state == DeliveryState.QUEUED else timezone.now()
    call.save()


def _remember(call: OutboundCall, message: Message, session: ChatSession, outcome: Outcome) -> None:
    """Under which ids the customer's Telegram has the parts, and under which Telegram keeps their files."""
    known = [
        TelegramMessage(
            bot_id=call.bot_id, chat_id=call.chat_id, telegram_id=sent.message_id, message=message, part=part
        )
        for part, sent in enumerate(outcome.sent, start=call.part)
    ]
    TelegramMessage.objects.bulk_create(known, ignore_conflicts=True)
    _remember_files(call, message, outcome)
    ticket = message.ticket
    if call.lane == Lane.REPLY and ticket is not None and (ticket.is_active or ticket.can_reopen(timezone.now())):
        # The customer answers what was read last, solved or not, and whatever the bot was waiting for.
        session.make_current(ticket)
        session.state, session.data = "", {}
        session.save(update_fields=["current_ticket", "current_since", "state", "data"])


def _remember_files(call: OutboundCall, message: Message, outcome: Outcome) -> None:
    if not any(sent.file_id for sent in outcome.sent):
        return
    files = [
        TelegramFile(bot_id=call.bot_id, attachment=attachment, file_id=sent.file_id)
        for attachment, sent in zip(_carried(call, message), outcome.sent, strict=False)
        if sent.file_id and attachment.digest
    ]
    TelegramFile.objects.bulk_create(files, ignore_conflicts=True)


def _forget_files(call: OutboundCall, message: Message) -> None:
    for attachment in _carried(call, message):
        TelegramFile.objects.with_bytes_of(attachment, bot_id=call.bot_id).delete()


def _carried(call: OutboundCall, message: Message) -> QuerySet[Attachment]:
    """The message's files that were in this request."""
    return message.attachments.order_by("position", "pk")[call.part : call.part + parts_in(call.payload)]


def expire_leases() -> int:
    """Calls whose worker died or hangs: whether Telegram has them, nobody knows. Returns how many there were.

    Of whatever bot: one that works here no more would hold up its customers for ever.
    """
    expired = OutboundCall.objects.filter(state=DeliveryState.SENDING, lease_until__lt=Now())
    lost = list(expired.order_by("pk"))
    for call in lost:
        settle(call, Outcome(DeliveryState.UNKNOWN, "its worker's lease expired"))
    return len(lost)
