"""The process behind the scenes on a machine without a broker: every job, and customers' files."""

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from botbridge.doorbell import JOBS, Doorbell
from botbridge.files import fetch_files
from botbridge.process import run_process, stop_signal
from helpdesk.jobs.runner import Runner
from helpdesk.jobs.worker import Worker

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Does what is scheduled and fetches customers' files. Celery's workers do the same on several machines."

    def handle(self, *args: Any, **options: Any) -> None:
        run_process(run())


async def run() -> None:
    """Everything the jobs do, until SIGTERM or SIGINT."""
    stopping = stop_signal()
    doorbell = Doorbell()
    bell = doorbell.bell(JOBS)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(doorbell.listen())
        group.create_task(Runner(Worker()).run(stopping))
        if settings.TELEGRAM_BOT_TOKEN:
            group.create_task(fetch_files(bell, stopping))
        else:
            logger.warning("TELEGRAM_BOT_TOKEN is not set: no files are fetched")
        await stopping.wait()
        listening.cancel()
        doorbell.ring(JOBS)
