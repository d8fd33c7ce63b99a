from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, gettext_lazy, ngettext

from tickets import operations
from tickets.admin.base import ReadOnlyAdmin, SupervisorAdmin, act_on_each, actor
from tickets.models import Event, Webhook, WebhookCall


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    kinds = forms.MultipleChoiceField(
        choices=Event.Kind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("О чём сообщать"),
        help_text=gettext_lazy("Ничего не выбрано: обо всём."),
    )

    class Meta:
        model = Webhook
        fields = ("name", "address", "kinds")

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        try:
            operations.check_webhook_address(address)
        except operations.Invalid as refusal:
            raise forms.ValidationError(str(refusal.message)) from refusal
        return address


@admin.register(Webhook)
class WebhookAdmin(SupervisorAdmin):
    """Programs that are told of events."""

    form = WebhookForm
    list_display = ("name", "address", "works", "off", "failing_since", "arrived_at", "waiting")
    list_filter = ("off",)
    actions = ("turn_on", "turn_off", "renew_secret")
    fields = ("name", "address", "kinds", "off", "failing_since", "arrived_at", "created_by", "created_at")
    readonly_fields = ("off", "failing_since", "arrived_at", "created_by", "created_at")

    def get_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple[str, ...]:
        return ("name", "address", "kinds") if obj is None else self.fields

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        wish = {name: form.cleaned_data[name] for name in ("name", "address", "kinds")}
        if change:
            operations.change_webhook(actor=actor(request), webhook=obj, **wish)
        else:
            obj.pk = operations.add_webhook(actor=actor(request), **wish).pk
            obj.refresh_from_db()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**one_button, **(extra_context or {})})

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None) -> HttpResponse:
        return self._show_secret(request, obj)

    def _show_secret(self, request: HttpRequest, webhook: Webhook) -> HttpResponse:
        """On this page and nowhere else: a message would carry it in a cookie."""
        context = self.admin_site.each_context(request) | {
            "title": gettext("Секрет вебхука"),
            "webhook": webhook,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/tickets/webhook/secret.html", context)

    @admin.display(description=gettext_lazy("работает"), boolean=True)
    def works(self, webhook: Webhook) -> bool:
        return not webhook.off

    @admin.display(description=gettext_lazy("ждёт событий"))
    def waiting(self, webhook: Webhook) -> str:
        """How far behind it is, where that is much: it may not be told of all kinds."""
        behind = Event.objects.last_given_id() - webhook.reached
        return str(behind) if behind > 0 else "–"

    @admin.action(description=gettext_lazy("Включить и сообщить пропущенное"), permissions=["change"])
    def turn_on(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        act_on_each(
            request,
            queryset,
            lambda webhook: operations.turn_webhook_on(actor=actor(request), webhook=webhook),
            lambda n: ngettext("Включено: %d", "Включено: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Выключить"), permissions=["change"])
    def turn_off(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        act_on_each(
            request,
            queryset,
            lambda webhook: operations.turn_webhook_off(actor=actor(request), webhook=webhook),
            lambda n: ngettext("Выключено: %d", "Выключено: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Новый секрет"), permissions=["change"])
    def renew_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> HttpResponse | None:
        if queryset.count() != 1:
            messages.warning(request, gettext("Выберите один вебхук."))
            return None
        webhook = operations.renew_webhook_secret(actor=actor(request), webhook=queryset.get())
        self.log_change(request, webhook, gettext("Новый секрет"))
        return self._show_secret(request, webhook)


class ArrivedFilter(admin.SimpleListFilter):
    title = gettext_lazy("дошло")
    parameter_name = "arrived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Да")), ("no", gettext_lazy("Нет"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookCall]) -> QuerySet[WebhookCall]:
        chosen = {"yes": queryset.filter(error=""), "no": queryset.exclude(error="")}
        return chosen.get(self.value() or "", queryset)


@admin.register(WebhookCall)
class WebhookCallAdmin(ReadOnlyAdmin):
    """Each attempt of the last month to tell a webhook of an event."""

    list_display = ("made_at", "webhook", "event", "status", "error", "milliseconds", "is_repeat")
    list_select_related = ("webhook", "event")
    list_filter = ("webhook", ArrivedFilter)
    fields = ("webhook", "event", "made_at", "status", "error", "answer", "milliseconds", "is_repeat")
    actions = ("repeat",)

    @admin.action(description=gettext_lazy("Сообщить ещё раз"), permissions=["view"])
    def repeat(self, request: HttpRequest, queryset: QuerySet[WebhookCall]) -> None:
        def repeat_one(call: WebhookCall) -> None:
            operations.repeat_webhook_call(actor=actor(request), call=call)
            self.log_change(request, call, gettext("Сообщить ещё раз"))

        act_on_each(
            request, queryset, repeat_one, lambda n: ngettext("Будет повторено: %d", "Будет повторено: %d", n) % n
        )
