"""How the desk's tests come in: a browser without a script, or htmx inside an open page."""

from collections.abc import Callable

import pytest
from django.test import Client

from tickets.models import User

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def desk() -> Callable[[User], Client]:
    """A signed-in browser without a script. CSRF is enforced where a test asks for it."""

    def sign_in(user: User, **options: bool) -> Client:
        client = Client(**options)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def htmx(desk: Callable[[User], Client]) -> Callable[[User], Client]:
    """The same browser with htmx in an open page."""

    def sign_in(user: User) -> Client:
        client = desk(user)
        client.defaults.update({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HTMX.items()})
        return client

    return sign_in
