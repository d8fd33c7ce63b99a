"""The whole product from one command, as make run starts it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from helpdesk.tests.servers import free_port
from helpdesk.tests.test_supervisor import eventually, is_running


class Product:
    """A running serve with a database, files and a sandbox of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": "",
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "MEDIA_ROOT": str(folder / "media"),
            "BACKUP_DIR": str(folder / "backups"),
            "LOG_DIR": str(folder / "log"),
            "WEB_CONCURRENCY": "1",
            **environment,
        }

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        with self.output.open("wb") as output:
            command = [sys.executable, "manage.py", "serve", "--port", str(self.port), *options]
            return subprocess.Popen(
                command, cwd=settings.BASE_DIR, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        return self.output.read_text()

    def health(self) -> dict[str, Any]:
        """What /health says, nothing while nobody answers."""
        with suppress(OSError):
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                report: dict[str, Any] = json.load(answer)
                return report
        return {}


def children(pid: int) -> dict[str, int]:
    """The processes below one, by what they run: each child and its own children."""
    found: dict[str, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if int(fields[1]) == pid:
                child = int(stat.parent.name)
                found[command] = child
                found |= children(child)
    return found


def named(name: str, processes: dict[str, int]) -> int:
    return next(pid for command, pid in processes.items() if name in command)


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Callable[..., tuple[Product, "subprocess.Popen[bytes]"]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(*more: str) -> tuple[Product, "subprocess.Popen[bytes]"]:
        product = Product(tmp_path, DEBUG="1")
        options = ["--sandbox-port", str(free_port()), "--sandbox-state", str(tmp_path / "sandbox")]
        process = product.start(*options, *more)
        running.append(process)
        assert eventually(lambda: product.health().get("status") == "ok", seconds=60), product.said()
        return product, process

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=10)


Start = Callable[..., tuple[Product, "subprocess.Popen[bytes]"]]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")]


def test_an_empty_machine_gets_the_product_and_a_way_in(product: Start) -> None:
    running, process = product()

    said = running.said()
    assert f"http://localhost:{running.port}/desk/" in said
    assert "Sandbox" in said
    passwords = re.findall(r"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}", said)
    assert len(set(passwords)) >= 3
    assert len(children(process.pid)) >= 4


def test_the_sandbox_brings_updates_where_it_is_asked_to(product: Start) -> None:
    running, process = product("--webhook")

    assert running.health()["bot"]["door"] == "webhook"
    assert any("runbot --webhook" in command for command in children(process.pid))


def test_a_killed_bot_comes_back(product: Start) -> None:
    running, process = product()
    bot = named("runbot", children(process.pid))

    os.kill(bot, signal.SIGKILL)

    assert eventually(lambda: any("runbot" in name for name in children(process.pid)) and not is_running(bot))
    assert eventually(lambda: running.health().get("status") == "ok", seconds=30)


def test_a_signal_ends_everything_within_five_seconds(product: Start) -> None:
    running, process = product()
    below = children(process.pid)

    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)

    assert time.monotonic() - started < 5
    assert process.returncode == 0
    assert not any(is_running(pid) for pid in below.values())
    assert "Traceback" not in running.said()


def test_a_kill_leaves_nobody_behind(product: Start) -> None:
    _, process = product()
    below = children(process.pid)

    process.kill()

    assert eventually(lambda: not any(is_running(pid) for pid in below.values()), seconds=15)


def test_production_without_a_token_is_refused_in_a_sentence(tmp_path: Path) -> None:
    refused = Product(tmp_path, SECRET_KEY="k8Zq1vW3xY5aB7cD9eF2gH4iJ6kL8mN0pQ2rS4tU6vW8xY0zA1bC3")

    assert refused.start().wait(timeout=30) == 1
    assert "TELEGRAM_BOT_TOKEN is not set" in refused.said()
    assert "@BotFather" in refused.said()
    assert "Traceback" not in refused.said()
