"""`manage.py doctor`: what is right, wrong and not used, what to do, and never a secret."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone

from botbridge.doctor import Introduction
from botbridge.models import BotStatus
from botbridge.sandbox.thread import SandboxServer
from helpdesk import doctor
from helpdesk.doctor import State
from helpdesk.tests.servers import free_port
from helpdesk.tests.test_settings import SECRET, python

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "7012345678:AAtesttesttesttesttesttesttesttestt"


@pytest.fixture(autouse=True)
def at_a_developers(settings: Any) -> None:
    """Otherwise the settings of the tests would be examined as those of production."""
    settings.DEBUG = True


def examined() -> tuple[str, int]:
    """What the command prints, and its exit code."""
    printed = StringIO()
    try:
        call_command("doctor", stdout=printed, no_color=True)
    except SystemExit as end:
        return printed.getvalue(), int(end.code or 0)
    return printed.getvalue(), 0


def line(about: str) -> str:
    printed, _code = examined()
    return next(line for line in printed.splitlines() if line[10:].startswith(about))


def test_a_machine_where_all_is_well() -> None:
    printed, code = examined()
    assert code == 0, printed
    assert "right     database      " in printed
    assert "right     migrations    all applied" in printed
    assert "right     clock" in printed
    assert "not used  redis" in printed
    assert "not used  broker" in printed
    assert "not used  mail" in printed
    assert "not used  telegram" in printed
    assert "wrong" not in printed


def test_a_migration_that_is_missing() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("tickets", "0002_first_rows")
    try:
        printed, code = examined()
    finally:
        recorder.record_applied("tickets", "0002_first_rows")
    assert code == 1
    assert "wrong     migrations    1 not applied" in printed
    assert "-> Run manage.py migrate" in printed


def test_a_database_that_is_away_and_its_password_stays_unsaid() -> None:
    url = f"postgres://helpdesk:pass-canary@127.0.0.1:{free_port()}/helpdesk"
    done = python("manage.py", "doctor", SECRET_KEY=SECRET, DATABASE_URL=url, DEBUG="1")
    assert done.returncode == 1
    assert "wrong     database      does not answer (OperationalError)" in done.stdout
    assert "-> Check DATABASE_URL" in done.stdout
    assert "pass-canary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_away() -> None:
    with override_settings(CELERY_BROKER_URL=f"redis://:broker-canary@127.0.0.1:{free_port()}/0"):
        printed, code = examined()
    assert code == 1
    assert "wrong     broker        does not answer (OperationalError)" in printed
    assert "broker-canary" not in printed


def test_a_mail_server_that_is_away() -> None:
    port = free_port()
    smtp = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": port,
    }
    with override_settings(EMAIL_URL=f"smtp://desk:mail-canary@127.0.0.1:{port}", **smtp):
        printed, code = examined()
    assert code == 1
    assert "wrong     mail          cannot be sent (ConnectionRefusedError)" in printed
    assert "mail-canary" not in printed


def test_redis_that_is_away() -> None:
    with override_settings(REDIS_URL=f"redis://:redis-canary@127.0.0.1:{free_port()}/0"):
        printed, code = examined()
    assert code == 1
    assert "wrong     redis         does not answer (ConnectionError)" in printed
    assert "redis-canary" not in printed


@pytest.fixture
def telegram(tmp_path: Path) -> Any:
    with SandboxServer(tmp_path, token=TOKEN) as server:
        yield server


def test_a_bot_telegram_knows_that_has_been_heard(telegram: SandboxServer) -> None:
    BotStatus.objects.create(bot_id=7012345678, last_polled_at=timezone.now())
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN):
        assert line("telegram").startswith("right     telegram      knows the bot as @")
        assert line("bot").startswith("right     bot           heard from Telegram")


def test_a_bot_that_does_not_run(telegram: SandboxServer) -> None:
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN):
        printed, code = examined()
    assert code == 1
    assert "wrong     bot           has never reached Telegram" in printed


def test_a_token_that_has_been_revoked(telegram: SandboxServer) -> None:
    revoked = "7012345679:AAcanarycanarycanarycanarycanarycana"
    telegram.revoke(revoked)
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=revoked):
        printed, code = examined()
    assert code == 1
    assert "The server knows no bot with this TELEGRAM_BOT_TOKEN" in printed
    assert "canary" not in printed


def test_a_token_that_is_none() -> None:
    with override_settings(TELEGRAM_BOT_TOKEN="canary"):
        printed, code = examined()
    assert code == 1
    assert "TELEGRAM_BOT_TOKEN does not look like a bot's token" in printed
    assert "canary" not in printed


def test_telegram_out_of_reach() -> None:
    with override_settings(TELEGRAM_API_URL=f"http://127.0.0.1:{free_port()}", TELEGRAM_BOT_TOKEN=TOKEN):
        assert "cannot be reached (NeverSentError)" in line("telegram")


def test_a_webhook_that_takes_the_updates_away() -> None:
    diagnosis = doctor.judge_introduction(Introduction("orbita_bot", has_webhook=True, waiting=3))
    assert diagnosis.state == State.WRONG
    assert "deleteWebhook" in diagnosis.remedy


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, State.RIGHT), (-4, State.RIGHT), (6, State.WRONG), (-60, State.WRONG)]
)
def test_clocks_that_differ(seconds: int, state: State) -> None:
    assert doctor.judge_clock(timedelta(seconds=seconds)).state == state


GB = 1024**3


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [(50 * GB, 100 * GB, State.RIGHT), (GB // 2, 8 * GB, State.WRONG), (30 * GB, 1000 * GB, State.WRONG)],
)
def test_disks_that_fill_up(free: int, total: int, state: State) -> None:
    assert doctor.judge_room("MEDIA_ROOT", Path("/srv"), free=free, total=total).state == state


def test_directories_nobody_can_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(MEDIA_ROOT=tmp_path / "file" / "media"):
        printed, code = examined()
    assert code == 1
    assert "nothing can be written to MEDIA_ROOT" in printed


@pytest.mark.slow
@pytest.mark.parametrize("is_collected", [False, True])
def test_static_files_of_production(tmp_path: Path, is_collected: bool) -> None:
    production = {"SECRET_KEY": SECRET, "STATIC_ROOT": str(tmp_path / "static"), "MEDIA_ROOT": str(tmp_path / "media")}
    production |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}", "PUBLIC_URL": "https://help.example.com"}
    if is_collected:
        assert python("manage.py", "collectstatic", "--no-input", **production).returncode == 0
    printed = python("manage.py", "doctor", **production).stdout
    assert ("right     static files" if is_collected else "wrong     static files") in printed
    assert "right     settings      fit for production, at https://help.example.com" in printed
    assert SECRET not in printed


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("SECRET_KEY", "canary-secret", "canary-secret"),
        ("METRICS_TOKEN", "canary-metrics", "canary-metrics"),
        ("REDIS_URL", "redis://:canary%40redis@127.0.0.1/0", "canary@redis"),
    ],
)
def test_no_secret_of_the_settings_is_ever_printed(setting: str, value: str, told: str) -> None:
    with override_settings(**{setting: value}):
        assert doctor.without_secrets(f"failed with {told} in it") == "failed with <hidden> in it"
