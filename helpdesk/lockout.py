"""Who counts as one guesser of passwords, and what is answered after too many (django-axes asks)."""

import ipaddress
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from tickets.api.problems import answer
from tickets.views import entry

API = "/api/"


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


def locked_out(request: HttpRequest, original: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """A page for people, a problem for programs; both say when to try again."""
    if not request.path.startswith(API):
        return entry.locked_out(request, original, credentials)
    wait = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    words = _("Слишком много неудачных попыток подряд. Попробуйте позже.")
    return answer(HTTPStatus.TOO_MANY_REQUESTS, words, **{"Retry-After": wait})
