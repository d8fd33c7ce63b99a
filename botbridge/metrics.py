"""What the bot's process counts for monitoring. `manage.py runbot` shows it where BOT_METRICS names an address."""

from prometheus_client import Counter, Histogram, start_http_server

from botbridge.models import OutboundCall
from tickets.models import DeliveryState, Lane

CALLS = Counter(
    "helpdesk_bot_calls", "Bot API requests, by what became of them", labelnames=["method", "lane", "outcome"]
)
CALL_SECONDS = Histogram("helpdesk_bot_call_seconds", "How long Telegram took to answer", labelnames=["method"])
UPDATES = Counter("helpdesk_bot_updates", "Attempts to handle what Telegram told us", labelnames=["outcome"])


def count_call(call: OutboundCall, outcome: DeliveryState, *, seconds: float) -> None:
    """One request and what became of it."""
    CALLS.labels(call.method, Lane(call.lane).name.lower(), outcome.value).inc()
    CALL_SECONDS.labels(call.method).observe(seconds)


def show(address: str) -> None:
    """Answer a monitor at `address`, a host and a port, for as long as the process lives.

    :raises ValueError: it is not a host and a port.
    :raises OSError: nobody can listen there.
    """
    host, _colon, port = address.rpartition(":")
    start_http_server(int(port), host)
