"""What is to be done behind the scenes: each piece of work a row that says when, by whom and what came of it."""

from collections.abc import Collection
from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    WAITING = "waiting", _("Ждёт срока")
    RUNNING = "running", _("Идёт")
    DONE = "done", _("Сделано")
    DEAD = "dead", _("Не удалось")


class JobQuerySet(models.QuerySet["Job"]):
    """`kinds` are those the caller's code knows: during an upgrade older and newer workers share the table."""

    def due(self, kinds: Collection[str]) -> "JobQuerySet":
        """What a worker may begin now, longest due first. Of one that is running, the worker has died."""
        return self.filter(kind__in=kinds, due_at__lte=Now()).order_by("due_at", "pk")

    def waiting(self, kinds: Collection[str]) -> "JobQuerySet":
        """What is still to be done, the next first."""
        return self.filter(kind__in=kinds, due_at__isnull=False).order_by("due_at")

    def failing(self) -> "JobQuerySet":
        """What has failed since it was last done, and is or was tried again."""
        return self.exclude(error="")

    def dead(self) -> "JobQuerySet":
        """What nobody tries again until a person says so."""
        return self.filter(state=JobState.DEAD)


class Job(models.Model):
    """One piece of work. It is done at least once, so doing it twice must do no harm.

    A recurring one waits again when it is done. While it runs, `due_at` is where its lease ends: a worker that has not
    said by then what came of it has died, and the job is due again.
    """

    kind = models.CharField(_("вид"), max_length=32)
    key = models.CharField(_("о чём"), max_length=64, blank=True, help_text=_("Пусто там, где такая работа одна."))
    state = models.CharField(_("состояние"), max_length=7, choices=JobState.choices, default=JobState.WAITING)
    # By the database's clock, which is what it is compared with.
    due_at = models.DateTimeField(_("срок"), null=True, db_default=Now())
    attempts = models.PositiveSmallIntegerField(
        _("попыток"), default=0, help_text=_("С тех пор, как в последний раз удалось.")
    )
    error = models.CharField(_("последняя ошибка"), max_length=200, blank=True)
    done = models.PositiveIntegerField(_("сделано"), default=0)
    total = models.PositiveIntegerField(_("из"), null=True, blank=True)
    worker = models.CharField(_("кто"), max_length=100, blank=True)
    request = models.CharField(
        _("запрос"),
        max_length=64,
        blank=True,
        db_default="",
        help_text=_("Номер запроса, который это поручил; под ним о задании пишет журнал."),
    )
    created_at = models.DateTimeField(_("создано"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(_("начато"), null=True, blank=True)
    finished_at = models.DateTimeField(_("кончено"), null=True, blank=True)
    rung_at = models.DateTimeField(_("передано брокеру"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("фоновое задание")
        verbose_name_plural = _("фоновые задания")
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="job_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=[JobState.WAITING, JobState.RUNNING], due_at__isnull=False)
                | models.Q(state__in=[JobState.DONE, JobState.DEAD], due_at__isnull=True),
                name="job_due_while_unfinished",
            ),
        ]
        indexes = [
            # Workers: what is due. Health: what has been due for long.
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="job_due"),
            # Health and admin: what nobody tries again by itself.
            models.Index(fields=["state"], condition=models.Q(state=JobState.DEAD), name="job_dead"),
            # Jobs: what was done long ago, to prune.
            models.Index(fields=["finished_at"], condition=models.Q(state=JobState.DONE), name="job_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}".strip()

    @property
    def duration(self) -> timedelta | None:
        """How long it took, or None before it has ended once."""
        if self.started_at is None or self.finished_at is None or self.finished_at < self.started_at:
            return None
        return self.finished_at - self.started_at
