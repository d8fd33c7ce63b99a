"""How the API's tests call: as a program with a person's token, in JSON."""

from collections.abc import Callable, Iterable

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from conftest import PASSWORD
from tickets import operations
from tickets.api.authentication import tokens_for
from tickets.models import Customer, Scope, ServiceAccount, User

V1 = "/api/v1"

Call = Callable[[User], APIClient]


class ProgramClient(APIClient):
    """A program with a service account's key, which names a customer on each call."""

    def __init__(self, key: str, telegram_user_id: object) -> None:
        super().__init__()
        self.key = key
        self.name(telegram_user_id)

    def name(self, telegram_user_id: object) -> None:
        """Speak for this customer from now on; None names nobody."""
        named = {} if telegram_user_id is None else {"HTTP_X_TELEGRAM_USER_ID": str(telegram_user_id)}
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {self.key}", **named)


SpeakFor = Callable[..., ProgramClient]


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


@pytest.fixture
def portal(saule: User) -> ServiceAccount:
    """A service account with every right: the company's customer portal."""
    return operations.create_service_account(actor=saule, name="Портал", scopes=Scope.values)


@pytest.fixture
def speaking_for(portal: ServiceAccount, saule: User) -> SpeakFor:
    """`speaking_for(timur)`: the portal, on behalf of Timur, with these scopes alone where some are named."""

    def sign_in(customer: Customer, *, scopes: Iterable[Scope] = tuple(Scope)) -> ProgramClient:
        operations.change_service_account(actor=saule, account=portal, name=portal.name, scopes=scopes)
        return ProgramClient(operations.issue_key(actor=saule, account=portal), customer.telegram_user_id)

    return sign_in


def credentials(user: User) -> dict[str, str]:
    return {"username": user.username, "password": PASSWORD}
