"""What is done behind the scenes, and when: all of it, in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from botbridge.asking import ask_to_repeat
from botbridge.downloads import remove_leftovers
from helpdesk.backup.nightly import LEASE, make_nightly_backup
from helpdesk.jobs.lines import Line
from helpdesk.mail import send_password_link
from helpdesk.orphans import sweep_share
from helpdesk.webhooks.telling import repeat_webhook_call, tell_webhook
from tickets import operations
from tickets.models import Job

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Between the tries of a job that fails: doubled each time, up to the longest.
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True)
class Work:
    """One kind of job. `run` does it and says how much that was; done twice, it must do no harm.

    A worker that has not ended within `lease` counts as dead, unless it has reported progress since. Work without
    `every` is done when asked for, and is dead after failing `tries` times; recurring work is tried for ever. Of a
    recurring kind there is one job, from the beginning; of a keyed one, one for each key it is asked for.
    """

    kind: str
    title: "StrOrPromise"
    run: Callable[[Job], int]
    every: timedelta | None = None
    lease: timedelta = timedelta(seconds=30)
    line: Line = Line.QUICK
    tries: int = 8
    is_keyed: bool = False

    @property
    def longest(self) -> timedelta:
        """No pause and no lease of it is longer."""
        return max(self.every or LONGEST_PAUSE, LONGEST_PAUSE, self.lease)

    def pause_after(self, attempts: int) -> timedelta | None:
        """How long to wait after so many failures in a row; None to wait for a person."""
        if self.every is None and attempts >= self.tries:
            return None
        pause = min(FIRST_PAUSE * (1 << min(attempts - 1, 10)), LONGEST_PAUSE)
        return max(pause, self.every) if self.every is not None else pause


def clock(function: Callable[[], int], title: "StrOrPromise", *, seconds: float) -> Work:
    """Looks every so many seconds whether time alone has brought something about."""
    return Work(function.__name__, title, lambda job: function(), every=timedelta(seconds=seconds))


SCHEDULE: tuple[Work, ...] = (
    clock(operations.wake_snoozed, _("Вернуть отложенные обращения"), seconds=2),
    clock(operations.hold_stale, _("Задержать ответы, не ушедшие за полчаса"), seconds=5),
    clock(operations.release_to_the_returned, _("Отправить ответы, дождавшиеся клиента"), seconds=5),
    clock(operations.expire_automatic, _("Снять устаревшие сообщения бота"), seconds=5),
    clock(operations.give_up_alterations, _("Сказать об изменениях, которых Telegram не принял"), seconds=5),
    clock(operations.free_tickets_of_the_gone, _("Вернуть в очередь обращения отключённых"), seconds=5),
    clock(ask_to_repeat, _("Попросить клиентов повторить после долгого перерыва"), seconds=5),
    clock(operations.close_resolved, _("Закрыть решённые неделю назад"), seconds=60),
    clock(operations.prune_changes, _("Убрать старые сигналы страницам"), seconds=60),
    clock(operations.prune_api, _("Убрать старые ответы и входы API"), seconds=3600),
    clock(operations.prune_sign_ins, _("Убрать кончившиеся входы"), seconds=3600),
    Work(
        operations.PASSWORD_LINK,
        _("Прислать ссылку для нового пароля"),
        send_password_link,
        # A mail server may take its time with each step of a letter.
        lease=timedelta(minutes=3),
        line=Line.LONG,
    ),
    clock(remove_leftovers, _("Убрать оборванные загрузки"), seconds=600),
    Work(
        operations.make_thumbnails.__name__,
        _("Уменьшить картинки"),
        lambda job: operations.make_thumbnails(),
        every=timedelta(seconds=2),
        lease=timedelta(minutes=3),
        line=Line.LONG,
    ),
    Work(
        "sweep_files",
        _("Удалить файлы, которых не знает ни одна строка"),
        sweep_share,
        every=timedelta(hours=1),
        lease=timedelta(minutes=30),
        line=Line.LONG,
    ),
    clock(operations.start_webhooks, _("Разбудить вебхуки, о которых забыли"), seconds=60),
    clock(operations.prune_webhook_calls, _("Убрать старые вызовы вебхуков"), seconds=3600),
    clock(operations.prune_jobs, _("Убрать сделанные задания"), seconds=3600),
    Work(
        "nightly_backup",
        _("Резервная копия этих суток"),
        make_nightly_backup,
        every=timedelta(minutes=10),
        lease=LEASE,
        line=Line.LONG,
    ),
    Work(
        operations.TELL_WEBHOOK,
        _("Сообщить вебхуку"),
        tell_webhook,
        every=timedelta(seconds=2),
        lease=timedelta(seconds=60),
        line=Line.LONG,
        is_keyed=True,
    ),
    Work(operations.REPEAT_WEBHOOK_CALL, _("Повторить вызов вебхука"), repeat_webhook_call, line=Line.LONG),
)

WORK: dict[str, Work] = {work.kind: work for work in SCHEDULE}
