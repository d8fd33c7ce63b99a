"""The product's processes on Django's own database, for whoever has to see them run."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from helpdesk.gates import free_port
from helpdesk.management.commands.serve import GUNICORN

STARTS_WITHIN = 60
ENDS_WITHIN = 20


def database_url(port: int | None = None) -> str:
    """Django's database for another process, or the same one behind another port."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    who = ":".join(quote(part) for part in (database["USER"], database["PASSWORD"]) if part)
    port = port or int(database["PORT"] or 5432)
    return f"postgres://{who}@{database['HOST'] or '127.0.0.1'}:{port}/{database['NAME']}"


@contextmanager
def process(
    *arguments: str, output: IO[bytes] | None = None, **environment: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """Python with these arguments, in the project, on Django's database and files unless told otherwise.

    :raises subprocess.TimeoutExpired: it did not end when asked to, and was made to.
    """
    own = {"DATABASE_URL": database_url(), "MEDIA_ROOT": str(settings.MEDIA_ROOT)}
    surroundings = os.environ | own | environment
    running = subprocess.Popen(  # noqa: S603  # the command is ours
        [sys.executable, *arguments], cwd=settings.BASE_DIR, env=surroundings, stdout=output, stderr=output
    )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            running.kill()
            raise


@contextmanager
def web_server(
    port: int | None = None, *, workers: int = 2, output: IO[bytes] | None = None, **environment: str
) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    """gunicorn as the product runs it; gives the process and its port, and ends it at the end of the block."""
    port = port or free_port()
    _python, *gunicorn = GUNICORN
    address = f"127.0.0.1:{port}"
    environment = {"WEB_CONCURRENCY": str(workers)} | environment
    with process(*gunicorn, "--bind", address, output=output, **environment) as server:
        wait_until_served(f"http://{address}/health/live", server)
        yield server, port


def wait_until_served(url: str, server: "subprocess.Popen[bytes]") -> None:
    """:raises TimeoutError: nobody answers there."""
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server for {url} ended with {server.returncode}")
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310  # an address of our own
            return
        time.sleep(0.05)
    raise TimeoutError(url)
