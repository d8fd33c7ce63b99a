"""A commit wakes whoever waits for it, in this process or in another."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connection, transaction

from botbridge import doorbell
from botbridge.doorbell import INBOX, Doorbell
from botbridge.models import BotStatus
from botbridge.polling import _try_lock
from botbridge.threads import in_thread
from tickets.operations.acts import notify

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("short_connections"),
]

PATIENCE = 20


def knock() -> None:
    with transaction.atomic():
        BotStatus.objects.create(bot_id=time.monotonic_ns())
        notify(INBOX)


def rung_after(act: Callable[[], None] | None, patience: float = PATIENCE) -> bool:
    """Whether the bell rings once the act, on another connection, is done."""

    async def run() -> bool:
        house = Doorbell()
        bell = house.bell(INBOX)
        listening = asyncio.create_task(house.listen())
        try:
            await bell.wait(PATIENCE)  # on connecting it rings by itself
            if act is not None:
                await in_thread(act)
            began = time.monotonic()
            await bell.wait(patience)
            return time.monotonic() - began < patience
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    return asyncio.run(run())


def test_a_commit_rings():
    assert rung_after(knock)


def test_silence_does_not():
    assert not rung_after(None, patience=0.5)


def test_an_act_taken_back_does_not():
    def think_better_of_it() -> None:
        with suppress(RuntimeError), transaction.atomic():
            BotStatus.objects.create(bot_id=5)
            notify(INBOX)
            raise RuntimeError

    assert not rung_after(think_better_of_it, patience=0.5)


def test_after_a_lost_connection_it_listens_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doorbell, "RECONNECT_AFTER", 0.05)

    def hang_up() -> None:
        if connection.vendor == "sqlite":
            knock()
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )

    assert rung_after(hang_up)


def test_two_processes_do_not_poll_for_one_bot():
    """The lock is the connection's: it goes when its process does."""
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite the file's lock keeps a second process away (test_polling)")

    async def run() -> tuple[bool, bool, bool]:
        first, second = await doorbell.own_connection(), await doorbell.own_connection()
        taken, refused = await _try_lock(first, 42), await _try_lock(second, 42)
        await first.close()
        inherited = False
        deadline = time.monotonic() + PATIENCE
        while not inherited and time.monotonic() < deadline:
            inherited = await _try_lock(second, 42)
            await asyncio.sleep(0.05)
        await second.close()
        return taken, refused, inherited

    assert asyncio.run(run()) == (True, False, True)
