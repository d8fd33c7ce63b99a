"""What just changed, told to every open chat page."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A page that has fallen this far behind is cut off: it reconnects and reads everything again.
BACKLOG = 1000


class Feed:
    """Fans events out to the pages that listen. Nothing is kept: a page that connects reads the state first."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[dict[str, Any] | None]]:
        """A queue of events; None means that the stream ends."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def publish(self, event: dict[str, Any]) -> None:
        for queue in list(self._listeners):
            if queue.qsize() >= BACKLOG:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def close(self) -> None:
        for queue in self._listeners:
            queue.put_nowait(None)
