"""How the API's tests call: as a program with a person's token, in JSON."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from conftest import PASSWORD
from tickets import operations
from tickets.api.authentication import tokens_for
from tickets.models import User

V1 = "/api/v1"

Call = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def nobody_has_asked_yet() -> None:
    """Limits are counted in the cache, which outlives a test."""
    cache.clear()


@pytest.fixture
def api() -> APIClient:
    """A program nobody has signed in yet."""
    return APIClient()


@pytest.fixture
def called_by() -> Call:
    """`called_by(aigerim)`: a program with her access token."""

    def sign_in(user: User) -> APIClient:
        client = APIClient()
        access = tokens_for(operations.start_api_session(user=user))["access"]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        return client

    return sign_in


def credentials(user: User) -> dict[str, str]:
    return {"username": user.username, "password": PASSWORD}
