"""A person's own second factor: turned on with a code from the app, turned off with another."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tickets import operations
from tickets.guesses import guessed_wrong
from tickets.operations import Refused
from tickets.pages.second_factor import picture_of, secret_of
from tickets.sessions import HAS_GIVEN_CODE, must_turn_on_second_factor, row_key
from tickets.views.answers import DeskRequest

#: Where a session keeps the key shown until it is proven.
NEW_KEY = "new_factor_key"
WRONG = gettext_lazy("Пароль или код не подошли.")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: DeskRequest) -> HttpResponse:
    key = request.session.get(NEW_KEY)
    if request.method != "POST" or key is None:  # a key nobody was shown proves nothing
        return _page(request)
    if not _knows_password(request):
        return _page(request, str(WRONG))
    try:
        codes = operations.turn_on_second_factor(
            user=request.user,
            key=key,
            code=request.POST.get("code", ""),
            keep=row_key(request.session.session_key or ""),
        )
    except Refused as refusal:
        return _page(request, str(refusal.message))
    request.session.pop(NEW_KEY, None)
    request.session[HAS_GIVEN_CODE] = True
    return render(request, "tickets/second_factor.html", {"codes": codes})


@sensitive_post_parameters()
@require_POST
def second_factor_off(request: DeskRequest) -> HttpResponse:
    if not _knows_password(request):
        return _page(request, str(WRONG))
    if not operations.use_code(user=request.user, code=request.POST.get("code", "")):
        guessed_wrong(request, request.user)
        return _page(request, str(WRONG))
    operations.turn_off_second_factor(user=request.user)
    request.session.pop(HAS_GIVEN_CODE, None)
    messages.success(request, _("Второй фактор отключён."))
    return redirect("tickets:account")


def _knows_password(request: DeskRequest) -> bool:
    """Asked like at the login, throttle included: a session left open must not lock its owner out."""
    given = request.POST.get("password", "")
    return authenticate(request, username=request.user.username, password=given) == request.user


def _page(request: DeskRequest, refusal: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "is_on": operations.has_second_factor(request.user),
        "is_required": must_turn_on_second_factor(request.user, request.session),
        "refusal": refusal,
    }
    if context["is_on"]:
        context["left"] = request.user.recovery_codes.count()
    else:
        key = request.session.setdefault(NEW_KEY, operations.new_factor_key())
        context |= {"secret": secret_of(key), "picture": picture_of(key, request.user)}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if refusal else HTTPStatus.OK
    return render(request, "tickets/second_factor.html", context, status=status)
