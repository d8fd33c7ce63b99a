"""Five hundred open desks, one of them with the ticket to which a customer writes.

That one does what its page's script does: hears of a message and fetches it. The others only listen: what their pages
would ask for, each in its own time, is measured as the queue's fragment.
"""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader

from helpdesk.bench.client import TIMEOUT, Connection, Request
from helpdesk.bench.measuring import LINE, Desk, WrongAnswer, read_ticket
from helpdesk.bench.telegram import Telegram

DESKS = 500
STREAMS_EACH = 10
HELLO, MESSAGE = b"event: hello", b'"kind":"message"'
#: Seconds between two messages, so that each is alone.
PAUSE = 0.2


class Listeners:
    """Desks that listen and ask for nothing, in a thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._ending = False
        self.greeted = self.ended = 0

    def add(self, stream: socket.socket) -> None:
        self._selector.register(stream, selectors.EVENT_READ)

    def read(self) -> None:
        while not self._ending:
            for key, _events in self._selector.select(timeout=0.2):
                heard = key.fileobj.recv(65536)  # type: ignore[union-attr]
                self.greeted += heard.count(HELLO)
                if not heard:
                    self._selector.unregister(key.fileobj)
                    self.ended += 1

    def wait_until_greeted(self, number: int) -> None:
        """:raises TimeoutError: fewer streams than that are open."""
        deadline = time.monotonic() + TIMEOUT
        while self.greeted < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.greeted} of {number} streams opened")
            time.sleep(0.05)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self.read)
        thread.start()
        try:
            yield
        finally:
            self._ending = True
            thread.join()


class OpenTicket:
    """The desk that has the ticket open."""

    def __init__(self, desk: Desk, pk: int, stream: BufferedReader) -> None:
        self._desk = desk
        self._pk = pk
        self._stream = stream
        self._connection = Connection(desk.port)
        self._seen = read_ticket(self._connection, desk, pk)

    def hear(self, text: str) -> float:
        """The moment (CLOCK_MONOTONIC) at which a message with this text is on the desk.

        :raises WrongAnswer: it does not come.
        """
        about = b'"ticket":%d,' % self._pk
        with suppress(TimeoutError):
            while line := self._stream.readline():
                if MESSAGE in line and about in line and text.encode() in self._news():
                    return time.monotonic()
        raise WrongAnswer(f"«{text}» did not come to the desk")

    def close(self) -> None:
        self._connection.close()

    def _news(self) -> bytes:
        message, _dot, event = self._seen.partition(".")
        path = f"/desk/t/{self._pk}/messages/?after={message}&event={event}"
        lines = self._connection.ask(Request("GET", path, self._desk.cookies).as_bytes()).body
        read = {b"message": message.encode(), b"event": event.encode()} | dict(LINE.findall(lines))
        self._seen = f"{read[b'message'].decode()}.{read[b'event'].decode()}"
        return lines


def measure(desk: Desk, telegram: Telegram, number: int) -> list[float]:
    """Seconds from an update's leaving Telegram to its fragment's arrival at the desk, for so many messages.

    :raises WrongAnswer: a message did not come, or fewer desks than that were open to the end.
    """
    pk, chat = max((int(pk), chat) for pk, chat in desk.chats.items())
    listeners = Listeners()
    arrived: dict[int, float] = {}
    with ExitStack() as streams, listeners.at_work():
        for place in range(1, DESKS):
            listeners.add(streams.enter_context(_stream(desk.port, desk.sessions[place // STREAMS_EACH])))
        listeners.wait_until_greeted(DESKS - 1)
        own = streams.enter_context(_stream(desk.port, desk.sessions[0])).makefile("rb")
        ticket = OpenTicket(desk, pk, own)
        for place in range(number):
            text = f"Где заказ? {place}"
            (update,) = telegram.write([(chat, text)])
            arrived[update] = ticket.hear(text)
            time.sleep(PAUSE)
        ticket.close()
        if listeners.ended:
            raise WrongAnswer(f"{listeners.ended} of {DESKS} streams ended meanwhile")
    given = telegram.log().given
    return [at - given[update] for update, at in arrived.items()]


def _stream(port: int, session: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    stream.sendall(Request("GET", "/events", (("Cookie", f"session={session}"),)).as_bytes())
    return stream
