"""How far somebody had read a ticket when they acted on it."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Seen:
    """The last message an actor had before their eyes, and the last line of history, where edits stand; by ids.

    Pages write it as "message.event". Without an event nobody asks about edits.
    """

    message: int
    event: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str()` wrote, or a message's id alone.

        :raises ValueError: it is neither.
        """
        message, _dot, event = text.partition(".")
        return cls(_id(message), _id(event) if event else None)

    def __str__(self) -> str:
        return str(self.message) if self.event is None else f"{self.message}.{self.event}"

    def further(self, other: "Seen") -> "Seen":
        """As far as either of the two."""
        events = [event for event in (self.event, other.event) if event is not None]
        return Seen(max(self.message, other.message), max(events, default=None))


def _id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(f"{text!r} is no id")
    return int(text)
