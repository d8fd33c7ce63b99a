"""All jobs on one machine, without a broker: what is due is found by looking."""

import asyncio
import logging

from django.db import Error

from botbridge.threads import in_thread
from helpdesk.jobs.lines import Line
from helpdesk.jobs.worker import Worker
from tickets import operations
from tickets.models import Job

logger = logging.getLogger(__name__)

#: How many jobs of each line are done at a time.
AT_ONCE = {Line.QUICK: 2, Line.LONG: 3}
#: Seconds a job may still take when the process is asked to end; the next process begins it anew.
LAST_SECONDS = 1.5
#: Seconds between two looks by a worker that found nothing due, or no database.
LOOK_EVERY = 1.0
#: Seconds between two looks whether each job has its row and a time that can be.
LOOK_AFTER_EVERY = 30.0


class Runner:
    """Does what is due until asked to stop. Any number of them share the table's work."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._under_way: set[Job] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            looking_after = group.create_task(self._look_after(stopping))
            hands = [group.create_task(self._work(line, stopping)) for line in AT_ONCE for _ in range(AT_ONCE[line])]
            await stopping.wait()
            await asyncio.wait(hands, timeout=LAST_SECONDS)
            await self._give_back()
            for task in (looking_after, *hands):
                task.cancel()

    async def _look_after(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await in_thread(self._worker.look_after)
            except Error as error:
                logger.warning("Jobs: the database does not answer (%s)", type(error).__name__)
                await self._pause(stopping, LOOK_EVERY)
            else:
                await self._pause(stopping, LOOK_AFTER_EVERY)

    async def _work(self, line: Line, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if not await self._do_next(line):
                await self._pause(stopping, LOOK_EVERY)

    async def _do_next(self, line: Line) -> bool:
        """Do one job; False where none is due or the database is away. A lease brings back what it could not write."""
        job = None
        try:
            job = await in_thread(self._worker.claim, [line])
            if job is not None:
                self._under_way.add(job)
                await in_thread(self._worker.do, job)
        except Error as error:
            logger.warning("Jobs: the database does not answer (%s)", type(error).__name__)
            return False
        finally:
            if job is not None:
                self._under_way.discard(job)
        return job is not None

    async def _pause(self, stopping: asyncio.Event, seconds: float) -> None:
        try:
            await asyncio.wait_for(stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _give_back(self) -> None:
        for job in list(self._under_way):
            try:
                await in_thread(operations.give_back_job, job=job)
            except Error as error:
                logger.warning("Jobs: %s could not be given back (%s)", job, type(error).__name__)
