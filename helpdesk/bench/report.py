"""From samples to a table: medians, ratios and what was reached."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpdesk.bench.measuring import BARE, LIST, QUEUE, REPLY, TICKET, Sample

#: Everything above this line of the document is written by hand and stays.
MARK = "<!-- Written by make bench from here on. -->"

#: p95 at the largest size against the smallest, at most.
GROWTH = 1.3
GROWING = (QUEUE, TICKET, REPLY, LIST)
#: Requests a second against the bare view's, at least.
SHARES = {QUEUE: 0.06, TICKET: 0.05, REPLY: 0.06}
#: What a process may hold, in MB.
MEMORY = 150


@dataclass(frozen=True)
class Figure:
    """One line of the table. Times in milliseconds; `rate` in requests a second."""

    what: str
    number: int
    median: float
    p95: float
    rate: float
    queries: int
    bytes: int


@dataclass(frozen=True)
class Row:
    """A target, what was measured, and whether it is reached."""

    what: str
    target: str
    figure: str
    is_reached: bool


def percentile(values: list[float], share: float) -> float:
    """The value below or at which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(samples: dict[tuple[str, int], Sample]) -> list[Figure]:
    return [
        Figure(
            what=what,
            number=number,
            median=1000 * statistics.median(sample.seconds),
            p95=1000 * percentile(sample.seconds, 0.95),
            rate=len(sample.seconds) / sample.elapsed,
            queries=sample.queries,
            bytes=sample.bytes,
        )
        for (what, number), sample in samples.items()
    ]


def targets(found: list[Figure], memory: dict[int, float]) -> list[Row]:
    """The targets these figures can tell of; `memory` in MB is that of the largest web worker, by number of tickets."""
    if not found:
        return []
    by_key = {(figure.what, figure.number): figure for figure in found}
    sizes = sorted({figure.number for figure in found})
    smallest, largest = sizes[0], sizes[-1]
    rows = []
    for what in GROWING:
        if (what, largest) in by_key and largest > smallest:
            ratio = by_key[what, largest].p95 / by_key[what, smallest].p95
            title = f"{what}: p95 at {largest:,} tickets ÷ at {smallest:,}"
            rows.append(Row(title, f"≤ {GROWTH}", f"{ratio:.2f}", ratio <= GROWTH))
    for what, least in SHARES.items():
        if (what, largest) in by_key and (BARE, largest) in by_key:
            ratio = by_key[what, largest].rate / by_key[BARE, largest].rate
            title = f"{what} ÷ bare view, requests a second, at {largest:,} tickets"
            rows.append(Row(title, f"≥ {least}", f"{ratio:.3f}", ratio >= least))
    return [*rows, memory_row("a web worker after this load", max(memory.values()))]


def memory_row(whose: str, held: float) -> Row:
    return Row(f"memory of {whose}", f"≤ {MEMORY} MB", f"{held:.0f} MB", held <= MEMORY)


def markdown(found: list[Figure], rows: Iterable[Row], facts: Iterable[str]) -> str:
    """The part of docs/performance.md that a run writes."""
    lines = ["", "## The last run", "", *(f"- {fact}" for fact in facts), ""]
    lines += ["| target | to reach | measured | |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {r.target} | {r.figure} | {'reached' if r.is_reached else 'not reached'} |" for r in rows]
    return "\n".join([*lines, *(_requests(found) if found else []), ""])


def _requests(found: list[Figure]) -> list[str]:
    by_key = {(figure.what, figure.number): figure for figure in found}
    smallest = min(figure.number for figure in found)
    lines = [
        "",
        f"| request | tickets | median, ms | p95, ms | p95 ÷ at {smallest:,} | requests/s | ÷ bare | queries | bytes |",
    ]
    lines += ["|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for f in found:
        base, bare = by_key[f.what, smallest], by_key.get((BARE, f.number))
        share = f"{f.rate / bare.rate:.3f}" if bare else ""
        lines.append(
            f"| {f.what} | {f.number:,} | {f.median:.1f} | {f.p95:.1f} | {f.p95 / base.p95:.2f} | {f.rate:.0f} "
            f"| {share} | {f.queries} | {f.bytes:,} |"
        )
    return lines


def write(document: Path, text: str, mark: str) -> None:
    """Put the text in place of the last run's, below the line `mark`.

    :raises ValueError: the document has no place for it.
    """
    by_hand, found, _last_run = document.read_text().partition(mark)
    if not found:
        raise ValueError(f"{document} has no line {mark}")
    document.write_text(f"{by_hand}{mark}\n{text}")
