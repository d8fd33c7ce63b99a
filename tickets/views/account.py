"""A person's own account: where they are signed in, and signing out there."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tickets import operations
from tickets.forms import OwnPasswordForm
from tickets.pages.account import browsers_of, programs_of
from tickets.sessions import row_key
from tickets.views.answers import DeskRequest

MAX_KEY = 19  # digits of a 64-bit key


@require_safe
def account(request: DeskRequest) -> HttpResponse:
    context = {
        "browsers": browsers_of(request.user, this=_this(request)),
        "programs": programs_of(request.user),
        "has_second_factor": operations.has_second_factor(request.user),
    }
    return render(request, "tickets/account.html", context)


@never_cache
@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: DeskRequest) -> HttpResponse:
    """A new password of one's own: every other browser and program is signed out."""
    form = OwnPasswordForm(request.user, request.POST or None)
    if form.is_valid():
        form.save()
        update_session_auth_hash(request, request.user)
        messages.success(request, _("Пароль сменён. На других устройствах вход завершён."))
        return redirect("tickets:account")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "tickets/password.html", {"form": form}, status=status)


@require_POST
def end_sign_in(request: DeskRequest) -> HttpResponse:
    """Sign one browser out. This one's own way out is the menu's, which leaves the line too."""
    key = request.POST.get("key", "")
    if key.isalnum() and key != _this(request):
        operations.end_sign_in(user=request.user, key=key)
        messages.success(request, _("Выход выполнен."))
    return redirect("tickets:account")


@require_POST
def end_program(request: DeskRequest) -> HttpResponse:
    key = request.POST.get("key", "")
    if key.isdecimal() and len(key) < MAX_KEY:
        operations.end_api_session(session_id=int(key), user=request.user)
        messages.success(request, _("Выход выполнен."))
    return redirect("tickets:account")


@require_POST
def end_others(request: DeskRequest) -> HttpResponse:
    operations.end_other_sign_ins(user=request.user, keep=_this(request))
    messages.success(request, _("Выход выполнен везде, кроме этого браузера."))
    return redirect("tickets:account")


def _this(request: DeskRequest) -> str:
    return row_key(request.session.session_key or "")
