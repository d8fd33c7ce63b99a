"""Named points at which the kill tests end the process as SIGKILL would."""

import os
import signal

from django.conf import settings

AFTER_FETCH = "after-fetch"
AFTER_STORE = "after-store"
BEFORE_ACK = "before-ack"
AFTER_HANDLING = "after-handling"
AFTER_SENDING = "after-sending"
AFTER_HTTP = "after-http"
AFTER_RESTORING = "after-restoring"


def at(point: str) -> None:
    """Die here if CRASH_AT names this point. Only in development: nobody crashes production by a variable."""
    if settings.DEBUG and os.environ.get("CRASH_AT") == point:
        os.kill(os.getpid(), signal.SIGKILL)
