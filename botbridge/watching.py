"""With the webhook (`botbridge.webhook`) the bot's process does not ask for updates: it tells Telegram where to bring
them, and looks now and then whether Telegram can, since nobody else would notice that nothing comes.
"""

import asyncio
import logging
from datetime import datetime, timedelta

import psycopg
from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.methods import GetWebhookInfo, SetWebhook
from aiogram.types import WebhookInfo
from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone

from botbridge import webhook
from botbridge.models import KEPT_BY_TELEGRAM, MAX_REASON, BotStatus
from botbridge.outages import NOTICED_AFTER, last_update, reached
from botbridge.polling import ALLOWED_UPDATES, TRY_TO_LEAD_EVERY, answer_takes, cope, leading
from botbridge.threads import in_thread

logger = logging.getLogger(__name__)

#: Seconds between two looks.
LOOK_EVERY = 5
#: How many updates Telegram brings at once (Bot API, setWebhook: 1-100): more than the threads of a few web processes,
#: which answer people besides, would only wait there.
MAX_CONNECTIONS = 20
TAKEN_AWAY = "the webhook had been taken away or set to another address, and was set again"


class Watching:
    """Sets the webhook, and again whenever it is another; notes how it fares. Recovers by itself from what fails."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._address = webhook.address()
        self._failures = 0
        self._is_set = False

    async def run(self) -> None:
        """Watches until cancelled, while this process leads: of all the bot's processes one decides about the door."""
        while True:
            try:
                async with leading(self._bot.id) as check:
                    self._is_set = False
                    while True:
                        await check()
                        await self._look_and_pause()
            except psycopg.Error as error:
                logger.warning("Webhook: %s, trying to lead again", type(error).__name__)
                await asyncio.sleep(TRY_TO_LEAD_EVERY)

    async def _look_and_pause(self) -> None:
        try:
            await self._look()
        except (AiogramError, Error) as error:
            await cope(self._bot.id, error, about="Webhook", failures=self._failures)
            self._failures += 1
        else:
            self._failures = 0
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        if not self._is_set:
            # Also where Telegram has the same address: it does not tell whether it has the same secret.
            await self._set()
            logger.info("Webhook: updates of bot %s are brought to %s", self._bot.id, settings.PUBLIC_URL)
        info = await self._bot(GetWebhookInfo(), request_timeout=answer_takes(self._failures))
        await in_thread(reached, self._bot.id)
        await in_thread(note_forgotten, self._bot.id, info)
        if info.url == self._address:
            await in_thread(looked, self._bot.id, info)
            return
        logger.warning("Webhook: %s", TAKEN_AWAY)
        await self._set()
        await in_thread(looked, self._bot.id, info, trouble=TAKEN_AWAY)

    async def _set(self) -> None:
        await self._bot(
            SetWebhook(
                url=self._address,
                secret_token=settings.TELEGRAM_WEBHOOK_SECRET,
                max_connections=MAX_CONNECTIONS,
                allowed_updates=ALLOWED_UPDATES,
                drop_pending_updates=False,
            )
        )
        self._is_set = True


def note_forgotten(bot_id: int, info: WebhookInfo) -> None:
    """What Telegram could not bring for a day it has forgotten: it holds nothing any more, and nothing has come."""
    status = BotStatus.objects.filter(pk=bot_id).first()
    since = status.webhook_pending_since if status is not None else None
    if since is None or info.pending_update_count or timezone.now() - since <= KEPT_BY_TELEGRAM:
        return
    last = last_update(bot_id)
    if last is None or last < since:
        reached(bot_id, last=since)


@transaction.atomic
def looked(bot_id: int, info: WebhookInfo, *, trouble: str = "") -> None:
    """Note what Telegram says of the webhook, or, with `trouble`, what was found beside.

    An error stays noted until a newer one takes its place: Telegram too tells the last one, however long ago it was.
    """
    now = timezone.now()
    BotStatus.objects.bulk_create([BotStatus(bot_id=bot_id)], ignore_conflicts=True)
    status = BotStatus.objects.select_for_update().get(pk=bot_id)
    status.door = BotStatus.Door.WEBHOOK
    since = status.webhook_pending_since or _nothing_waited_at(status, now)
    status.last_polled_at, status.last_error, status.stopped_reason = now, "", ""
    status.webhook_pending = info.pending_update_count
    status.webhook_pending_since = since if info.pending_update_count else None
    told, told_at = (trouble, now) if trouble else (info.last_error_message or "", info.last_error_date)
    if told_at is not None and _is_newer(told_at, status.webhook_error_at):
        status.webhook_error, status.webhook_error_at = told[:MAX_REASON], told_at
    status.save(
        update_fields=[
            "door",
            "last_polled_at",
            "last_error",
            "stopped_reason",
            "webhook_pending",
            "webhook_pending_since",
            "webhook_error",
            "webhook_error_at",
        ]
    )


def _nothing_waited_at(status: BotStatus, now: datetime) -> datetime:
    """The look before, after which whatever waits now has come; of one long ago `reached` has told by itself."""
    last = status.last_polled_at
    return last if last is not None and now - last <= NOTICED_AFTER else now


def _is_newer(moment: datetime, than: datetime | None) -> bool:
    """By whole seconds, as Telegram tells them: its own last error is told at each look."""
    return than is None or moment - than >= timedelta(seconds=1)
