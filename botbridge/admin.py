import json
from datetime import datetime
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy, ngettext

from botbridge.models import BotStatus, ForumTopic, Outage, OutboundCall, Update
from botbridge.outages import approve_asking, concerned
from botbridge.storing import retry_update, settle_by_hand
from tickets.admin.base import ReadOnlyAdmin, SupervisorAdmin, act_on_each, actor, as_number
from tickets.cards import masked
from tickets.models import COUNT_CAP
from tickets.operations import WrongState

Row = TypeVar("Row", Update, OutboundCall, ForumTopic)


@admin.register(BotStatus)
class BotStatusAdmin(SupervisorAdmin):
    """The bot as it is, and what a supervisor decides about it."""

    list_display = ("__str__", "tickets_as_topics", "has_topics_enabled", "last_polled_at", "stopped_reason")
    fields = ("username", "last_polled_at", "last_error", "stopped_reason", "tickets_as_topics", "has_topics_enabled")
    readonly_fields = ("username", "last_polled_at", "last_error", "stopped_reason", "has_topics_enabled")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BotStatus, form: Any, change: bool) -> None:
        """Only what was decided: the rest of the row is the bot's, which writes to it all the time."""
        obj.save(update_fields=["tickets_as_topics"])
        if obj.tickets_as_topics and not obj.has_topics_enabled:
            messages.warning(
                request,
                gettext(
                    "У бота выключен режим тем: пока обращения идут одной лентой. Включите Threaded Mode в настройках "
                    "бота у @BotFather, бот заметит это за десять минут."
                ),
            )


@admin.register(ForumTopic)
class ForumTopicAdmin(ReadOnlyAdmin):
    """Which ticket has which topic in which chat."""

    list_display = ("ticket_id", "chat_id", "message_thread_id", "state", "remade")
    list_filter = ("state",)
    # Names the box; what it finds is decided by get_search_results.
    search_fields = ("chat_id",)
    search_help_text = gettext_lazy("Номер клиента в Telegram")
    fields = ("bot_id", "chat_id", "ticket_id", "message_thread_id", "name", "state", "remade", "creation_id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ForumTopic], search_term: str
    ) -> tuple[QuerySet[ForumTopic], bool]:
        return of_chat(queryset, search_term), False


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
        "as_it_came",
    )

    @admin.display(description=gettext_lazy("как пришло"))
    def as_it_came(self, update: Update) -> str:
        """The JSON, with card numbers masked as they are everywhere."""
        try:
            return json.dumps(masked_in(json.loads(update.raw)), ensure_ascii=True, indent=1)
        except RecursionError:  # too deep to be walked through here; as text it masks ids too that look like a card's
            return masked(update.raw)

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


@admin.register(Outage)
class OutageAdmin(ReadOnlyAdmin):
    """When customers could not reach us. After a day or more of it a supervisor may have them asked to write again."""

    list_display = ("began_at", "ended_at", "may_be_lost_until", "to_be_asked", "asked_by", "asked_at", "told")
    fields = ("bot_id", *list_display, "told_at")
    list_select_related = ("asked_by",)
    actions = ("ask",)

    @admin.display(description=gettext_lazy("могло пропасть написанное до"), empty_value="—")
    def may_be_lost_until(self, outage: Outage) -> datetime | None:
        return outage.lost_until

    @admin.display(description=gettext_lazy("кого просить, клиентов"), empty_value="—")
    def to_be_asked(self, outage: Outage) -> int | None:
        """Up to a thousand, and only where somebody has still to decide."""
        if outage.lost_until is None or outage.asked_at is not None:
            return None
        return concerned(outage)[:COUNT_CAP].count()

    @admin.action(description=gettext_lazy("Попросить клиентов повторить"), permissions=["view"])
    def ask(self, request: HttpRequest, queryset: QuerySet[Outage]) -> None:
        def ask_one(outage: Outage) -> None:
            approve_asking(outage_id=outage.pk, actor=actor(request))
            self.log_change(request, outage, gettext("Клиентов просят повторить"))

        def done(number: int) -> str:
            return gettext("Клиентам с обращениями в работе уйдёт просьба повторить.")

        act_on_each(request, queryset, ask_one, done)


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


def masked_in(value: Any) -> Any:
    """A JSON value with the card numbers in its texts masked."""
    match value:
        case str():
            return masked(value)
        case list():
            return [masked_in(item) for item in value]
        case dict():
            return {name: masked_in(item) for name, item in value.items()}
    return value


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
