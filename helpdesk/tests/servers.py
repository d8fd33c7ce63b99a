"""Real processes for tests that must see them (`helpdesk.processes`), and what only tests ask of them."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from helpdesk.gates import Gate, free_port
from helpdesk.processes import STARTS_WITHIN, database_url, process, wait_until_served, web_server

__all__ = [
    "MONITORS_TOKEN",
    "STARTS_WITHIN",
    "Gate",
    "database_url",
    "free_port",
    "process",
    "streams_counted",
    "wait_until_served",
    "web_server",
]

MONITORS_TOKEN = "a-monitors-token"  # made up for tests


def streams_counted(port: int) -> float | None:
    """What a monitor with `MONITORS_TOKEN` reads there; None while no worker answers."""
    headers = {"Authorization": f"Bearer {MONITORS_TOKEN}"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers), timeout=5
        ) as answer:
            figures = text_string_to_metric_families(answer.read().decode())
    except OSError:
        return None
    (streams,) = (sample.value for family in figures for sample in family.samples if sample.name == "helpdesk_streams")
    return float(streams)
