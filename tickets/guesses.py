"""Guessing: who counts as one guesser, and codes slowed down together with passwords (django-axes)."""

import ipaddress

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from tickets.models import User

#: What one subscriber is given: within it a guesser has more addresses than there are passwords (RFC 6177, section 2).
IPV6_SUBSCRIBER = 64


def guesser(request: HttpRequest) -> str | None:
    """By what attempts are counted: the address, of IPv6 the subscriber's network; None over a socket file."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # IPv4 clients of a socket for both would else be one.
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, IPV6_SUBSCRIBER), strict=False).network_address)


def may_guess(request: HttpRequest, user: User) -> bool:
    """Whether this address may try again for this account; where not, the answer becomes that of a locked login."""
    credentials = {"username": user.username}
    if AxesProxyHandler.is_allowed(request, credentials):
        return True
    request.axes_locked_out, request.axes_credentials = True, credentials  # type: ignore[attr-defined]
    return False


def guessed_wrong(request: HttpRequest, user: User) -> None:
    """Count a wrong code like a wrong password."""
    user_login_failed.send(sender=__name__, credentials={"username": user.username}, request=request)
