"""How often somebody may ask. Over the limit is 429 with `Retry-After`; what is counted is shared through the cache."""

import logging
import time
from typing import TYPE_CHECKING, cast

from django.core.cache import caches
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

from tickets.access import Caller, Program
from tickets.guesses import guesser

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads these classes' names from the settings

logger = logging.getLogger(__name__)

#: Seconds for which a Redis that did not answer is not asked again: each asking could take as long as its timeout.
LEFT_ALONE = 10

_asked_again_at = 0.0


class KeepsCounting(SimpleRateThrottle):
    """Counts in this process while Redis is away: an API that stops would be worse than a limit that each process
    keeps for itself.
    """

    def get_ident(self, request: Request) -> str:
        """The client's own address, as helpdesk.middleware.trusted_proxies has found it; of IPv6 the subscriber's
        network, within which there are addresses for every try.
        """
        return guesser(request._request) or ""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        global _asked_again_at  # noqa: PLW0603 - one Redis for the whole process
        if time.monotonic() >= _asked_again_at:
            try:
                return super().allow_request(request, view)
            except RedisError as error:
                logger.warning("Limits are counted by each process alone: no Redis (%s)", type(error).__name__)
                _asked_again_at = time.monotonic() + LEFT_ALONE
        self.cache = caches["local"]
        return super().allow_request(request, view)


class PerPerson(KeepsCounting, UserRateThrottle):
    """Everything one person's programs ask; of who has not signed in, everything from one address."""

    scope = "person"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        caller = cast(Caller, request.user)
        return None if isinstance(caller, Program) else super().get_cache_key(request, view)


class PerServiceAccount(KeepsCounting):
    """Everything one service account asks, for all its customers together."""

    scope = "service_account"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        caller = cast(Caller, request.user)
        if not isinstance(caller, Program):
            return None
        return self.cache_format % {"scope": self.scope, "ident": caller.account.pk}


class AtLogin(KeepsCounting, AnonRateThrottle):
    """Passwords tried from one address, whoever they are for; django-axes counts by account besides."""

    scope = "login"


class AtRefresh(KeepsCounting, AnonRateThrottle):
    """Refreshes from one address."""

    scope = "refresh"
