"""The earlier service's tickets, messages and chats, taken over from its PostgreSQL database. See docs/import.md."""

from helpdesk.predecessor.run import Outcome, Run
from helpdesk.predecessor.source import Source, SourceError

__all__ = ["Outcome", "Run", "Source", "SourceError"]
