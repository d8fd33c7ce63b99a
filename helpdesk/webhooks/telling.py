"""What webhooks are told, in order, and again when they were away: the jobs of `operations.webhooks`."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tickets import operations
from tickets.api.events import EventOut
from tickets.models import Event, Job, Webhook, WebhookCall

if TYPE_CHECKING:
    from helpdesk.webhooks.sending import Outcome

#: Events read at a time, and seconds after which a job that has more to tell lets others go first.
AT_A_TIME = 100
TURN = 20.0


def tell_webhook(job: Job) -> int:
    """Tell one webhook of what happened since it was last told, until all is told or its turn is over.

    :raises JobFailed: it did not take an event; the others wait behind that one, so that it hears them in order.
    :raises JobOver: it is off.
    """
    told = 0
    turn_ends = time.monotonic() + TURN
    for event in _untold(int(job.key)):
        outcome = _call(_on(int(job.key)), event, is_repeat=False)
        if not outcome.arrived:
            raise operations.JobFailed(outcome.error)
        told += 1
        if time.monotonic() > turn_ends:
            break
    return told


def repeat_webhook_call(job: Job) -> int:
    """Tell a webhook once more of what it was told before, on or off: a person asked for it.

    :raises JobFailed: it did not take it.
    :raises JobOver: the call is so old that it has been dropped.
    """
    call = WebhookCall.objects.select_related("webhook").filter(pk=job.key).first()
    if call is None:
        raise operations.JobOver
    event = Event.objects.select_related("service_account").get(pk=call.event_id)
    outcome = _call(call.webhook, event, is_repeat=True)
    if not outcome.arrived:
        raise operations.JobFailed(outcome.error)
    return 1


def _on(webhook_id: int) -> Webhook:
    """The webhook as it is now: it may have been changed, or turned off, since the last event."""
    webhook = Webhook.objects.filter(pk=webhook_id, off="").first()
    if webhook is None:
        raise operations.JobOver
    return webhook


def _untold(webhook_id: int) -> Iterator[Event]:
    """The events it is to be told of, oldest first, up to those that others may still be writing."""
    settled = Event.objects.settled_up_to(Event.objects.last_given_id())
    while True:
        webhook = _on(webhook_id)
        events = Event.objects.filter(pk__gt=webhook.reached, pk__lte=settled).select_related("service_account")
        if webhook.kinds:
            events = events.filter(kind__in=webhook.kinds)
        portion = list(events.order_by("pk")[:AT_A_TIME])
        yield from portion
        if len(portion) < AT_A_TIME:
            operations.pass_over_for_webhook(webhook=webhook, event_id=settled)
            return


def _call(webhook: Webhook, event: Event, *, is_repeat: bool) -> "Outcome":
    """Send one event, outside any transaction, and write down what came of it.

    The id is the event's, each time the same: by it a receiver knows what it has had. With the moment in it, since
    after a restore numbers are given out a second time.
    """
    # With aiohttp, which web processes, readers of the schedule too, do without.
    from helpdesk.webhooks.sending import headers_for, post

    body = json.dumps(payload(event), ensure_ascii=False).encode()
    headers = headers_for(
        secret=webhook.secret, message_id=f"event-{event.pk}-{int(event.created_at.timestamp())}", body=body
    )
    outcome = asyncio.run(post(webhook.address, headers=headers, body=body))
    operations.record_webhook_call(
        webhook=webhook,
        event=event,
        status=outcome.status,
        error=outcome.error,
        answer=outcome.answer,
        milliseconds=outcome.milliseconds,
        is_repeat=is_repeat,
    )
    return outcome


def payload(event: Event) -> dict[str, object]:
    """As Standard Webhooks has it; `data` is what `GET /api/v1/events` says of the event."""
    data = EventOut(event, context={"for_customer": False}).data
    return {"type": f"ticket.{event.kind}", "timestamp": data["createdAt"], "data": data}
