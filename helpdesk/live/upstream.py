"""How a process hears of committed changes: PostgreSQL notifies, SQLite is looked at.

Each source yields lists of `Change`. The first list is empty and means "from here on nothing is missed". A source that
breaks raises; the hub then starts a new one.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import psycopg
from django.db import close_old_connections, connection
from psycopg import sql

from tickets.models import Change
from tickets.operations import CHANGES_CHANNEL

#: Runs a function that asks the database in the source's own thread, which keeps its connection.
InThread = Callable[..., Awaitable[Any]]
Batches = AsyncGenerator[list[Change], None]
Source = Callable[[InThread], Batches]

#: Seconds of silence after which a listening connection has to prove that it is still one.
PROBE_EVERY = 10
PROBE_TIMEOUT = 5
#: Seconds between looks at a SQLite file; one look costs microseconds.
LOOK_EVERY = 0.2


def changes(in_thread: InThread) -> Batches:
    """The source that fits the site's database."""
    return notified_changes(in_thread) if connection.vendor == "postgresql" else noticed_changes(in_thread)


async def notified_changes(in_thread: InThread) -> Batches:
    """Changes whose ids PostgreSQL notifies, in the order they were committed, which is not the order of ids."""
    async with await psycopg.AsyncConnection.connect(**listening_parameters(), autocommit=True) as listener:
        await listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANGES_CHANNEL)))
        yield []
        while True:
            heard = [int(n.payload) async for n in listener.notifies(timeout=PROBE_EVERY, stop_after=1)]
            if heard:
                yield await in_thread(read, heard)
            else:
                # A server that vanished without a word leaves the connection waiting for ever.
                async with asyncio.timeout(PROBE_TIMEOUT):
                    await listener.execute("SELECT 1")


def listening_parameters() -> dict[str, Any]:
    """Where Django's own connections go, without what only its synchronous cursors understand."""
    parameters = connection.get_connection_params()
    for django_only in ("cursor_factory", "context"):
        parameters.pop(django_only, None)
    return parameters


def read(ids: list[int]) -> list[Change]:
    close_old_connections()
    found = Change.objects.in_bulk(ids)
    return [found[change_id] for change_id in ids if change_id in found]


async def noticed_changes(in_thread: InThread) -> Batches:
    """Changes found by looking at a SQLite file several times a second. One writer: ids are committed in order."""
    version, last_id = await in_thread(look_first)
    yield []
    while True:
        await asyncio.sleep(LOOK_EVERY)
        version, found = await in_thread(look, version, last_id)
        if found:
            last_id = found[-1].pk
            yield found


def look_first() -> tuple[int, int]:
    return data_version(), max(Change.objects.order_by("-pk").values_list("pk", flat=True)[:1], default=0)


def look(version: int, last_id: int) -> tuple[int, list[Change]]:
    """The file's version now and the changes after `last_id`; the table is read only when the version moved."""
    current = data_version()
    if current == version:
        return version, []
    return current, list(Change.objects.filter(pk__gt=last_id).order_by("pk"))


def data_version() -> int:
    """A number that moves whenever another connection commits (https://sqlite.org/pragma.html#pragma_data_version)."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])
