"""Wakes workers as soon as there is something to do. A missed ring costs a second: everybody also looks by the clock.

PostgreSQL: LISTEN on a connection of its own, which must not go through a pooler in transaction mode. SQLite: the
file's `data_version` changes with every commit of another connection, whatever it was about.
"""

import asyncio
import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

logger = logging.getLogger(__name__)

INBOX = "helpdesk_inbox"
JOBS = "helpdesk_jobs"

LOOK_EVERY = 1.0
SQLITE_LOOK_EVERY = 0.03
RECONNECT_AFTER = 1.0


class Bell:
    """What one worker waits on."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, at_most: float = LOOK_EVERY) -> None:
        """Until rung, or so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), at_most)
        self._rung.clear()


class Doorbell:
    """Listens on channels and rings the bells of the workers that asked for them."""

    def __init__(self) -> None:
        self._bells: dict[str, list[Bell]] = {}

    def bell(self, channel: str) -> Bell:
        bell = Bell()
        self._bells.setdefault(channel, []).append(bell)
        return bell

    def ring(self, channel: str) -> None:
        """Ring within this process, for workers beside the one that made the work."""
        for bell in self._bells.get(channel, ()):
            bell.ring()

    async def listen(self) -> None:
        """Runs until cancelled, through outages of the database."""
        if connection.vendor == "sqlite":
            await self._watch_file()
            return
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                logger.warning("Doorbell: %s, listening again in %s s", type(error).__name__, RECONNECT_AFTER)
                await asyncio.sleep(RECONNECT_AFTER)

    async def _listen_once(self) -> None:
        async with await own_connection() as listener:
            for channel in self._bells:
                await listener.execute(f'LISTEN "{channel}"')
            # Whatever was rung while nobody listened.
            self._ring_all()
            async for note in listener.notifies():
                self.ring(note.channel)

    async def _watch_file(self) -> None:
        path = Path(connection.settings_dict["NAME"])
        watcher = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            version = None
            while True:
                now = _data_version(watcher)
                if now != version:
                    version = now
                    self._ring_all()
                await asyncio.sleep(SQLITE_LOOK_EVERY)
        finally:
            watcher.close()

    def _ring_all(self) -> None:
        for channel in self._bells:
            self.ring(channel)


def _data_version(watcher: sqlite3.Connection) -> int | None:
    """A number that changes with others' commits; None while the file is being recovered, and a change too."""
    try:
        (version,) = watcher.execute("PRAGMA data_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return int(version)


async def own_connection() -> psycopg.AsyncConnection[Any]:
    """A connection outside Django's, for what lives as long as a connection does: LISTEN and advisory locks.

    Keepalives end it within half a minute of a network that swallows everything.
    """
    params = connection.get_connection_params()
    for djangos_own in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(djangos_own, None)
    keepalives = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    return await psycopg.AsyncConnection.connect(**{**keepalives, **params}, autocommit=True)
