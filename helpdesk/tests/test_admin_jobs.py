"""What a supervisor sees of the jobs, and does about those that fail."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tickets import operations
from tickets.models import Job, JobState, User

pytestmark = pytest.mark.django_db

JOBS = reverse("admin:tickets_job_changelist")


@pytest.fixture
def room(client: Client, saule: User) -> Client:
    client.force_login(saule)
    return client


@pytest.fixture
def dead(db: None) -> Job:
    now = timezone.now()
    return Job.objects.create(
        kind="close_resolved",
        key="7",
        state=JobState.DEAD,
        due_at=None,
        attempts=8,
        done=3,
        total=10,
        error="OSError",
        started_at=now - timedelta(seconds=2.5),
        finished_at=now,
    )


def run_now(room: Client, job: Job) -> str:
    data = {"action": "run_now", "_selected_action": [job.pk]}
    return room.post(JOBS, data, follow=True).content.decode()


def test_a_job_is_told_in_words_with_its_progress_and_error(room: Client, dead: Job) -> None:
    page = room.get(JOBS).content.decode()

    for told in ("Закрыть решённые неделю назад", "3 из 10", "OSError", "2.5 с", "Не удалось"):
        assert told in page


def test_a_job_of_another_version_keeps_its_bare_name(room: Client) -> None:
    operations.add_job(kind="of_another_version")

    assert "of_another_version" in room.get(JOBS).content.decode()


def test_nobody_says_to_run_what_only_another_version_can(room: Client, dead: Job) -> None:
    Job.objects.update(kind="of_another_version")

    page = run_now(room, dead)

    assert "нынешняя версия не знает" in page
    assert "Запущено" not in page
    dead.refresh_from_db()
    assert dead.state == JobState.DEAD


def test_jobs_are_filtered_by_kind(room: Client, dead: Job) -> None:
    operations.add_job(kind="wake_snoozed")

    page = room.get(JOBS, {"kind": "wake_snoozed"}).content.decode()

    assert "OSError" not in page


def test_a_dead_job_is_tried_again_and_the_log_says_by_whom(room: Client, dead: Job) -> None:
    assert "Запущено: 1" in run_now(room, dead)

    dead.refresh_from_db()
    assert (dead.state, dead.attempts) == (JobState.WAITING, 0)
    assert dead.due_at is not None
    history = room.get(reverse("admin:tickets_job_history", args=[dead.pk])).content.decode()
    assert "Запущено" in history


def test_a_running_job_is_left_to_finish(room: Client, dead: Job) -> None:
    Job.objects.update(state=JobState.RUNNING, due_at=timezone.now() + timedelta(minutes=1))

    assert "запускается только то" in run_now(room, dead)


def test_the_list_costs_the_same_for_many_jobs(
    room: Client, dead: Job, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Job.objects.bulk_create(Job(kind="errand", key=str(number)) for number in range(40))

    with django_assert_num_queries(5):
        room.get(JOBS)


def test_the_first_page_counts_what_was_given_up(room: Client, dead: Job) -> None:
    page = room.get(reverse("admin:index")).content.decode()

    assert "Задания, которые не удались</a>: 1" in page
