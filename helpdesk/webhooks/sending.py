"""One signed request to a webhook's address, and what came of it."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver
from yarl import URL

from helpdesk.webhooks.addresses import AddressRefused, CheckingResolver, check_literal

#: Seconds from beginning to end; a receiver that needs longer should put the work aside and answer.
TIMEOUT = 10
#: Bytes of an answer that are read; nobody needs more to see what a receiver complains of.
MOST_ANSWER = 500


@dataclass(frozen=True)
class Outcome:
    """`status`: the HTTP status, None where no answer came. `error`: why it counts as failed, in English; empty where
    it arrived. `answer`: the beginning of what was answered.
    """

    status: int | None
    error: str
    answer: str
    milliseconds: int

    @property
    def arrived(self) -> bool:
        return not self.error

    @property
    def is_unwanted(self) -> bool:
        """410: the receiver asks never to be told again (Standard Webhooks, "Delivery")."""
        return self.status == 410


def signature(*, secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """As Standard Webhooks 1.0 has it: HMAC SHA-256 over id, timestamp and body, so that receivers need no code of
    their own (https://www.standardwebhooks.com). `secret` is `whsec_` and Base64.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers_for(*, secret: str, message_id: str, body: bytes) -> dict[str, str]:
    now = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "helpdesk-webhooks",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret=secret, message_id=message_id, timestamp=now, body=body),
    }


async def post(url: str, *, headers: dict[str, str], body: bytes, resolver: AbstractResolver | None = None) -> Outcome:
    """Send once, to an address that may be told, without following redirects: they could lead anywhere."""
    began = time.monotonic()
    status, error, answer = None, "", ""
    try:
        # As aiohttp itself reads it: to another reader "１２７.0.0.1" is a name, and aiohttp connects to 127.0.0.1.
        where = URL(url)
        check_literal(where.raw_host or "", where.scheme)
        checking = CheckingResolver(resolver or ThreadedResolver(), where.scheme)
        connector = TCPConnector(resolver=checking, use_dns_cache=False)
        async with (
            ClientSession(connector=connector, timeout=ClientTimeout(total=TIMEOUT), trust_env=False) as session,
            session.post(where, data=body, headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
            answer = (await response.content.read(MOST_ANSWER)).decode(errors="replace")
            if not response.ok or response.status >= 300:
                error = f"answered {status}"
    except AddressRefused as refusal:
        error = str(refusal)
    except TimeoutError:
        error = f"no answer within {TIMEOUT} s"
    except (ClientError, OSError, ValueError) as failure:
        error = _reason(failure)
    return Outcome(status, error, answer, milliseconds=int((time.monotonic() - began) * 1000))


def _reason(failure: Exception) -> str:
    """aiohttp wraps what the resolver raised; else the kind says enough, and the words may hold the address."""
    cause = failure.__cause__ or getattr(failure, "os_error", None)
    return str(cause) if isinstance(cause, AddressRefused) else type(failure).__name__
