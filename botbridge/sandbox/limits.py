"""Telegram's sending limits, for the knob that enforces them."""

import math
from collections import defaultdict, deque

# "avoid sending more than one message per second" in a chat; "about 30 messages per second" for a bulk of chats
# (Bots FAQ, "My bot is hitting limits"). Telegram names no exact figures.
BOT_PER_SECOND = 30
CHAT_PER_SECOND = 1
WINDOW = 1.0
# A sender that keeps exactly to one a second reaches us some milliseconds early or late.
TOLERANCE = 0.05


class SendingLimits:
    """Counts what was taken in the last second, for a bot and for each of its chats."""

    def __init__(self) -> None:
        self._bots: defaultdict[int, deque[float]] = defaultdict(deque)
        self._chats: defaultdict[tuple[int, int], deque[float]] = defaultdict(deque)

    def take(self, bot_id: int, chat_id: int, messages: int, now: float) -> int:
        """Takes the messages and returns 0, or refuses and returns retry_after in whole seconds.

        Each part of an album counts for the bot; for the chat an album counts once.
        """
        bot, chat = self._bots[bot_id], self._chats[bot_id, chat_id]
        for taken in (bot, chat):
            while taken and taken[0] <= now - WINDOW + TOLERANCE:
                taken.popleft()
        if len(chat) >= CHAT_PER_SECOND:
            return max(1, math.ceil(chat[0] + WINDOW - now))
        if bot and len(bot) + messages > BOT_PER_SECOND:
            return max(1, math.ceil(bot[0] + WINDOW - now))
        bot.extend([now] * messages)
        chat.append(now)
        return 0
