"""A small run of `make chaos` on each database finds nothing wrong, and says what it did."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from helpdesk.chaos.databases import find_programs

pytestmark = pytest.mark.slow

SMALL = ("--updates", "120", "--chats", "15", "--replies", "50", "--kills", "7", "--outages", "2", "--longest", "6")


def chaos(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "chaos", *SMALL, "--seed", "20261128", *arguments]
    return subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=1200, check=False)


def server() -> list[str]:
    """Where PostgreSQL's programs are missing, the tests' own server."""
    if find_programs() is not None:
        return []
    if "TEST_DATABASE_URL" not in os.environ:
        pytest.skip("no PostgreSQL to start and none named in TEST_DATABASE_URL")
    return ["--postgresql", os.environ["TEST_DATABASE_URL"]]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_small_run_finds_nothing_wrong(database: str):
    run = chaos("--database", database, *(server() if database == "postgresql" else []))

    assert run.returncode == 0, run.stdout + run.stderr
    assert "--seed 20261128" in run.stderr
    for line in ("| **lost** | 0 |", "| **doubled rows** | 0 |", "| **sent twice in silence** | 0 |"):
        assert line in run.stdout
