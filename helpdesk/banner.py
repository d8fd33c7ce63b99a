"""The desk's word on what it depends on: while Telegram cannot be reached, answers wait; while nobody does the jobs,
files do not come and snoozed tickets do not wake; what Telegram told us may need a person.
"""

from datetime import datetime, timedelta

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from botbridge.health import parked_updates
from botbridge.models import BotStatus
from helpdesk.health import MAX_POLL_AGE
from helpdesk.jobs.facts import stand_still
from tickets import access


@require_safe
def telegram(request: HttpRequest) -> HttpResponse:
    """Since when Telegram has not answered, whether the jobs stand still, and to supervisors, who can try again, how
    many updates are parked.

    Nothing while all is well. Every open desk asks twice a minute.
    """
    since = BotStatus.objects.aggregate(last=Max("last_polled_at"))["last"]
    silent = is_silent(since)
    parked = parked_updates() if access.is_supervisor(request.user) else 0
    idle = stand_still()
    if not silent and not idle and not parked:
        return HttpResponse()
    shown = {"silent": silent, "since": since, "today": timezone.localdate(), "idle": idle, "parked": parked}
    return render(request, "tickets/_telegram.html", shown)


def is_silent(since: datetime | None) -> bool:
    return since is None or timezone.now() - since > timedelta(seconds=MAX_POLL_AGE)
