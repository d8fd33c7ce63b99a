"""Work behind the scenes is done once it is due, by one worker at a time, however often a worker dies."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from helpdesk.jobs.lines import Line
from helpdesk.jobs.runner import Runner
from helpdesk.jobs.schedule import LONGEST_PAUSE, SCHEDULE, Work
from helpdesk.jobs.worker import Worker
from tickets import operations
from tickets.log_context import request_id
from tickets.models import Job, JobState, User

WITHIN = 20


def worker_for(run: Callable[[Job], int], **options: Any) -> Worker:
    """A worker that knows one kind of job, `errand`."""
    return Worker([Work("errand", "Поручение", run, **options)])


def noting(done: list[str]) -> Callable[[Job], int]:
    """Work that only says what it was about."""

    def run(job: Job) -> int:
        done.append(job.key)
        return 1

    return run


def listening(heard: list[str | None]) -> Callable[[Job], int]:
    """Work that only notes under which request it is done."""

    def run(job: Job) -> int:
        heard.append(request_id.get())
        return 1

    return run


def do_due(worker: Worker) -> bool:
    """Do one due job; False where there is none."""
    job = worker.claim(list(Line))
    if job is not None:
        worker.do(job)
    return job is not None


def make_due() -> None:
    Job.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def waits_for(job: Job) -> timedelta:
    assert job.due_at is not None
    return job.due_at - timezone.now()


def broken(job: Job) -> int:
    raise RuntimeError("слова клиента")


@pytest.mark.django_db
def test_what_is_asked_for_is_done_once() -> None:
    done: list[str] = []
    worker = worker_for(noting(done))
    operations.add_job(kind="errand", key="7")
    operations.add_job(kind="errand", key="7")

    assert do_due(worker)
    assert not do_due(worker)
    assert done == ["7"]
    job = Job.objects.get()
    assert (job.state, job.due_at, job.done, job.error) == (JobState.DONE, None, 1, "")
    assert job.duration is not None


@pytest.mark.django_db
def test_what_is_asked_for_again_is_done_again() -> None:
    done: list[str] = []
    worker = worker_for(noting(done))
    operations.add_job(kind="errand", key="7")
    do_due(worker)

    operations.add_job(kind="errand", key="7")

    assert do_due(worker)
    assert done == ["7", "7"]


@pytest.mark.django_db
def test_what_is_asked_for_later_waits() -> None:
    worker = worker_for(lambda job: 1)
    operations.add_job(kind="errand", due_at=timezone.now() + timedelta(minutes=1))

    assert not do_due(worker)

    operations.add_job(kind="errand")
    assert do_due(worker)


@pytest.mark.django_db
def test_a_recurring_job_waits_for_its_next_time() -> None:
    worker = worker_for(lambda job: 3, every=timedelta(minutes=5))
    operations.start_jobs_missing(kinds=worker.recurring)
    operations.start_jobs_missing(kinds=worker.recurring)

    assert do_due(worker)
    assert not do_due(worker)
    job = Job.objects.get()
    assert (job.state, job.done, job.attempts) == (JobState.WAITING, 3, 0)
    assert timedelta(minutes=4) < waits_for(job) <= timedelta(minutes=5)


@pytest.mark.django_db
def test_a_failing_job_is_tried_again_later_and_later_and_then_left_to_a_person() -> None:
    worker = worker_for(broken, tries=4)
    operations.add_job(kind="errand")
    pauses = []
    for _ in range(3):
        assert do_due(worker)
        job = Job.objects.get()
        assert job.state == JobState.WAITING
        pauses.append(waits_for(job).total_seconds())
        make_due()

    assert do_due(worker)
    assert pauses == pytest.approx([5, 10, 20], abs=1)
    job = Job.objects.get()
    assert (job.state, job.due_at, job.attempts) == (JobState.DEAD, None, 4)
    assert not do_due(worker)


@pytest.mark.django_db
def test_a_failing_recurring_job_never_dies() -> None:
    worker = worker_for(broken, every=timedelta(seconds=5), tries=2)
    operations.start_jobs_missing(kinds=worker.recurring)

    for _ in range(12):
        make_due()
        assert do_due(worker)

    job = Job.objects.get()
    assert job.state == JobState.WAITING
    assert waits_for(job) <= LONGEST_PAUSE


@pytest.mark.django_db
def test_an_errors_own_words_stay_out_of_the_row() -> None:
    operations.add_job(kind="errand")

    do_due(worker_for(broken))

    assert Job.objects.get().error == "RuntimeError"


@pytest.mark.django_db
def test_a_reason_meant_for_people_is_told() -> None:
    def full(job: Job) -> int:
        raise operations.JobFailed("Нет места на диске.")

    operations.add_job(kind="errand")
    do_due(worker_for(full))

    assert Job.objects.get().error == "Нет места на диске."


@pytest.mark.django_db
def test_a_job_whose_worker_has_died_is_done_by_another() -> None:
    operations.add_job(kind="errand")
    worker = worker_for(lambda job: 1)
    dead = worker.claim(list(Line))
    assert dead is not None
    assert not do_due(worker), "its lease is not over"

    make_due()

    assert do_due(worker)
    assert Job.objects.get().state == JobState.DONE


@pytest.mark.django_db
def test_a_worker_that_comes_back_too_late_changes_nothing() -> None:
    operations.add_job(kind="errand")
    worker = worker_for(lambda job: 1)
    late = worker.claim(list(Line))
    make_due()
    second = worker.claim(list(Line))
    assert late is not None
    assert second is not None

    assert not operations.finish_job(job=late, done=1, again_after=None)
    assert not operations.fail_job(job=late, error="", again_after=None)
    with pytest.raises(operations.LeaseLost):
        operations.report_progress(job=late, done=1, total=2, lease=timedelta(minutes=1))

    assert Job.objects.get().state == JobState.RUNNING
    assert operations.finish_job(job=second, done=1, again_after=None)


@pytest.mark.django_db
def test_a_job_that_kills_every_worker_is_left_to_a_person() -> None:
    operations.add_job(kind="errand")
    worker = worker_for(lambda job: 1, tries=2)
    for _ in range(2):
        assert worker.claim(list(Line)) is not None
        make_due()

    assert do_due(worker)

    job = Job.objects.get()
    assert job.state == JobState.DEAD
    assert job.error


@pytest.mark.django_db
def test_progress_shows_and_keeps_the_job() -> None:
    seen: list[tuple[int, int | None, bool]] = []

    def slow(job: Job) -> int:
        make_due()
        operations.report_progress(job=job, done=3, total=10, lease=timedelta(minutes=1))
        row = Job.objects.get()
        seen.append((row.done, row.total, waits_for(row) > timedelta(0)))
        return 10

    operations.add_job(kind="errand")
    do_due(worker_for(slow))

    assert seen == [(3, 10, True)]
    assert Job.objects.get().state == JobState.DONE


@pytest.mark.django_db
def test_a_worker_leaves_alone_what_it_does_not_know() -> None:
    operations.add_job(kind="errand of a newer version")

    assert not do_due(worker_for(lambda job: 1))


@pytest.mark.django_db
def test_a_long_job_stands_in_a_line_of_its_own() -> None:
    operations.add_job(kind="errand")
    worker = worker_for(lambda job: 1, line=Line.LONG)

    assert worker.claim([Line.QUICK]) is None
    assert worker.claim([Line.LONG]) is not None


@pytest.mark.django_db
def test_a_supervisor_has_a_dead_job_tried_again(saule: User, aigerim: User) -> None:
    operations.add_job(kind="errand")
    do_due(worker_for(broken, tries=1))
    job = Job.objects.get()
    with pytest.raises(operations.NotAllowed):
        operations.run_job_now(job=job, actor=aigerim)

    operations.run_job_now(job=job, actor=saule)

    assert do_due(worker_for(lambda job: 1))
    with pytest.raises(operations.WrongState):
        operations.run_job_now(job=job, actor=saule)


@pytest.mark.django_db
def test_the_broker_is_told_of_a_due_job_once_in_a_while() -> None:
    job = operations.add_job(kind="errand")
    later = operations.add_job(kind="errand", key="later", due_at=timezone.now() + timedelta(minutes=1))
    silence = timedelta(seconds=10)

    def ring() -> list[tuple[int, str]]:
        return operations.jobs_to_ring(kinds=["errand"], silence=silence, at_most=10)

    assert ring() == [(job.pk, "errand")]
    assert ring() == []
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now() - silence - timedelta(seconds=1))
    assert ring() == [(job.pk, "errand")]
    assert later.pk not in dict(ring())


@pytest.mark.django_db
def test_a_job_that_is_soon_due_again_is_rung_for_again_at_once() -> None:
    worker = worker_for(lambda job: 1, every=timedelta(seconds=2))
    operations.start_jobs_missing(kinds=worker.recurring)
    for _ in range(2):
        rung = operations.jobs_to_ring(kinds=["errand"], silence=timedelta(seconds=10), at_most=10)
        assert len(rung) == 1
        assert do_due(worker)
        make_due()


@pytest.mark.django_db
def test_what_was_done_long_ago_is_dropped_and_what_failed_is_not() -> None:
    operations.add_job(kind="errand", key="done")
    do_due(worker_for(lambda job: 1))
    operations.add_job(kind="errand", key="failed")
    do_due(worker_for(broken, tries=1))
    Job.objects.update(finished_at=timezone.now() - timedelta(days=8))

    assert operations.prune_jobs() == 1
    assert Job.objects.get().key == "failed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("short_connections")
def test_of_many_workers_one_gets_the_job() -> None:
    operations.add_job(kind="errand")
    got: list[Job] = []
    barrier = threading.Barrier(6)

    def race() -> None:
        worker = worker_for(lambda job: 1)
        barrier.wait()
        job = worker.claim(list(Line))
        if job is not None:
            got.append(job)
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("short_connections")
def test_a_process_asked_to_end_leaves_its_job_to_the_next() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(job: Job) -> int:
        begun.set()
        may_end.wait(WITHIN)
        return 1

    operations.add_job(kind="errand")

    async def run() -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(Runner(worker_for(slow)).run(stopping))
        await asyncio.to_thread(begun.wait, WITHIN)
        stopping.set()
        await running

    asyncio.run(run())
    job = Job.objects.get()
    may_end.set()

    assert (job.state, job.attempts) == (JobState.WAITING, 0)
    assert do_due(worker_for(lambda job: 1))


@pytest.mark.django_db
def test_what_a_clock_that_was_ahead_has_put_off_is_done_when_the_clock_is_right() -> None:
    hours = timezone.now() + timedelta(hours=5)
    worker = Worker()
    worker.look_after()
    Job.objects.update(due_at=hours, rung_at=hours)
    Job.objects.filter(kind="close_resolved").update(state=JobState.RUNNING, worker="killed meanwhile")
    Job.objects.filter(kind="prune_jobs").update(due_at=timezone.now() + timedelta(minutes=59))

    assert worker.claim(list(Line)) is None
    worker.look_after()

    claimed = {job.kind for job in iter(lambda: worker.claim(list(Line)), None)}
    assert claimed == set(worker.recurring) - {"prune_jobs"}


@pytest.mark.django_db
def test_a_due_job_is_rung_for_though_a_clock_that_was_ahead_rang_for_it_last() -> None:
    job = operations.add_job(kind="errand")
    Job.objects.update(rung_at=timezone.now() + timedelta(hours=5))

    rung = operations.jobs_to_ring(kinds=["errand"], silence=timedelta(seconds=10), at_most=10)

    assert rung == [(job.pk, "errand")]


def test_every_kind_in_the_schedule_is_named_once() -> None:
    kinds = [work.kind for work in SCHEDULE]

    assert len(kinds) == len(set(kinds))
    assert max(map(len, kinds)) <= 32, "the length of Job.kind"


@pytest.mark.django_db
def test_what_a_job_logs_bears_the_request_that_asked_for_it() -> None:
    heard: list[str | None] = []
    worker = worker_for(listening(heard))
    for name in ("first-request", "second-request"):
        request_id.set(name)
        operations.add_job(kind="errand")
        request_id.set(None)
        do_due(worker)
    assert heard == ["first-request", "second-request"]
    assert request_id.get() is None, "what the worker does next is nobody's"


@pytest.mark.django_db
def test_what_comes_round_by_itself_bears_no_request() -> None:
    heard: list[str | None] = []
    worker = worker_for(listening(heard), every=timedelta(hours=1))
    request_id.set("first-request")
    operations.add_job(kind="errand")
    request_id.set(None)
    for _ in range(2):
        make_due()
        do_due(worker)
    assert heard == ["first-request", None]


@pytest.mark.django_db
def test_what_a_supervisor_runs_anew_bears_the_request_of_their_press(saule: User) -> None:
    heard: list[str | None] = []
    request_id.set("first-request")
    job = operations.add_job(kind="errand", due_at=timezone.now() + timedelta(hours=1))
    request_id.set("the-press")
    operations.run_job_now(job=job, actor=saule)
    request_id.set(None)
    do_due(worker_for(listening(heard)))
    assert heard == ["the-press"]
