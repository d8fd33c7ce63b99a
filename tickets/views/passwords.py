"""A forgotten password: asking for a link by mail, and following one."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tickets import operations
from tickets.forms import NewPasswordForm
from tickets.links import link_tokens


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Known and unknown addresses are answered alike, after the same work; the mail itself is a job."""
    if not settings.EMAIL_URL:
        raise Http404
    if request.method != "POST":
        return render(request, "tickets/forgotten.html")
    operations.ask_for_password_link(email=request.POST.get("email", ""))
    said = _("Если такой адрес есть у сотрудника, письмо со ссылкой придёт в течение нескольких минут.")
    messages.success(request, said)
    return redirect("tickets:login")


@method_decorator(login_not_required, name="dispatch")
@method_decorator(require_http_methods(["GET", "HEAD", "POST"]), name="dispatch")
class NewPassword(PasswordResetConfirmView):
    """Django's page behind a link: the token moves from the address into the session at once, and is good once."""

    form_class = NewPasswordForm
    token_generator = link_tokens
    template_name = "tickets/new_password.html"
    success_url = reverse_lazy("tickets:login")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Пароль изменён, прежние входы кончились. Войдите с новым."))
        return super().form_valid(form)
