"""A clock that was ahead for a while, as when a machine starts before it has asked for the time.

What was put off by it would wait until that hour comes again: nothing would leave, and nothing would be late.
"""

from datetime import timedelta

from django.db.models.functions import Now

from botbridge.downloads import lease
from botbridge.models import BotStatus, ChatSession, Outage
from tickets.models import Alteration, AlterationState, Attachment, AttachmentState, Delivery, DeliveryState

#: Seconds between looks for what was put off so.
LOOKED_FOR_EVERY = 60.0
#: Further ahead than the bot's own pace and what Telegram asks of it, or than the next attempt at an update.
SOON = timedelta(minutes=2)
#: Further ahead than any wait for a chat, a file or a change, `requests.LONGEST_WAIT`.
LONG = timedelta(hours=1)


def hasten(bot_id: int) -> int:
    """Make due now what waits for a moment no pause of ours leads to. Returns how many rows that were."""
    chats = ChatSession.objects.filter(bot_id=bot_id)
    queued = Delivery.objects.filter(state=DeliveryState.QUEUED)
    files = Attachment.objects.filter(state__in=[AttachmentState.PENDING, AttachmentState.FETCHING])
    changes = Alteration.objects.filter(state=AlterationState.QUEUED)
    outages = Outage.objects.filter(bot_id=bot_id, began_at__lt=Now())
    return sum(
        (
            BotStatus.objects.filter(bot_id=bot_id, next_send_at__gt=Now() + SOON).update(next_send_at=Now()),
            chats.filter(next_send_at__gt=Now() + LONG).update(next_send_at=Now()),
            chats.filter(handle_after__gt=Now() + SOON).update(handle_after=None),
            chats.filter(minute_since__gt=Now() + SOON).update(minute_since=None),
            # By when it was queued: what is meant to leave later was queued before.
            queued.filter(queued_at__gt=Now() + SOON).update(queued_at=Now(), due_at=Now()),
            files.filter(due_at__gt=Now() + max(LONG, lease())).update(due_at=Now()),
            changes.filter(due_at__gt=Now() + LONG).update(due_at=Now()),
            # It has ended by now; until then customers would hear of one that is none.
            outages.filter(ended_at__gt=Now() + SOON).update(ended_at=Now()),
        )
    )
