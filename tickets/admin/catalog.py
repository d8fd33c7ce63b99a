from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, ngettext

from tickets import operations
from tickets.admin.base import SupervisorAdmin, act_on_each, actor
from tickets.models import Tag, Topic


class RetiringAdmin(SupervisorAdmin):
    """Rows that tickets refer to for ever: taken out of use instead of deleted, and brought back the same way."""

    actions: tuple[str, ...] = ("retire", "bring_back")

    @admin.action(description=gettext_lazy("Вывести из работы"), permissions=["change"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        act_on_each(
            request,
            queryset,
            lambda row: operations.retire(actor=actor(request), row=row),
            lambda n: ngettext("Выведено из работы: %d", "Выведено из работы: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Вернуть в работу"), permissions=["change"])
    def bring_back(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        act_on_each(
            request,
            queryset,
            lambda row: operations.bring_back(actor=actor(request), row=row),
            lambda n: ngettext("Возвращено в работу: %d", "Возвращено в работу: %d", n) % n,
        )


@admin.register(Topic)
class TopicAdmin(RetiringAdmin):
    list_display = ("name", "name_kk", "name_en", "team", "position", "retired_at")
    list_select_related = ("team",)
    list_filter = (("retired_at", admin.EmptyFieldListFilter), "team")
    search_fields = ("name", "name_kk", "name_en")
    ordering = ("position", "name")
    fields = ("name", "name_kk", "name_en", "team", "position", "retired_at")
    readonly_fields = ("retired_at",)


@admin.register(Tag)
class TagAdmin(RetiringAdmin):
    list_display = ("name", "retired_at")
    list_filter = (("retired_at", admin.EmptyFieldListFilter),)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "retired_at")
    readonly_fields = ("retired_at",)
