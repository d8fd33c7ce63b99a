"""Updates brought to the bots' webhooks, as Telegram brings them.

The rules are those of the Bot API ("setWebhook") and, for order and repeats, of Telegram's own server
(https://github.com/tdlib/telegram-bot-api, WebhookActor): what one chat writes goes one after another, other kinds have
queues of their own beside; whatever is not answered 2xx comes again, later each time or when Retry-After says.
"""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from sqlite3 import Row

from aiohttp import ClientError, ClientSession, ClientTimeout

from botbridge.sandbox.knobs import Knobs
from botbridge.sandbox.state import State

#: A bot, a kind of updates and a chat; None for what is of no chat.
Queue = tuple[int, str, int | None]

#: What knobs call a delivery: `drop` never begins it, `cut` loses its answer.
WEBHOOK = "webhook"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
#: Kinds that share their chat's queue.
WRITTEN = frozenset({"message", "edited_message"})
#: Seconds until the first repeat and at most between two; Telegram's own grow to minutes.
FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0
MAX_RETRY_AFTER = 3600.0
#: Seconds a webhook may take to answer.
PATIENCE = ClientTimeout(total=30, connect=5)
LOOK_EVERY = 1.0


class NotTakenError(Exception):
    """The webhook did not answer 2xx. `seconds`: when it asks to be tried again; None: it did not say."""

    def __init__(self, words: str, seconds: float | None = None) -> None:
        self.seconds = seconds
        super().__init__(words)


@dataclass
class Line:
    """One queue of one bot's: busy while an update is on its way, and after a failure silent for a while."""

    is_busy: bool = False
    pause: float = 0.0
    not_before: float = field(default=0.0)


class Webhooks:
    """Brings every waiting update of every bot that has a webhook."""

    def __init__(self, state: State, knobs: Knobs) -> None:
        self._state = state
        self._knobs = knobs
        self._lines: dict[Queue, Line] = {}
        #: Of each update that waits: a backlog is read once, not at each look.
        self._queues: dict[int, Queue] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with ClientSession(timeout=PATIENCE) as session, asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            while True:
                self._woken.clear()
                pause = min((self._begin(hook, session, group) for hook in self._state.webhooks()), default=LOOK_EVERY)
                with suppress(TimeoutError):
                    # Not wait_for, which may swallow that it is cancelled when it is woken at the same moment.
                    async with asyncio.timeout(pause):
                        await self._woken.wait()

    async def _listen(self) -> None:
        while True:
            with self._state.feed.listen() as news:
                # None: this listener fell behind, or the sandbox ends.
                while (event := await news.get()) is not None:
                    if event["kind"] in {"update", WEBHOOK}:
                        self._woken.set()
            self._woken.set()
            await asyncio.sleep(0)

    def _begin(self, hook: Row, session: ClientSession, group: asyncio.TaskGroup) -> float:
        """Send off the first of each free line. Returns after how many seconds to look again."""
        late = self._state.release_late(hook["bot_id"])
        pause = min(LOOK_EVERY, late + 0.001) if late is not None else LOOK_EVERY
        busy = sum(line.is_busy for (bot_id, _kind, _chat), line in self._lines.items() if bot_id == hook["bot_id"])
        met = set()
        for row_id in self._state.waiting_updates(hook["bot_id"]):
            queue = self._queue(hook["bot_id"], row_id)
            line = self._lines.setdefault(queue, Line())
            if queue in met or line.is_busy:
                continue
            met.add(queue)
            wait = line.not_before - time.monotonic()
            if wait > 0:
                pause = min(pause, wait)
            elif busy < hook["max_connections"]:
                busy += 1
                line.is_busy = True
                group.create_task(self._bring(hook, row_id, queue, session))
        return pause

    def _queue(self, bot_id: int, row_id: int) -> Queue:
        if row_id not in self._queues:
            self._queues[row_id] = (bot_id, *queue_of(*self._state.waiting_update(row_id)))
        return self._queues[row_id]

    async def _bring(self, hook: Row, row_id: int, queue: Queue, session: ClientSession) -> None:
        """One update, once; only a 2xx acknowledges it."""
        line, (_bot_id, _kind, chat_id) = self._lines[queue], queue
        _kind, body = self._state.waiting_update(row_id)
        try:
            await self._post(hook, body, chat_id, session)
        except NotTakenError as error:
            line.pause = min(line.pause * 2 or FIRST_PAUSE, LAST_PAUSE)
            wait = line.pause if error.seconds is None else min(error.seconds, MAX_RETRY_AFTER)
            line.not_before = time.monotonic() + wait
            with self._state.transaction():
                self._state.note_webhook_error(hook["bot_id"], str(error))
        else:
            line.pause = 0.0
            with self._state.transaction():
                self._state.acknowledge_one(row_id)
            del self._queues[row_id]
        finally:
            line.is_busy = False
            self._woken.set()

    async def _post(self, hook: Row, body: str, chat_id: int | None, session: ClientSession) -> None:
        """:raises NotTakenError: anything but a 2xx."""
        if self._knobs.strike("drop", WEBHOOK, chat_id):
            raise NotTakenError("Connection refused")
        headers = {"Content-Type": "application/json"}
        if hook["secret_token"]:
            headers[SECRET_HEADER] = hook["secret_token"]
        try:
            async with session.post(hook["url"], data=body, headers=headers, allow_redirects=False) as answer:
                status, reason, retry_after = answer.status, answer.reason, answer.headers.get("Retry-After", "")
        except TimeoutError:
            raise NotTakenError("Read timeout expired") from None
        except (ClientError, OSError):
            raise NotTakenError("Connection refused") from None
        if not 200 <= status < 300:
            seconds = float(retry_after) if retry_after.isdecimal() else None
            raise NotTakenError(f"Wrong response from the webhook: {status} {reason}", seconds)
        if self._knobs.strike("cut", WEBHOOK, chat_id):
            raise NotTakenError("Connection reset by peer")


def queue_of(kind: str, text: str) -> tuple[str, int | None]:
    """The queue an update waits in: its kind, one for all that is written, and its chat."""
    body = json.loads(text).get(kind)
    event = body if isinstance(body, dict) else {}
    holder = event.get("message", event) if kind == "callback_query" else event
    chat = holder.get("chat") if isinstance(holder, dict) else None
    chat_id = chat.get("id") if isinstance(chat, dict) else None
    return "written" if kind in WRITTEN else kind, chat_id if isinstance(chat_id, int) else None
