"""How often somebody may ask. Over the limit is 429 with `Retry-After`; what is counted is shared through the cache."""

from rest_framework.throttling import AnonRateThrottle, UserRateThrottle


class PerPerson(UserRateThrottle):
    """Everything one person's programs ask."""

    scope = "person"


class AtLogin(AnonRateThrottle):
    """Passwords tried from one address, whoever they are for; django-axes counts by account besides."""

    scope = "login"


class AtRefresh(AnonRateThrottle):
    """Refreshes from one address."""

    scope = "refresh"
