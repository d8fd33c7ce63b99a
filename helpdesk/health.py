"""Whether the product works, in words a monitor can act on and without anything a stranger may not know.

Containers and proxies ask `live` and `ready`; only `health` looks at the bot, so that Telegram's outage never takes
the desk down.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from botbridge.health import facts as bot_facts
from helpdesk import draining, schema
from helpdesk.backup.nightly import backup_facts
from helpdesk.jobs.facts import MAX_DUE, MAX_LONG_DUE
from helpdesk.jobs.facts import facts as job_facts

logger = logging.getLogger(__name__)

#: Seconds. A quiet poll is answered after 5; what waits longer than these waits for a person to look.
MAX_POLL_AGE = 90
MAX_UNHANDLED_AGE = 120
MAX_UNSENT_AGE = 120
#: Updates Telegram may hold for the webhook before they pile up: it brings twenty at once.
MAX_PENDING = 100
#: A night and two hours: the last backup may be late, and is then missing.
MAX_BACKUP_AGE = 26 * 3600


@dataclass(frozen=True)
class Finding:
    """How a part fares: what keeps it from working, what works but waits for a person, facts wanted next."""

    failures: list[str] = field(default_factory=list)
    concerns: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        if self.failures:
            return "failing"
        return "degraded" if self.concerns else "ok"

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "problems": [*self.failures, *self.concerns], **self.facts}


Part = Callable[[], Finding]


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Finding()


def migrations() -> Finding:
    """Every migration of this code is applied."""
    missing = schema.known() - schema.applied()
    return Finding([f"{len(missing)} not applied: run manage.py migrate"] if missing else [])


def bot() -> Finding:
    facts = bot_facts()
    # Telegram's own words stay out: an address in them holds the token.
    del facts["webhook_error"]
    last_failed = bool(facts.pop("last_error"))
    stopped = facts.pop("stopped")
    failures = ["stopped: see its log"] if stopped else []
    if facts["last_poll_age"] is None:
        failures.append("has never reached Telegram")
    elif facts["last_poll_age"] > MAX_POLL_AGE:
        failures.append(f"has not reached Telegram for {facts['last_poll_age']} s")
    elif last_failed and not stopped:
        # A poll answered since would have cleared it. Known at once: a quiet poll's age says so only after a while.
        failures.append("did not reach Telegram the last time it tried: see its log")
    if facts["undelivered"] is not None:
        failures.append(f"Telegram cannot bring {facts['webhook_pending']} updates, for {facts['undelivered']} s")
    if (facts["oldest_unhandled"] or 0) > MAX_UNHANDLED_AGE:
        failures.append(f"an update waits for {facts['oldest_unhandled']} s to be handled")
    if (facts["oldest_unsent"] or 0) > MAX_UNSENT_AGE:
        failures.append(f"a message waits for {facts['oldest_unsent']} s to be sent")
    return Finding(failures, list(bot_concerns(facts)), facts)


def bot_concerns(facts: dict[str, Any]) -> Iterator[str]:
    if facts["parked"]:
        yield f"updates parked: {facts['parked']}, deal with them in the admin"
    if facts["undelivered"] is None and facts["webhook_error_age"] is not None:
        yield f"the webhook failed {facts['webhook_error_age']} s ago: see the first page of the admin"
    if facts["undelivered"] is None and (facts["webhook_pending"] or 0) > MAX_PENDING:
        yield f"{facts['webhook_pending']} updates wait at Telegram: the web processes do not keep up"


def jobs() -> Finding:
    facts = job_facts()
    failures = [] if facts.pop("started") else ["have never run: start manage.py runjobs"]
    if (facts["oldest_due"] or 0) > MAX_DUE:
        failures.append(f"one has been due for {facts['oldest_due']} s and nobody does it")
    if (facts["oldest_long_due"] or 0) > MAX_LONG_DUE:
        failures.append(f"a long one has been due for {facts['oldest_long_due']} s and nobody does it")
    concerns = [f"given up: {facts['dead']}, deal with them in the admin"] if facts["dead"] else []
    if facts["failing"]:
        concerns.append(f"failing and tried again: {facts['failing']}, see the admin")
    return Finding(failures, concerns, facts)


def backups() -> Finding:
    """Whether a copy exists to come back to. Its lack stops nobody's work today, and in development is none."""
    facts = backup_facts()
    wanted = settings.BACKUP_KEEP and not settings.DEBUG
    age, size, free = (facts[name] for name in ("last_backup_age", "last_backup_bytes", "free_bytes"))
    concerns = []
    if wanted and age is None:
        concerns.append("no backup has been made yet, or none can be seen from here")
    elif wanted and age > MAX_BACKUP_AGE:
        concerns.append(f"the last backup is {age} s old")
    if size and free is not None and free < size:
        concerns.append("the next backup may not fit on its disk")
    return Finding(concerns=concerns, facts=facts)


PARTS: dict[str, Part] = {
    "database": database,
    "migrations": migrations,
    "bot": bot,
    "jobs": jobs,
    "backups": backups,
}


def examine(parts: dict[str, Part]) -> dict[str, Any]:
    """Looks at each part; one that asks a database which does not answer is not well."""
    findings: dict[str, Finding] = {}
    for name, look in parts.items():
        try:
            findings[name] = look()
        except Error:
            # The reason goes to the log alone: it may name hosts and users.
            logger.exception("Health: %s cannot be examined", name)
            findings[name] = Finding(["the database does not answer"])
    statuses = {name: finding.status for name, finding in findings.items()}
    worst = next((status for status in ("failing", "degraded") if status in statuses.values()), "ok")
    failing = [name for name, status in statuses.items() if status == "failing"]
    return {"status": worst, "failing": failing, **{name: found.as_json() for name, found in findings.items()}}


def answer(parts: dict[str, Part]) -> HttpResponse:
    report = examine(parts)
    return JsonResponse(report, status=503 if report["failing"] else 200)


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """All of it: 503 with the failing parts named, else 200, also where something works but waits for a person."""
    return answer(PARTS)


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Touches no database: restarting the process would not mend that."""
    return answer({})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The process can serve pages, so a proxy may send it people. It asks for none when it is about to end."""
    if draining.has_begun():
        return JsonResponse({"status": "draining", "failing": []}, status=503)
    return answer({"database": database})
