"""What the processes write down: to the console and, a file a role, to LOG_DIR."""

import fcntl
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from botbridge import log_context
from tickets.log_context import request_id

#: A bot's token as BotFather gives it out (https://core.telegram.org/bots/api#authorizing-your-bot), raw or as part
#: of a quoted URL.
TOKEN = re.compile(r"\d{6,}(?::|%3A)[\w-]{30,}", re.IGNORECASE)
#: The secret part of the webhook's address (`botbridge.webhook`).
WEBHOOK = re.compile(r"(?<=/telegram/)[0-9a-f]{64}\b", re.IGNORECASE)

#: LOG_FORMAT's values: a line for people, or an object of JSON a line for collectors of logs.
LINE, JSON = "line", "json"
FORMAT = "%(asctime)s %(levelname)s %(name)s request=%(request_id)s chat=%(chat_id)s %(message)s"
MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 5

#: The file each management command writes to; gunicorn's is web.log.
ROLES = {"runbot": "bot", "runjobs": "jobs"}

#: gunicorn's name for the answer's header; it writes its line outside the request's own context.
ANSWERED_ID = "{x-request-id}o"


def scrub(text: str) -> str:
    """The text with every bot token taken out, since whoever has the token is the bot, and the webhook's address."""
    return WEBHOOK.sub("<secret>", TOKEN.sub("<bot token>", text))


class ScrubbingFormatter(logging.Formatter):
    """Names the request and the chat in each line and takes tokens out of the finished text.

    Working on the finished text covers message, arguments, exception and traceback alike.
    """

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_of(record) or "-"
        record.chat_id = log_context.chat_id.get() or "-"
        try:
            text = super().format(record)
        except (KeyError, TypeError, ValueError):
            # Arguments that do not fit their message. logging would print both to stderr, tokens and all.
            text = f"{record.levelname} {record.name} {record.msg!r} {record.args!r}"
        return scrub(text)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """With the offset from UTC: lines of machines in several zones are put side by side."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


class JsonFormatter(ScrubbingFormatter):
    """The same facts as an object of JSON a line, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except (KeyError, TypeError, ValueError):
            message = f"{record.msg!r} {record.args!r}"
        facts = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "request_id": request_of(record),
            "chat_id": log_context.chat_id.get(),
            "traceback": self.formatException(record.exc_info) if record.exc_info else None,
            "process": record.process,
        }
        # A token holds nothing that JSON would write in another way.
        return scrub(json.dumps({name: fact for name, fact in facts.items() if fact is not None}, ensure_ascii=False))


def request_of(record: logging.LogRecord) -> str | None:
    """The id of the request a line is about."""
    if isinstance(record.args, Mapping) and record.name == "gunicorn.access":
        return str(record.args[ANSWERED_ID])
    return request_id.get()


class SharedRotatingFileHandler(RotatingFileHandler):
    """A rotating file that several processes write to, as gunicorn's workers do.

    With the plain handler each process renames the file by itself and goes on writing to an old one. Here a lock
    makes one process at a time look, rotate and write; the others notice that the file is another one.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            with self._alone():
                self._follow()
                super().emit(record)
        except OSError:
            self.handleError(record)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # POSIX locks belong to a process, so a fork does not share them.
        with Path(f"{self.baseFilename}.lock").open("a") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            yield

    def _follow(self) -> None:
        """Reopens the file when another process has rotated it."""
        stream: Any = self.stream  # None until the first line: the handler opens late
        if stream is None:
            return
        try:
            current = os.path.samestat(os.fstat(stream.fileno()), Path(self.baseFilename).stat())
        except FileNotFoundError:
            current = False
        if not current:
            stream.close()
            self.stream = self._open()


def role(argv: list[str]) -> str:
    """The name of this process's log file."""
    program = Path(argv[0])
    if "celery" in (program.name, program.parent.name):
        return "beat" if "beat" in argv else "jobs"
    if program.name != "manage.py":
        return "web"
    return ROLES.get(argv[1] if len(argv) > 1 else "", "manage")


def config(log_dir: str, log_format: str = LINE, *, requests: bool = False) -> dict[str, Any]:
    """The LOGGING setting. Without a directory, or with one nobody can write to, only the console is left.

    `requests`: whether the web process writes a line for each request it answers.
    """
    handlers: dict[str, dict[str, Any]] = {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
    }
    if log_dir and writable(Path(log_dir)):
        handlers["file"] = {
            "class": "helpdesk.logs.SharedRotatingFileHandler",
            "formatter": "line",
            "filename": str(Path(log_dir) / f"{role(sys.argv)}.log"),
            "maxBytes": MAX_BYTES,
            "backupCount": BACKUPS,
            "encoding": "utf-8",
            "delay": True,
        }
    formatter = {"()": "helpdesk.logs.ScrubbingFormatter", "fmt": FORMAT}
    if log_format == JSON:
        formatter = {"()": "helpdesk.logs.JsonFormatter"}
    # Loggers that bring handlers of their own hand their lines to the root's instead.
    passed_on = {"handlers": [], "propagate": True, "level": "INFO"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": "INFO"},
        "loggers": {
            **dict.fromkeys(["django", "django.server", "gunicorn.error"], passed_on),
            "gunicorn.access": passed_on if requests else {"level": "WARNING"},
            "axes": {"level": "WARNING"},
        },
    }


def writable(directory: Path) -> bool:
    """Whether files can be made in the directory, making it if it is not there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK | os.X_OK)
