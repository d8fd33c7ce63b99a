"""Where files on their way from Telegram grow until they are whole."""

import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings

#: Seconds after which a download has surely ended: twice as long as one may take.
OLDEST = timedelta(minutes=6)


def incoming_folder() -> Path:
    """Beside the files' final place, so that moving them there is a rename."""
    folder = Path(settings.MEDIA_ROOT) / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def remove_leftovers() -> int:
    """Remove what downloads of killed processes left behind, and say how many there were."""
    removed = 0
    oldest = time.time() - OLDEST.total_seconds()
    for path in incoming_folder().iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
                removed += 1
    return removed
