"""A sandbox inside a test's own process."""

import asyncio
import http.client
import json
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from botbridge.sandbox.client import Json, SandboxClient
from botbridge.sandbox.known import Known
from botbridge.sandbox.sandbox import Sandbox


class SandboxServer(SandboxClient):
    """Runs a sandbox in a thread with its own loop, for the length of a `with` block.

    `base_url` is what TELEGRAM_API_URL takes, `token` what TELEGRAM_BOT_TOKEN takes. With the same `state` (and, for
    clients that stay, the same `port`) another one goes on where this one stopped.
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        token: str = "",
        brand: str = "Орбита Электроника",
        known: Sequence[Known] = (),
        local: bool = False,
    ) -> None:
        self.folder = state
        self.port = port
        self.token = token
        self._brand = brand
        self._known = known
        self._local = local
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._serving = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        super().__init__(f"http://127.0.0.1:{self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._serving.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, method: str, *, seconds: float = 10, **params: Any) -> Json:
        """One Bot API call as JSON; what came back, refusals too. Raises OSError when the connection fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/bot{self.token}/{method}", json.dumps(params), headers)
            answer: Json = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    async def _start(self) -> None:
        sandbox = Sandbox.open(self.folder, token=self.token, brand=self._brand, known=self._known, local=self._local)
        self.token = sandbox.token
        self.port = await self._serving.enter_async_context(sandbox.serve("127.0.0.1", self.port))

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        done.result(timeout=30)
