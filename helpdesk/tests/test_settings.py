"""Settings that must refuse, and those that follow from others."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

SECRET = "k8Zq1vW3xY5aB7cD9eF2gH4iJ6kL8mN0pQ2rS4tU6vW8xY0zA1bC3"


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the project with no environment but this."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "ENV_FILE": "", "LOG_DIR": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def values(*names: str, **environment: str) -> dict[str, Any]:
    """The settings of those names as a process with that environment sees them."""
    code = (
        f"import json; from helpdesk import settings; print(json.dumps({{n: getattr(settings, n) for n in {names}}}))"
    )
    done = python("-c", code, **environment)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


class TestSecretKey:
    @pytest.mark.parametrize("key", ["", "short", "django-insecure-for-development-on-your-own-machine-only"])
    def test_production_refuses_to_start_without_a_secret_of_its_own(self, key: str) -> None:
        done = python("manage.py", "check", SECRET_KEY=key)

        assert done.returncode == 1
        assert "SECRET_KEY is missing" in done.stderr
        assert "Traceback" not in done.stderr

    def test_production_starts_with_a_long_secret(self) -> None:
        assert python("manage.py", "check", SECRET_KEY=SECRET).returncode == 0

    def test_development_needs_none(self) -> None:
        assert python("manage.py", "check", DEBUG="1").returncode == 0


class TestSecretsInFiles:
    def test_a_secret_may_stand_in_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(f"{SECRET}\n")

        assert values("SECRET_KEY", SECRET_KEY_FILE=str(tmp_path / "key")) == {"SECRET_KEY": SECRET}

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        done = python("manage.py", "check", SECRET_KEY_FILE=str(tmp_path / "key"))

        assert done.returncode == 1
        assert f"SECRET_KEY_FILE names {tmp_path}/key: No such file or directory" in done.stderr
        assert "Traceback" not in done.stderr


class TestProduction:
    def test_debug_is_off_unless_it_is_set(self) -> None:
        assert values("DEBUG", SECRET_KEY=SECRET) == {"DEBUG": False}

    def test_an_https_address_turns_on_what_https_allows(self) -> None:
        found = values(
            "SECURE_SSL_REDIRECT",
            "SECURE_HSTS_SECONDS",
            "SESSION_COOKIE_SECURE",
            "CSRF_COOKIE_SECURE",
            "SESSION_COOKIE_NAME",
            "CSRF_TRUSTED_ORIGINS",
            SECRET_KEY=SECRET,
            PUBLIC_URL="https://help.example.com/",
        )

        assert found == {
            "SECURE_SSL_REDIRECT": True,
            "SECURE_HSTS_SECONDS": 31536000,
            "SESSION_COOKIE_SECURE": True,
            "CSRF_COOKIE_SECURE": True,
            "SESSION_COOKIE_NAME": "__Host-session",
            "CSRF_TRUSTED_ORIGINS": ["https://help.example.com"],
        }

    def test_the_public_address_is_an_allowed_host(self) -> None:
        hosts = values("ALLOWED_HOSTS", SECRET_KEY=SECRET, PUBLIC_URL="https://help.example.com:8443")["ALLOWED_HOSTS"]

        assert "help.example.com" in hosts

    def test_the_deployment_check_has_nothing_to_say(self) -> None:
        done = python(
            *("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
            SECRET_KEY=SECRET,
            PUBLIC_URL="https://help.example.com",
        )

        assert done.returncode == 0, done.stderr

    def test_over_plain_http_cookies_still_work(self) -> None:
        found = values("SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS", SECRET_KEY=SECRET, PUBLIC_URL="http://10.0.0.5")

        assert found == {"SESSION_COOKIE_SECURE": False, "SECURE_HSTS_SECONDS": 0}


class TestDatabase:
    def test_sqlite_takes_its_write_lock_at_the_beginning_of_a_transaction(self) -> None:
        options = values("DATABASE", DEBUG="1")["DATABASE"]["OPTIONS"]

        assert options["transaction_mode"] == "IMMEDIATE"
        assert "journal_mode=WAL" in options["init_command"]

    def test_postgresql_connections_are_kept_and_checked(self) -> None:
        url = "postgres://u:p@db.example.com/h?sslmode=require"
        database = values("DATABASE", DEBUG="1", DATABASE_URL=url)["DATABASE"]

        assert database["CONN_MAX_AGE"] == 600
        assert database["CONN_HEALTH_CHECKS"] is True
        assert database["OPTIONS"] == {"connect_timeout": 5, "sslmode": "require"}


class TestLists:
    def test_space_after_a_comma_is_none_of_the_value(self) -> None:
        given = {"TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8", "ALLOWED_HOSTS": "a.example, b.example ,"}
        found = values(*given, DEBUG="1", **given)

        assert found["TRUSTED_PROXIES"] == ["127.0.0.1", "10.0.0.0/8"]
        assert found["ALLOWED_HOSTS"][:3] == ["a.example", "b.example", "localhost"]


class TestWeb:
    def test_how_many_processes_and_how_they_end_may_stand_in_the_file_like_all_else(self, tmp_path: Path) -> None:
        (tmp_path / "env").write_text("DEBUG=1\nWEB_CONCURRENCY=5\nWEB_DRAIN_SECONDS=2.5\n")
        code = "from helpdesk import gunicorn; print(gunicorn.workers, gunicorn.settings.WEB_DRAIN_SECONDS)"

        assert python("-c", code, ENV_FILE=str(tmp_path / "env")).stdout == "5 2.5\n"


class TestExample:
    def test_every_variable_is_explained_in_the_example_and_every_one_there_is_read(self) -> None:
        example = (settings.BASE_DIR / ".env.example").read_text()
        source = (settings.BASE_DIR / "helpdesk" / "settings.py").read_text()
        read = set(re.findall(r'env\.\w+\("(\w+)"', source))

        explained = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))

        assert explained - {"TEST_DATABASE_URL"} == read
