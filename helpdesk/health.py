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

from botbridge.health import facts as bot_facts

logger = logging.getLogger(__name__)

#: Seconds. A quiet poll is answered after 25; what waits longer than these waits for a person to look.
MAX_POLL_AGE = 90
MAX_UNHANDLED_AGE = 120
MAX_UNSENT_AGE = 120

#: What is wrong with a part, nothing if it is well, and facts a person wants next.
Finding = tuple[list[str], dict[str, Any]]
Part = Callable[[], Finding]


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return [], {}


def migrations() -> Finding:
    """Every migration of this code is applied. One query: the code's own migrations do not change while it runs."""
    missing = known_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    return [f"{len(missing)} not applied: run manage.py migrate"] if missing else [], {}


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)


def bot() -> Finding:
    facts = bot_facts()
    # Telegram's own words stay out: an address in them holds the token.
    del facts["last_error"]
    stopped = facts.pop("stopped")
    problems = ["stopped: see its log"] if stopped else []
    if facts["last_poll_age"] is None:
        problems.append("has never reached Telegram")
    elif facts["last_poll_age"] > MAX_POLL_AGE:
        problems.append(f"has not reached Telegram for {facts['last_poll_age']} s")
    if (facts["oldest_unhandled"] or 0) > MAX_UNHANDLED_AGE:
        problems.append(f"an update waits for {facts['oldest_unhandled']} s to be handled")
    if (facts["oldest_unsent"] or 0) > MAX_UNSENT_AGE:
        problems.append(f"a message waits for {facts['oldest_unsent']} s to be sent")
    return problems, facts


PARTS: dict[str, Part] = {"database": database, "migrations": migrations, "bot": bot}


def examine(parts: dict[str, Part]) -> dict[str, Any]:
    """Looks at each part; one that asks a database which does not answer is not well."""
    report: dict[str, Any] = {}
    for name, look in parts.items():
        try:
            problems, facts = look()
        except Error:
            # The reason goes to the log alone: it may name hosts and users.
            logger.exception("Health: %s cannot be examined", name)
            problems, facts = ["the database does not answer"], {}
        report[name] = {"status": "failing" if problems else "ok", "problems": problems, **facts}
    failing = [name for name, part in report.items() if part["problems"]]
    return {"status": "failing" if failing else "ok", "failing": failing, **report}


def answer(parts: dict[str, Part]) -> HttpResponse:
    report = examine(parts)
    return JsonResponse(report, status=503 if report["failing"] else 200)


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
