"""The live stream: who hears what, and how a stream begins and ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY

from helpdesk.live import hub as hub_module
from helpdesk.live import upstream
from helpdesk.live.hub import Hub
from helpdesk.live.stream import EventStream
from tickets import operations
from tickets.models import Change, SignIn, Team, Ticket, User
from tickets.operations import acts
from tickets.sessions import row_key

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 3.0
#: Longer than a change takes to arrive on either database.
A_WHILE = 0.6


class Page:
    """What a browser sees of one request to the stream."""

    def __init__(self, app: EventStream, cookie: str = "", method: str = "GET", **headers: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.started = asyncio.Event()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._left = asyncio.Event()
        headers = {"host": "localhost", "cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"} | headers
        scope = {
            "type": "http",
            "method": method,
            "path": "/events",
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "server": ("localhost", 8000),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.started.set()
        else:
            self._chunks.put_nowait(message.get("body", b""))

    async def answer(self) -> int:
        await asyncio.wait_for(self.started.wait(), SOON)
        return self.status

    async def event(self, within: float = SOON) -> tuple[str, Any]:
        """The next event's name and data."""
        async with asyncio.timeout(within):
            while True:
                lines = dict(
                    line.split(":", 1) for line in (await self._chunks.get()).decode().splitlines() if line.strip()
                )
                if "event" in lines or "data" in lines:
                    data = lines["data"].strip()
                    return lines.get("event", "change").strip(), json.loads(data) if data else None

    async def hears_nothing(self) -> bool:
        try:
            await self.event(within=A_WHILE)
        except TimeoutError:
            return True
        return False

    async def ended(self) -> bool:
        await asyncio.wait_for(self.task, SOON)
        return True

    def leave(self) -> None:
        self._left.set()


@asynccontextmanager
async def serving(source: upstream.Source = upstream.changes) -> AsyncIterator[EventStream]:
    hub = Hub(source)
    try:
        yield EventStream(hub)
    finally:
        await hub.stop()


async def listening(app: EventStream, cookie: str) -> Page:
    """A page whose stream has said hello."""
    page = Page(app, cookie)
    assert await page.answer() == 200
    name, data = await page.event()
    assert (name, list(data)) == ("hello", ["user"])
    return page


async def elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in another thread, as another process's request would, and leave no connection behind."""

    def run() -> Any:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


def sign_in(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def knock(ticket: Ticket) -> Change:
    """What every operation does at its end."""
    with transaction.atomic():
        return acts.announce(ticket, Change.Kind.HEAD)


class TestWhoHears:
    def test_a_person_who_sees_the_ticket_hears_ids_and_kinds_alone(self, ticket: Ticket, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(knock, ticket)
                assert await page.event() == (
                    "change",
                    {"kind": "head", "ticket": ticket.pk, "message": None, "version": ticket.version},
                )

        run(scenario())

    def test_a_supervisor_hears_of_every_team(self, ticket: Ticket, saule: User) -> None:
        cookie = sign_in(saule)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(knock, ticket)
                assert (await page.event())[1]["ticket"] == ticket.pk

        run(scenario())

    def test_a_stranger_hears_nothing(self, ticket: Ticket, dana: User) -> None:
        cookie = sign_in(dana)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(knock, ticket)
                assert await page.hears_nothing()

        run(scenario())

    def test_who_lost_the_ticket_hears_that_it_is_gone(
        self, ticket: Ticket, other_team: Team, aigerim: User, dana: User, saule: User
    ) -> None:
        losing, gaining = sign_in(aigerim), sign_in(dana)

        def move() -> None:
            operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)

        async def scenario() -> None:
            async with serving() as app:
                loser, gainer = await listening(app, losing), await listening(app, gaining)
                await elsewhere(move)
                assert (await loser.event())[1]["kind"] == "gone"
                assert (await gainer.event())[1]["kind"] == "head"

        run(scenario())

    def test_what_is_rolled_back_is_not_heard(self, ticket: Ticket, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        def regret() -> None:
            with transaction.atomic():
                knock(ticket)
                transaction.set_rollback(True)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(regret)
                assert await page.hears_nothing()

        run(scenario())

    def test_every_change_arrives_once_and_in_order(self, ticket: Ticket, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        def knock_often() -> None:
            for version in range(2, 32):
                ticket.version = version
                knock(ticket)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(knock_often)
                heard = [(await page.event())[1]["version"] for _ in range(2, 32)]
                assert heard == list(range(2, 32))
                assert await page.hears_nothing()

        run(scenario())


class TestWhoMayListen:
    def status(self, cookie: str = "", method: str = "GET", **headers: str) -> int:
        async def ask() -> int:
            async with serving() as app:
                page = Page(app, cookie, method, **headers)
                return await page.answer()

        return asyncio.run(ask())

    def test_nobody_without_a_session(self) -> None:
        assert self.status() == 401
        assert self.status(cookie="made-up") == 401

    def test_nobody_who_has_signed_out(self, aigerim: User) -> None:
        client = Client()
        client.force_login(aigerim)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        client.logout()
        assert self.status(cookie) == 401

    def test_nobody_disabled(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)
        User.objects.filter(pk=aigerim.pk).update(is_active=False)
        assert self.status(cookie) == 401

    def test_nobody_whose_password_has_changed(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)
        aigerim.set_password("another one, as long")
        aigerim.save()
        assert self.status(cookie) == 401

    def test_nobody_who_does_not_work_here(self) -> None:
        assert self.status(sign_in(User.objects.create_user(username="visitor"))) == 403

    def test_no_page_of_another_site(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)
        assert self.status(cookie, origin="https://elsewhere.example") == 403
        assert self.status(cookie, sec_fetch_site="cross-site") == 403
        assert self.status(cookie, host="elsewhere.example") == 400
        assert self.status(cookie, origin="http://localhost", sec_fetch_site="same-origin") == 200

    def test_no_other_method(self, aigerim: User) -> None:
        assert self.status(sign_in(aigerim), method="POST") == 405

    def test_nothing_on_the_way_may_keep_the_stream(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                assert page.headers["content-type"].startswith("text/event-stream")
                assert page.headers["cache-control"] == "no-store"
                assert page.headers["x-accel-buffering"] == "no"

        run(scenario())

    def test_one_stream_too_many_takes_the_place_of_the_persons_oldest(self, aigerim: User, saule: User) -> None:
        cookie, other = sign_in(aigerim), sign_in(saule)

        async def scenario() -> None:
            async with serving() as app:
                bystander = await listening(app, other)
                oldest, *rest = [await listening(app, cookie) for _ in range(hub_module.STREAMS_EACH)]
                newest = await listening(app, cookie)
                assert await oldest.event() == ("crowded", None)
                assert await oldest.ended()
                assert all([await page.hears_nothing() for page in (rest[0], newest, bystander)])
                rest[0].leave()
                assert await rest[0].ended()
                await listening(app, cookie)
                assert await rest[1].hears_nothing(), "there was room again"

        run(scenario())

    def test_streams_opened_at_once_keep_to_the_number_too(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                pages = [Page(app, cookie) for _ in range(3 * hub_module.STREAMS_EACH)]
                assert {await page.answer() for page in pages} == {200}
                _ended, open_ones = await asyncio.wait([page.task for page in pages], timeout=A_WHILE)
                assert len(open_ones) == hub_module.STREAMS_EACH

        run(scenario())


class TestHowAStreamEnds:
    def test_with_a_bye_when_its_person_is_shut_out(self, aigerim: User, saule: User) -> None:
        shut_out, staying = sign_in(aigerim), sign_in(saule)

        async def scenario() -> None:
            async with serving() as app:
                page, other = await listening(app, shut_out), await listening(app, staying)
                await elsewhere(lambda: operations.disable_user(actor=saule, user=aigerim))
                assert await page.event() == ("bye", None)
                assert await page.ended()
                assert await other.hears_nothing()

        run(scenario())

    def test_at_once_when_its_person_signs_that_browser_out_elsewhere(self, aigerim: User) -> None:
        ended, here = sign_in(aigerim), sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, ended)
                await elsewhere(lambda: operations.end_sign_in(user=aigerim, key=row_key(ended)))
                assert await page.event() == ("bye", None)
                assert await Page(app, ended).answer() == 401
                assert await Page(app, here).answer() == 200

        run(scenario())

    def test_when_nobody_has_used_its_session_for_too_long(
        self, aigerim: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hub_module, "RECHECK_EVERY", 0.1)
        cookie = sign_in(aigerim)

        def leave_it_unused() -> None:
            SignIn.objects.update(seen_at=timezone.now() - settings.SESSION_IDLE)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(leave_it_unused)
                assert await page.event() == ("bye", None)
                assert await Page(app, cookie).answer() == 401

        run(scenario())

    def test_when_its_session_ends_without_a_word(self, aigerim: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_module, "RECHECK_EVERY", 0.1)
        client = Client()
        client.force_login(aigerim)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(client.logout)
                assert await page.event() == ("bye", None)

        run(scenario())

    def test_a_person_who_changes_teams_hears_the_new_one(self, ticket: Ticket, dana: User, team: Team) -> None:
        cookie = sign_in(dana)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                await elsewhere(dana.teams.set, [team])
                await app.hub.recheck()
                await elsewhere(knock, ticket)
                assert (await page.event())[1]["ticket"] == ticket.pk

        run(scenario())

    def test_with_a_bye_when_the_process_ends(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                app.hub.shut_down()
                assert await page.event() == ("bye", None)
                assert await page.ended()
                assert await Page(app, cookie).answer() == 503

        run(scenario())

    def test_when_it_lags_too_far_behind(self, ticket: Ticket, aigerim: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_module, "BACKLOG", 5)
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                change = await elsewhere(knock, ticket)
                await page.event()
                # No await: nothing is written between these.
                for _ in range(6):
                    app.hub.publish(change)
                assert await page.event() == ("bye", None)

        run(scenario())

    def test_nothing_of_it_stays_when_the_browser_leaves(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                await listening(app, cookie)
                before = len(asyncio.all_tasks())
                page = await listening(app, cookie)
                page.leave()
                assert await page.ended()
                assert len(asyncio.all_tasks()) == before

        run(scenario())


class TestHowItLives:
    def test_silence_is_broken_by_proofs_of_life(self, aigerim: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_module, "HEARTBEAT", 0.05)
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                page = await listening(app, cookie)
                assert await asyncio.wait_for(page._chunks.get(), SOON) == hub_module.PROOF

        run(scenario())

    def test_an_open_stream_holds_no_connection(self, aigerim: User) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("counts PostgreSQL's connections")
        cookie = sign_in(aigerim)

        def count() -> int:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                return int(cursor.fetchone()[0])

        async def scenario() -> None:
            async with serving() as app:
                await listening(app, cookie)
                one = await elsewhere(count)
                for _ in range(10):
                    await listening(app, cookie)
                # PostgreSQL ends a session some moments after its client has left.
                async with asyncio.timeout(SOON):
                    while await elsewhere(count) > one:  # noqa: ASYNC110 - PostgreSQL is asked, nothing here rings
                        await asyncio.sleep(0.02)

        run(scenario())

    def test_open_ones_are_counted_for_a_monitor(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                await listening(app, cookie)
                await listening(app, cookie)
                assert REGISTRY.get_sample_value("helpdesk_streams") == 2

        run(scenario())
        assert REGISTRY.get_sample_value("helpdesk_streams") == 0

    def test_its_person_counts_as_present(self, aigerim: User) -> None:
        cookie = sign_in(aigerim)

        async def scenario() -> None:
            async with serving() as app:
                await listening(app, cookie)

        run(scenario())
        aigerim.refresh_from_db()
        assert aigerim.seen_at is not None

    def test_pages_hear_when_the_database_falls_silent_and_when_it_is_back(
        self, ticket: Ticket, aigerim: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hub_module, "RETRY_FIRST", 0.05)
        cookie = sign_in(aigerim)
        attempts = 0
        breaking = asyncio.Event()

        async def fragile(in_thread: upstream.InThread) -> upstream.Batches:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                yield []
                await breaking.wait()
            if attempts < 4:
                raise OperationalError("the server is gone")
            async for batch in upstream.changes(in_thread):
                yield batch

        async def scenario() -> None:
            async with serving(fragile) as app:
                page = await listening(app, cookie)
                breaking.set()
                assert await page.event() == ("pause", None)
                assert await page.event() == ("hello", {"user": aigerim.pk})
                await elsewhere(knock, ticket)
                assert (await page.event())[1]["ticket"] == ticket.pk

        run(scenario())

    def test_who_was_shut_out_while_the_database_was_silent_is_out_when_it_is_back(
        self, aigerim: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hub_module, "RETRY_FIRST", 0.05)
        cookie = sign_in(aigerim)
        breaking = asyncio.Event()

        async def fragile(in_thread: upstream.InThread) -> upstream.Batches:
            yield []
            await breaking.wait()
            breaking.clear()
            raise OperationalError("the server is gone")

        async def scenario() -> None:
            async with serving(fragile) as app:
                page = await listening(app, cookie)
                await elsewhere(lambda: User.objects.filter(pk=aigerim.pk).update(is_active=False))
                breaking.set()
                assert await page.event() == ("pause", None)
                assert await page.event() == ("bye", None)

        run(scenario())
