"""What is answered after too many wrong passwords (django-axes asks)."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from tickets.api.problems import answer
from tickets.views import entry

API = "/api/"


def locked_out(request: HttpRequest, original: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """A page for people, a problem for programs; both say when to try again."""
    if not request.path.startswith(API):
        return entry.locked_out(request, original, credentials)
    wait = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    words = _("Слишком много неудачных попыток подряд. Попробуйте позже.")
    return answer(HTTPStatus.TOO_MANY_REQUESTS, words, **{"Retry-After": wait})
