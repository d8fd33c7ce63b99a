"""The alarms and the dashboard ask for figures that are told."""

import json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from prometheus_client import REGISTRY, generate_latest

from helpdesk.metrics import known

MONITORING: Path = settings.BASE_DIR / "deploy" / "monitoring"
PROMTOOL = shutil.which("promtool")


def told() -> set[str]:
    """The names of all samples of web and bot."""
    import_module("botbridge.metrics")  # counted in the bot's process
    text = (generate_latest(REGISTRY) + generate_latest(known())).decode()
    families = set(re.findall(r"^# TYPE (helpdesk_\w+) (?!histogram)", text, re.MULTILINE))
    histograms = re.findall(r"^# TYPE (helpdesk_\w+) histogram", text, re.MULTILINE)
    return families | {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}


@pytest.mark.django_db
@pytest.mark.parametrize("file", ["alerts.yml", "alerts_test.yml", "grafana.json"])
def test_each_figure_asked_for_is_told(file: str) -> None:
    asked = set(re.findall(r"\bhelpdesk_\w+", (MONITORING / file).read_text()))
    untold = {"helpdesk_database_connections"} if connection.vendor != "postgresql" else set()
    assert asked, "the file asks for something"
    assert asked - untold <= told()


def test_each_alarm_says_what_to_do() -> None:
    rules = (MONITORING / "alerts.yml").read_text().split("- alert: ")[1:]
    assert len(rules) >= 10
    for rule in rules:
        assert re.search(r"severity: (page|look)\b", rule), rule
        assert "summary:" in rule, rule
        assert "description:" in rule, rule


def test_the_dashboard_asks_the_source_its_reader_picks() -> None:
    panels = json.loads((MONITORING / "grafana.json").read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool found: it comes with Debian's package prometheus")
@pytest.mark.parametrize(
    "check", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")], ids=["rules", "cases"]
)
def test_promtool_finds_nothing_wrong(check: tuple[str, ...]) -> None:
    done = subprocess.run([PROMTOOL or "", *check], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
