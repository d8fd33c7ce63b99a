"""The desk's word on what it depends on: while Telegram cannot be reached, answers wait; while nobody does the jobs,
files do not come and snoozed tickets do not wake; what Telegram told us may need a person.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from botbridge.health import latest_status, parked_updates, undelivered_since
from botbridge.outages import waiting_for_word
from helpdesk.health import MAX_POLL_AGE
from helpdesk.jobs.facts import stand_still
from tickets import access

#: Seconds for which a page opened next says the same.
REMEMBERED = 5


@require_safe
def telegram(request: HttpRequest) -> HttpResponse:
    """What is to be said now. Every open desk asks twice a minute."""
    return HttpResponse(_words(is_supervisor=access.is_supervisor(request.user)))


def trouble(request: HttpRequest) -> dict[str, Callable[[], SafeString]]:
    """For every page: `trouble`, the same words. A page that opens with them does not move when they come."""

    def lately() -> SafeString:
        is_supervisor = access.is_supervisor(request.user)
        key = f"trouble-{is_supervisor:d}-{get_language()}"
        words: SafeString | None = caches["local"].get(key)
        if words is None:
            words = _words(is_supervisor=is_supervisor)
            caches["local"].set(key, words, REMEMBERED)
        return words

    return {"trouble": lately}


def _words(*, is_supervisor: bool) -> SafeString:
    """Since when Telegram has not answered or the bot has not worked, or Telegram could not bring what customers write;
    whether the jobs stand still; and to supervisors, who can try again, how many updates are parked, and whether
    customers might be asked to write again. Nothing while all is well.
    """
    status = latest_status()
    since = status.last_polled_at if status is not None else None
    silent = is_silent(since)
    # While Telegram is away, the bot notes every attempt that failed; if it notes nothing either, it is not there.
    is_down = silent and is_silent(status.last_error_at if status is not None else None)
    undelivered = None if silent else undelivered_since(status)
    parked = parked_updates() if is_supervisor else 0
    lost = is_supervisor and waiting_for_word()
    idle = stand_still()
    if not (silent or undelivered or idle or parked or lost):
        return SafeString()
    shown = {
        "silent": silent,
        "is_down": is_down,
        "since": since,
        "undelivered": undelivered,
        "today": timezone.localdate(timezone=timezone.get_default_timezone()),
        "idle": idle,
        "parked": parked,
        "lost": lost,
    }
    # A ticket's page stands in its team's zone, and what it says is remembered for others.
    with timezone.override(None):
        return render_to_string("tickets/_telegram.html", shown)


def is_silent(since: datetime | None) -> bool:
    return since is None or timezone.now() - since > timedelta(seconds=MAX_POLL_AGE)
