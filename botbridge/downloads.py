"""Where files on their way from Telegram grow until they are whole."""

import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings

#: Seconds for getFile, and for the bytes after it. A server of one's own brings the whole file before it answers, and
#: what it brings may be a hundred times larger.
ASK_SECONDS, ASK_SECONDS_LOCALLY = 20, 900
FETCH_SECONDS, FETCH_SECONDS_LOCALLY = 120, 900
MARGIN = 40


def ask_seconds() -> int:
    return ASK_SECONDS_LOCALLY if settings.TELEGRAM_LOCAL_FILES else ASK_SECONDS


def fetch_seconds() -> int:
    return FETCH_SECONDS_LOCALLY if settings.TELEGRAM_LOCAL_FILES else FETCH_SECONDS


def lease() -> timedelta:
    """Longer than both together may take."""
    return timedelta(seconds=ask_seconds() + fetch_seconds() + MARGIN)


def incoming_folder() -> Path:
    """Beside the files' final place, so that moving them there is a rename."""
    folder = Path(settings.MEDIA_ROOT) / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def remove_leftovers() -> int:
    """Remove what downloads of killed processes left behind, and say how many there were."""
    removed = 0
    oldest = time.time() - 2 * lease().total_seconds()  # surely ended
    for path in incoming_folder().iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
                removed += 1
    return removed
