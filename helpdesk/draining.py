"""A web process that is to end first asks its proxy for no more requests, so that none meets a closed door.

The proxy notices at `/health/ready`. gunicorn's master begins it and its workers answer; a file tells them.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any

#: Set by gunicorn's master for its workers.
FILE = "HELPDESK_DRAINING_FILE"


def has_begun() -> bool:
    return FILE in os.environ and Path(os.environ[FILE]).exists()


def before_sigterm(seconds: float) -> None:
    """Have SIGTERM reach the present handler only after so many seconds of draining; a second one at once."""
    handle = signal.getsignal(signal.SIGTERM)
    assert callable(handle), "gunicorn has set its handlers"

    def drain(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, handle)
        Path(os.environ[FILE]).touch()
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()

    signal.signal(signal.SIGTERM, drain)
