"""The desk's one word on Telegram itself: while it cannot be reached, answers wait, and managers should know."""

from datetime import timedelta

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from botbridge.models import BotStatus
from helpdesk.health import MAX_POLL_AGE


@require_safe
def telegram(request: HttpRequest) -> HttpResponse:
    """Since when Telegram has not answered; nothing while all is well. Every open desk asks twice a minute."""
    since = BotStatus.objects.aggregate(last=Max("last_polled_at"))["last"]
    if since is not None and timezone.now() - since <= timedelta(seconds=MAX_POLL_AGE):
        return HttpResponse()
    return render(request, "tickets/_telegram.html", {"since": since, "today": timezone.localdate()})
