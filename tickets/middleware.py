"""What every request of the desk does beside its answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from tickets import access, operations
from tickets.models import User
from tickets.operations.people import SEEN_EVERY


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
