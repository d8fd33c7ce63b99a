"""429 in several chats at once: then it is the bot that asks too much, not one chat, and all of it has to wait.

Telegram does not say which of its limits was reached (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).
"""

import time
from datetime import timedelta

#: So many chats refused within so many seconds are no coincidence.
CHATS = 3
WITHIN = 5.0
#: A chat may have to wait for minutes; the bot asks again sooner, in case it was chats after all.
LONGEST = timedelta(seconds=30)
#: Further ahead than its pace gets, but for an album's, a chat's or the bot's next sending waits because Telegram asked
#: for it.
PAUSED_FROM = timedelta(seconds=3)

#: Chats this process was refused in lately, by bot and chat, and when (`time.monotonic`).
_refused: dict[tuple[int, int], float] = {}


def bot_pause(bot_id: int, chat_id: int, chat_pause: timedelta) -> timedelta:
    """How long the whole bot waits after a 429 for one chat; nothing while it is that chat's alone."""
    now = time.monotonic()
    _refused[bot_id, chat_id] = now
    for key, moment in list(_refused.items()):
        if now - moment > WITHIN:
            del _refused[key]
    refused_here = sum(bot == bot_id for bot, _chat in _refused)
    return min(chat_pause, LONGEST) if refused_here >= CHATS else timedelta(0)
