import zoneinfo
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tickets import operations
from tickets.admin.base import OnlyChangesForm, SupervisorAdmin, act_on_each, actor
from tickets.admin.catalog import RetiringAdmin
from tickets.forms import AnothersPasswordForm
from tickets.links import password_link
from tickets.models import MANAGERS, SUPERVISORS, Team, User
from tickets.operations import Refused
from tickets.pages.trail import SHOWN, trail_of, work_of
from tickets.passwords import new_password

# The two groups come with the first migration; renaming or adding one would change nobody's rights.
admin.site.unregister(Group)

RIGHTS = {MANAGERS: gettext_lazy("Менеджер"), SUPERVISORS: gettext_lazy("Старший смены")}


class RightsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Group) -> str:
        return str(RIGHTS[obj.name])


class PersonForm(OnlyChangesForm):
    """Rights by group and team. A person without a group could not enter, so one is asked for."""

    groups = RightsField(
        queryset=Group.objects.filter(name__in=RIGHTS),
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Кто"),
    )
    teams = forms.ModelMultipleChoiceField(
        queryset=Team.objects.filter(retired_at__isnull=True),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=gettext_lazy("Команды"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "teams" in self.fields:
            self.fields["teams"].initial = self.instance.teams.all()

    def _save_m2m(self) -> None:
        super()._save_m2m()
        if "teams" in self.changed_data:
            self.instance.teams.set(self.cleaned_data["teams"])


@admin.register(User)
class PersonAdmin(SupervisorAdmin, UserAdmin):  # type: ignore[type-arg]
    """People of the company. Nobody is deleted: who leaves is disabled, and their tickets return to the queue."""

    form = PersonForm
    add_form = PersonForm
    change_form_template = "admin/tickets/user/change_form.html"
    change_password_form = AnothersPasswordForm
    add_form_template = None
    list_display = ("username", "display_name", "rights", "membership", "works", "presence", "last_login")
    list_filter = ("is_active", "groups", "teams")
    search_fields = ("username", "first_name", "last_name", "public_name")
    ordering = ("username",)
    filter_horizontal = ()
    actions = ("disable", "enable")
    add_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "public_name", "email", "language")}),
        (gettext_lazy("Права"), {"fields": ("groups", "teams")}),
    )
    person_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "public_name", "email", "language")}),
        (gettext_lazy("Права"), {"fields": ("groups", "teams", "works", "password_page")}),
        (gettext_lazy("Работа"), {"fields": ("presence", "seen_at", "last_login", "date_joined")}),
    )
    seen_fieldsets = (
        (None, {"fields": ("username", "display_name", "rights", "membership", "works")}),
        (gettext_lazy("Работа"), {"fields": ("presence", "seen_at", "last_login", "date_joined")}),
    )
    read_only = ("works", "presence", "seen_at", "last_login", "date_joined", "password_page")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return User.objects.prefetch_related("groups", "teams").order_by("username")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A superuser's name, rights and password are out of a supervisor's reach."""
        if obj is not None and obj.is_superuser and not actor(request).is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        if not self.has_change_permission(request, obj):
            return self.seen_fieldsets
        if not actor(request).is_superuser:
            return self.person_fieldsets
        return (*self.person_fieldsets, (gettext_lazy("Всё"), {"fields": ("is_superuser",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """People may not change their own rights: a slip would lock the last supervisor out."""
        own = ("groups", "is_superuser") if obj == actor(request) else ()
        return (*self.read_only, "rights", "membership", *own)

    def get_urls(self) -> list[URLPattern]:
        pages = {"lock": self.lock, "trail": self.trail, "factor": self.factor, "link": self.link}
        own = [
            path(f"<int:person_id>/{name}/", self.admin_site.admin_view(page), name=f"tickets_user_{name}")
            for name, page in pages.items()
        ]
        return [*own, *super().get_urls()]

    def lock(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """One act for a leaver or a leaked password, after a page that says what it does."""
        person = self._changeable(request, person_id)
        if request.method != "POST":
            return self._page(request, "lock", person, title=_("Закрыть учётную запись"), work=work_of(person))
        try:
            left = operations.lock_account(actor=actor(request), user=person)
        except Refused as refusal:
            messages.warning(request, refusal.message)
            return redirect("admin:tickets_user_change", person.pk)
        self.log_change(request, person, _("Закрыта: входы кончены, работа возвращена в очередь."))
        done = _("Учётная запись закрыта. Обращений возвращено: %(tickets)d, черновиков стало заметками: %(drafts)d.")
        messages.success(request, done % {"tickets": left.tickets, "drafts": left.drafts})
        return redirect("admin:tickets_user_trail", person.pk)

    def factor(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """Takes a lost second factor from a person, who proves to the supervisor in person who they are."""
        person = self._changeable(request, person_id)
        if request.method != "POST":
            return self._page(request, "factor", person, title=_("Сбросить второй фактор"))
        try:
            operations.reset_second_factor(actor=actor(request), user=person)
        except Refused as refusal:
            messages.warning(request, refusal.message)
        else:
            self.log_change(request, person, _("Второй фактор сброшен."))
            messages.success(request, _("Второй фактор сброшен, входы кончились."))
        return redirect("admin:tickets_user_change", person.pk)

    def link(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """A link to a new password, shown on this page and nowhere else."""
        person = self._changeable(request, person_id)
        title = _("Ссылка для нового пароля")
        if request.method != "POST":
            return self._page(request, "link", person, title=title)
        if person == actor(request) or not person.is_active:
            messages.warning(request, _("Ссылку дают другому и тому, кто работает: сначала включите."))
            return redirect("admin:tickets_user_change", person.pk)
        self.log_change(request, person, _("Сделана ссылка для нового пароля."))
        return self._page(request, "link", person, title=title, link=password_link(person))

    def trail(self, request: HttpRequest, person_id: int) -> HttpResponse:
        person = get_object_or_404(User, pk=person_id)
        title = _("Что делала учётная запись")
        return self._page(request, "trail", person, title=title, trail=trail_of(person), shown=SHOWN)

    def _changeable(self, request: HttpRequest, person_id: int) -> User:
        person = get_object_or_404(User, pk=person_id)
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        return person

    def _page(self, request: HttpRequest, name: str, person: User, **more: Any) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {"person": person, "opts": self.opts, **more}
        return TemplateResponse(request, f"admin/tickets/user/{name}.html", context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**one_button, **(extra_context or {})})

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """Give the new person a password and show it once.

        It is on this page and nowhere else: a message would carry it in a cookie.
        """
        password = new_password()
        obj.set_password(password)
        obj.save(update_fields=["password"])
        context = self.admin_site.each_context(request) | {
            "title": _("Сотрудник добавлен"),
            "person": obj,
            "password": password,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/tickets/user/added.html", context)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Write what was changed here and nothing else: since the form was read the person may have been disabled."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        obj.save(update_fields=form.changed_columns())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change and {"groups", "teams", "is_superuser"} & set(form.changed_data):
            operations.revoke(user=form.instance)

    @admin.display(description=gettext_lazy("пароль"))
    def password_page(self, person: User) -> SafeString:
        page = reverse("admin:auth_user_password_change", args=[person.pk])
        link = reverse("admin:tickets_user_link", args=[person.pk])
        return format_html(
            '<a href="{}">{}</a> · <a href="{}">{}</a>', page, _("Задать новый пароль"), link, _("Дать ссылку")
        )

    @admin.display(description=gettext_lazy("имя"))
    def display_name(self, person: User) -> str:
        return person.display_name

    @admin.display(description=gettext_lazy("работает"), boolean=True)
    def works(self, person: User) -> bool:
        return person.is_active

    @admin.display(description=gettext_lazy("кто"))
    def rights(self, person: User) -> str:
        return ", ".join(str(RIGHTS.get(group.name, group.name)) for group in person.groups.all())

    @admin.display(description=gettext_lazy("команды"))
    def membership(self, person: User) -> str:
        return ", ".join(team.name for team in person.teams.all())

    @admin.action(description=gettext_lazy("Отключить"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        act_on_each(
            request,
            queryset,
            lambda person: operations.disable_user(actor=actor(request), user=person),
            lambda n: ngettext("Отключено: %d", "Отключено: %d", n) % n,
        )

    @admin.action(description=gettext_lazy("Включить"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        act_on_each(
            request,
            queryset,
            lambda person: operations.enable_user(actor=actor(request), user=person),
            lambda n: ngettext("Включено: %d", "Включено: %d", n) % n,
        )


def time_zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(zoneinfo.available_timezones())]


class TeamForm(OnlyChangesForm):
    time_zone = forms.ChoiceField(choices=time_zones, label=gettext_lazy("Часовой пояс"), initial="Asia/Almaty")

    class Meta:
        widgets = {"members": forms.CheckboxSelectMultiple}


@admin.register(Team)
class TeamAdmin(RetiringAdmin):
    form = TeamForm
    list_display = ("name", "is_default", "is_strict", "time_zone", "retired_at")
    list_filter = (("retired_at", admin.EmptyFieldListFilter), "is_strict")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "is_strict", "time_zone", "members", "is_default", "retired_at")
    readonly_fields = ("is_default", "retired_at")
    actions = (*RetiringAdmin.actions, "make_default")

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        obj.save(update_fields=form.changed_columns() if change else None)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Whoever the change lets in or shuts out connects again by the new rule."""
        before = set(form.instance.members.all()) if change else set()
        super().save_related(request, form, formsets, change)
        if {"members", "is_strict"} & set(form.changed_data):
            for person in before | set(form.instance.members.all()):
                operations.revoke(user=person)

    @admin.action(description=gettext_lazy("Принимать обращения без темы"), permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: QuerySet[Team]) -> None:
        if queryset.count() != 1:
            messages.warning(request, _("Выберите одну команду."))
            return
        act_on_each(
            request,
            queryset,
            lambda team: operations.make_default_team(actor=actor(request), team=team),
            lambda _n: _("Обращения без темы теперь принимает эта команда."),
        )
