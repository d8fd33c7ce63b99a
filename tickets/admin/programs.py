from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tickets import operations
from tickets.admin.base import SupervisorAdmin, act_on_each, actor
from tickets.models import Scope, ServiceAccount
from tickets.operations import Refused


class ProgramForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Права")
    )


@admin.register(ServiceAccount)
class ServiceAccountAdmin(SupervisorAdmin):
    """Programs that speak for customers over the API. None is deleted: what it wrote bears its name."""

    form = ProgramForm
    list_display = ("name", "rights", "key_id", "last_used_at", "revoked_at", "created_by")
    list_select_related = ("created_by",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "key_id")
    ordering = ("name",)
    readonly_fields = ("key_id", "key_issued_at", "last_used_at", "revoked_at", "created_by", "created_at")
    actions = ("issue_key", "revoke")

    def get_fields(self, request: HttpRequest, obj: ServiceAccount | None = None) -> tuple[str, ...]:
        return ("name", "scopes") if obj is None else ("name", "scopes", *self.readonly_fields)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**one_button, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: ServiceAccount, form: Any, change: bool) -> None:
        wish = {"name": form.cleaned_data["name"], "scopes": form.cleaned_data["scopes"]}
        if change:
            operations.change_service_account(actor=actor(request), account=obj, **wish)
        else:
            obj.pk = operations.create_service_account(actor=actor(request), **wish).pk
            obj.refresh_from_db()

    def response_add(
        self, request: HttpRequest, obj: ServiceAccount, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_new_key(request, obj)

    def _show_new_key(self, request: HttpRequest, account: ServiceAccount) -> HttpResponse:
        """The key is on this page and nowhere else: a message would carry it in a cookie."""
        key = operations.issue_key(actor=actor(request), account=account)
        context = self.admin_site.each_context(request) | {
            "title": _("Ключ программы"),
            "account": account,
            "key": key,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/tickets/serviceaccount/key.html", context)

    @admin.display(description=gettext_lazy("права"))
    def rights(self, account: ServiceAccount) -> str:
        return ", ".join(account.scopes)

    @admin.action(description=gettext_lazy("Выдать новый ключ вместо прежнего"), permissions=["change"])
    def issue_key(self, request: HttpRequest, queryset: QuerySet[ServiceAccount]) -> HttpResponse | None:
        if queryset.count() != 1:
            messages.warning(request, _("Выберите одну программу."))
            return None
        account = queryset.get()
        try:
            shown = self._show_new_key(request, account)
        except Refused as refusal:
            messages.warning(request, str(refusal.message))
            return None
        self.log_change(request, account, _("Выдан новый ключ."))
        return shown

    @admin.action(description=gettext_lazy("Отозвать навсегда"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ServiceAccount]) -> None:
        def revoke(account: ServiceAccount) -> None:
            operations.revoke_service_account(actor=actor(request), account=account)
            self.log_change(request, account, _("Отозвана."))

        act_on_each(request, queryset, revoke, lambda n: ngettext("Отозвано: %d", "Отозвано: %d", n) % n)
