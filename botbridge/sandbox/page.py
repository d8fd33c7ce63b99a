"""The chat page and what keeps it live."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import get_language

from botbridge.sandbox.state import State
from botbridge.sandbox.words import page_knobs, page_words, rare_knobs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEARTBEAT = 15.0  # seconds; shorter than the silence after which proxies cut a stream
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
    " connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Page:
    """Answers / with the page, /static/sandbox/ with its parts and /sandbox/events with the stream of changes."""

    def __init__(self, state: State, brand: str) -> None:
        self._state = state
        self._brand = brand

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self.page),
            web.get("/sandbox/events", self.events),
            web.static("/static/sandbox", Path(settings.BASE_DIR) / "static" / "sandbox"),
        ]

    async def page(self, _: web.Request) -> web.Response:
        html = render_to_string(
            "sandbox/page.html",
            {
                "brand": self._brand,
                "desk_url": f"{settings.PUBLIC_URL}/desk/",
                "language": get_language(),
                "words": page_words(),
                "knobs": page_knobs(),
                "rare_knobs": rare_knobs(),
            },
        )
        return web.Response(text=html, content_type="text/html", headers=SECURITY_HEADERS)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events (HTML standard, 9.2): one JSON object each. Nothing is replayed."""
        response = web.StreamResponse(headers={**SECURITY_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        with self._state.feed.listen() as news:
            await response.write(b":\n\n")
            while (event := await _next(news)) is not None:
                await response.write(b":\n\n" if not event else b"data: " + json.dumps(event).encode() + b"\n\n")
        return response


async def _next(news: asyncio.Queue[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The next event; {} when there was none for a while, None at the end."""
    try:
        return await asyncio.wait_for(news.get(), HEARTBEAT)
    except TimeoutError:
        return {}
