"""Which request a process is busy with, for the log lines it writes and the history it makes meanwhile."""

from contextvars import ContextVar

#: The request's X-Request-ID; None where nobody's request is being answered.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
