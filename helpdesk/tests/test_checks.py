"""Each wrong setting is found, with a hint that says how to mend it."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import override_settings


def found() -> set[str | None]:
    problems = [problem for problem in run_checks() if (problem.id or "").startswith("helpdesk.")]
    assert all(problem.hint for problem in problems)
    return {problem.id for problem in problems}


def test_the_settings_of_development_are_right() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("TELEGRAM_BOT_TOKEN", "12345", "helpdesk.E001"),
        ("TELEGRAM_BOT_TOKEN", "bot7012345678:AAHcanaryCANARYcanaryCANARYcanary123", "helpdesk.E001"),
        ("PUBLIC_URL", "help.example.com", "helpdesk.E002"),
        ("PUBLIC_URL", "https://help.example.com/desk", "helpdesk.E002"),
        ("TELEGRAM_API_URL", "127.0.0.1:8081", "helpdesk.E003"),
        ("TELEGRAM_LOCAL_FILES", "/var/lib/telegram-bot-api", "helpdesk.E014"),
        ("TELEGRAM_LOCAL_FILES", "telegram-bot-api", "helpdesk.E015"),
        ("ALLOWED_HOSTS", ["*"], "helpdesk.W004"),
        ("TELEGRAM_WEBHOOK_SECRET", "sesame sesame sesame sesame", "helpdesk.E011"),
        ("TELEGRAM_WEBHOOK_SECRET", "x" * 257, "helpdesk.E011"),
        ("TELEGRAM_WEBHOOK_SECRET", "sesame", "helpdesk.W011"),
        ("TRUSTED_PROXIES", ["proxy.internal"], "helpdesk.E005"),
        ("METRICS_NETWORKS", ["10.0.0.1/8"], "helpdesk.E005"),
        ("WEBHOOK_NETWORKS", ["intranet"], "helpdesk.E005"),
        ("METRICS_TOKEN", "secret", "helpdesk.W010"),
        ("SIMPLE_JWT", {"SIGNING_KEY": "k" * 31}, "helpdesk.E012"),
        ("LOG_DIR", "/proc/log", "helpdesk.E006"),
        ("MEDIA_ROOT", "/proc/media", "helpdesk.E007"),
        ("BACKUP_RECIPIENT", "AGE-SECRET-KEY-1", "helpdesk.E020"),
        ("BACKUP_KEEP", -1, "helpdesk.E022"),
    ],
)
def test_a_wrong_setting_is_found(setting: str, value: object, problem: str) -> None:
    with override_settings(**{setting: value}):
        assert found() == {problem}


def test_plain_http_in_production_is_warned_about() -> None:
    with override_settings(DEBUG=False, PUBLIC_URL="http://help.example.com"):
        assert found() == {"helpdesk.W002"}


def test_files_among_the_static_ones_are_refused(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path, MEDIA_ROOT=tmp_path / "media"):
        assert found() == {"helpdesk.E008"}


def test_backups_among_the_static_files_are_refused(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path, BACKUP_DIR=tmp_path / "backups"):
        assert found() == {"helpdesk.E021"}


def test_a_right_token_is_accepted() -> None:
    with override_settings(TELEGRAM_BOT_TOKEN="7012345678:AAHcanaryCANARYcanaryCANARYcanary123"):
        assert found() == set()
