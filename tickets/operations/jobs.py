"""The life of a job's row. Who runs what, and when, is the site's to say (`helpdesk.jobs`)."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.log_context import request_id
from tickets.models import Job, JobState, User
from tickets.operations.errors import WrongState
from tickets.operations.rights import supervisors_only

DONE_LIVES = timedelta(days=7)
MAX_ERROR = 200
#: A recurring job that fails for months stops counting here.
MOST_ATTEMPTS = 30_000


class JobFailed(Exception):
    """What keeps a job from being done, in words for a supervisor and without anything secret in them."""


class JobOver(Exception):
    """There is nothing more to do, now or later: a recurring job ends."""


class LeaseLost(Exception):
    """The job is somebody else's by now: its lease ended before this worker did."""


def add_job(*, kind: str, key: str = "", due_at: datetime | None = None) -> Job:
    """Have this done, at once or not before `due_at`. Asked for again it is done again; one running is let finish.

    What is logged while it is done bears the id of the request it was last asked for in.
    """
    request = request_id.get() or ""
    wanted: dict[str, Any] = {"request": request, **({"due_at": due_at} if due_at else {})}
    job, created = Job.objects.get_or_create(kind=kind, key=key, defaults=wanted)
    if created:
        return job
    asleep = Job.objects.filter(pk=job.pk).exclude(state=JobState.RUNNING)
    if due_at is not None:
        asleep = asleep.filter(Q(due_at__isnull=True) | Q(due_at__gt=due_at))
    asleep.update(state=JobState.WAITING, due_at=due_at or Now(), attempts=0, rung_at=None, request=request)
    job.refresh_from_db()
    return job


def start_jobs_missing(*, kinds: Collection[str]) -> int:
    """Make the rows of recurring jobs that have none yet."""
    known = Job.objects.filter(kind__in=kinds, key="").values_list("kind", flat=True)
    missing = set(kinds).difference(known)
    if missing:
        Job.objects.bulk_create([Job(kind=kind) for kind in sorted(missing)], ignore_conflicts=True)
    return len(missing)


def hasten_jobs(*, longest: Mapping[str, timedelta]) -> int:
    """Make due at once what would be due later than `longest`, the longest pause or lease of its kind, from now: it was
    written while the database's clock was ahead, and would sleep until that moment comes again.
    """
    too_late = Q(pk__in=[])
    for wait in set(longest.values()):
        too_late |= Q(kind__in=[kind for kind, own in longest.items() if own == wait], due_at__gt=Now() + wait)
    return Job.objects.filter(too_late).update(due_at=Now(), rung_at=None)


def claim_job(*, leases: Mapping[str, timedelta], worker: str, job_id: int | None = None) -> Job | None:
    """Take the job that has been due longest, or the named one if it is due. None where there is none.

    `leases` says which kinds this worker does, and how long it may keep a job of each.
    """
    due = Job.objects.due(leases.keys())
    if job_id is not None:
        due = due.filter(pk=job_id)
    if not due.exists():  # asked without a lock, since most of the time there is nothing
        return None
    with transaction.atomic():
        job = due.select_for_update(skip_locked=True).first()
        if job is None:
            return None
        # A name for this claim alone: a worker may come back to a job it had lost in between.
        job.state, job.worker = JobState.RUNNING, f"{worker}/{secrets.token_hex(4)}"
        job.attempts = min(job.attempts + 1, MOST_ATTEMPTS)
        job.done, job.total = 0, None
        job.save(update_fields=["state", "worker", "attempts", "done", "total"])
        # By the database's clock, as all leases: the machines' own differ.
        Job.objects.filter(pk=job.pk).update(due_at=Now() + leases[job.kind], started_at=Now(), rung_at=None)
        job.refresh_from_db()
        return job


def report_progress(*, job: Job, done: int, total: int | None, lease: timedelta) -> None:
    """Say how far a running job is, and keep it for `lease` from now.

    :raises LeaseLost: stop, another worker has begun it.
    """
    if not _own(job).update(done=done, total=total, due_at=Now() + lease):
        raise LeaseLost


def finish_job(*, job: Job, done: int, again_after: timedelta | None) -> bool:
    """The job is done; a recurring one is due again after a while. False if it was another worker's by then."""
    again = again_after is not None
    changed = _own(job).update(
        state=JobState.WAITING if again else JobState.DONE,
        due_at=Now() + again_after if again else None,
        attempts=0,
        error="",
        done=done,
        finished_at=Now(),
        # What comes round by itself was asked for by nobody.
        request="" if again else job.request,
    )
    return bool(changed)


def fail_job(*, job: Job, error: str, again_after: timedelta | None) -> bool:
    """The job has failed: it is due again after a while, or dead. False if it was another worker's by then."""
    again = again_after is not None
    changed = _own(job).update(
        state=JobState.WAITING if again else JobState.DEAD,
        due_at=Now() + again_after if again else None,
        error=error[:MAX_ERROR],
        finished_at=Now(),
    )
    return bool(changed)


def give_back_job(*, job: Job) -> None:
    """A worker that must end leaves its job to the next one, at once and without counting the try."""
    _own(job).update(state=JobState.WAITING, due_at=Now(), attempts=job.attempts - 1)


def _own(job: Job) -> "QuerySet[Job]":
    """The job's row while this claim holds."""
    return Job.objects.filter(pk=job.pk, state=JobState.RUNNING, worker=job.worker)


def run_job_now(*, job: Job, actor: User) -> Job:
    """Have a dead or waiting job tried at once.

    :raises NotAllowed: only supervisors may.
    :raises WrongState: it is running, or done for good.
    """
    supervisors_only(actor)
    changed = Job.objects.filter(pk=job.pk, state__in=[JobState.DEAD, JobState.WAITING]).update(
        state=JobState.WAITING, due_at=Now(), attempts=0, rung_at=None, request=request_id.get() or ""
    )
    if not changed:
        raise WrongState(_("Ещё раз запускается только то, что не удалось или ждёт срока."))
    job.refresh_from_db()
    return job


def jobs_to_ring(*, kinds: Collection[str], silence: timedelta, at_most: int) -> list[tuple[int, str]]:
    """Ids and kinds of due jobs the broker has not been told of within `silence`, which it now is."""
    # Later than now: the database's clock has gone back since.
    quiet = Q(rung_at__isnull=True) | Q(rung_at__lte=Now() - silence) | Q(rung_at__gt=Now())
    with transaction.atomic():
        due = Job.objects.due(kinds).filter(quiet).select_for_update(skip_locked=True)
        jobs = list(due.values_list("pk", "kind")[:at_most])
        if jobs:
            Job.objects.filter(pk__in=[pk for pk, _kind in jobs]).update(rung_at=Now())
    return jobs


def prune_jobs(*, now: datetime | None = None) -> int:
    """Drop what was done a week ago. What failed stays until somebody has dealt with it."""
    moment = now or timezone.now()
    deleted, _rows = Job.objects.filter(state=JobState.DONE, finished_at__lt=moment - DONE_LIVES).delete()
    return deleted
