"""Limits on how often programs may ask: of whom, and what becomes of them without Redis."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from rest_framework.test import APIClient

from tickets.api import throttles
from tickets.api.throttles import AtLogin, AtRefresh, PerPerson
from tickets.models import User
from tickets.tests.api.conftest import V1, Call

TICKETS, LOGIN, REFRESH = f"{V1}/tickets", f"{V1}/auth/login", f"{V1}/auth/refresh-token"
TWO = {"person": "2/min", "login": "2/min", "refresh": "2/min"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    for throttle in (PerPerson, AtLogin, AtRefresh):
        monkeypatch.setattr(throttle, "THROTTLE_RATES", TWO)
    monkeypatch.setattr(throttles, "_asked_again_at", 0.0)


def statuses(client: APIClient, times: int = 3) -> list[int]:
    return [client.get(TICKETS).status_code for _ in range(times)]


def test_who_has_not_signed_in_is_counted_by_address_not_by_what_they_say_it_is(api: APIClient) -> None:
    wrong = {"username": "nobody", "password": "wrong"}
    said = [
        api.post(LOGIN, wrong, format="json", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code
        for n in range(3)
    ]
    assert said == [401, 401, 429]
    assert api.post(LOGIN, wrong, format="json", REMOTE_ADDR="203.0.113.9").status_code == 401


def test_another_address_of_the_same_subscriber_is_the_same_address(api: APIClient) -> None:
    def ask(name: str, address: str) -> int:
        wrong = {"username": name, "password": "wrong"}
        return api.post(LOGIN, wrong, format="json", REMOTE_ADDR=address).status_code

    assert [ask(f"nobody{n}", f"2001:db8::{n}") for n in range(3)] == [401, 401, 429]
    assert ask("nobody", "2001:db8:0:1::1") == 401
    assert [ask(f"nobody{n}", f"::ffff:203.0.113.{n}") for n in range(3)] == [401] * 3


@pytest.mark.parametrize(
    ("address", "body"), [(LOGIN, {"username": "nobody", "password": "wrong"}), (REFRESH, {"refresh": "nonsense"})]
)
def test_login_and_refresh_are_counted_apart(api: APIClient, address: str, body: dict[str, str]) -> None:
    answers = [api.post(address, body, format="json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1]["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("address", [LOGIN, REFRESH, TICKETS])
@pytest.mark.parametrize("megabytes", [2, 5])
def test_a_body_over_the_cap_is_told_as_one_whoever_reads_it_first(
    called_by: Call, aigerim: User, address: str, megabytes: int
) -> None:
    body = b'{"text": "' + b"x" * megabytes * 1024 * 1024 + b'"}'
    answer = called_by(aigerim).generic("POST", address, body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")


# Redis.


@pytest.fixture
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the test's own, at a socket's file."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here")
    socket = tmp_path_factory.mktemp("redis") / "socket"
    own = ["--save", "", "--appendonly", "no", "--port", "0", "--unixsocket", str(socket)]
    server = subprocess.Popen([program, *own], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not socket.exists():
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    """Where no Redis answers."""
    return f"unix://{tmp_path / 'socket'}"


def count_in(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for throttle in (PerPerson, AtLogin, AtRefresh):
        # A new one each time, as each process has its own.
        monkeypatch.setattr(throttle, "cache", RedisCache(url, {}))


def test_what_is_counted_is_shared_through_redis(
    redis_url: str, called_by: Call, aigerim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = called_by(aigerim)
    count_in(redis_url, monkeypatch)
    assert statuses(client, times=2) == [200, 200]
    cache.clear()
    count_in(redis_url, monkeypatch)
    assert statuses(client, times=1) == [429]


def test_without_redis_the_api_goes_on_answering_and_each_process_counts_alone(
    nowhere: str, called_by: Call, aigerim: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    count_in(nowhere, monkeypatch)
    assert statuses(called_by(aigerim)) == [200, 200, 429]
    assert [record.levelname for record in caplog.records if "no Redis" in record.message] == ["WARNING"]


def test_once_redis_is_back_it_counts_again(
    nowhere: str, redis_url: str, called_by: Call, aigerim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = called_by(aigerim)
    count_in(nowhere, monkeypatch)
    assert statuses(client, times=1) == [200]
    count_in(redis_url, monkeypatch)
    monkeypatch.setattr(throttles, "_asked_again_at", time.monotonic())
    assert statuses(client) == [200, 200, 429]
