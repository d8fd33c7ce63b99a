"""Which chat a worker is busy with, for the log lines it writes meanwhile."""

from contextvars import ContextVar

chat_id: ContextVar[int | None] = ContextVar("chat_id", default=None)
