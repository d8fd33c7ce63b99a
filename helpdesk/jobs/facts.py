"""The truth about the jobs, for /health, /metrics, the admin and the desk's banner."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from helpdesk.jobs.lines import Line
from helpdesk.jobs.schedule import SCHEDULE, WORK
from tickets.models import Job

#: Seconds a quick job may be due; they take milliseconds, so by then nobody does them.
MAX_DUE = 120
#: The same for a long job: more of them wait for each other.
MAX_LONG_DUE = 1800
MOST = 1000


def facts() -> dict[str, Any]:
    """`oldest_due`, `oldest_long_due`: seconds the oldest job of that line is late (None: none is); `started`: whether
    there has ever been one; `failing`: jobs that fail and are tried again; `dead`: that are not. Counts up to 1,000.

    What another version has left waits for that version: nobody here tries it, now or when told to.
    """
    ours = Job.objects.filter(kind__in=WORK)
    dead = ours.dead()[:MOST].count()
    return {
        "started": Job.objects.exists(),
        "oldest_due": _oldest_due(Line.QUICK),
        "oldest_long_due": _oldest_due(Line.LONG),
        "failing": ours.failing()[:MOST].count() - dead,
        "dead": dead,
    }


def stand_still() -> bool:
    """Whether nobody does the jobs."""
    late = (_oldest_due(Line.QUICK) or 0) > MAX_DUE or (_oldest_due(Line.LONG) or 0) > MAX_LONG_DUE
    return late or not Job.objects.exists()


def _oldest_due(line: Line) -> int | None:
    kinds = [work.kind for work in SCHEDULE if work.line == line]
    due_at = Job.objects.due(kinds).values_list("due_at", flat=True).first()
    return int((timezone.now() - due_at) / timedelta(seconds=1)) if due_at is not None else None
