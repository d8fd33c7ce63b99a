"""Real processes for tests that must see them: a web server on the test's database, and a way to it that can break."""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from helpdesk.management.commands.serve import GUNICORN

#: A hundred ports for each of the test runner's workers, below the range from which kernels take ports for outgoing
#: connections.
FIRST_PORT = 25000 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = itertools.cycle(range(FIRST_PORT, FIRST_PORT + 100))
STARTS_WITHIN = 60
MONITORS_TOKEN = "a-monitors-token"  # made up for tests


def free_port() -> int:
    """A port nobody listens on, another one each time: who asked before may not have begun to listen."""
    for port in itertools.islice(PORTS, 100):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("every port for tests is taken")


def database_url(port: int | None = None) -> str:
    """The test's database for another process, or the same one behind another port."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    who = ":".join(quote(part) for part in (database["USER"], database["PASSWORD"]) if part)
    port = port or int(database["PORT"] or 5432)
    return f"postgres://{who}@{database['HOST'] or '127.0.0.1'}:{port}/{database['NAME']}"


@contextmanager
def web_server(
    port: int | None = None, *, workers: int = 2, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """gunicorn as the product runs it; gives the process and its port, and ends it at the end of the block."""
    port = port or free_port()
    _python, *gunicorn = GUNICORN
    address = f"127.0.0.1:{port}"
    with process(*gunicorn, "--bind", address, WEB_CONCURRENCY=str(workers), **environment) as server:
        wait_until_served(f"http://{address}/health/live", server)
        yield server, port


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Python with these arguments, in the project, on the test's database and files unless told otherwise."""
    own = {"DATABASE_URL": database_url(), "MEDIA_ROOT": str(settings.MEDIA_ROOT)}
    surroundings = os.environ | own | environment
    running = subprocess.Popen([sys.executable, *arguments], cwd=settings.BASE_DIR, env=surroundings)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            running.kill()
            raise


def wait_until_served(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server for {url} ended with {server.returncode}"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise TimeoutError(url)


def streams_counted(port: int) -> float | None:
    """What a monitor with `MONITORS_TOKEN` reads there; None while no worker answers."""
    headers = {"Authorization": f"Bearer {MONITORS_TOKEN}"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers), timeout=5
        ) as answer:
            figures = text_string_to_metric_families(answer.read().decode())
    except OSError:
        return None
    (streams,) = (sample.value for family in figures for sample in family.samples if sample.name == "helpdesk_streams")
    return float(streams)


class Gate:
    """A TCP way to the database that can be shut: what is open breaks, what is new is refused."""

    def __init__(self, host: str, port: int) -> None:
        self.port = free_port()
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        ways = {writer, far_writer}
        self._writers |= ways
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        self._writers -= ways


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
