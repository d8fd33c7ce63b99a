"""The process behind the scenes: fetches customers' files and does what time alone brings about."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error

from botbridge.client import make_bot
from botbridge.doorbell import JOBS, Doorbell
from botbridge.files import Fetcher
from botbridge.process import run_process, stop_signal
from botbridge.threads import in_thread
from tickets import operations

logger = logging.getLogger(__name__)

#: What the clock brings, and every how many seconds it is looked at.
CLOCKS: tuple[tuple[Callable[[], int], float], ...] = (
    (operations.wake_snoozed, 1),
    (operations.hold_stale, 5),
    (operations.expire_automatic, 5),
    (operations.free_tickets_of_the_gone, 5),
    (operations.close_resolved, 60),
    (operations.prune_changes, 60),
    (operations.prune_api, 3600),
)
TICK = 1.0


class Command(BaseCommand):
    help = "Fetches customers' files, wakes snoozed tickets, closes solved ones, holds and expires old messages."

    def handle(self, *args: Any, **options: Any) -> None:
        run_process(run())


async def run() -> None:
    """Everything the jobs do, until SIGTERM or SIGINT."""
    stopping = stop_signal()
    doorbell = Doorbell()
    bell = doorbell.bell(JOBS)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(doorbell.listen())
        group.create_task(keep_time(stopping))
        if settings.TELEGRAM_BOT_TOKEN:
            group.create_task(fetch_files(bell, stopping))
        else:
            logger.warning("TELEGRAM_BOT_TOKEN is not set: no files are fetched")
        await stopping.wait()
        listening.cancel()
        doorbell.ring(JOBS)


async def fetch_files(bell: Any, stopping: asyncio.Event) -> None:
    bot = make_bot(settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL)
    try:
        await Fetcher(bot, bell).run(stopping)
    finally:
        await bot.session.close()


async def keep_time(stopping: asyncio.Event) -> None:
    """Call each clock when it is due. One that fails is called again at its next turn; the others go on."""
    loop = asyncio.get_running_loop()
    due = dict.fromkeys((clock for clock, _every in CLOCKS), loop.time())
    while not stopping.is_set():
        for clock, every in CLOCKS:
            if loop.time() >= due[clock] and not stopping.is_set():
                await _call(clock)
                due[clock] = loop.time() + every
        try:
            await asyncio.wait_for(stopping.wait(), TICK)
        except TimeoutError:
            continue


async def _call(clock: Callable[[], int]) -> None:
    try:
        done = await in_thread(clock)
    except Error as error:
        logger.warning("Jobs: the database does not answer (%s)", type(error).__name__)
    except Exception:
        logger.exception("Jobs: %s failed", clock.__name__)
    else:
        if done:
            logger.info("Jobs: %s, %s", clock.__name__, done)
