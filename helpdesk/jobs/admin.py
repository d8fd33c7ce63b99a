"""What is done behind the scenes, for supervisors: when, how far, what fails, and another try."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext, gettext_lazy, ngettext

from helpdesk.jobs.schedule import WORK
from tickets import operations
from tickets.admin.base import ReadOnlyAdmin, act_on_each, actor
from tickets.models import Job

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class KindFilter(admin.SimpleListFilter):
    title = gettext_lazy("вид")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> "list[tuple[str, StrOrPromise]]":
        return [(work.kind, work.title) for work in WORK.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Every job: the recurring ones for ever, the others until a week after they were done."""

    list_display = ("title", "key", "state", "due_at", "progress", "attempts", "error", "finished_at", "duration")
    list_filter = ("state", KindFilter)
    actions = ("run_now",)
    fields = (
        "title",
        "key",
        "state",
        "due_at",
        "progress",
        "attempts",
        "error",
        "worker",
        "request",
        "created_at",
        "started_at",
        "finished_at",
        "duration",
    )

    @admin.display(description=gettext_lazy("что делается"))
    def title(self, job: Job) -> str:
        """In words; by its name alone what another version of the program has left."""
        work = WORK.get(job.kind)
        return str(work.title) if work is not None else job.kind

    @admin.display(description=gettext_lazy("сделано"))
    def progress(self, job: Job) -> str:
        if job.total is None:
            return str(job.done)
        return gettext("%(done)d из %(total)d") % {"done": job.done, "total": job.total}

    @admin.display(description=gettext_lazy("заняло"), empty_value="–")
    def duration(self, job: Job) -> str | None:
        duration = job.duration
        if duration is None:
            return None
        if duration < timedelta(minutes=1):
            return gettext("%.1f с") % duration.total_seconds()
        now = timezone.now()
        return timesince(now - duration, now)

    @admin.action(description=gettext_lazy("Запустить сейчас"), permissions=["view"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        def run(job: Job) -> None:
            if job.kind not in WORK:
                raise operations.WrongState(
                    gettext("Этого задания нынешняя версия не знает: оно ждёт той, что его дала.")
                )
            operations.run_job_now(job=job, actor=actor(request))
            self.log_change(request, job, gettext("Запущено"))

        act_on_each(request, queryset, run, lambda n: ngettext("Запущено: %d", "Запущено: %d", n) % n)
