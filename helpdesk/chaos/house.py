"""The product's processes during a run. Nobody restarts them: what ends by itself is a finding."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from botbridge.sandbox.thread import SandboxServer
from helpdesk.chaos.trial import introductions, last_line, wait_for
from helpdesk.processes import process, web_server

BEGINS_WITHIN = 120


class House:
    """Web and jobs run all the time, bots as long as they are let live. What they print goes into `output`."""

    def __init__(self, sandbox: SandboxServer, output: IO[bytes], stack: ExitStack) -> None:
        self._sandbox = sandbox
        self._output = output
        self._telegram = {"TELEGRAM_API_URL": sandbox.base_url, "TELEGRAM_BOT_TOKEN": sandbox.token}
        self._web, self.port = stack.enter_context(web_server(None, workers=2, output=output, **self._telegram))
        jobs = stack.enter_context(process("manage.py", "runjobs", output=output, **self._telegram))
        self._lasting = {"web": self._web, "jobs": jobs}
        self._workers = self._web_workers()

    @contextmanager
    def bot(self, **environment: str) -> "Iterator[subprocess.Popen[bytes]]":
        """A bot that has begun to talk to Telegram, unless it has ended before."""
        before = last_line(self._sandbox)
        with process("manage.py", "runbot", output=self._output, **self._telegram | environment) as bot:
            wait_for(lambda: bot.poll() is not None or introductions(self._sandbox, before) > 0, within=BEGINS_WITHIN)
            yield bot

    def ended(self) -> list[str]:
        """What has ended by itself so far."""
        ended = [f"{name} ended with {running.returncode}" for name, running in self._lasting.items() if running.poll()]
        return ended + (["a web worker was replaced"] if not ended and self._web_workers() != self._workers else [])

    def _web_workers(self) -> list[str]:
        """Linux knows whose children they are."""
        return Path(f"/proc/{self._web.pid}/task/{self._web.pid}/children").read_text().split()
