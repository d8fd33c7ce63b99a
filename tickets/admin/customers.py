from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from tickets import access, operations
from tickets.admin.base import ReadOnlyAdmin, act_on_each, actor, as_number
from tickets.models import Customer

MOST_FOUND = 200


def found_customers(term: str) -> QuerySet[Customer]:
    """The newest customers a search means: a Telegram id exactly, or a part of a name, `MOST_FOUND` at most."""
    found = Customer.objects.filter(_matches(term)).order_by("-pk").only("pk")
    return found[:MOST_FOUND]


def _matches(term: str) -> Q:
    number = as_number(term)
    if number is not None:
        return Q(telegram_user_id=number)
    name = term.strip().removeprefix("@")
    # SQLite folds the case of Latin letters only, so a name is also looked for as names are written.
    return Q(name__icontains=name) | Q(name__contains=name.title()) | Q(username__icontains=name)


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Those who write to the bot. Their phone is masked; showing it leaves a line in the history."""

    list_display = (
        "display_name",
        "username",
        "telegram_user_id",
        "language",
        "masked_phone",
        "stopped_bot_at",
        "flooded_at",
        "muted_at",
    )
    list_filter = (
        "language",
        ("flooded_at", admin.EmptyFieldListFilter),
        ("muted_at", admin.EmptyFieldListFilter),
        ("stopped_bot_at", admin.EmptyFieldListFilter),
        "created_at",
    )
    actions = ("mute", "unmute")
    # Names the box; what it finds is decided by get_search_results.
    search_fields = ("name",)
    search_help_text = gettext_lazy("Номер, имя или имя пользователя в Telegram")
    change_form_template = "admin/tickets/customer/change_form.html"
    fields = (
        "display_name",
        "username",
        "telegram_user_id",
        "language",
        "masked_phone",
        "phone_verified_at",
        "memo",
        "stopped_bot_at",
        "flooded_at",
        "muted_at",
        "created_at",
        "tickets",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return Customer.objects.filter(access.visible_customers(actor(request))).order_by("-pk")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        return (queryset.filter(_matches(search_term)) if search_term.strip() else queryset), False

    def get_urls(self) -> list[URLPattern]:
        phone = path(
            "<int:customer_id>/phone/",
            self.admin_site.admin_view(require_POST(self.show_phone)),
            name="tickets_customer_phone",
        )
        return [phone, *super().get_urls()]

    def show_phone(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        """The whole phone, once, on a page of its own; the act is written into the history of the latest ticket."""
        customer = get_object_or_404(self.get_queryset(request).exclude(phone=""), pk=customer_id)
        ticket = get_object_or_404(customer.tickets.order_by("-pk")[:1])
        phone = operations.reveal_phone(ticket_id=ticket.pk, actor=actor(request))
        context = self.admin_site.each_context(request) | {
            "title": _("Телефон клиента"),
            "customer": customer,
            "phone": phone,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/tickets/customer/phone.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        with_phone = Customer.objects.filter(pk=as_number(object_id) or 0, tickets__isnull=False).exclude(phone="")
        can_show = with_phone.exists()
        return super().change_view(request, object_id, form_url, {"can_show_phone": can_show, **(extra_context or {})})

    @admin.action(description=gettext_lazy("Заглушить: хранить сообщения, никого не зовя"), permissions=["view"])
    def mute(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        def mute_one(customer: Customer) -> None:
            operations.mute_customer(customer_id=customer.pk, actor=actor(request))

        act_on_each(request, queryset, mute_one, lambda n: ngettext("Заглушено %d", "Заглушено %d", n) % n)

    @admin.action(description=gettext_lazy("Снова слышать"), permissions=["view"])
    def unmute(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        def unmute_one(customer: Customer) -> None:
            operations.unmute_customer(customer_id=customer.pk, actor=actor(request))

        act_on_each(request, queryset, unmute_one, lambda n: ngettext("Снова слышно %d", "Снова слышно %d", n) % n)

    @admin.display(description=gettext_lazy("имя"))
    def display_name(self, customer: Customer) -> str:
        return customer.display_name

    @admin.display(description=gettext_lazy("телефон"))
    def masked_phone(self, customer: Customer) -> str:
        return customer.masked_phone

    @admin.display(description=gettext_lazy("обращения"))
    def tickets(self, customer: Customer) -> SafeString:
        of_customer = f"{reverse('admin:tickets_ticket_changelist')}?customer__id__exact={customer.pk}"
        return format_html('<a href="{}">{}</a>', of_customer, _("Все обращения клиента"))
