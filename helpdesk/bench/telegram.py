"""A Telegram for the speed tool: all in memory, with the real one's limits. `python -m helpdesk.bench.telegram 8090`.

The sandbox keeps every call in a file and would be measured along with the bot. Times are of CLOCK_MONOTONIC, which all
processes of one machine share.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from django.conf import settings

from botbridge.sandbox.limits import SendingLimits
from helpdesk.bench.servers import ended, free_port, wait_until_served

Json = dict[str, Any]

BOT = 100_000_000
TOKEN = f"{BOT}:{'a' * 35}"
#: Where the speed tool, and no bot, asks what has happened.
DESK = "/bench"


@dataclass(frozen=True)
class Call:
    """One message the bot sent. `refused` is how many seconds it was told to wait, 0 where it was taken."""

    at: float
    chat: int
    text: str
    refused: int


@dataclass(frozen=True)
class Log:
    """What has happened so far: calls in the order they came, when which update was first given out, and when those
    no longer offered were acknowledged.
    """

    calls: list[Call]
    given: dict[int, float]
    acknowledged: list[float]
    polls: int

    @property
    def taken(self) -> list[Call]:
        return [call for call in self.calls if not call.refused]


class Telegram:
    """A running server, as the speed tool sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count(1)

    def write(self, messages: Sequence[tuple[int, str]]) -> list[int]:
        """Private messages as (person, text), one after another; gives the updates' ids."""
        updates = [_update(next(self._numbers), person, text) for person, text in messages]
        request = urllib.request.Request(self.url + DESK, json.dumps(updates).encode(), method="POST")  # noqa: S310  # our own
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310
            return [update["update_id"] for update in updates]

    def log(self) -> Log:
        with urllib.request.urlopen(self.url + DESK, timeout=60) as answer:  # noqa: S310  # an address of our own
            told = json.load(answer)
        return Log(
            calls=[Call(*call) for call in told["calls"]],
            given={int(number): at for number, at in told["given"].items()},
            acknowledged=told["acknowledged"],
            polls=told["polls"],
        )

    def wait_for(self, is_there: Callable[[Log], bool], *, within: float) -> Log:
        """:raises TimeoutError: it has not happened within so many seconds."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            log = self.log()
            if is_there(log):
                return log
            time.sleep(0.2)
        raise TimeoutError(f"Telegram waited {within:g} s; {len(log.calls)} calls came, {log.polls} polls")


@contextmanager
def telegram() -> Iterator[Telegram]:
    port = free_port()
    command = [sys.executable, "-m", "helpdesk.bench.telegram", str(port)]
    server = subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ | {"ENV_FILE": ""})  # noqa: S603  # ours
    with ended(server):
        wait_until_served(f"http://127.0.0.1:{port}{DESK}", server)
        yield Telegram(f"http://127.0.0.1:{port}")


def _update(number: int, person: int, text: str) -> Json:
    who = {"id": person, "is_bot": False, "first_name": f"Клиент {person}", "language_code": "ru"}
    chat = {"id": person, "type": "private", "first_name": who["first_name"]}
    message = {"message_id": number, "date": int(time.time()), "from": who, "chat": chat, "text": text}
    return {"update_id": number, "message": message}


class Server:
    """The methods a desk's bot uses for words. Anything else is answered with True."""

    def __init__(self) -> None:
        self._waiting: deque[Json] = deque()
        self._written = asyncio.Event()
        self._limits = SendingLimits()
        self._calls: list[tuple[float, int, str, int]] = []
        self._given: dict[int, float] = {}
        self._acknowledged: list[float] = []
        self._polls = 0
        self._methods = {"getUpdates": self._get_updates, "getMe": self._get_me, "sendMessage": self._send_message}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/bot{token}/{method}", self._call),
            web.get(DESK, self._tell),
            web.post(DESK, self._take),
        ]

    async def _call(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        method = self._methods.get(request.match_info["method"])
        answer = await method(form) if method else {"ok": True, "result": True}
        return web.json_response(answer, status=answer.get("error_code", 200))

    async def _get_updates(self, form: dict[str, str]) -> Json:
        self._polls += 1
        offset = int(form.get("offset", "0"))
        while self._waiting and self._waiting[0]["update_id"] < offset:
            self._waiting.popleft()
            self._acknowledged.append(time.monotonic())
        if not self._waiting:
            self._written.clear()
            try:
                async with asyncio.timeout(int(form.get("timeout", "0"))):
                    await self._written.wait()
            except TimeoutError:
                return {"ok": True, "result": []}
        batch = list(itertools.islice(self._waiting, int(form.get("limit", "100"))))
        now = time.monotonic()
        for update in batch:
            self._given.setdefault(update["update_id"], now)
        return {"ok": True, "result": batch}

    async def _get_me(self, _form: dict[str, str]) -> Json:
        return {"ok": True, "result": {"id": BOT, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}}

    async def _send_message(self, form: dict[str, str]) -> Json:
        now, chat = time.monotonic(), int(form["chat_id"])
        refused = self._limits.take(BOT, chat, 1, now)
        self._calls.append((now, chat, form["text"], refused))
        if refused:
            said = f"Too Many Requests: retry after {refused}"
            return {"ok": False, "error_code": 429, "description": said, "parameters": {"retry_after": refused}}
        message = {"message_id": len(self._calls), "date": int(time.time()), "text": form["text"]}
        return {"ok": True, "result": message | {"chat": {"id": chat, "type": "private"}}}

    async def _tell(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "calls": self._calls,
                "given": self._given,
                "acknowledged": self._acknowledged,
                "polls": self._polls,
            }
        )

    async def _take(self, request: web.Request) -> web.Response:
        self._waiting.extend(await request.json())
        self._written.set()
        return web.Response()


def main(port: int) -> None:
    server = web.Application(client_max_size=64 * 2**20)
    server.add_routes(Server().routes())
    web.run_app(server, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
