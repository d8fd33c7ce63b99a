"""What every request of the desk does beside its answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from tickets import access, operations
from tickets.models import SignIn, User
from tickets.operations.people import SEEN_EVERY

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
