from typing import TypeVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy, ngettext

from botbridge.models import OutboundCall, Update
from botbridge.storing import retry_update, settle_by_hand
from tickets.admin.base import ReadOnlyAdmin, act_on_each, as_number
from tickets.operations import WrongState

Row = TypeVar("Row", Update, OutboundCall)


@admin.register(Update)
class UpdateAdmin(ReadOnlyAdmin):
    """What Telegram told us. What could not be handled is parked here with its reason until somebody tries again."""

    list_display = ("update_id", "chat_id", "state", "attempts", "reason", "received_at", "handled_at", "settled_at")
    list_filter = ("state", ("settled_at", admin.EmptyFieldListFilter), "received_at")
    # Names the box; what it finds is decided by get_search_results.
    search_fields = ("chat_id",)
    search_help_text = gettext_lazy("Номер клиента в Telegram")
    actions = ("retry", "settle")
    fields = (
        "bot_id",
        "update_id",
        "chat_id",
        "state",
        "attempts",
        "reason",
        "received_at",
        "handled_at",
        "settled_at",
        "raw",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Update], search_term: str
    ) -> tuple[QuerySet[Update], bool]:
        return of_chat(queryset, search_term), False

    @admin.action(description=gettext_lazy("Обработать ещё раз"), permissions=["view"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Update]) -> None:
        act_on_each(
            request,
            queryset,
            retry_parked,
            lambda n: ngettext("Поставлено в очередь: %d", "Поставлено в очередь: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Разобрано: больше не напоминать"), permissions=["view"])
    def settle(self, request: HttpRequest, queryset: QuerySet[Update]) -> None:
        def settle_one(update: Update) -> None:
            settle_parked(update)
            self.log_change(request, update, gettext("Разобрано"))

        act_on_each(request, queryset, settle_one, lambda n: ngettext("Разобрано: %d", "Разобрано: %d", n) % n)


@admin.register(OutboundCall)
class OutboundCallAdmin(ReadOnlyAdmin):
    """What we asked of Telegram, and what came of it."""

    list_display = ("id", "method", "chat_id", "delivery_id", "part", "state", "attempts", "error", "created_at")
    list_filter = ("state", "lane", "created_at")
    # Names the box; what it finds is decided by get_search_results.
    search_fields = ("chat_id",)
    search_help_text = gettext_lazy("Номер клиента в Telegram")
    fields = (
        "bot_id",
        "chat_id",
        "delivery_id",
        "part",
        "method",
        "payload",
        "lane",
        "state",
        "attempts",
        "error",
        "worker",
        "message_id",
        "created_at",
        "due_at",
        "expires_at",
        "lease_until",
        "settled_at",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[OutboundCall], search_term: str
    ) -> tuple[QuerySet[OutboundCall], bool]:
        return of_chat(queryset, search_term), False


def retry_parked(update: Update) -> None:
    """Put a parked update back before its chat's others.

    :raises WrongState: it is not parked, or names no chat to be handled in.
    """
    if update.state != Update.State.PARKED:
        raise WrongState(gettext_lazy("Ещё раз обрабатывается только отложенное."))
    if update.chat_id is None:
        raise WrongState(gettext_lazy("Не разобрать, из какого это чата: обработать нечего."))
    retry_update(update)


def settle_parked(update: Update) -> None:
    """Stop reminding of an update a person has dealt with.

    :raises WrongState: it is not parked, or has been dealt with.
    """
    if not settle_by_hand(update):
        raise WrongState(gettext_lazy("Разбирать нечего: не отложено или уже разобрано."))


def of_chat(rows: "QuerySet[Row]", term: str) -> "QuerySet[Row]":
    """The rows of one chat; a search that is no number finds nothing."""
    if not term.strip():
        return rows
    number = as_number(term)
    return rows.none() if number is None else rows.filter(chat_id=number)
