"""What becomes of requests to Telegram that a restored backup still holds as to be made."""

from django.db.models import Q
from django.utils import timezone

from botbridge.models import ForumTopic, OutboundCall
from tickets.models import DeliveryState

RESTORED = "restored from a backup: it may have been made since"


def doubt_calls() -> int:
    """Settle every call that was queued or under way: whether Telegram has it since, nobody knows. Returns how many.

    Answers to buttons and other calls outside deliveries that had not begun are stale and dropped.
    """
    now = timezone.now()
    stale = Q(delivery__isnull=True, state=DeliveryState.QUEUED)
    dropped = OutboundCall.objects.filter(stale).update(state=DeliveryState.CANCELLED, error=RESTORED, settled_at=now)
    unsettled = OutboundCall.objects.filter(state__in=[DeliveryState.QUEUED, DeliveryState.SENDING])
    doubted = unsettled.update(state=DeliveryState.UNKNOWN, error=RESTORED, lease_until=None, settled_at=now)
    being_made = ForumTopic.objects.filter(state=ForumTopic.State.MAKING)
    being_made.update(state=ForumTopic.State.GIVEN_UP, waiting=None)
    return dropped + doubted
