"""Ways to a server that can break, and ports for them. Nothing here needs Django."""

import asyncio
import itertools
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from typing import Any, Self

#: A hundred ports for each of the test runner's workers, and for whoever else runs beside them; below the range from
#: which kernels take ports for outgoing connections.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
FIRST_PORT = 25000 + 100 * int(WORKER.removeprefix("gw")) if WORKER else 20000 + 100 * (os.getpid() % 50)
PORTS = itertools.cycle(range(FIRST_PORT, FIRST_PORT + 100))


def free_port() -> int:
    """A port nobody listens on, another one each time: who asked before may not have begun to listen."""
    for port in itertools.islice(PORTS, 100):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("every port is taken")


class Gate:
    """A TCP way to a server that can be shut: what is open breaks, what is new is refused. Or hushed: all is taken and
    nothing answered.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = free_port()
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._talking = asyncio.Event()
        self._talking.set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def hush(self) -> None:
        self._talking.clear()

    async def speak(self) -> None:
        self._talking.set()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ways = {writer, far_writer}
        self._writers |= ways
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        self._writers -= ways

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._talking.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class Passage:
    """A gate with a loop of its own, for callers without one; open for the length of a `with` block."""

    def __init__(self, host: str, port: int) -> None:
        self._gate = Gate(host, port)
        self.port = self._gate.port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="passage", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.speak()
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def open(self) -> None:
        self._run(self._gate.open)

    def shut(self) -> None:
        self._run(self._gate.shut)

    def hush(self) -> None:
        self._run(self._gate.hush)

    def speak(self) -> None:
        self._run(self._gate.speak)

    def _run(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(act(), self._loop).result(timeout=10)
