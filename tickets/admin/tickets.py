from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tickets import access, operations
from tickets.admin.base import ReadOnlyAdmin, act_on_each, actor, as_number
from tickets.admin.confirmation import ask, is_confirmed, seen_on_page
from tickets.admin.customers import found_customers
from tickets.models import Event, Team, Ticket, User

QUESTION_LENGTH = 70


class AssigneeFilter(admin.SimpleListFilter):
    """People who can answer for a ticket, and nobody: not a DISTINCT over every ticket, as the stock filter asks."""

    title = gettext_lazy("ответственный")
    parameter_name = "assignee"
    nobody = "none"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        people = access.people_at_work().order_by("first_name", "last_name", "username")
        return [(self.nobody, _("никто"))] + [(str(person.pk), person.display_name) for person in people]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        chosen = self.value()
        if chosen == self.nobody:
            return queryset.filter(assignee__isnull=True)
        number = as_number(chosen or "")
        return queryset if number is None else queryset.filter(assignee=number)


class AssigneeForm(forms.Form):
    assignee = forms.ModelChoiceField(queryset=User.objects.none(), label=gettext_lazy("Кому передать"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = access.people_at_work().order_by("first_name", "last_name", "username")
        self.fields["assignee"].queryset = people  # type: ignore[attr-defined]


class TeamForm(forms.Form):
    team = forms.ModelChoiceField(
        queryset=Team.objects.filter(retired_at__isnull=True).order_by("name"), label=gettext_lazy("Какой команде")
    )


@admin.register(Ticket)
class TicketAdmin(ReadOnlyAdmin):
    """Every ticket. Conversations are read and answered at the desk; here work is moved."""

    list_display = (
        "number",
        "question",
        "shown_status",
        "assignee",
        "customer",
        "team",
        "waiting_since",
        "trouble",
    )
    list_select_related = ("customer", "team", "assignee")
    list_filter = ("status", "trouble", "team", AssigneeFilter, "topic", "priority", "created_at")
    # Names the box; what it finds is decided by get_search_results.
    search_fields = ("pk",)
    search_help_text = gettext_lazy("Номер обращения, номер или имя клиента в Telegram")
    actions = ("assign", "return_to_queue", "move_to_team", "resolve")
    object_history_template = "admin/tickets/ticket/object_history.html"
    fieldsets = (
        (None, {"fields": ("at_the_desk", "subject", "shown_status", "priority", "trouble")}),
        (gettext_lazy("Кто"), {"fields": ("customer", "team", "assignee")}),
        (gettext_lazy("О чём"), {"fields": ("topic", "tags", "follows_up")}),
        (
            gettext_lazy("Когда"),
            {
                "fields": (
                    "created_at",
                    "waiting_since",
                    "snoozed_until",
                    "first_answered_at",
                    "last_message_at",
                    "resolved_at",
                    "closed_at",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        return Ticket.objects.visible_to(actor(request)).order_by("-pk")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Ticket], search_term: str
    ) -> tuple[QuerySet[Ticket], bool]:
        """By number, or by customer: the few matching customers first, so that their index finds the tickets."""
        if not search_term.strip():
            return queryset, False
        found = Q(customer__in=[customer.pk for customer in found_customers(search_term)])
        number = as_number(search_term)
        return queryset.filter(found if number is None else found | Q(pk=number)), False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A ticket's history is its Events, not the admin's own log."""
        events = (
            Event.objects.filter(ticket=as_number(object_id) or 0)
            .select_related("actor", "service_account")
            .order_by("-pk")
        )
        page = self.get_paginator(request, events, 100).get_page(request.GET.get("p"))
        return super().history_view(request, object_id, {"events": page, **(extra_context or {})})

    @admin.display(description=gettext_lazy("номер"), ordering="-pk")
    def number(self, ticket: Ticket) -> str:
        return str(ticket)

    @admin.display(description=gettext_lazy("о чём"))
    def question(self, ticket: Ticket) -> str:
        return Truncator(ticket.subject or ticket.last_preview).chars(QUESTION_LENGTH)

    @admin.display(description=gettext_lazy("статус"), ordering="status")
    def shown_status(self, ticket: Ticket) -> str:
        return ticket.status_label

    @admin.display(description=gettext_lazy("переписка"))
    def at_the_desk(self, ticket: Ticket) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("tickets:ticket", args=[ticket.pk]), _("Открыть на столе"))

    @admin.action(description=gettext_lazy("Передать…"), permissions=["view"])
    def assign(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> HttpResponse | None:
        form = AssigneeForm(request.POST if is_confirmed(request) else None)

        def assign_one(ticket: Ticket) -> None:
            assignee_id = form.cleaned_data["assignee"].pk
            operations.assign(
                ticket_id=ticket.pk,
                actor=actor(request),
                assignee_id=assignee_id,
                seen=seen_on_page(request, ticket.pk),
            )

        if not form.is_valid():
            return self._ask(request, queryset, title=_("Передать обращения"), button=_("Передать"), form=form)
        act_on_each(request, queryset, assign_one, lambda n: ngettext("Передано %d", "Передано %d", n) % n)
        return None

    @admin.action(description=gettext_lazy("Вернуть в очередь…"), permissions=["view"])
    def return_to_queue(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> HttpResponse | None:
        def return_one(ticket: Ticket) -> None:
            operations.assign(
                ticket_id=ticket.pk, actor=actor(request), assignee_id=None, seen=seen_on_page(request, ticket.pk)
            )

        if not is_confirmed(request):
            return self._ask(request, queryset, title=_("Вернуть обращения в очередь"), button=_("Вернуть в очередь"))
        act_on_each(request, queryset, return_one, lambda n: ngettext("Возвращено %d", "Возвращено %d", n) % n)
        return None

    @admin.action(description=gettext_lazy("В другую команду…"), permissions=["view"])
    def move_to_team(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> HttpResponse | None:
        form = TeamForm(request.POST if is_confirmed(request) else None)

        def move_one(ticket: Ticket) -> None:
            team_id = form.cleaned_data["team"].pk
            operations.move_to_team(
                ticket_id=ticket.pk, actor=actor(request), team_id=team_id, seen=seen_on_page(request, ticket.pk)
            )

        if not form.is_valid():
            return self._ask(request, queryset, title=_("Передать другой команде"), button=_("Передать"), form=form)
        act_on_each(request, queryset, move_one, lambda n: ngettext("Передано %d", "Передано %d", n) % n)
        return None

    @admin.action(description=gettext_lazy("Решить…"), permissions=["view"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> HttpResponse | None:
        def resolve_one(ticket: Ticket) -> None:
            operations.resolve(ticket_id=ticket.pk, actor=actor(request), seen=seen_on_page(request, ticket.pk))

        if not is_confirmed(request):
            return self._ask(request, queryset, title=_("Решить обращения"), button=_("Решить"))
        act_on_each(request, queryset, resolve_one, lambda n: ngettext("Решено %d", "Решено %d", n) % n)
        return None

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Ticket],
        *,
        title: str,
        button: str,
        form: forms.Form | None = None,
    ) -> HttpResponse:
        chosen = [(ticket_id, ticket_id, "") for ticket_id in queryset.values_list("pk", flat=True)]
        return ask(self, request, chosen, title=title, button=button, form=form)
