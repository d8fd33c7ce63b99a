"""«Печатает…» in the customer's chat while a manager writes to them.

It has no row of its own and is never tried again: what Telegram does not take at once is stale. It waits for no pace
and takes nobody's place, but a chat or a bot that Telegram asked to pause is left alone.
"""

import asyncio
import logging

from aiogram import Bot
from aiogram.enums import ChatAction
from django.db import Error
from django.utils import timezone

from botbridge import log_context, requests
from botbridge.doorbell import Bell
from botbridge.forum_topics import Place, topic_of
from botbridge.models import BotStatus, ChatSession
from botbridge.threads import in_thread
from botbridge.too_many import PAUSED_FROM
from tickets import operations

logger = logging.getLogger(__name__)


class ChatActions:
    """Shows who is written to, until asked to stop."""

    def __init__(self, bot: Bot, bell: Bell) -> None:
        self._bot = bot
        self._bell = bell

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self.show()
            except Error as error:
                logger.warning("Chat actions: the database does not answer (%s)", type(error).__name__)
            await self._bell.wait()

    async def show(self) -> None:
        """Tell each customer who is written to at this moment, all at once."""
        chats = await in_thread(chats_to_tell, self._bot.id)
        await asyncio.gather(*(self._tell(chat_id, place) for chat_id, place in chats))

    async def _tell(self, chat_id: int, place: Place) -> None:
        payload = {"chat_id": chat_id, "action": ChatAction.TYPING.value, **place.payload}
        outcome = await requests.make(self._bot, "sendChatAction", payload, {})
        if outcome.error:
            log_context.chat_id.set(chat_id)
            logger.info("sendChatAction: %s", outcome.error)


def chats_to_tell(bot_id: int) -> list[tuple[int, Place]]:
    """The chats of those who are written to, and the place in each, without those Telegram wants left alone."""
    written_to = operations.take_typing()
    now = timezone.now()
    if not written_to or BotStatus.objects.filter(pk=bot_id, next_send_at__gt=now + PAUSED_FROM).exists():
        return []
    sessions = ChatSession.objects.filter(bot_id=bot_id, chat_id__in=written_to)
    chats = sessions.filter(next_send_at__lte=now + PAUSED_FROM).values_list("chat_id", flat=True)
    return [(chat_id, topic_of(written_to[chat_id], bot_id)) for chat_id in chats]
