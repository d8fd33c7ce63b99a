"""One process's switchboard: hears every change once and hands it to the streams whose people may know."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any

from django.db import Error, connections

from helpdesk.live import upstream
from helpdesk.live.viewers import Refusal, Viewer, identify, identify_again
from helpdesk.metrics import STREAMS
from tickets.models import Change

logger = logging.getLogger(__name__)

#: Events one stream may lag behind before it is ended; its page then asks for everything again.
BACKLOG = 100
#: Streams of one person in one process: what bounds its open sockets. A browser needs one for all its tabs; the rest is
#: other browsers and streams not yet found dead. One more takes the place of the oldest.
STREAMS_EACH = 10
#: Seconds between proofs that a stream lives, so that proxies do not cut it and pages notice when it died.
HEARTBEAT = 15
#: Seconds between looks whether the people of open streams may still listen.
RECHECK_EVERY = 60
#: Seconds to wait before listening to the database again: first, and at most.
RETRY_FIRST, RETRY_MOST = 0.2, 5.0

#: "The database is silent": what the page shows may be old.
PAUSE = b"event: pause\ndata:\n\n"
#: "This stream ends": come back, and be ready to hear that you may not.
BYE = b"event: bye\ndata:\n\n"
#: "This stream ends, for its person opened others": come back only when somebody looks at the page.
CROWDED = b"event: crowded\ndata:\n\n"
PROOF = b":\n\n"


class Subscription:
    """One open stream: whose it is, and what waits to be written to it."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(BACKLOG)
        self._ended = False

    def put(self, event: bytes) -> None:
        if self._ended:
            return
        if self._queue.full():
            self.end()
        else:
            self._queue.put_nowait(event)

    def end(self, word: bytes = BYE) -> None:
        """Say `word` next, whatever was still waiting, and nothing more."""
        if self._ended:
            return
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(word)
        self._ended = True

    def is_open_for(self, user_id: int) -> bool:
        return not self._ended and self.viewer.user_id == user_id

    async def chunks(self) -> AsyncIterator[bytes]:
        """What to write, until the stream ends."""
        yield PROOF
        while not (self._ended and self._queue.empty()):
            try:
                async with asyncio.timeout(HEARTBEAT):
                    chunk = await self._queue.get()
            except TimeoutError:
                chunk = PROOF
            yield chunk


class Hub:
    """Starts with the first stream: a process that serves pages alone listens to nothing."""

    def __init__(self, source: upstream.Source = upstream.changes) -> None:
        self._source = source
        self._subscriptions: dict[Subscription, None] = {}  # in the order they were opened
        self._listening = False
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._revocations: Counter[str] = Counter()
        # The source's thread keeps its connection; people are looked up elsewhere, so that a rush of new streams
        # holds up no event.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="live-reader")
        self._doors = ThreadPoolExecutor(2, thread_name_prefix="live-door")

    async def subscribe(self, session_key: str) -> Subscription:
        """Open a stream for the person of this session.

        Beyond `STREAMS_EACH` the oldest gives up its place: a refusal would leave the page somebody has just opened
        without news, and keep those of pages nobody looks at, or whose browser has vanished without a word.

        :raises Refusal: 401 and 403 as `identify` says, 503 while the process ends or the database does not answer.
        """
        if self._closing:
            raise Refusal(503)
        self._start()
        revocations = self._revocations.copy()
        try:
            viewer = await self._ask(self._doors, identify, session_key)
        except Error:
            raise Refusal(503) from None
        # Heard while the database was asked, so its answer may be the one before.
        if any(self._revocations[token] != revocations[token] for token in viewer.tokens):
            raise Refusal(503)
        if self._closing:
            raise Refusal(503)
        own = [subscription for subscription in self._subscriptions if subscription.is_open_for(viewer.user_id)]
        if len(own) >= STREAMS_EACH:
            own[0].end(CROWDED)
        subscription = Subscription(viewer)
        self._subscriptions[subscription] = None
        STREAMS.set(len(self._subscriptions))
        if self._listening:
            subscription.put(hello(subscription.viewer))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription, None)
        STREAMS.set(len(self._subscriptions))

    def publish(self, change: Change) -> None:
        """Hand a change to the streams of those who may see its ticket, and tell those who just lost it."""
        audience, lost = frozenset(change.audience), frozenset(change.lost)
        if change.kind == Change.Kind.REVOKED:
            self._revoke(audience)
            return
        event, gone = told(change), gone_told(change)
        for subscription in self._subscriptions:
            tokens = subscription.viewer.tokens
            if not tokens.isdisjoint(audience):
                subscription.put(event)
            elif not tokens.isdisjoint(lost):
                subscription.put(gone)

    async def recheck(self) -> None:
        """End the streams of those who may not listen any more; give the others what they may hear now."""
        viewers = {subscription.viewer for subscription in self._subscriptions}
        became = await self._ask(self._doors, identify_again, viewers)
        for subscription in self._subscriptions:
            viewer = became.get(subscription.viewer, subscription.viewer)
            if viewer is None:
                subscription.end()
            else:
                subscription.viewer = viewer

    def shut_down(self) -> None:
        """End every stream and open no more: a worker that is asked to end would wait for them."""
        self._closing = True
        for subscription in self._subscriptions:
            subscription.end()

    async def stop(self) -> None:
        """Shut down and give back the threads and their connection."""
        self.shut_down()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ask(self._reader, connections.close_all)
        self._reader.shutdown()
        self._doors.shutdown()

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._recheck_for_ever())]

    async def _listen(self) -> None:
        delay = RETRY_FIRST
        while True:
            try:
                async with aclosing(self._source(partial(self._ask, self._reader))) as batches:
                    async for batch in batches:
                        if not self._listening:
                            await self._resume()
                            delay = RETRY_FIRST
                        for change in batch:
                            self.publish(change)
            except Exception:
                # Whatever broke, the next attempt may succeed, and without it every page of this process is blind.
                logger.exception("Live stream: the database is not heard; next attempt in %.1f s", delay)
            self._pause()
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_MOST)

    async def _resume(self) -> None:
        await self.recheck()
        self._listening = True
        for subscription in self._subscriptions:
            subscription.put(hello(subscription.viewer))

    def _pause(self) -> None:
        if self._listening:
            self._listening = False
            for subscription in self._subscriptions:
                subscription.put(PAUSE)

    async def _recheck_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_EVERY)
            try:
                await self.recheck()
            except Error:
                logger.warning("Live stream: nobody could be looked up; next look in %d s", RECHECK_EVERY)

    def _revoke(self, tokens: frozenset[str]) -> None:
        self._revocations.update(tokens)
        for subscription in self._subscriptions:
            if not subscription.viewer.tokens.isdisjoint(tokens):
                subscription.end()

    @staticmethod
    async def _ask(pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


def hello(viewer: Viewer) -> bytes:
    """Tells a page that from now on it hears everything, so that it asks for what it missed.

    It also names the person, so that a page opened before somebody else signed in in the same browser sees that it is
    not theirs.
    """
    return b"event: hello\n" + encode(user=viewer.user_id)


def told(change: Change) -> bytes:
    return encode(kind=change.kind, ticket=change.ticket_id, message=change.message_id, version=change.version)


def gone_told(change: Change) -> bytes:
    return encode(kind="gone", ticket=change.ticket_id, message=None, version=change.version)


def encode(**facts: int | str | None) -> bytes:
    return f"data: {json.dumps(facts, separators=(',', ':'))}\n\n".encode()
