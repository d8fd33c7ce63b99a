"""Named points at which the kill tests end the process as SIGKILL would."""

import itertools
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

#: Where a bot may die between Telegram and the database.
OF_THE_BOT = (AFTER_FETCH, AFTER_STORE, BEFORE_ACK, AFTER_HANDLING, AFTER_SENDING, AFTER_HTTP)

_passes = itertools.count(1)


def at(point: str) -> None:
    """Die here if CRASH_AT names this point, as in `after-http`, or in `after-http:3` at its third time.

    Only in development: nobody crashes production by a variable.
    """
    wanted, _, times = os.environ.get("CRASH_AT", "").partition(":")
    if settings.DEBUG and wanted == point and next(_passes) >= int(times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
