"""The door: signing in and out, and what a person chooses for themselves."""

from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tickets import operations
from tickets.forms import CarriedForm, ProfileForm, SignInForm
from tickets.guesses import guessed_wrong, may_guess
from tickets.models import Presence, User
from tickets.operations import NotVisible
from tickets.sessions import BEGAN, HAS_GIVEN_CODE, RETYPED, Retyped, caller
from tickets.views.answers import DeskRequest, VisitorRequest

STEP_SALT = "tickets.sign_in"
STEP_LIVES = timedelta(minutes=10)
ACTS = ("take-next", "second-factor-off", "profile", "logout", "end-sign-in", "end-program", "end-others")


@login_not_required
@never_cache
@sensitive_post_parameters("password", "code", "step")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: VisitorRequest) -> HttpResponse:
    if request.method == "POST" and "step" in request.POST:
        half_in = _half_in(request.POST["step"])
        if half_in is not None:
            return _second_step(request, half_in)
        form = SignInForm(request)
    elif request.method == "POST":
        form = SignInForm(request, request.POST)
        if form.is_valid() and form.user is not None:
            if operations.has_second_factor(form.user):
                return _ask_code(request, form.user)
            return _signed_in(request, form.user, remember=form.cleaned_data["remember"])
    elif request.user.is_authenticated:
        return redirect(_next_page(request))
    else:
        form = SignInForm(request)
    carried = request.POST.dict() if "ticket" in request.POST else None
    context = {"form": form, "next": request.POST.get("next") or request.GET.get("next", ""), "carried": carried}
    if request.htmx:  # the session ended under an open page: what stands in its composer must stay there
        answer = render(request, "tickets/_signed_out.html", context, status=HTTPStatus.UNAUTHORIZED)
        answer["HX-Retarget"], answer["HX-Reswap"] = "#guard", "innerHTML"
        return answer
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "tickets/login.html", context, status=status)


def _second_step(request: VisitorRequest, user: User) -> HttpResponse:
    if not may_guess(request, user):
        return _ask_code(request, user, is_wrong=True)
    if operations.use_code(user=user, code=request.POST.get("code", "")):
        return _signed_in(request, user, remember="remember" in request.POST, has_given_code=True)
    guessed_wrong(request, user)
    return _ask_code(request, user, is_wrong=True)


def _ask_code(request: VisitorRequest, user: User, *, is_wrong: bool = False) -> HttpResponse:
    """The password was right. The page itself carries that on, signed, for a few minutes; nobody is signed in yet."""
    context = {
        "step": signing.dumps([user.pk, user.get_session_auth_hash()], salt=STEP_SALT, compress=True),
        "is_wrong": is_wrong,
        "next": request.POST.get("next", ""),
        "remember": "remember" in request.POST,
        "carried": request.POST.dict() if "ticket" in request.POST else None,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK
    return render(request, "tickets/code.html", context, status=status)


def _half_in(step: str) -> User | None:
    """Whose password was right a few minutes ago, and still is."""
    try:
        user_id, auth_hash = signing.loads(step, salt=STEP_SALT, max_age=STEP_LIVES)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user if user is not None and constant_time_compare(auth_hash, user.get_session_auth_hash()) else None


def _signed_in(request: VisitorRequest, user: User, *, remember: bool, has_given_code: bool = False) -> HttpResponse:
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[HAS_GIVEN_CODE] = has_given_code
    request.session.set_expiry(settings.SESSION_LIFETIME if remember else 0)
    request.session[BEGAN] = {"at": timezone.now().isoformat(), **caller(request)}
    operations.set_presence(user=user, presence=Presence.ONLINE)
    _keep_words(request, user)
    answer = redirect(_next_page(request))
    if user.language:
        _speak(answer, user.language)
    return answer


def _keep_words(request: HttpRequest, user: User) -> None:
    """What was being sent when the session ended becomes this person's draft, where they see that ticket. An edit waits
    in the session for its page: as a draft it would be one click away from leaving as another reply.
    """
    form = CarriedForm(request.POST)
    if not form.is_valid() or not form.cleaned_data["text"].strip():
        return
    carried = form.cleaned_data
    if carried["edit"] is not None:
        kept = Retyped(ticket=carried["ticket"], message=carried["edit"], text=carried["text"])
        request.session[RETYPED] = kept
        return
    with suppress(NotVisible):
        operations.save_draft(
            ticket_id=carried["ticket"],
            user=user,
            text=carried["text"],
            is_note=carried["is_note"],
            quote_id=carried["quote"],
        )


def _next_page(request: HttpRequest) -> str:
    wished = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(wished, {request.get_host()}, require_https=request.is_secure())
    return wished if own and urlsplit(wished).path not in _acts() else settings.LOGIN_REDIRECT_URL


def _acts() -> set[str]:
    """Addresses that only act: whoever was sent to the login page from one has no page to come back to."""
    return {reverse(f"tickets:{name}") for name in ACTS}


def locked_out(request: HttpRequest, _original: HttpResponse | None, _credentials: dict[str, Any]) -> HttpResponse:
    """Too many failed attempts from this address for this login (django-axes asks for this answer)."""
    answer = render(request, "tickets/locked.html", status=HTTPStatus.TOO_MANY_REQUESTS)
    answer["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return answer


@require_POST
def sign_out(request: DeskRequest) -> HttpResponse:
    operations.set_presence(user=request.user, presence=Presence.OFFLINE)
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@require_POST
def profile(request: DeskRequest) -> HttpResponse:
    """Theme, language, presence or keys, whichever the menu sent."""
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return HttpResponse(_("Такой настройки нет."), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    chosen = form.cleaned_data
    if chosen["presence"]:
        operations.set_presence(user=request.user, presence=chosen["presence"])
    operations.set_preferences(
        user=request.user,
        theme=chosen["theme"] or None,
        language=chosen["language"] or None,
        keys=chosen["keys"] == "on" if chosen["keys"] else None,
    )
    answer = redirect(_next_page(request))
    if chosen["language"]:
        _speak(answer, chosen["language"])
    return answer


def _speak(answer: HttpResponse, language: str) -> None:
    answer.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        samesite="Lax",
    )
