from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from tickets import operations
from tickets.admin.base import ReadOnlyAdmin, act_on_each, actor
from tickets.admin.confirmation import ask, is_confirmed, seen_on_page
from tickets.models import Delivery, DeliveryState, Lane, Message

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

IN_TROUBLE = (DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED)


class StateFilter(admin.SimpleListFilter):
    """The states a person must decide on; the others are not listed at all."""

    title = gettext_lazy("состояние")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> "list[tuple[str, StrOrPromise]]":
        return [(state.value, state.label) for state in IN_TROUBLE]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(state=self.value()) if self.value() in IN_TROUBLE else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Managers' replies whose fate a person must decide. Everything else about deliveries stands on the ticket."""

    list_display = ("reply", "ticket", "customer", "author", "state", "reason", "queued_at")
    list_select_related = ("message__ticket", "message__author", "customer")
    list_filter = (StateFilter, "reason")
    actions = ("release", "mark_arrived", "resend")
    fields = (
        "ticket",
        "reply",
        "author",
        "customer",
        "state",
        "reason",
        "parts_sent",
        "queued_at",
        "due_at",
        "expires_at",
        "settled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.filter(lane=Lane.REPLY, state__in=IN_TROUBLE, decision="").order_by("-pk")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = {"title": gettext("Ответы, которые ждут решения")}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    @admin.display(description=gettext_lazy("ответ"))
    def reply(self, delivery: Delivery) -> str:
        return delivery.message.preview

    @admin.display(description=gettext_lazy("обращение"))
    def ticket(self, delivery: Delivery) -> SafeString:
        address = reverse("tickets:ticket", args=[ticket_of(delivery)])
        return format_html('<a href="{}">{}</a>', address, delivery.message.ticket)

    @admin.display(description=gettext_lazy("автор"))
    def author(self, delivery: Delivery) -> str:
        return str(delivery.message.author)

    @admin.action(description=gettext_lazy("Отправить задержанные…"), permissions=["view"])
    def release(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            operations.release,
            title=gettext("Отправить задержанные ответы"),
            button=gettext("Отправить"),
            done=lambda n: ngettext("Отправка продолжена: %d", "Отправка продолжена: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Отметить дошедшими…"), permissions=["view"])
    def mark_arrived(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            operations.mark_arrived,
            title=gettext("Отметить ответы дошедшими"),
            button=gettext("Отметить дошедшими"),
            done=lambda n: ngettext("Отмечено дошедшими: %d", "Отмечено дошедшими: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Отправить ещё раз…"), permissions=["view"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            operations.resend,
            title=gettext("Отправить ответы ещё раз"),
            button=gettext("Отправить ещё раз"),
            done=lambda n: ngettext("Отправлено ещё раз: %d", "Отправлено ещё раз: %d", n) % n,
        )

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[Delivery],
        decision: Callable[..., Message],
        *,
        title: str,
        button: str,
        done: Callable[[int], str],
    ) -> HttpResponse | None:
        """Decide about each reply, after a page has shown what was said in its ticket since."""
        if not is_confirmed(request):
            rows = queryset.select_related("message")
            chosen = [(row.pk, ticket_of(row), row.message.preview) for row in rows]
            return ask(self, request, chosen, title=title, button=button)

        def decide(delivery: Delivery) -> None:
            seen = seen_on_page(request, ticket_of(delivery))
            decision(message_id=delivery.pk, actor=actor(request), seen=seen)

        act_on_each(request, queryset.select_related("message"), decide, done)
        return None


def ticket_of(delivery: Delivery) -> int:
    ticket_id = delivery.message.ticket_id
    assert ticket_id is not None, "a manager's reply belongs to a ticket"
    return ticket_id
