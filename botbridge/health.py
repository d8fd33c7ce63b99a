"""The truth about the bot, for /health, the desk's banner and the bot's own check."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Min, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from botbridge.models import BotStatus, Update
from botbridge.storing import parked_unsettled
from tickets.models import Alteration, Delivery, DeliveryState, Lane

#: Counts end here: an exact count of a big table is what makes a health check slow.
MOST = 1000

#: From here on what Telegram holds is no longer on its way: it repeats after a failure, later each time.
UNDELIVERED_AFTER = timedelta(seconds=60)
#: For so long an error of the webhook's says something about now: Telegram waits up to two minutes between two tries.
ERROR_COUNTS_FOR = timedelta(seconds=300)

#: In the words of the index delivery_to_decide: SQLite does not see that one state is among two.
TO_DECIDE = Q(state__in=[DeliveryState.UNKNOWN, DeliveryState.FAILED], decision="")


def facts() -> dict[str, Any]:
    """Ages in seconds (None: nothing waits, or never polled), counts up to 1,000, and why the bot stands still.

    `last_poll_age` grows to 5 in quiet times: a poll is held that long, and the webhook looked at so often.
    `webhook_pending`, what Telegram held at the last look, and the two after it are None while the bot polls.
    """
    now = timezone.now()
    status = latest_status()
    stored = Update.objects.filter(state=Update.State.STORED).order_by("pk").values_list("received_at", flat=True)
    # What has expired is never sent, and the jobs clear it away.
    queued = Delivery.objects.filter(state=DeliveryState.QUEUED, due_at__lte=now).exclude(expires_at__lte=now)
    unsent = queued.order_by("due_at").values_list("due_at", flat=True)
    return {
        "last_poll_age": _age(status.last_polled_at if status is not None else None, now),
        "door": status.door if status is not None else BotStatus.Door.POLLING.value,
        "webhook_pending": status.webhook_pending if status is not None else None,
        "webhook_error_age": _recent_error_age(status, now),
        "undelivered": _age(undelivered_since(status), now),
        "oldest_unhandled": _age(stored.first(), now),
        "oldest_unsent": _age(unsent.first(), now),
        "unknown": _in_state(Q(state=DeliveryState.UNKNOWN) & TO_DECIDE),
        "held": _in_state(Q(state=DeliveryState.HELD)),
        "failed": _in_state(Q(state=DeliveryState.FAILED) & TO_DECIDE),
        "unaltered": Alteration.objects.to_look_at()[:MOST].count(),
        "parked": parked_updates(),
        "last_error": status.last_error if status is not None else "",
        "webhook_error": status.webhook_error if status is not None else "",
        "stopped": status.stopped_reason if status is not None else "",
    }


def latest_status() -> BotStatus | None:
    """The status of the bot Telegram answered last; a token of before leaves a row too."""
    return BotStatus.objects.order_by(F("last_polled_at").desc(nulls_last=True)).first()


def undelivered_since(status: BotStatus | None) -> datetime | None:
    """Since when Telegram has tried in vain to bring what customers wrote; None while the webhook takes it."""
    if status is None or status.webhook_pending_since is None or not _has_recent_error(status, timezone.now()):
        return None
    waited = timezone.now() - status.webhook_pending_since
    return status.webhook_pending_since if waited > UNDELIVERED_AFTER else None


def _has_recent_error(status: BotStatus, now: datetime) -> bool:
    return status.webhook_error_at is not None and now - status.webhook_error_at < ERROR_COUNTS_FOR


def _recent_error_age(status: BotStatus | None, now: datetime) -> int | None:
    return _age(status.webhook_error_at, now) if status is not None and _has_recent_error(status, now) else None


def parked_updates() -> int:
    """How many updates wait for a person to look at them, up to 1,000."""
    return parked_unsettled()[:MOST].count()


def _age(moment: datetime | None, now: datetime) -> int | None:
    return max(int((now - moment) / timedelta(seconds=1)), 0) if moment is not None else None


def oldest_undecided() -> int | None:
    """For how many seconds a person could have decided about a reply; about one whose customer cannot be reached
    nobody can.
    """
    unreachable = Q(reason__in=Delivery.UNREACHABLE)
    held = Q(state=DeliveryState.HELD) & ~unreachable
    rows = Delivery.objects.filter(TO_DECIDE | held, lane=Lane.REPLY)
    return _age(rows.aggregate(since=Min(Coalesce("settled_at", "queued_at")))["since"], timezone.now())


def _in_state(condition: Q) -> int:
    """Replies that wait for a person; for the bot's own sentences nobody has to decide."""
    return Delivery.objects.filter(condition, lane=Lane.REPLY)[:MOST].count()
