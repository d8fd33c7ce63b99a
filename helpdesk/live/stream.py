"""`/events`: server-sent events written straight to the socket, without Django's threads and middleware."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from helpdesk.live.hub import Hub, Subscription
from helpdesk.live.viewers import Refusal, Scope, session_key

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Seconds a browser may leave a full socket unread before its stream is given up.
WRITE_TIMEOUT = 3

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would collect events until its buffer is full.
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class EventStream:
    """An ASGI application that serves one hub's events."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            subscription = await self.hub.subscribe(session_key(scope))
        except Refusal as refusal:
            await refuse(refusal, send)
            return
        try:
            await serve(subscription, receive, send)
        finally:
            self.hub.unsubscribe(subscription)


async def refuse(refusal: Refusal, send: Send) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    if refusal.status == 405:
        headers.append((b"allow", b"GET"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body"})


async def serve(subscription: Subscription, receive: Receive, send: Send) -> None:
    """Write until the stream ends or its browser leaves."""
    writing = asyncio.create_task(write(subscription, send))
    leaving = asyncio.create_task(left(receive))
    try:
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        writing.cancel()
        leaving.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)


async def write(subscription: Subscription, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    async for chunk in subscription.chunks():
        async with asyncio.timeout(WRITE_TIMEOUT):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


async def left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
