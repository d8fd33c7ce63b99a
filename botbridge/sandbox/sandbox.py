"""The sandbox put together: one aiohttp application with the Bot API, the chat page and the controls."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from botbridge.sandbox import control
from botbridge.sandbox.bot_api import BotApi
from botbridge.sandbox.control import Control
from botbridge.sandbox.customers import Customers
from botbridge.sandbox.files import Files
from botbridge.sandbox.knobs import Knobs
from botbridge.sandbox.known import Known
from botbridge.sandbox.page import Handler, Page
from botbridge.sandbox.requests import MAX_BODY, MAX_BODY_LOCALLY
from botbridge.sandbox.state import State
from botbridge.sandbox.topics import Topics
from botbridge.sandbox.webhook import Webhooks
from botbridge.sandbox.wire import Wire


@dataclass
class Sandbox:
    """A sandbox on a folder."""

    state: State
    token: str
    knobs: Knobs
    app: web.Application
    webhooks: Webhooks

    @classmethod
    def open(
        cls, folder: Path, *, token: str = "", brand: str, known: Iterable[Known] = (), local: bool = False
    ) -> "Sandbox":
        """Opens the state and builds the application. Raises StateInUse while another sandbox has the folder.

        `known`: people who have written to this bot before. `local`: like a Bot API server run with --local.
        """
        state = State(folder)
        token = state.default_token(token)
        bot_id = state.bot_id(token)
        files, knobs = Files(state, local=local), Knobs()
        bot_api = BotApi(state, files, Topics(state, knobs), brand)
        customers = Customers(state, files, knobs, bot_api, bot_id)
        customers.invite_cast()
        customers.introduce(known)
        app = web.Application(
            client_max_size=MAX_BODY_LOCALLY if local else MAX_BODY, middlewares=[guard, control.refusals]
        )
        app.add_routes(Wire(state, files, knobs, bot_api).routes())
        app.add_routes(Control(state, files, knobs, customers, bot_id).routes())
        app.add_routes(Page(state, brand).routes())
        return cls(state, token, knobs, app, Webhooks(state, knobs))

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[int]:
        """Listens, on a free port for 0, gives the port and lets the folder go at the end."""
        # A handler whose client has left is cancelled: an orphaned long poll must not stay behind as a poller.
        runner = web.AppRunner(self.app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            bringing = asyncio.create_task(self.webhooks.run())
            try:
                yield runner.addresses[0][1]
            finally:
                bringing.cancel()
                with suppress(asyncio.CancelledError):
                    await bringing
        finally:
            self.state.feed.close()
            await runner.cleanup()
            self.state.close()


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keeps other sites' pages from using a sandbox on the developer's machine, and the page strict."""
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="only the sandbox's own page may do this")
    return await handler(request)
