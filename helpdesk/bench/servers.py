"""The product's processes as production runs them, on the speed tool's databases."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from django.conf import settings

from helpdesk.management.commands.serve import GUNICORN

STARTS_WITHIN = 60
WORKERS = 2


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def production(place: Path) -> dict[str, str]:
    """The environment of production, whatever this process's own is; what is written goes to `place`."""
    return {
        "DEBUG": "0",
        "ENV_FILE": "",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "PUBLIC_URL": "http://127.0.0.1",
        "REDIS_URL": "",
        "STATIC_ROOT": str(place / "static"),
        "MEDIA_ROOT": str(place / "media"),
        "LOG_DIR": str(place / "log"),
    }


@contextmanager
def web_server(url: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """gunicorn with two workers on the database `url`; gives its process id and its port.

    :raises TimeoutError: it does not answer.
    """
    port = free_port()
    own = {"DATABASE_URL": url, "WEB_CONCURRENCY": str(WORKERS), "DJANGO_SETTINGS_MODULE": "helpdesk.bench.settings"}
    server = subprocess.Popen(  # noqa: S603  # the command is ours
        [*GUNICORN, "--bind", f"127.0.0.1:{port}"], cwd=settings.BASE_DIR, env=os.environ | environment | own
    )
    with ended(server):
        wait_until_served(f"http://127.0.0.1:{port}/health/live", server)
        yield server.pid, port


@contextmanager
def command(name: str, url: str, environment: dict[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    """A management command that runs until it is asked to end, on the database `url`."""
    running = subprocess.Popen(  # noqa: S603  # the command is ours
        [sys.executable, "manage.py", name],
        cwd=settings.BASE_DIR,
        env=os.environ | environment | {"DATABASE_URL": url},
    )
    with ended(running):
        yield running


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Asks the process to end when the block does, and makes it after half a minute."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


def worker_memory(pid: int) -> float:
    """MB the largest worker of this server holds in memory, from Linux's /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return max(memory(int(child)) for child in children)


def memory(pid: int) -> float:
    """MB this process holds in memory."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def wait_until_served(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310  # an address of our own
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")
