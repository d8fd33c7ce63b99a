"""How much one chat may make the bot do: everything written is kept, but not everything is answered.

Counted in the chat's row, which whoever handles an update has locked; the inbox saves it with the update.
"""

import time
from datetime import timedelta

from django.utils import timezone

from botbridge.models import ChatSession

WINDOW = timedelta(minutes=1)
#: Updates from one chat in a window that are still a conversation. Ten albums forwarded at once are a hundred.
HEARD_MOST = 100
#: Sentences and answers to presses one chat gets in a window. Telegram takes about one message a second for a chat,
#: and some thirty a second for all chats together (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).
SAID_MOST = 12
#: New tickets one customer may open within an hour; what is written beyond them joins the newest.
OPENED_MOST = 10
#: How long a customer who was told that no more tickets are opened need not hear it again.
TOLD_ONCE_IN = timedelta(hours=1)

#: What the inbox saves.
FIELDS = ("minute_since", "heard", "said", "told_joined_at")


#: Chats found flooding by this process, and until when (`time.monotonic`) they come after all others.
_flooding: dict[int, float] = {}


def hear(session: ChatSession) -> None:
    """Count one update."""
    now = timezone.now()
    if session.minute_since is None or now - session.minute_since >= WINDOW:
        session.minute_since, session.heard, session.said = now, 0, 0
    session.heard += 1
    if is_flood(session):
        _flooding[session.chat_id] = time.monotonic() + WINDOW.total_seconds()


def flooding_chats() -> list[int]:
    """Chats whose updates may wait while anybody else's do."""
    now = time.monotonic()
    for chat_id, until in list(_flooding.items()):
        if until <= now:
            _flooding.pop(chat_id, None)
    return list(_flooding)


def is_flood(session: ChatSession) -> bool:
    return session.heard > HEARD_MOST


def may_say(session: ChatSession) -> bool:
    """Whether one more answer is due to this chat; it is counted then."""
    if session.said >= SAID_MOST:
        return False
    session.said += 1
    return True


def may_tell_joined(session: ChatSession) -> bool:
    """Whether to say that new questions join the newest ticket; True marks it as said."""
    now = timezone.now()
    if session.told_joined_at is not None and now - session.told_joined_at < TOLD_ONCE_IN:
        return False
    session.told_joined_at = now
    return True
