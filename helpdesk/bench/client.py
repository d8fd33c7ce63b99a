"""A client of HTTP/1.1 that costs little: it shares the machine with the server it measures."""

import socket
import time
from dataclasses import dataclass
from io import BufferedReader
from urllib.parse import urlencode

TIMEOUT = 60


@dataclass(frozen=True)
class Request:
    """What is asked, ready to be sent."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] = ()

    def as_bytes(self, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
        body = urlencode(self.form).encode()
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *extra)]
        if self.method == "POST":
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Answer:
    """`seconds` from the first byte sent to the last received; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Connection:
    """One keep-alive connection, opened anew where the server has closed it between two requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    def ask(self, request: bytes) -> Answer:
        """:raises OSError: the server did not answer, or broke off."""
        if self._socket is None:
            self._open()
        assert self._socket is not None
        assert self._reader is not None
        began = time.perf_counter()
        self._socket.sendall(request)
        status, headers = _head(self._reader)
        body = _body(self._reader, headers)
        seconds = time.perf_counter() - began
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body, seconds)

    def close(self) -> None:
        if self._socket is not None and self._reader is not None:
            self._reader.close()
            self._socket.close()
        self._socket = self._reader = None

    def _open(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")


def _head(reader: BufferedReader) -> tuple[int, dict[str, str]]:
    first = reader.readline()
    if not first:
        raise ConnectionResetError("the server closed the connection instead of answering")
    headers: dict[str, str] = {}
    while (line := reader.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return int(first.split()[1]), headers


def _body(reader: BufferedReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return reader.read(int(headers["content-length"]))
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return b""
    parts = []
    while size := int(reader.readline().split(b";")[0], 16):
        parts.append(reader.read(size))
        reader.readline()
    reader.readline()
    return b"".join(parts)
