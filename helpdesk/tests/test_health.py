"""Health says what fails, to monitors that are nobody and may learn nothing else."""

import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from botbridge.models import BotStatus, Update
from helpdesk import draining
from helpdesk.jobs.worker import Worker
from tickets import operations
from tickets.models import Delivery, Job, JobState, Message, Ticket

Answer = Callable[..., Message]

SECRET = 'connection to server at "10.1.2.3", user "helpdesk" failed'


class BrokenDatabase:
    """Stands between Django and a database that refuses every query."""

    def __call__(self, *call: object) -> None:
        raise OperationalError(SECRET)


def test_live_asks_no_database(client: Client) -> None:
    # Without the db mark a query would fail the test.
    client.cookies[settings.SESSION_COOKIE_NAME] = "anything"

    response = client.get("/health/live")

    assert response.status_code == 200
    assert response.json()["status"] == "ok"


@pytest.mark.django_db
def test_ready_asks_one_query(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        response = client.get("/health/ready")

    assert response.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_database_that_does_not_answer_is_named_without_its_secrets(client: Client, path: str) -> None:
    with connection.execute_wrapper(BrokenDatabase()):
        response = client.get(path)

    assert response.status_code == 503
    assert "database" in response.json()["failing"]
    assert "10.1.2.3" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_named(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("tickets", "0001_initial")

    response = client.get("/health")

    assert response.status_code == 503
    assert "migrations" in response.json()["failing"]
    assert response.json()["migrations"]["problems"] == ["1 not applied: run manage.py migrate"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
@pytest.mark.django_db
def test_nobody_keeps_the_answer(client: Client, path: str) -> None:
    assert "no-store" in client.get(path)["Cache-Control"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_only_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_the_command_says_why_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    MigrationRecorder(connection).record_unapplied("tickets", "0001_initial")

    with pytest.raises(SystemExit, match="1"):
        call_command("healthcheck")

    assert "migrations: 1 not applied: run manage.py migrate" in capsys.readouterr().err


def test_a_process_about_to_end_asks_for_no_more_people(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setenv(draining.FILE, str(tmp_path / "draining"))
    assert client.get("/health/ready").status_code == 200

    (tmp_path / "draining").touch()

    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200, "it is not to be killed"


def test_the_command_looks_at_the_named_parts_alone(capsys: pytest.CaptureFixture[str], db: None) -> None:
    call_command("healthcheck", "database", "migrations")
    assert capsys.readouterr().out == "ok\n"

    with pytest.raises(SystemExit, match="1"):
        call_command("healthcheck", "jobs")
    assert "have never run" in capsys.readouterr().err

    with pytest.raises(CommandError, match="No such part: bots"):
        call_command("healthcheck", "bots")


def timeless(problem: str) -> str:
    return re.sub(r"\d+", "…", problem)


@pytest.fixture
def jobs(db: None) -> None:
    """A process that does the jobs has begun."""
    operations.start_jobs_missing(kinds=Worker().recurring)


@pytest.fixture
def bot(jobs: None) -> BotStatus:
    """A bot that reached Telegram just now, beside a process that does the jobs."""
    return BotStatus.objects.create(bot_id=7012345678, last_polled_at=timezone.now())


def test_a_bot_that_polls_is_well(client: Client, bot: BotStatus) -> None:
    response = client.get("/health")

    assert response.status_code == 200
    assert response.json()["bot"]["last_poll_age"] < 60


@pytest.mark.usefixtures("jobs")
def test_a_bot_that_never_polled_is_named(client: Client) -> None:
    response = client.get("/health")

    assert response.status_code == 503
    assert response.json()["failing"] == ["bot"]
    assert response.json()["bot"]["problems"] == ["has never reached Telegram"]


def test_a_bot_that_no_longer_reaches_telegram_is_named_without_telegrams_words(client: Client, bot: BotStatus) -> None:
    bot.last_polled_at = timezone.now() - timedelta(minutes=2)
    bot.last_error = bot.stopped_reason = SECRET
    bot.save()

    response = client.get("/health")

    assert response.status_code == 503
    assert [timeless(problem) for problem in response.json()["bot"]["problems"]] == [
        "stopped: see its log",
        "has not reached Telegram for … s",
    ]
    assert "10.1.2.3" not in response.text


def test_a_bot_whose_last_attempt_failed_is_named_at_once(client: Client, bot: BotStatus) -> None:
    bot.last_error, bot.last_error_at = SECRET, timezone.now()
    bot.save()

    response = client.get("/health")

    assert (response.status_code, response.json()["failing"]) == (503, ["bot"])
    assert response.json()["bot"]["problems"] == ["did not reach Telegram the last time it tried: see its log"]
    assert "10.1.2.3" not in response.text


def test_an_update_nobody_handles_is_named(client: Client, bot: BotStatus) -> None:
    Update.objects.create(
        bot_id=bot.pk, update_id=1, digest="1", raw="{}", chat_id=1, received_at=timezone.now() - timedelta(minutes=5)
    )

    (problem,) = client.get("/health").json()["bot"]["problems"]
    assert timeless(problem) == "an update waits for … s to be handled"


def test_a_reply_nobody_sends_is_named(client: Client, bot: BotStatus, answer: Answer, ticket: Ticket) -> None:
    reply = answer(ticket, ticket.assignee)
    Delivery.objects.filter(message=reply).update(due_at=timezone.now() - timedelta(minutes=5))

    (problem,) = client.get("/health").json()["bot"]["problems"]
    assert timeless(problem) == "a message waits for … s to be sent"


def test_parked_updates_are_named_and_stop_nothing(client: Client, bot: BotStatus) -> None:
    Update.objects.create(bot_id=bot.pk, update_id=1, digest="1", raw="{}", state=Update.State.PARKED)

    response = client.get("/health")

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["failing"]) == ("degraded", [])
    assert response.json()["bot"]["status"] == "degraded"
    assert response.json()["bot"]["problems"] == ["updates parked: 1, deal with them in the admin"]


def through_webhook(bot: BotStatus, *, pending: int = 0, waited: int = 0, failed: int | None = None) -> None:
    """The bot's door is the webhook; `waited` and `failed` are seconds ago."""
    now = timezone.now()
    bot.door, bot.webhook_pending = BotStatus.Door.WEBHOOK, pending
    bot.webhook_pending_since = now - timedelta(seconds=waited) if pending else None
    if failed is not None:
        bot.webhook_error, bot.webhook_error_at = SECRET, now - timedelta(seconds=failed)
    bot.save()


def test_a_webhook_that_takes_what_comes_is_well(client: Client, bot: BotStatus) -> None:
    through_webhook(bot, pending=2, waited=70)

    response = client.get("/health")

    assert (response.status_code, response.json()["bot"]["status"]) == (200, "ok")
    assert (response.json()["bot"]["door"], response.json()["bot"]["webhook_pending"]) == ("webhook", 2)


def test_what_telegram_cannot_bring_is_named_without_telegrams_words(client: Client, bot: BotStatus) -> None:
    through_webhook(bot, pending=5, waited=120, failed=10)

    response = client.get("/health")

    assert (response.status_code, response.json()["failing"]) == (503, ["bot"])
    (problem,) = response.json()["bot"]["problems"]
    assert timeless(problem) == "Telegram cannot bring … updates, for … s"
    assert "10.1.2.3" not in response.text


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"failed": 20}, "the webhook failed … s ago: see the first page of the admin"),
        ({"pending": 500, "waited": 20}, "… updates wait at Telegram: the web processes do not keep up"),
    ],
)
def test_a_webhook_that_falters_is_named_and_stops_nothing(
    client: Client, bot: BotStatus, state: dict[str, int], problem: str
) -> None:
    through_webhook(bot, **state)

    response = client.get("/health")

    assert (response.status_code, response.json()["bot"]["status"]) == (200, "degraded")
    assert [timeless(told) for told in response.json()["bot"]["problems"]] == [problem]


def test_a_webhook_nobody_minds_is_red_however_well_it_was(client: Client, bot: BotStatus) -> None:
    bot.last_polled_at = timezone.now() - timedelta(minutes=2)
    through_webhook(bot)

    assert client.get("/health").json()["failing"] == ["bot"]


def test_a_silent_bot_takes_nobody_off_the_desk(client: Client, db: None) -> None:
    assert client.get("/health/ready").status_code == 200


def test_the_command_is_content_with_a_working_bot(bot: BotStatus, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("healthcheck")

    assert capsys.readouterr().out == "ok\n"


def test_jobs_that_never_ran_are_named(client: Client, bot: BotStatus) -> None:
    Job.objects.all().delete()

    response = client.get("/health")

    assert (response.status_code, response.json()["failing"]) == (503, ["jobs"])
    assert response.json()["jobs"]["problems"] == ["have never run: start manage.py runjobs"]


def test_jobs_nobody_does_any_more_are_named(client: Client, bot: BotStatus) -> None:
    Job.objects.filter(kind="wake_snoozed").update(due_at=timezone.now() - timedelta(minutes=3))

    response = client.get("/health")

    assert (response.status_code, response.json()["failing"]) == (503, ["jobs"])
    (problem,) = response.json()["jobs"]["problems"]
    assert timeless(problem) == "one has been due for … s and nobody does it"


def test_long_jobs_nobody_does_are_named(client: Client, bot: BotStatus) -> None:
    Job.objects.filter(kind="nightly_backup").update(due_at=timezone.now() - timedelta(minutes=31))

    response = client.get("/health")

    assert (response.status_code, response.json()["failing"]) == (503, ["jobs"])
    (problem,) = response.json()["jobs"]["problems"]
    assert timeless(problem) == "a long one has been due for … s and nobody does it"


def test_what_an_older_version_left_worries_nobody(client: Client, bot: BotStatus) -> None:
    operations.add_job(kind="of an older version", due_at=timezone.now() - timedelta(days=1))
    Job.objects.filter(kind="of an older version").update(error="OSError")
    Job.objects.create(kind="of a newer one", state=JobState.DEAD, due_at=None, error="OSError")

    assert (client.get("/health").status_code, client.get("/health").json()["jobs"]["problems"]) == (200, [])


def test_jobs_that_fail_are_named_and_stop_nothing(client: Client, bot: BotStatus) -> None:
    Job.objects.filter(kind="wake_snoozed").update(error="OSError")
    Job.objects.create(kind=operations.PASSWORD_LINK, state=JobState.DEAD, due_at=None, error="OSError")

    response = client.get("/health")

    assert (response.status_code, response.json()["jobs"]["status"]) == (200, "degraded")
    assert response.json()["jobs"]["problems"] == [
        "given up: 1, deal with them in the admin",
        "failing and tried again: 1, see the admin",
    ]


@pytest.fixture
def backups(settings: LazySettings, tmp_path: Path) -> Path:
    settings.BACKUP_DIR = tmp_path
    settings.BACKUP_KEEP = 7
    return tmp_path


def backup_of(folder: Path, *, hours_ago: int) -> None:
    path = folder / "helpdesk-nightly-20261105.tar.gz"
    path.write_bytes(b"x" * 100)
    then = time.time() - hours_ago * 3600
    os.utime(path, (then, then))


def test_a_backup_of_last_night_is_well(client: Client, bot: BotStatus, backups: Path) -> None:
    backup_of(backups, hours_ago=20)

    told = client.get("/health").json()

    assert (told["status"], told["backups"]["status"]) == ("ok", "ok")
    assert told["backups"]["last_backup_bytes"] == 100
    assert told["backups"]["free_bytes"] > 0


@pytest.mark.parametrize(
    ("hours_ago", "problem"), [(None, "no backup has been made yet, or none can be seen from here"), (27, "… s old")]
)
def test_a_backup_that_is_missing_is_named_and_stops_nothing(
    client: Client, bot: BotStatus, backups: Path, hours_ago: int | None, problem: str
) -> None:
    if hours_ago is not None:
        backup_of(backups, hours_ago=hours_ago)

    response = client.get("/health")

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    (told,) = response.json()["backups"]["problems"]
    assert timeless(told).endswith(problem)
    assert str(backups) not in response.text
    assert client.get("/health/ready").status_code == 200


def test_who_makes_backups_otherwise_or_develops_hears_nothing_of_them(
    client: Client, bot: BotStatus, backups: Path, settings: LazySettings
) -> None:
    settings.BACKUP_KEEP = 0
    assert client.get("/health").json()["status"] == "ok"
    settings.BACKUP_KEEP, settings.DEBUG = 7, True
    assert client.get("/health").json()["status"] == "ok"
