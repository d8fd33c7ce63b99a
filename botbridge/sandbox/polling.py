"""getUpdates: one poller a bot, acknowledgement by offset, long polls."""

import asyncio
import time
from typing import Any

from botbridge.sandbox.bot_api import Params
from botbridge.sandbox.errors import BotApiError
from botbridge.sandbox.state import State

Json = dict[str, Any]

MAX_BATCH = 100  # Bot API, getUpdates: "Values between 1-100 are accepted. Defaults to 100."
MAX_TIMEOUT = 50  # seconds; Telegram's own server waits no longer
OUSTED = {"kind": "ousted"}
HAS_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
WEBHOOK_SET = "Conflict: terminated by setWebhook request"
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class Polling:
    """Serves updates; of two pollers the newer wins, and the older is told so."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: dict[int, asyncio.Queue[Json | None]] = {}

    async def get_updates(self, bot_id: int, params: Params) -> list[Json]:
        """Updates that were not acknowledged yet. Raises 409 when another getUpdates or a webhook takes over."""
        if self._state.webhook(bot_id) is not None:
            raise BotApiError(409, HAS_WEBHOOK)
        limit = params.integer("limit", MAX_BATCH)
        limit = limit if 1 <= limit <= MAX_BATCH else MAX_BATCH
        timeout = max(0, min(params.integer("timeout"), MAX_TIMEOUT))
        with self._state.transaction():
            self._state.acknowledge(bot_id, params.integer("offset"))
            if params.values.get("allowed_updates") is not None:
                self._state.set_allowed_updates(bot_id, params.array("allowed_updates"))
        with self._state.feed.listen() as news:
            if previous := self._waiting.get(bot_id):
                previous.put_nowait(OUSTED)
            self._waiting[bot_id] = news
            try:
                return await self._wait(bot_id, limit, time.monotonic() + timeout, news)
            finally:
                if self._waiting.get(bot_id) is news:
                    del self._waiting[bot_id]

    async def _wait(self, bot_id: int, limit: int, deadline: float, news: asyncio.Queue[Json | None]) -> list[Json]:
        while True:
            if self._state.webhook(bot_id) is not None:
                raise BotApiError(409, WEBHOOK_SET)
            next_late = self._state.release_late(bot_id)
            batch = self._state.pending_updates(bot_id, limit)
            left = deadline - time.monotonic()
            if batch or left <= 0:
                return batch
            if not await _told(news, bot_id, left if next_late is None else min(left, next_late + 0.001)):
                return []


async def _told(news: asyncio.Queue[Json | None], bot_id: int, timeout: float) -> bool:  # noqa: ASYNC109
    """Waits for an update or webhook of this bot, or the timeout. False: the sandbox ends. Raises 409 when ousted."""
    try:
        async with asyncio.timeout(timeout):
            while (event := await news.get()) is not None:
                if event is OUSTED:
                    raise BotApiError(409, CONFLICT)
                if event["kind"] in {"update", "webhook"} and event["bot_id"] == bot_id:
                    return True
            return False
    except TimeoutError:
        return True
