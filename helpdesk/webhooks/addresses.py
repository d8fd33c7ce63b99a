"""Which addresses a webhook may reach. Whoever sets one must not be able to make this server speak to its neighbours
(OWASP, "Server-Side Request Forgery Prevention Cheat Sheet")."""

import ipaddress
import socket
from collections.abc import Iterable

from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: What is given to hosts on the internet (RFC 4291, section 2.4); all else of IPv6 is special.
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
#: Within the public ranges and yet not one host's own: protocol assignments (RFC 6890), relays to IPv4 (RFC 7526),
#: and IPv6 that carries an IPv4 address inside (RFC 3056, RFC 4380).
SPECIAL = [ipaddress.ip_network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16")]


class AddressRefused(OSError):
    """The address is not one a webhook may reach. An OSError, as aiohttp expects of a resolver."""


def is_our_own(address: Address) -> bool:
    """Whether it is of a network that WEBHOOK_NETWORKS names."""
    return any(address in ipaddress.ip_network(network) for network in settings.WEBHOOK_NETWORKS)


def may_be_told(address: Address, scheme: str) -> bool:
    """Whether it is of a network of our own, or public and told by https."""
    if is_our_own(address):
        return True
    return scheme == "https" and is_public(address)


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_IPV6:
        return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in SPECIAL)
    return address.is_global and not is_special


def check(addresses: Iterable[str], scheme: str) -> None:
    """All have to be good: which of them is tried is not ours to choose.

    :raises AddressRefused: one of them may not be told.
    """
    for address in addresses:
        # A link-local address may name its interface.
        if not may_be_told(ipaddress.ip_address(address.partition("%")[0]), scheme):
            what = "a public address" if scheme == "https" else "of a network of ours, and http is for those alone"
            raise AddressRefused(f"{address} is not {what}")


class CheckingResolver(AbstractResolver):
    """Gives the connection the very addresses that were checked: a name that changes between two questions cannot
    lead elsewhere."""

    def __init__(self, resolver: AbstractResolver, scheme: str) -> None:
        self._resolver = resolver
        self._scheme = scheme

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """:raises AddressRefused: the name leads, among others, to an address that may not be told."""
        found = await self._resolver.resolve(host, port, family)
        check((result["host"] for result in found), self._scheme)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def check_literal(host: str, scheme: str) -> None:
    """For a host that is an address already, about which aiohttp asks no resolver.

    :raises AddressRefused: it may not be told.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    check([str(address)], scheme)
