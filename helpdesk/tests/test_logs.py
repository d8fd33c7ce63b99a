"""A bot's token reaches no log line, and each line names its request and its chat."""

import json
import logging
import logging.config
import multiprocessing
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from botbridge import log_context, webhook
from helpdesk import logs
from helpdesk.tests.log_writer import write_lines
from helpdesk.tests.servers import web_server
from helpdesk.tests.test_settings import python
from tickets.log_context import request_id

SECRET_PART = "canaryCANARY"
CANARY = f"7012345678:AAH{SECRET_PART}canaryCANARYcanary123"


@pytest.fixture(params=[logs.LINE, logs.JSON])
def log(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, Path]]:
    """A logger that writes as the site's do, in either format, and the file it writes to."""
    file = tmp_path / "test.log"
    handler = logs.SharedRotatingFileHandler(file, maxBytes=logs.MAX_BYTES, backupCount=logs.BACKUPS, encoding="utf-8")
    plain = logs.ScrubbingFormatter(logs.FORMAT)
    handler.setFormatter(logs.JsonFormatter() if request.param == logs.JSON else plain)
    logger = logging.Logger("test")  # noqa: LOG001 - nobody else shall have it
    logger.addHandler(handler)
    yield logger, file
    handler.close()


Log = tuple[logging.Logger, Path]


class TestToken:
    def test_is_scrubbed_from_the_message(self, log: Log) -> None:
        logger, file = log
        logger.info("calling https://api.telegram.org/bot%s/getMe" % CANARY)  # noqa: G002, UP031

        assert SECRET_PART not in file.read_text()
        assert "/bot<bot token>/getMe" in file.read_text()

    def test_is_scrubbed_from_the_arguments(self, log: Log) -> None:
        logger, file = log
        logger.info("calling %s with %r", CANARY, {"token": CANARY})

        assert SECRET_PART not in file.read_text()

    def test_is_scrubbed_from_an_exception_its_cause_and_its_traceback(self, log: Log) -> None:
        logger, file = log
        try:
            try:
                raise OSError(f"cannot connect to /bot{CANARY}/")
            except OSError as error:
                raise ValueError(CANARY) from error
        except ValueError:
            logger.exception("failed for %s", CANARY)

        text = file.read_text()
        assert SECRET_PART not in text
        assert "Traceback" in text
        assert "cannot connect" in text

    def test_is_scrubbed_where_it_is_part_of_a_quoted_address(self, log: Log) -> None:
        logger, file = log
        logger.info("redirected to %s", CANARY.replace(":", "%3A"))

        assert SECRET_PART not in file.read_text()

    def test_is_scrubbed_from_a_line_whose_arguments_do_not_fit(
        self, log: Log, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logger, file = log
        logger.info("one %s, two %s", CANARY)  # noqa: PLE1206

        assert "one %s, two %s" in file.read_text()
        assert SECRET_PART not in file.read_text()
        assert SECRET_PART not in "".join(capsys.readouterr())

    def test_every_handler_of_the_site_scrubs(self, tmp_path: Path) -> None:
        handlers = logs.config(str(tmp_path))["handlers"]

        assert set(handlers) == {"console", "file"}
        assert {handler["formatter"] for handler in handlers.values()} == {"line"}


class TestJson:
    @pytest.mark.parametrize("log", [logs.JSON], indirect=True)
    def test_each_line_is_an_object(self, log: Log) -> None:
        logger, file = log
        request_id.set("abc12345")
        log_context.chat_id.set(42)
        try:
            raise ValueError(f'two\nlines, «quotes» "" and {CANARY}')
        except ValueError:
            logger.exception("Обращение %s", "№1")
        request_id.set(None)
        log_context.chat_id.set(None)
        logger.info("rested")

        first, second = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
        assert (first["message"], first["level"], first["logger"]) == ("Обращение №1", "ERROR", "test")
        assert (first["request_id"], first["chat_id"]) == ("abc12345", 42)
        assert "<bot token>" in first["traceback"]
        assert datetime.fromisoformat(first["time"]).tzinfo is not None
        assert "request_id" not in second

    def test_is_what_every_handler_writes_where_it_is_set(self, tmp_path: Path) -> None:
        code = f"import logging, django; django.setup(); logging.getLogger('x').warning('at %s', '{CANARY}')"
        environment = {"DJANGO_SETTINGS_MODULE": "helpdesk.settings", "LOG_DIR": str(tmp_path), "DEBUG": "1"}
        done = python("-c", code, LOG_FORMAT="json", **environment)
        assert done.returncode == 0, done.stderr
        for written in (done.stderr, (tmp_path / "web.log").read_text()):
            assert json.loads(written.splitlines()[-1])["message"] == "at <bot token>"

    def test_an_unknown_format_is_refused(self) -> None:
        done = python("manage.py", "check", LOG_FORMAT="xml", DEBUG="1")
        assert done.returncode == 1
        assert "LOG_FORMAT is 'xml'" in done.stderr


@pytest.mark.parametrize("log", [logs.LINE], indirect=True)
class TestLine:
    def test_names_the_request_and_the_chat(self, log: Log) -> None:
        logger, file = log
        request_id.set("abc12345")
        log_context.chat_id.set(42)
        logger.info("took it")
        request_id.set(None)
        log_context.chat_id.set(None)
        logger.info("rested")

        first, second = file.read_text().splitlines()
        assert "request=abc12345 chat=42 took it" in first
        assert "request=- chat=- rested" in second

    def test_keeps_cyrillic_letters(self, log: Log) -> None:
        logger, file = log
        logger.info("Обращение принято")

        assert "Обращение принято" in file.read_text(encoding="utf-8")


class TestFiles:
    def test_each_role_writes_to_a_file_of_its_own(self) -> None:
        assert logs.role(["manage.py", "runbot"]) == "bot"
        assert logs.role(["/srv/manage.py", "runjobs"]) == "jobs"
        assert logs.role(["/venv/bin/celery", "--app", "helpdesk.jobs.celery", "worker"]) == "jobs"
        assert logs.role(["/venv/lib/celery/__main__.py", "--app", "helpdesk.jobs.celery", "beat"]) == "beat"
        assert logs.role(["manage.py", "migrate"]) == "manage"
        assert logs.role(["manage.py"]) == "manage"
        assert logs.role(["/usr/lib/python3/gunicorn/__main__.py"]) == "web"

    def test_a_directory_nobody_can_write_to_leaves_the_console(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        assert set(logs.config(str(tmp_path / "file" / "log"))["handlers"]) == {"console"}

    def test_without_a_directory_there_is_the_console_alone(self) -> None:
        assert set(logs.config("")["handlers"]) == {"console"}

    def test_several_processes_lose_no_line_when_the_file_rolls_over(self, tmp_path: Path) -> None:
        file = tmp_path / "shared.log"
        context = multiprocessing.get_context("spawn")
        writers = [context.Process(target=write_lines, args=(file, name)) for name in ("a", "b", "c")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        written = [line for part in tmp_path.glob("shared.log*") for line in part.read_text().splitlines()]
        assert len(list(tmp_path.glob("shared.log.[0-9]*"))) > 2
        assert sorted(written) == sorted(f"{name} {number:03}" for name in ("a", "b", "c") for number in range(200))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("log_format", [logs.LINE, logs.JSON])
def test_the_webs_line_about_a_request_carries_its_proxys_id_and_no_searched_words(
    tmp_path: Path, log_format: str
) -> None:
    settings = {"LOG_REQUESTS": "1", "LOG_FORMAT": log_format, "LOG_DIR": str(tmp_path), "TRUSTED_PROXIES": "127.0.0.1"}
    with web_server(workers=1, **settings) as (_, port):
        address = f"http://127.0.0.1:{port}/desk/login/?next=/desk/?q=secretword"
        asked = urllib.request.Request(address, headers={"X-Request-ID": "proxy-12345678"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.headers["X-Request-ID"] == "proxy-12345678"
    written = (tmp_path / "web.log").read_text()
    (line,) = [line for line in written.splitlines() if "GET /desk/login/" in line]
    assert '"request_id": "proxy-12345678"' in line or "request=proxy-12345678 " in line
    assert "secretword" not in written


def test_the_webhooks_address_is_told_to_nobody(
    client: Client, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_WEBHOOK_SECRET = CANARY, "canary-canary-canary"
    caplog.handler.setFormatter(logs.ScrubbingFormatter(logs.FORMAT))
    address = f"{webhook.PREFIX}{webhook.secret_path()}"

    client.post(address)
    client.get(address)

    assert f"Forbidden: {webhook.PREFIX}<secret>" in caplog.text
    assert f"Method Not Allowed (GET): {webhook.PREFIX}<secret>" in caplog.text
    assert webhook.secret_path() not in caplog.text
    assert settings.TELEGRAM_WEBHOOK_SECRET not in caplog.text
    assert logs.scrub(webhook.address()) == f"{settings.PUBLIC_URL}{webhook.PREFIX}<secret>"
