"""What every request of the desk does beside its answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from tickets import access, operations
from tickets.api import problems
from tickets.models import SignIn, User
from tickets.operations.people import SEEN_EVERY
from tickets.sessions import must_turn_on_second_factor

Handler = Callable[[HttpRequest], HttpResponse]


#: What an open page asks for by itself says so, or is asked by nobody else.
UNATTENDED_HEADER = "X-Unattended"
UNATTENDED = {"telegram-banner", "tickets:seen"}


def session_in_use(get_response: Handler) -> Handler:
    """Puts off the session's end while a person is acting; a page left open asks on without anybody before it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        sign_in: SignIn | None = getattr(request.session, "row", None)
        place = request.resolver_match
        is_unattended = UNATTENDED_HEADER in request.headers or (place is not None and place.view_name in UNATTENDED)
        if sign_in is not None and not is_unattended:
            operations.mark_sign_in_used(sign_in=sign_in)
        return response

    return middleware


PROBES = {"health", "health-live", "health-ready", "metrics"}
#: Where a supervisor without a second factor may go while one is required: to make one, or out.
OPEN_WITHOUT_FACTOR = {
    "tickets:second-factor",
    "tickets:login",
    "tickets:logout",
    "api:logout",
    "set_language",
    "telegram-webhook",
    *PROBES,
}


class SecondFactorFirst(MiddlewareMixin):
    """Sends a supervisor without a second factor to make one, where it is required, before anything else.

    A session says itself that a code opened it, so this asks no query; turning a factor on or taking it away ends the
    sessions that would say otherwise.
    """

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        place = request.resolver_match
        if not settings.SUPERVISORS_NEED_SECOND_FACTOR or place is None or place.view_name in OPEN_WITHOUT_FACTOR:
            return None
        # A program without a session was asked for its code when it got its token.
        if not request.COOKIES.get(settings.SESSION_COOKIE_NAME):
            return None
        return _factor_first(request) if must_turn_on_second_factor(request.user, request.session) else None


def _factor_first(request: HttpRequest) -> HttpResponse:
    """An act keeps its text in the page that sent it, and a program has no page to be sent to."""
    words = _("Сначала включите второй фактор.")
    if request.path.startswith("/api/"):
        return problems.answer(HTTPStatus.FORBIDDEN, words)
    if "HX-Request" in request.headers:
        return HttpResponse(words, status=HTTPStatus.FORBIDDEN)
    if request.method != "GET":
        return render(request, "tickets/second_factor_first.html", status=HTTPStatus.FORBIDDEN)
    return redirect("tickets:second-factor")


class StaffOnly(MiddlewareMixin):
    """Tells who is signed in but belongs to no group that works here so, instead of showing them an empty desk."""

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        _args: tuple[Any, ...],
        _kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        place = request.resolver_match
        if place is None or place.app_name != "tickets" or place.url_name == "logout":
            return None
        is_open = not getattr(view, "login_required", True)
        if is_open or not isinstance(request.user, User) or access.may_enter(request.user):
            return None
        return render(request, "tickets/no_entry.html", status=HTTPStatus.FORBIDDEN)


class PresentAtDesk(MiddlewareMixin):
    """Remembers that a signed-in person is at the desk: without a script or a stream their requests alone tell it.

    The row already loaded for the request says whether a minute has passed, so that most requests ask nothing more.
    """

    def process_view(
        self,
        request: HttpRequest,
        _view: Callable[..., HttpResponse],
        _args: tuple[Any, ...],
        _kwargs: dict[str, Any],
    ) -> None:
        place = request.resolver_match
        if place is None or place.app_name != "tickets" or not isinstance(request.user, User):
            return
        seen_at = request.user.seen_at
        if seen_at is None or timezone.now() - seen_at >= SEEN_EVERY:
            operations.mark_present(user=request.user)
