"""An invented company's helpdesk in the middle of a working day, for a first look at an empty database."""

from helpdesk.demo.conversations import tell_conversations
from helpdesk.demo.staff import Staff, hire

__all__ = ["Staff", "hire", "tell_conversations"]
