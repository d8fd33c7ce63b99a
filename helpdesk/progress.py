"""A long act says where it is, once a second at most."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVERY = 1.0

Say = Callable[[str], None]


@dataclass
class Progress:
    """Counts what has been done and says so."""

    say: Say
    _last: float = field(default_factory=time.monotonic)

    def at(self, what: str, count: int) -> None:
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self.say(f"  {what}: {count:,}")


def silent(_text: str) -> None:
    """For who needs no words."""
