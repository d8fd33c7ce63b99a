"""A webhook is signed and goes to public addresses alone."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Iterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pytest_django.fixtures import Settings

from helpdesk.tests.receivers import Receiver, receiving
from helpdesk.tests.servers import free_port
from helpdesk.webhooks.addresses import is_public, may_be_told
from helpdesk.webhooks.sending import Outcome, headers_for, post, signature

SECRET = "whsec_" + base64.b64encode(b"a secret of the receiver's and ours").decode()


class Names(AbstractResolver):
    """A name server that answers each question with the next of its answers."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        addresses = self._answers.pop(0)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def send(url: str, resolver: AbstractResolver | None = None) -> Outcome:
    return asyncio.run(
        post(url, headers=headers_for(secret=SECRET, message_id="7", body=b"{}"), body=b"{}", resolver=resolver)
    )


def test_a_receiver_can_check_who_told_it(receiver: Receiver, settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]

    outcome = send(receiver.url)

    assert (outcome.arrived, outcome.status, outcome.answer) == (True, 200, "ok")
    ((headers, body),) = receiver.told
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, the reference implementations' test vector."""
    signed = signature(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 404, 410, 500, 503])
def test_only_a_success_counts_as_arrived(receiver: Receiver, settings: Settings, status: int) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    receiver.status = status

    outcome = send(receiver.url)

    assert (outcome.arrived, outcome.status, outcome.error) == (False, status, f"answered {status}")
    assert outcome.is_unwanted == (status == 410)


def test_redirects_are_not_followed(receiver: Receiver, settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiving(status=302, headers={"Location": receiver.url}) as redirecting:
        outcome = send(redirecting.url)

    assert not outcome.arrived
    assert receiver.told == []


def test_nobody_listening_is_an_outcome(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]

    outcome = send(f"http://127.0.0.1:{free_port()}/")

    assert (outcome.arrived, outcome.status) == (False, None)
    assert outcome.error == "ClientConnectorError"


FORBIDDEN = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.20.30.40",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:7f00:1",
    "::ffff:a9fe:a9fe",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))

    literal = f"[{address}]" if ":" in address else address
    for url, names in ((f"https://{literal}/", None), ("https://receiver.example/", Names([address]))):
        outcome = send(url, names)
        assert outcome.error == f"{address} is not a public address"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_address_may_be_told(address: str) -> None:
    assert may_be_told(ipaddress.ip_address(address), "https")
    assert not may_be_told(ipaddress.ip_address(address), "http"), "in clear over the internet"


def test_a_name_with_one_bad_address_among_good_ones_is_refused() -> None:
    outcome = send("https://receiver.example/", Names(["8.8.8.8", "127.0.0.1"]))

    assert outcome.error == "127.0.0.1 is not a public address"


SPELLINGS = ["localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1."]
#: Digits and dots that become plain ones where a name is made ready for the net (UTS 46).
SPELLINGS += ["１２７.0.0.1", "127.0.0.①", "127。0。0。1", "１２７．０．０．１"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", SPELLINGS)
def test_other_spellings_of_this_machine_are_refused(
    receiver: Receiver, settings: Settings, host: str, scheme: str
) -> None:
    settings.WEBHOOK_NETWORKS = ["10.20.0.0/16"]
    port = receiver.url.rpartition(":")[2]

    outcome = send(f"{scheme}://{host}:{port}")

    # Some of them aiohttp takes for no address at all.
    assert outcome.error == "InvalidUrlClientError" or " is not " in outcome.error
    assert receiver.told == []


def test_an_address_that_cannot_be_read_is_an_outcome() -> None:
    for url in ("https://[::1", "https://receiver.example:x/", f"https://{'a' * 64}.example/"):
        assert send(url).error in ("ValueError", "UnicodeError")


def test_a_name_is_asked_once_and_its_checked_answer_used(receiver: Receiver, settings: Settings) -> None:
    """Whoever checks one answer and connects by the next can be led anywhere (DNS rebinding)."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    url = receiver.url.replace("127.0.0.1", "receiver.example")
    names = Names(["127.0.0.1"], ["127.0.0.2"])

    assert send(url, names).arrived
    assert send(url, names).error.startswith("127.0.0.2 is not of a network of ours")
    assert len(receiver.told) == 1


def test_a_network_of_our_own_may_be_named(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["10.20.0.0/16", "fd12::/16"]

    for scheme in ("http", "https"):
        assert may_be_told(ipaddress.ip_address("10.20.30.40"), scheme)
        assert may_be_told(ipaddress.ip_address("fd12:3456::1"), scheme)
        assert not may_be_told(ipaddress.ip_address("10.21.0.1"), scheme)
