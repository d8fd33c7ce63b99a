"""Long runs of photos without a word: all but the last stand folded."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from django.db.models import Q
from django.utils import timezone

from tickets.models import ContentType, Sender, Ticket
from tickets.pages.bubbles import Bubble
from tickets.pages.history import SHOWN_EVENTS
from tickets.pages.lines import Line, Series

#: Of so many photos sent in a row without a word only the last `SERIES_SHOWS` are shown, whole albums of them.
SERIES = 25
SERIES_SHOWS = 10
#: A photo a customer sent in their chat and said nothing to.
_IN_SERIES = Q(
    sender=Sender.CLIENT,
    content_type=ContentType.PHOTO,
    text="",
    quote__isnull=True,
    quote_text="",
    forwarded_from="",
    author__isnull=True,
    service_account__isnull=True,
    edited_at__isnull=True,
)


def earlier_of_series(ticket: Ticket, lines: Sequence[Line]) -> list[int]:
    """The photos before this page that are of one series with those it begins with."""
    top = next((run for is_series, run in _runs(lines) if is_series), [])
    if not top or lines.index(top[0]) > 1 or sum(map(_photos_in, top)) < SERIES_SHOWS:
        return []  # a day's heading alone stands above what begins the page
    first = top[0].message
    before = ticket.messages.filter(pk__lt=first.pk)
    # What ends a series: words, another day, a line of history.
    since = timezone.localtime(first.sent_at).replace(hour=0, minute=0, second=0, microsecond=0)
    parting = before.exclude(_IN_SERIES, sent_at__gte=since).order_by("-pk").only("media_group_id").first()
    last_event = ticket.events.filter(kind__in=SHOWN_EVENTS, after_message__lt=first.pk).order_by("-pk")
    after = max(parting.pk if parting is not None else 0, *last_event.values_list("after_message", flat=True)[:1], 0)
    ids = list(before.filter(pk__gt=after).order_by("pk").values_list("pk", "media_group_id"))
    # An album with words is no part of it, and stays whole.
    worded = parting.media_group_id if parting is not None and ids else ""
    torn = [place for place, (_pk, group) in enumerate(ids) if group and group == worded]
    return [pk for pk, _group in ids[torn[-1] + 1 if torn else 0 :]]


def folded(lines: Sequence[Line], earlier: list[int]) -> list[Line]:
    """The lines with all but the last photos of each long series folded; `earlier` are of the page's first one."""
    shown: list[Line] = []
    for is_series, run in _runs(lines):
        if not is_series:
            shown += run
            continue
        hidden, before = _hidden_of(run, len(earlier)), earlier
        earlier = []
        ids = [*before, *(message.pk for bubble in run[:hidden] for message in bubble.messages)]
        shown += [Series(sorted(ids)), *run[hidden:]] if ids else run
    return shown


def _runs(lines: Iterable[Line]) -> Iterator[tuple[bool, list[Any]]]:
    """The lines in order, those of one series together."""
    for is_series, run in groupby(lines, key=_is_of_series):
        yield is_series, list(run)


def _hidden_of(run: Sequence[Bubble], earlier: int) -> int:
    """How many of these bubbles, the first ones, stand folded."""
    if earlier + sum(map(_photos_in, run)) < SERIES:
        return 0
    shown, hidden = 0, len(run)
    while hidden and shown < SERIES_SHOWS:
        hidden -= 1
        shown += _photos_in(run[hidden])
    return hidden


def _is_of_series(line: Line) -> bool:
    if not isinstance(line, Bubble) or line.kind != "message":
        return False
    return all(
        message.sender == Sender.CLIENT
        and message.content_type == ContentType.PHOTO
        and not (message.text or message.quote_id or message.quote_text or message.forwarded_from)
        and not (message.author_id or message.service_account_id or message.edited_at)
        for message in line.messages
    )


def _photos_in(line: Bubble) -> int:
    return len(line.messages)
