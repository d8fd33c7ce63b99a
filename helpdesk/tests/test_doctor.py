"""`manage.py doctor`: what is right, wrong and not used, what to do, and never a secret."""

from datetime import timedelta
from email.utils import format_datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone

from botbridge import webhook
from botbridge.client import QuietSession, make_bot
from botbridge.doctor import Introduction, clock_skew
from botbridge.models import BotStatus
from botbridge.sandbox.thread import SandboxServer
from helpdesk import doctor
from helpdesk.doctor import State
from helpdesk.tests.servers import free_port
from helpdesk.tests.test_health import backup_of
from helpdesk.tests.test_settings import SECRET, python
from tickets.models import Attachment, AttachmentState, Ticket

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
    assert ("right     clock         goes with the database's" in printed) is (connection.vendor != "sqlite")
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


@pytest.mark.parametrize("address", ["nonsense", "nonsense://redis-canary", "redis://redis-canary:port/0"])
@pytest.mark.parametrize(("setting", "about"), [("REDIS_URL", "redis"), ("CELERY_BROKER_URL", "broker")])
def test_an_address_that_is_none_is_told_and_the_rest_is_looked_at_all_the_same(
    setting: str, about: str, address: str
) -> None:
    with override_settings(**{setting: address}):
        printed, code = examined()
    assert code == 1
    assert f"wrong     {about:13} " in printed
    assert "redis-canary" not in printed
    assert "telegram" in printed


@pytest.fixture
def telegram(tmp_path: Path) -> Any:
    with SandboxServer(tmp_path, token=TOKEN) as server:
        yield server


def test_a_bot_telegram_knows_that_has_been_heard(telegram: SandboxServer) -> None:
    BotStatus.objects.create(bot_id=7012345678, last_polled_at=timezone.now())
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN):
        assert line("telegram").startswith("right     telegram      knows the bot as @")
        assert line("bot").startswith("right     bot           heard from Telegram")


def test_topics_that_nobody_asked_for_that_work_and_that_lack_threaded_mode(telegram: SandboxServer) -> None:
    BotStatus.objects.create(bot_id=7012345678, last_polled_at=timezone.now())
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN):
        assert line("topics").startswith("not used  topics        not asked for")
        BotStatus.objects.update(tickets_as_topics=True)
        printed, code = examined()
        assert code == 1
        assert "wrong     topics        each ticket is to have a topic of its own, but the bot has no" in printed
        assert "-> Turn on Threaded Mode in the bot's settings at @BotFather." in printed
        telegram.knobs.turn_on("threaded_mode")
        assert line("topics").startswith("right     topics        each ticket has a topic of its own")


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


@pytest.mark.parametrize(
    ("where", "uses_webhook", "error_ago", "state", "words"),
    [
        ("", False, None, State.NOT_USED, "not set: manage.py runbot asks"),
        ("", True, None, State.WRONG, "not set, though the bot waits for it"),
        ("https://elsewhere.example/canary", True, None, State.WRONG, "another address, at elsewhere.example"),
        (
            "https://elsewhere.example/canary",
            False,
            None,
            State.WRONG,
            "another address, at elsewhere.example",
        ),
        ("ours", False, None, State.WRONG, "no bot that minds it runs"),
        ("ours", True, 20, State.WRONG, "s ago: Wrong response from the webhook: 403 Forbidden"),
        ("ours", True, 900, State.RIGHT, "brings updates to https://help.example.com"),
        ("ours", True, None, State.RIGHT, "brings updates to https://help.example.com"),
    ],
)
def test_where_updates_go(
    settings: Any, where: str, uses_webhook: bool, error_ago: int | None, state: State, words: str
) -> None:
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_WEBHOOK_SECRET = TOKEN, "canary-canary-canary"
    settings.PUBLIC_URL = "https://help.example.com"
    at = timezone.now() - timedelta(seconds=error_ago) if error_ago is not None else None
    error = "Wrong response from the webhook: 403 Forbidden" if error_ago is not None else ""
    address = webhook.address() if where == "ours" else where
    introduction = Introduction("orbita_bot", 3, address, error, at)

    diagnosis = doctor.judge_webhook(introduction, uses_webhook=uses_webhook)

    assert diagnosis.state == state
    assert words in diagnosis.words
    assert bool(diagnosis.remedy) is (state == State.WRONG)
    assert "canary" not in diagnosis.words
    assert webhook.secret_path() not in diagnosis.words


def test_a_webhook_of_this_site(telegram: SandboxServer) -> None:
    now = timezone.now()
    BotStatus.objects.create(bot_id=7012345678, last_polled_at=now, door=BotStatus.Door.WEBHOOK)
    with override_settings(
        TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_WEBHOOK_SECRET="canary-canary-canary"
    ):
        telegram.call("setWebhook", url=webhook.address(), secret_token="canary-canary-canary")
        printed, _code = examined()
        assert "right     webhook       Telegram brings updates to http://localhost:8000" in printed
        assert "canary" not in printed
        assert webhook.secret_path() not in printed
        telegram.call("deleteWebhook")
        assert "wrong     webhook       not set, though the bot waits for it" in examined()[0]


def test_a_server_of_ones_own_whose_files_can_be_read(telegram: SandboxServer, tmp_path: Path) -> None:
    local = {"TELEGRAM_LOCAL_FILES": str(tmp_path), "TELEGRAM_DOWNLOAD_MB": 2000}
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN, **local):
        assert line("large files") == f"right     large files   up to 2000 MB, read from {tmp_path}"


def test_a_server_of_ones_own_whose_files_are_out_of_sight(telegram: SandboxServer, tmp_path: Path) -> None:
    local = {"TELEGRAM_LOCAL_FILES": str(tmp_path / "away")}
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN, **local):
        printed, code = examined()
    assert code == 1
    assert f"TELEGRAM_LOCAL_FILES, {tmp_path / 'away'}, cannot be read" in printed
    assert "Mount the directory of the Bot API server" in printed


def test_telegrams_own_server_and_its_limit(telegram: SandboxServer) -> None:
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN):
        assert line("large files").startswith("not used  large files   TELEGRAM_LOCAL_FILES is not set")


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, State.RIGHT), (-4, State.RIGHT), (6, State.WRONG), (-60, State.WRONG)]
)
def test_clocks_that_differ(seconds: int, state: State) -> None:
    assert doctor.judge_clock(timedelta(seconds=seconds), "Telegram's").state == state


def test_telegrams_clock(telegram: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(TELEGRAM_API_URL=telegram.base_url, TELEGRAM_BOT_TOKEN=TOKEN):
        assert "right     clock         goes with Telegram's" in examined()[0]
        monkeypatch.setattr(doctor, "MOST_SKEW", timedelta(seconds=-1))
        assert "wrong     clock         this machine's clock and Telegram's differ by" in examined()[0]


def test_how_far_ahead_of_telegrams_a_clock_is() -> None:
    bot = make_bot(TOKEN, "http://127.0.0.1:9")
    assert clock_skew(bot) is None, "it has told no time"
    assert isinstance(bot.session, QuietSession)
    bot.session.answered_at = format_datetime(timezone.now() - timedelta(minutes=1), usegmt=True)
    skew = clock_skew(bot)
    assert skew is not None
    assert 60 <= skew.total_seconds() < 70


GB = 1024**3


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [(50 * GB, 100 * GB, State.RIGHT), (GB // 2, 8 * GB, State.WRONG), (30 * GB, 1000 * GB, State.WRONG)],
)
def test_disks_that_fill_up(free: int, total: int, state: State) -> None:
    assert doctor.judge_room("MEDIA_ROOT", Path("/srv"), free=free, total=total).state == state


def test_files_that_rows_name_and_storage_has_not(ticket: Ticket) -> None:
    message = ticket.messages.latest("pk")
    there = default_storage.save("attachments/aa/bb/there", ContentFile(b"x"))
    for name in (there, "attachments/aa/bb/lost"):
        Attachment.objects.create(message=message, kind="document", file=name, state=AttachmentState.READY)
    printed, code = examined()
    assert code == 1
    assert "wrong     files         1 of the newest 2 are not in storage" in printed
    assert "-> Look whether MEDIA_ROOT is the right one" in printed
    Attachment.objects.exclude(file=there).delete()
    assert line("files") == "right     files         the newest 1 are in storage"


def test_directories_nobody_can_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(MEDIA_ROOT=tmp_path / "file" / "media"):
        printed, code = examined()
    assert code == 1
    assert "nothing can be written to MEDIA_ROOT" in printed


@pytest.mark.parametrize(
    ("hours_ago", "is_ill", "told"),
    [
        (20, False, "right     backups       the last one is 20 h old"),
        (27, True, "wrong     backups       the last backup is 97"),
        (None, True, "wrong     backups       no backup has been made yet, or none can be seen from here"),
    ],
)
def test_the_last_backup(settings: Any, tmp_path: Path, hours_ago: int | None, is_ill: bool, told: str) -> None:
    settings.DEBUG, settings.BACKUP_DIR, settings.BACKUP_KEEP = False, tmp_path, 7
    if hours_ago is not None:
        backup_of(tmp_path, hours_ago=hours_ago)

    assert line("backups").startswith(told)
    (found,) = doctor.check_backups()
    assert (found.state == State.WRONG, "manage.py backup --nightly" in found.remedy) == (is_ill, is_ill)

    settings.BACKUP_KEEP = 0
    assert line("backups").startswith("not used  backups")


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
        ("TELEGRAM_WEBHOOK_SECRET", "canary-webhook", "canary-webhook"),
        ("METRICS_TOKEN", "canary-metrics", "canary-metrics"),
        ("REDIS_URL", "redis://:canary%40redis@127.0.0.1/0", "canary@redis"),
    ],
)
def test_no_secret_of_the_settings_is_ever_printed(setting: str, value: str, told: str) -> None:
    with override_settings(**{setting: value}):
        assert doctor.without_secrets(f"failed with {told} in it") == "failed with <hidden> in it"
