"""Guessing passwords is slowed down without letting anyone lock an account's owner out."""

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from conftest import PASSWORD
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
