"""How often somebody may ask. Over the limit is 429 with `Retry-After`; what is counted is shared through the cache."""

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

from tickets.access import Caller, Program


class PerPerson(UserRateThrottle):
    """Everything one person's programs ask."""

    scope = "person"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        caller = cast(Caller, request.user)
        return None if isinstance(caller, Program) else super().get_cache_key(request, view)


class PerServiceAccount(SimpleRateThrottle):
    """Everything one service account asks, for all its customers together."""

    scope = "service_account"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        caller = cast(Caller, request.user)
        if not isinstance(caller, Program):
            return None
        return self.cache_format % {"scope": self.scope, "ident": caller.account.pk}


class AtLogin(AnonRateThrottle):
    """Passwords tried from one address, whoever they are for; django-axes counts by account besides."""

    scope = "login"


class AtRefresh(AnonRateThrottle):
    """Refreshes from one address."""

    scope = "refresh"
