"""The live stream through the real web server: many streams, an end in good time, a database that goes away."""

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django.test import Client

from helpdesk.tests.servers import MONITORS_TOKEN, STARTS_WITHIN, Gate, database_url, streams_counted, web_server
from tickets.models import MANAGERS, Change, Team, Ticket, User
from tickets.operations import acts

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PEOPLE, STREAMS = 50, 300


class Stream:
    """One browser's open stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._name = "change"

    @classmethod
    async def open(cls, port: int, cookie: str) -> "Stream":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = f"GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: {settings.SESSION_COOKIE_NAME}={cookie}\r\n\r\n"
        writer.write(request.encode())
        status = (await reader.readline()).split()[1]
        assert status == b"200", status
        stream = cls(reader, writer)
        assert (await stream.event())[0] == "hello"
        return stream

    async def event(self, within: float = 10) -> tuple[str, Any]:
        async with asyncio.timeout(within):
            while line := await self._reader.readline():
                # Chunk sizes and headers stand between an event's lines and say nothing here.
                if line.startswith(b"event:"):
                    self._name = line.removeprefix(b"event:").strip().decode()
                elif line.startswith(b"data:"):
                    data, name, self._name = line.removeprefix(b"data:").strip(), self._name, "change"
                    return name, json.loads(data) if data else None
        raise EOFError

    async def rest(self) -> bytes:
        async with asyncio.timeout(10):
            return await self._reader.read()

    def close(self) -> None:
        self._writer.close()


def sign_in(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def cookies(team: Team) -> list[str]:
    people = [User.objects.create(username=f"manager-{number}") for number in range(PEOPLE)]
    Group.objects.get(name=MANAGERS).user_set.add(*people)
    team.members.add(*people)
    return [sign_in(user) for user in people]


async def elsewhere(function: Callable[[], Any]) -> Any:
    def run() -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


def knock(ticket: Ticket) -> None:
    with transaction.atomic():
        acts.announce(ticket, Change.Kind.HEAD)


def seconds_for_a_page(port: int, cookie: str) -> float:
    began = time.monotonic()
    cookies = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"}
    queue = urllib.request.Request(f"http://127.0.0.1:{port}/desk/", headers=cookies)
    with urllib.request.urlopen(queue, timeout=10) as answer:
        assert answer.url.endswith("/desk/")
    return time.monotonic() - began


def test_three_hundred_streams_leave_pages_answering_and_all_hear(ticket: Ticket, cookies: list[str]) -> None:
    async def scenario(port: int) -> None:
        streams = await asyncio.gather(*(Stream.open(port, cookies[n % PEOPLE]) for n in range(STREAMS)))
        waits = [await elsewhere(lambda: seconds_for_a_page(port, cookies[0])) for _ in range(40)]
        assert sorted(waits)[38] < 1, waits
        await elsewhere(lambda: knock(ticket))
        heard = await asyncio.gather(*(stream.event(within=3) for stream in streams))
        assert {data["ticket"] for _, data in heard} == {ticket.pk}
        for stream in streams:
            stream.close()

    with web_server() as (_, port):
        asyncio.run(scenario(port))


def kill_workers(server: subprocess.Popen[bytes]) -> None:
    for worker in subprocess.check_output(["pgrep", "--parent", str(server.pid)], text=True).split():
        os.kill(int(worker), signal.SIGKILL)


def test_the_streams_of_killed_workers_are_not_counted_any_more(ticket: Ticket, cookies: list[str]) -> None:
    async def scenario(server: subprocess.Popen[bytes], port: int) -> None:
        streams = [await Stream.open(port, cookie) for cookie in cookies[:10]]
        assert streams_counted(port) == len(streams)
        kill_workers(server)
        async with asyncio.timeout(STARTS_WITHIN):
            while streams_counted(port) != 0:  # noqa: ASYNC110 - nothing tells when the new workers are up
                await asyncio.sleep(0.1)

    with web_server(METRICS_TOKEN=MONITORS_TOKEN) as (server, port):
        asyncio.run(scenario(server, port))


def test_sigterm_says_bye_to_every_stream_and_ends_within_five_seconds(ticket: Ticket, cookies: list[str]) -> None:
    async def scenario(server: subprocess.Popen[bytes], port: int) -> float:
        streams = await asyncio.gather(*(Stream.open(port, cookies[n % PEOPLE]) for n in range(STREAMS)))
        server.terminate()
        told_to_end = time.monotonic()
        for stream in streams:
            assert await stream.event() == ("bye", None)
        # The zero-length chunk: an answer that is whole, not cut.
        assert all(rest.endswith(b"0\r\n\r\n") for rest in await asyncio.gather(*(stream.rest() for stream in streams)))
        return told_to_end

    with web_server() as (server, port):
        told_to_end = asyncio.run(scenario(server, port))
        assert server.wait(timeout=5) == 0
        assert time.monotonic() - told_to_end < 5


def test_streams_outlive_a_database_that_goes_away(ticket: Ticket, cookies: list[str]) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is a file: it does not go away")
    database = connection.settings_dict
    gate = Gate(database["HOST"] or "127.0.0.1", int(database["PORT"] or 5432))

    async def scenario() -> None:
        await gate.open()
        web = web_server(workers=1, DATABASE_URL=database_url(gate.port))
        _, port = await asyncio.to_thread(web.__enter__)
        try:
            stream = await Stream.open(port, cookies[0])
            await gate.shut()
            assert await stream.event() == ("pause", None)
            await asyncio.sleep(20)
            await gate.open()
            assert (await stream.event(within=15))[0] == "hello"
            await elsewhere(lambda: knock(ticket))
            assert (await stream.event())[1]["ticket"] == ticket.pk
            await elsewhere(lambda: seconds_for_a_page(port, cookies[0]))
        finally:
            await asyncio.to_thread(web.__exit__, None, None, None)
            await gate.shut()

    asyncio.run(scenario())
