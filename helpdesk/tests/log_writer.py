"""A process that writes to a log it shares; apart, because it is started without Django."""

import logging
from pathlib import Path

from helpdesk import logs


def write_lines(file: Path, name: str) -> None:
    handler = logs.SharedRotatingFileHandler(file, maxBytes=500, backupCount=100, encoding="utf-8")
    for number in range(200):
        handler.handle(logging.makeLogRecord({"msg": f"{name} {number:03}"}))
