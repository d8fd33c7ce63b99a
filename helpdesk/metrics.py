"""`/metrics` for Prometheus: how the web process answers, and what the database knows of tickets, bot and sending.

Each worker counts in files of its own, so the one that is asked can add up all of them
(https://prometheus.github.io/client_python/multiprocess/). What only the database knows is read when it is asked for.
"""

import ipaddress
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from botbridge.health import MOST, oldest_undecided
from botbridge.health import facts as bot_facts
from helpdesk.backup.nightly import backup_facts
from helpdesk.jobs.facts import facts as job_facts
from tickets.models import Attachment, AttachmentState, Delivery, DeliveryState, Lane, Ticket, Webhook, WebhookOff

#: prometheus-client's own variable; helpdesk.gunicorn sets it for the workers.
SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUEST_SECONDS = Histogram(
    "helpdesk_request_seconds",
    "Requests, by how long their answers took",
    labelnames=["route", "method", "status"],
    buckets=[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
)
STREAMS = Gauge("helpdesk_streams", "Live streams open", multiprocess_mode="livesum")

CLOSED = "Set METRICS_TOKEN, or METRICS_NETWORKS to where the monitor asks from.\n"


def measured(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Times each request under its route: an address holds numbers, and each would be a series of its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        route = request.resolver_match.route if request.resolver_match else ""
        method = request.method if request.method in METHODS else "other"
        REQUEST_SECONDS.labels(route, method, response.status_code).observe(time.perf_counter() - started)
        return response

    return middleware


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures in Prometheus' text format, for who has the token or asks from a named network."""
    if not may_read(request):
        return HttpResponse(CLOSED, status=403, content_type="text/plain")
    return HttpResponse(generate_latest(counted()) + generate_latest(known()), content_type=CONTENT_TYPE_LATEST)


def may_read(request: HttpRequest) -> bool:
    """Nobody unless a setting says who: figures tell strangers how busy a company is."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme == "Bearer" and constant_time_compare(token, settings.METRICS_TOKEN):
        return True
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False  # over a socket file nobody has an address
    return any(address in ipaddress.ip_network(network) for network in settings.METRICS_NETWORKS)


def counted() -> CollectorRegistry:
    """What the web process counted: all workers together, or this process alone where it has no siblings."""
    if SHARED_DIRECTORY not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def known() -> CollectorRegistry:
    """What the database knows now."""
    registry = CollectorRegistry()
    registry.register(Database())
    registry.register(Backups())
    return registry


class Database(Collector):
    """Reads the figures on being collected. Counts end at a cap: nobody acts otherwise on 5,000 than on 1,000."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            facts = bot_facts()
            families = [
                *bot_figures(facts),
                *sending_figures(facts),
                *ticket_figures(),
                *files(),
                *jobs(),
                *connections(),
            ]
        except Error:
            # What the process counted is still told: a monitor needs it most while the database is away.
            families = []
        yield figure("helpdesk_database_up", "Whether the database answers", bool(families))
        yield from families


class Backups(Collector):
    """What lies in BACKUP_DIR. Without samples where this process cannot see it."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        facts = backup_facts()
        yield figure("helpdesk_backup_age_seconds", "Since the last backup was made", facts["last_backup_age"])
        yield figure("helpdesk_backup_bytes", "How large the last backup is", facts["last_backup_bytes"])
        yield figure("helpdesk_backup_disk_free_bytes", "Free space where backups go", facts["free_bytes"])


def figure(name: str, what: str, value: float | None) -> GaugeMetricFamily:
    """One number; without a sample where there is none to tell."""
    family = GaugeMetricFamily(name, what)
    if value is not None:
        family.add_metric([], value)
    return family


def bot_figures(facts: dict[str, Any]) -> Iterator[GaugeMetricFamily]:
    age = facts["last_poll_age"]
    yield figure("helpdesk_bot_last_poll_age_seconds", "Since Telegram answered a poll, or a look at the webhook", age)
    yield figure("helpdesk_webhook_pending_updates", "What Telegram holds for the webhook", facts["webhook_pending"])
    yield figure(
        "helpdesk_webhook_undelivered_seconds",
        "For how long Telegram has failed to bring updates to the webhook, 0 where it does not fail",
        facts["undelivered"] or 0,
    )
    yield figure("helpdesk_bot_stopped", "Whether the bot has given up until somebody looks", bool(facts["stopped"]))
    yield figure(
        "helpdesk_oldest_unhandled_update_age_seconds",
        "How long the oldest update waits to be handled, 0 where none does",
        facts["oldest_unhandled"] or 0,
    )
    yield figure(
        "helpdesk_oldest_unsent_message_age_seconds",
        "How long the oldest message that may leave waits to be sent, 0 where none does",
        facts["oldest_unsent"] or 0,
    )
    yield figure("helpdesk_updates_parked", "Updates nobody could handle, at most 1000", facts["parked"])


def sending_figures(facts: dict[str, Any]) -> Iterator[GaugeMetricFamily]:
    queued = GaugeMetricFamily("helpdesk_deliveries_queued", "Messages to be sent, at most 1000", labels=["lane"])
    for lane in Lane:
        rows = Delivery.objects.filter(state=DeliveryState.QUEUED, lane=lane)
        queued.add_metric([lane.name.lower()], capped(rows))
    yield queued
    undecided = GaugeMetricFamily(
        "helpdesk_replies_undecided", "Replies that wait for a person's decision, at most 1000", labels=["state"]
    )
    for state in ("unknown", "held", "failed", "unaltered"):
        undecided.add_metric([state], facts[state])
    yield undecided
    yield figure(
        "helpdesk_oldest_undecided_reply_age_seconds",
        "How long the oldest of them waits, those to customers who cannot be reached left out, 0 where none does",
        oldest_undecided() or 0,
    )


def ticket_figures() -> Iterator[GaugeMetricFamily]:
    active = Ticket.objects.active()
    waiting = active.filter(snoozed_until__isnull=True).waiting_for_us()
    yield figure("helpdesk_tickets_waiting", "Customers who wait for us, at most 1000", waiting.count_up_to_cap())
    free = waiting.filter(assignee__isnull=True)
    yield figure("helpdesk_tickets_free", "Those of them nobody has taken, at most 1000", free.count_up_to_cap())
    since = waiting.values_list("waiting_since", flat=True).first()
    yield figure("helpdesk_longest_wait_seconds", "How long the first of them waits, 0 where none does", waited(since))


def waited(since: datetime | None) -> float:
    return max((timezone.now() - since).total_seconds(), 0) if since is not None else 0


def files() -> Iterator[GaugeMetricFamily]:
    pending = Attachment.objects.filter(state__in=[AttachmentState.PENDING, AttachmentState.FETCHING])
    yield figure("helpdesk_files_waiting", "Customers' files still to be fetched, at most 1000", capped(pending))


def jobs() -> Iterator[GaugeMetricFamily]:
    facts = job_facts()
    late = GaugeMetricFamily(
        "helpdesk_oldest_due_job_age_seconds",
        "For how long the oldest job of each line has been due, 0 where none is",
        labels=["line"],
    )
    late.add_metric(["quick"], facts["oldest_due"] or 0)
    late.add_metric(["long"], facts["oldest_long_due"] or 0)
    yield late
    troubled = GaugeMetricFamily("helpdesk_jobs_in_trouble", "Jobs that failed, at most 1000", labels=["state"])
    troubled.add_metric(["failing"], facts["failing"])
    troubled.add_metric(["dead"], facts["dead"])
    yield troubled
    given_up = Webhook.objects.filter(off__in=[WebhookOff.FAILING, WebhookOff.UNWANTED])
    yield figure("helpdesk_webhooks_given_up", "Webhooks turned off because they did not answer", capped(given_up))


def capped(rows: "QuerySet[Any]") -> int:
    return rows.order_by()[:MOST].count()


def connections() -> Iterator[GaugeMetricFamily]:
    """Connections to this database by their state; SQLite has none to count."""
    if connection.vendor != "postgresql":
        return
    family = GaugeMetricFamily("helpdesk_database_connections", "Connections to the database", labels=["state"])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(state, 'hidden'), count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() GROUP BY 1"
        )
        for state, count in cursor.fetchall():
            family.add_metric([state], count)
    yield family
