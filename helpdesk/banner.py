"""The desk's one word on Telegram itself: while it cannot be reached, answers wait, and managers should know."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from botbridge.health import facts
from helpdesk.health import MAX_POLL_AGE


@require_safe
def telegram(request: HttpRequest) -> HttpResponse:
    """Since when Telegram has not answered; nothing while all is well. The desk asks twice a minute."""
    age = facts()["last_poll_age"]
    if age is not None and age <= MAX_POLL_AGE:
        return HttpResponse()
    since = timezone.now() - timedelta(seconds=age) if age is not None else None
    return render(request, "tickets/_telegram.html", {"since": since, "today": timezone.localdate()})
