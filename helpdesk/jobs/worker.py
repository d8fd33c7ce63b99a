"""One job from claim to outcome, the same under `runjobs` and under Celery."""

import logging
import os
import platform
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.utils.translation import gettext

from helpdesk.jobs.lines import Line
from helpdesk.jobs.schedule import SCHEDULE, Work
from tickets import operations
from tickets.log_context import request_id
from tickets.models import Job

logger = logging.getLogger(__name__)


class Worker:
    """Does the jobs of a schedule. It holds nothing between two of them."""

    def __init__(self, schedule: Sequence[Work] = SCHEDULE) -> None:
        self._works = {work.kind: work for work in schedule}
        self.recurring = [work.kind for work in schedule if work.every is not None and not work.is_keyed]

    def look_after(self) -> None:
        """See to it that each recurring job has a row, and that none sleeps because a clock was wrong for a while."""
        operations.start_jobs_missing(kinds=self.recurring)
        operations.hasten_jobs(longest={work.kind: work.longest for work in self._works.values()})

    def claim(self, lines: Collection[Line], *, job_id: int | None = None) -> Job | None:
        """A due job of these lines: the one named, if it is due, else the one due longest; or None."""
        leases = {work.kind: work.lease for work in self._works.values() if work.line in lines}
        return operations.claim_job(leases=leases, worker=f"{platform.node()}:{os.getpid()}", job_id=job_id)

    def do(self, job: Job) -> None:
        """Do a claimed job and write down what came of it. An error in it is its outcome, not this worker's end."""
        asked_in = request_id.set(job.request or None)
        try:
            self._do(job, self._works[job.kind])
        finally:
            request_id.reset(asked_in)

    def _do(self, job: Job, work: Work) -> None:
        if work.every is None and job.attempts > work.tries:
            # Each try ended without a word: it may be what kills the workers.
            operations.fail_job(job=job, error=gettext("Процесс каждый раз обрывался."), again_after=None)
            return
        try:
            _finish(job, work.run(job), work.every)
        except operations.JobOver:
            _finish(job, 0, None)
        except operations.LeaseLost:
            logger.warning("Jobs: %s took longer than its lease, another worker has it", job)
        except operations.JobFailed as failure:
            logger.warning("Jobs: %s failed, %s", job, failure)
            _fail(work, job, str(failure))
        except Exception as error:
            logger.exception("Jobs: %s failed", job)
            # The error's own words may hold a customer's: they are for the log.
            _fail(work, job, type(error).__name__)


def _finish(job: Job, done: int, again_after: timedelta | None) -> None:
    if done:
        logger.info("Jobs: %s, %s", job, done)
    if not operations.finish_job(job=job, done=done, again_after=again_after):
        logger.warning("Jobs: %s was done after its lease had ended", job)


def _fail(work: Work, job: Job, error: str) -> None:
    operations.fail_job(job=job, error=error, again_after=work.pause_after(job.attempts))
