"""Asks the product over HTTP as eight browsers would, one kind of request after another on every size in turn, so that
whatever else the machine does falls on all alike.
"""

import itertools
import json
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from helpdesk.bench.client import Answer, Connection, Request
from helpdesk.bench.urls import COUNT

CLIENTS = 8
CSRF = secrets.token_hex(16)
#: How far the page has been read, as it writes it into its composer.
SEEN = re.compile(rb'name="seen" value="(\d+\.\d+)"')
#: The lines of the conversation an answer brings.
LINE = re.compile(rb'data-(message|event)="(\d+)"')

BARE = "bare view"
QUEUE = "queue page"
FRAGMENT = "queue fragment"
TICKET = "ticket page, 50 messages"
REPLY = "reply"
LIST = "API list, first page"
WALK = "API list, by cursor"
SEARCH = "API search, a ticket's number"
ALL = (BARE, QUEUE, FRAGMENT, TICKET, REPLY, LIST, WALK, SEARCH)


class WrongAnswer(RuntimeError):
    """The server answered with something else than what is measured."""


@dataclass
class Desk:
    """One size: where its server listens and what can be asked there."""

    number: int
    port: int
    #: Everybody's at work; the first is of the one whose pages are measured.
    sessions: list[str]
    last: int
    long: list[int]
    short: list[int]
    #: Of tickets of that person, the customers' chats.
    chats: dict[str, int]
    seen: dict[int, str] = field(default_factory=dict)

    @property
    def cookies(self) -> tuple[tuple[str, str], ...]:
        return (("Cookie", f"session={self.sessions[0]}; csrftoken={CSRF}"), ("Accept-Language", "ru"))


@dataclass
class Sample:
    """Everything measured of one kind of request on one size."""

    seconds: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    queries: int = 0
    bytes: int = 0


def open_desk(found: str, number: int, port: int) -> Desk:
    """The desk that `helpdesk.bench.inside open` told of, behind the server on this port."""
    return Desk(number=number, port=port, **json.loads(found))


def requests_of(what: str, desk: Desk, client: int) -> Iterator[Request]:
    """An endless row of requests for one client. No two clients reply on one ticket."""
    get = "GET"
    cookies = desk.cookies
    htmx = (("HX-Request", "true"), ("HX-Current-URL", "http://127.0.0.1/desk/?view=all"))
    if what == TICKET:
        yield from (Request(get, f"/desk/t/{pk}/", cookies) for pk in itertools.cycle(desk.long))
    if what == REPLY:
        for pk in itertools.cycle(desk.short[client::CLIENTS]):
            form = {"text": "Проверили, завтра привезём.", "client_id": str(uuid.uuid4()), "seen": desk.seen[pk]}
            form["after"], _dot, form["event"] = desk.seen[pk].partition(".")
            headers = (*cookies, *htmx, ("X-CSRFToken", CSRF))
            yield Request("POST", f"/desk/t/{pk}/reply/", headers, tuple(form.items()))
    if what == WALK:
        start = desk.last - desk.last * (client + 1) // (CLIENTS + 2)
        for page in itertools.cycle(range(20)):
            cursor = max(start - 50 * page, min(51, desk.last))
            yield Request(get, f"/api/v1/tickets?limit=50&cursor={cursor}", cookies)
    paths = {
        BARE: "/bench/bare/",
        QUEUE: "/desk/?view=all",
        FRAGMENT: "/desk/?view=all",
        LIST: "/api/v1/tickets?limit=50",
        SEARCH: f"/api/v1/tickets?limit=50&search={desk.last // 2}",
    }
    yield from itertools.repeat(Request(get, paths[what], (*cookies, *htmx) if what == FRAGMENT else cookies))


def open_tickets(desk: Desk) -> None:
    """Read every ticket that is replied to, as a manager does before replying."""
    connection = Connection(desk.port)
    for pk in desk.short:
        desk.seen[pk] = read_ticket(connection, desk, pk)
    connection.close()


def read_ticket(connection: Connection, desk: Desk, pk: int) -> str:
    """Opens the ticket's page; gives how far it has been read, as `message.event`.

    :raises WrongAnswer: it cannot be replied to.
    """
    answer = connection.ask(Request("GET", f"/desk/t/{pk}/", desk.cookies).as_bytes())
    found = SEEN.search(answer.body)
    if found is None:
        raise WrongAnswer(f"no composer on ticket {pk}: {answer.status}, {answer.body[:300]!r}")
    return found[1].decode()


def count(what: str, desk: Desk, sample: Sample) -> None:
    """One request that tells its queries and size, after another that has warmed what is warmed once a process."""
    connection = Connection(desk.port)
    for request in itertools.islice(requests_of(what, desk, 0), 2):
        answer = _checked(what, connection.ask(request.as_bytes(((COUNT, "1"),))), request)
        _advance(desk, what, request, answer)
        sample.queries, sample.bytes = int(answer.headers[COUNT.lower()]), len(answer.body)
    connection.close()


def burst(what: str, desk: Desk, sample: Sample, seconds: float) -> None:
    """Ask for so long with every client at once.

    :raises WrongAnswer: not everything was answered as it should be.
    """
    began = time.perf_counter()
    until = began + seconds
    failures: list[Exception] = []

    def one_client(number: int) -> None:
        connection = Connection(desk.port)
        try:
            for request in requests_of(what, desk, number):
                answer = _checked(what, connection.ask(request.as_bytes()), request)
                sample.seconds.append(answer.seconds)
                _advance(desk, what, request, answer)
                if time.perf_counter() >= until:
                    break
        except (OSError, WrongAnswer) as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=one_client, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sample.elapsed += time.perf_counter() - began
    if failures:
        raise WrongAnswer(f"{what} at {desk.number:,} tickets: {failures[0]}") from failures[0]


def measure(
    desks: list[Desk], rows: list[str], *, rounds: int, seconds: float, say: Callable[[str], None]
) -> dict[tuple[str, int], Sample]:
    """Samples by what was asked and the number of tickets."""
    samples = {(what, desk.number): Sample() for what in rows for desk in desks}
    for desk in desks:
        if REPLY in rows:
            open_tickets(desk)
        for what in rows:
            count(what, desk, samples[what, desk.number])
            burst(what, desk, Sample(), min(1.0, seconds))  # both workers warm
    for number in range(rounds if rows else 0):
        say(f"Round {number + 1} of {rounds}")
        for what in rows:
            for desk in desks:
                burst(what, desk, samples[what, desk.number], seconds)
    return samples


def _checked(what: str, answer: Answer, request: Request) -> Answer:
    if answer.status != 200 or (what in (LIST, WALK) and b'"data":[]' in answer.body):
        raise WrongAnswer(f"{request.method} {request.path} answered {answer.status}: {answer.body[:300]!r}")
    return answer


def _advance(desk: Desk, what: str, request: Request, answer: Answer) -> None:
    """What the answer shows has been read when the next reply is written."""
    if what != REPLY:
        return
    pk = int(request.path.split("/")[3])
    read = dict(zip((b"message", b"event"), map(int, desk.seen[pk].split(".")), strict=True))
    lines = [(kind, int(number)) for kind, number in LINE.findall(answer.body)]
    if not any(kind == b"message" and number > read[kind] for kind, number in lines):
        raise WrongAnswer(f"the reply on ticket {pk} did not come back: {answer.body[:300]!r}")
    for kind, number in lines:
        read[kind] = max(read[kind], number)
    desk.seen[pk] = f"{read[b'message']}.{read[b'event']}"
