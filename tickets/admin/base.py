"""What every page of the supervisors' room shares: rights by `tickets.access`, cheap lists, acts told row by row."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.paginator import Paginator
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from tickets import access
from tickets.models import COUNT_CAP, User
from tickets.operations import Refused

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

MAX_DIGITS = 18  # of a 64-bit key


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages up to a cap: on a big table an exact count costs more than the page."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list.order_by()[:COUNT_CAP].count()

    @property
    def is_capped(self) -> bool:
        return self.count == COUNT_CAP


class ChosenRowsForm(ActionForm):
    """Acts reach the chosen rows only: "all of them" could mean a million, unseen."""

    def clean_select_across(self) -> bool:
        return False


class OnlyChangesForm(forms.ModelForm):  # type: ignore[type-arg]
    """Knows what was changed on its page, which remembers how it was opened: the rest may have been changed by others
    since, and is not written back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    def changed_columns(self) -> set[str]:
        return {column.name for column in self.instance._meta.concrete_fields} & set(self.changed_data)

    def _save_m2m(self) -> None:
        whole = self.cleaned_data
        self.cleaned_data = {name: value for name, value in whole.items() if name in self.changed_data}
        super()._save_m2m()  # type: ignore[misc]
        self.cleaned_data = whole


class SupervisorAdmin(ModelAdmin):
    """A list and a form for supervisors. Nothing is deleted here: rows that have served are retired."""

    paginator = CappedPaginator
    action_form = ChosenRowsForm
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 50
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.is_supervisor(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_supervisor(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return access.is_supervisor(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_supervisor(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Without the pop-up windows that add and change related rows: each has its own page."""
        form_field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if form_field is not None and isinstance(form_field.widget, RelatedFieldWidgetWrapper):
            form_field.widget = form_field.widget.widget
        return form_field


class ReadOnlyAdmin(SupervisorAdmin):
    """Rows that only operations write. Lists are ordered by id alone: any other order would sort the whole table."""

    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def as_number(term: str) -> int | None:
    """A searched term as a number that fits a key, or None."""
    digits = term.strip().removeprefix("№")
    return int(digits) if digits.isdecimal() and len(digits) <= MAX_DIGITS else None


def actor(request: HttpRequest) -> User:
    """Who is acting: the site lets supervisors in and nobody else."""
    assert isinstance(request.user, User)
    return request.user


def act_on_each(
    request: HttpRequest, rows: Iterable[Model], act: Callable[[Any], object], done: "Callable[[int], StrOrPromise]"
) -> None:
    """Do `act` to each row by itself and say what came of it: one refusal does not stop the others.

    `done` makes the sentence for the number of rows done.
    """
    number_done = 0
    refused: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        try:
            act(row)
        except Refused as refusal:
            refused[str(refusal.message)].append(str(row))
        else:
            number_done += 1
    if number_done:
        messages.success(request, done(number_done))
    for reason, names in refused.items():
        messages.warning(request, _("%(rows)s: %(reason)s") % {"rows": ", ".join(names), "reason": reason})
