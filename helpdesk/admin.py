"""The supervisors' room at /admin/: Django's admin, opened by `tickets.access` instead of rights per model."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordChangeView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from botbridge.health import facts
from helpdesk.jobs.facts import facts as job_facts
from tickets import access
from tickets.forms import OwnPasswordForm
from tickets.views.answers import DeskRequest
from tickets.views.entry import sign_out

AnyView = TypeVar("AnyView", bound=Callable[..., HttpResponseBase])


class SupervisorsSite(admin.AdminSite):
    """Open to supervisors, superusers or not; nothing here reads `is_staff` or Django's model permissions."""

    site_url = reverse_lazy("tickets:queue")  # type: ignore[assignment]
    index_title = _("Работа службы поддержки")

    def has_permission(self, request: HttpRequest) -> bool:
        return access.is_supervisor(request.user)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {
            "site_title": settings.BRAND_NAME,
            "site_header": _("%(brand)s: старшим смены") % {"brand": settings.BRAND_NAME},
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {"bot": bot_state(), "jobs": job_facts(), **(extra_context or {})})

    def admin_view(self, view: AnyView, cacheable: bool = False) -> AnyView:
        """Strangers are sent to sign in; a signed-in person without the right is told so, not asked to sign in."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def admin_page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            return guarded(request, *args, **kwargs)

        return cast(AnyView, admin_page)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            template_name="registration/password_change_form.html",
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        """The desk's page signs people in, behind its throttle; a second form would be a second place to guess."""
        after = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        if request.user.is_authenticated:
            return redirect("admin:index")
        return redirect_to_login(after, settings.LOGIN_URL)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        """The desk's sign-out: whoever leaves here is off the line there too."""
        return sign_out(cast(DeskRequest, request))


def bot_state() -> dict[str, Any]:
    """The bot's facts for the first page: moments instead of ages, so that the page words them in its language."""
    found, now = facts(), timezone.now()
    ages = ("last_poll_age", "webhook_error_age", "undelivered", "oldest_unhandled", "oldest_unsent")
    moments = {name: now - timedelta(seconds=found[name]) for name in ages if found[name] is not None}
    return {**found, **dict.fromkeys(ages), **moments}
