"""How the desk's tests come in: a browser without a script, or htmx inside an open page."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from tickets.models import Team, User

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


class DatetimesOfAll(type):
    """What only the clock is taken from is no kind of its own."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, datetime)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """`clock(moment)`: what the server's clock shows from now on."""

    class Moved(datetime, metaclass=DatetimesOfAll):
        moment = datetime.now(UTC)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Moved":
            return cls.moment.astimezone(tz)  # type: ignore[return-value]  # of the kind it is an instance of

    monkeypatch.setattr("django.utils.timezone.datetime", Moved)

    def show(moment: datetime) -> None:
        Moved.moment = moment

    return show


@pytest.fixture
def midnight(clock: Callable[[datetime], None], team: Team) -> datetime:
    """When the team's day ends: ten minutes after what the clock shows."""
    zone = ZoneInfo(team.time_zone)
    tomorrow = timezone.localtime(timezone=zone).date() + timedelta(days=1)
    ends = datetime.combine(tomorrow, time.min, zone)
    clock(ends - timedelta(minutes=10))
    return ends
