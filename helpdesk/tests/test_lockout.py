"""Guessing passwords is slowed down without letting anyone lock an account's owner out."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from conftest import PASSWORD
from tickets import operations
from tickets.guesses import guesser
from tickets.models import User

GUESSER = "203.0.113.9"
OWNER = "198.51.100.1"


def sign_in(client: Client, password: str, address: str) -> HttpResponse:
    credentials = {"username": "aigerim", "password": password}
    answer: HttpResponse = client.post(reverse("tickets:login"), credentials, REMOTE_ADDR=address)  # type: ignore[assignment]
    return answer


@pytest.fixture
def guessed(client: Client, aigerim: User) -> Client:
    """Somebody at GUESSER has tried as often as one may."""
    for attempt in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, f"wrong-{attempt}", GUESSER)
    assert answer.status_code == 429
    return client


def test_the_guesser_waits_even_with_the_right_password(guessed: Client) -> None:
    answer = sign_in(guessed, PASSWORD, GUESSER)

    assert answer.status_code == 429
    assert answer["Retry-After"] == str(15 * 60)


def test_the_owner_gets_in_from_elsewhere(guessed: Client) -> None:
    assert sign_in(guessed, PASSWORD, OWNER).status_code == 302


def test_one_fewer_wrong_guess_locks_nobody(client: Client, aigerim: User) -> None:
    for attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        sign_in(client, f"wrong-{attempt}", GUESSER)

    assert sign_in(client, PASSWORD, GUESSER).status_code == 302


def attempt(username: str, password: str, address: str = GUESSER, *, over_api: bool = False) -> HttpResponse:
    """One try from a browser, or a program, that has no history."""
    cache.clear()  # the API's throttle by address is another thing
    client = Client(REMOTE_ADDR=address)
    credentials = {"username": username, "password": password}
    kind = {"content_type": "application/json"} if over_api else {}
    answer: HttpResponse = client.post(reverse("api:login" if over_api else "tickets:login"), credentials, **kind)  # type: ignore[assignment]
    return answer


@pytest.mark.slow
def test_a_thousand_guesses_from_twenty_addresses_lock_each_address_and_nobody_else(aigerim: User) -> None:
    addresses = [f"203.0.113.{host}" for host in range(1, 21)]
    statuses: dict[str, list[int]] = {address: [] for address in addresses}
    for number in range(50):
        for address in addresses:
            statuses[address].append(attempt("aigerim", f"wrong-{number}", address).status_code)

    free = settings.AXES_FAILURE_LIMIT - 1
    assert all(seen == [422] * free + [429] * (50 - free) for seen in statuses.values())
    assert attempt("aigerim", PASSWORD, addresses[0]).status_code == 429
    assert attempt("aigerim", PASSWORD, OWNER).status_code == 302
    assert attempt("aigerim", PASSWORD, OWNER, over_api=True).status_code == 200


@pytest.fixture
def every_kind_of_name(aigerim: User, bolat: User, dana: User, saule: User) -> list[str]:
    """A person at work, one who is disabled, one whose account is locked, and nobody."""
    operations.disable_user(actor=saule, user=bolat)
    operations.lock_account(actor=saule, user=dana)
    return ["aigerim", "bolat", "dana", "nobody"]


@pytest.mark.parametrize("over_api", [False, True])
def test_no_answer_tells_a_known_name_from_an_unknown_one(every_kind_of_name: list[str], over_api: bool) -> None:
    def told(name: str, number: int) -> tuple[int, str, str | None]:
        answer = attempt(name, f"wrong-{number}", over_api=over_api)
        text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode().replace(name, "NAME"))
        return answer.status_code, text, answer.get("Retry-After")

    for number in range(settings.AXES_FAILURE_LIMIT + 1):
        assert len({told(name, number) for name in every_kind_of_name}) == 1


@pytest.mark.parametrize("over_api", [False, True])
def test_every_name_costs_one_password_hash(
    every_kind_of_name: list[str], over_api: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self: PBKDF2PasswordHasher, password: str, *args: object, **options: object) -> str:
        hashed.append(password)
        return encode(self, password, *args, **options)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    for name in every_kind_of_name:
        hashed.clear()
        attempt(name, "wrong", over_api=over_api)
        assert len(hashed) == 1, name


def test_another_address_of_the_same_subscriber_is_the_same_guesser(client: Client, aigerim: User) -> None:
    for attempt in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, f"wrong-{attempt}", f"2001:db8:1:2::{attempt + 1:x}")
    assert answer.status_code == 429

    assert sign_in(client, PASSWORD, "2001:db8:1:2:ffff::9").status_code == 429
    assert sign_in(client, PASSWORD, "2001:db8:1:3::1").status_code == 302


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("/run/web.sock", None),
        ("", None),
    ],
)
def test_by_what_a_guesser_is_counted(rf: RequestFactory, address: str, counted: str | None) -> None:
    assert guesser(rf.get("/", REMOTE_ADDR=address)) == counted


def test_where_no_address_is_told_people_still_sign_in(client: Client, aigerim: User) -> None:
    assert sign_in(client, "wrong", "/run/web.sock").status_code == 422
    assert sign_in(client, PASSWORD, "/run/web.sock").status_code == 302
