"""Whether the product works, in words a monitor can act on and without anything a stranger may not know.

Containers and proxies ask `live` and `ready`; only `health` looks at the bot, so that Telegram's outage never takes
the desk down.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

#: What a part says: whether it is well, and facts a person wants next.
Finding = tuple[bool, dict[str, Any]]


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True, {}


def migrations() -> Finding:
    """Every migration of this code is applied. One query: the code's own migrations do not change while it runs."""
    missing = known_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    return not missing, {"missing": len(missing)}


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)


PARTS: dict[str, Callable[[], Finding]] = {"database": database, "migrations": migrations}


def examine(parts: dict[str, Callable[[], Finding]]) -> tuple[bool, dict[str, Any]]:
    """Looks at each part. One that cannot be looked at because the database does not answer is not well."""
    report: dict[str, Any] = {}
    for name, look in parts.items():
        try:
            well, facts = look()
        except Error:
            # The reason goes to the log alone: it may name hosts and users.
            logger.exception("Health: %s cannot be examined", name)
            well, facts = False, {}
        report[name] = {"status": "ok" if well else "failing", **facts}
    failing = [name for name, part in report.items() if part["status"] == "failing"]
    return not failing, {"status": "failing" if failing else "ok", "failing": failing, **report}


def describe(name: str, part: dict[str, Any]) -> str:
    """One line about a part: its name and its facts."""
    facts = ", ".join(f"{fact} {value}" for fact, value in part.items() if fact != "status")
    return f"{name}: {facts or 'does not answer'}"


def answer(parts: dict[str, Callable[[], Finding]]) -> HttpResponse:
    well, report = examine(parts)
    return JsonResponse(report, status=200 if well else 503)


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """All of it: 200, or 503 with the failing parts named."""
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
    """The process can serve pages, so a proxy may send it people."""
    return answer({"database": database})
