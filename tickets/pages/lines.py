"""What a conversation is made of, line by line."""

from dataclasses import dataclass

from django.utils.translation import ngettext

from tickets.pages.bubbles import Bubble
from tickets.pages.history import HistoryLine


@dataclass(frozen=True)
class Day:
    """A heading over the messages of one day."""

    heading: str
    day: str
    plain: str
    kind: str = "day"


@dataclass(frozen=True)
class Fresh:
    """The line above what this person has not read yet."""

    kind: str = "fresh"


@dataclass(frozen=True)
class Series:
    """Photos in a row that stand folded: the messages of these ids, oldest first."""

    ids: list[int]
    kind: str = "series"

    @property
    def first_id(self) -> int:
        return self.ids[0]

    @property
    def last_id(self) -> int:
        return self.ids[-1]

    @property
    def label(self) -> str:
        count = len(self.ids)
        return ngettext("Ещё %(n)s фото", "Ещё %(n)s фото", count) % {"n": count}


Line = Day | Fresh | HistoryLine | Bubble | Series
