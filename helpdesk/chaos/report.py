"""What a run found, for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Everything above this line of the document is written by hand and stays.
MARK = "<!-- Written by make chaos from here on. -->"

#: The sandbox's words for a fault, and ours.
FAULTS = {
    "429": "429",
    "drop": "cut before delivery",
    "cut": "cut after delivery",
    "500": "500 before delivery",
    "bad_gateway": "502, HTML",
    "server_error_after_delivery": "500 after delivery",
}


@dataclass
class Found:
    """What one run on one database found. `wrong` is empty on a good day; the counts of it have names of their own."""

    database: str
    trouble: str
    updates: int = 0
    chats: int = 0
    replies: int = 0
    parts: int = 0
    albums: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    bots: int = 1
    #: Other calls than polls, and those of them that met a fault; Telegram logs only polls that fail.
    calls: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    failed_polls: int = 0
    sent: int = 0
    unsure_came: int = 0
    unsure_lost: int = 0
    failed: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0
    outages: list[dict[str, object]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def markdown(runs: Sequence[Found], facts: Iterable[str]) -> str:
    """The part of docs/chaos.md that a run writes."""
    lines = ["", "## The last run", "", *(f"- {fact}" for fact in facts)]
    lines += [f"- {run.database}; in trouble: {run.trouble}" for run in runs]
    lines += ["", "| | " + " | ".join(run.database.partition(",")[0] for run in runs) + " |"]
    lines += ["|---|" + "--:|" * len(runs)]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, *cells in _rows(runs)]
    for run in runs:
        lines += _outages(run)
    for run in runs:
        lines += _wrong(run)
    return "\n".join([*lines, ""])


def _rows(runs: Sequence[Found]) -> list[list[str]]:
    def row(name: str, values: Iterable[object]) -> list[str]:
        return [name, *(f"{value:,}" if isinstance(value, int) else str(value) for value in values)]

    rows = [
        row("updates", [run.updates for run in runs]),
        row("… from chats", [run.chats for run in runs]),
        row("… in albums", [run.albums for run in runs]),
        row("replies", [run.replies for run in runs]),
        row("… in parts", [run.parts for run in runs]),
        row("bots at once, at most", [run.bots for run in runs]),
        row("kills", [sum(run.kills.values()) for run in runs]),
    ]
    points = sorted({point for run in runs for point in run.kills})
    rows += [row(f"… {point}", [run.kills.get(point, 0) for run in runs]) for point in points]
    faults = sorted({name for run in runs for name in run.faults})
    rows += [row("calls", [run.calls for run in runs])]
    rows += [row(f"… {FAULTS[name]}", [run.faults.get(name, 0) for run in runs]) for name in faults]
    rows += [
        row("polls refused or cut", [run.failed_polls for run in runs]),
        row("replies sent", [run.sent for run in runs]),
        row("replies unsure, which had come", [run.unsure_came for run in runs]),
        row("replies unsure, which had not", [run.unsure_lost for run in runs]),
        row("replies refused, held or withdrawn", [run.failed for run in runs]),
    ]
    names = dict.fromkeys(name for run in runs for name in run.counts)
    rows += [row(f"**{name}**", [run.counts[name] for run in runs]) for name in names]
    return [*rows, row("minutes", [f"{run.seconds / 60:.1f}" for run in runs])]


def _outages(run: Found) -> list[str]:
    if not run.outages:
        return []
    lines = ["", f"### Outages, {run.database.partition(',')[0]}", ""]
    lines += ["| what was away | how | s | red after, s | green after its end, s | |", "|---|---|--:|--:|--:|---|"]
    for seen in sorted(run.outages, key=lambda seen: (seen["of"], seen["silent"], seen["seconds"])):
        how = "silent" if seen["silent"] else "refused"
        wrong = "; ".join(map(str, seen["wrong"]))  # type: ignore[call-overload]
        what = wrong or ("" if seen["red"] is not None else "over before it could be known")
        times = [f"{seen[name]:.1f}" if seen[name] is not None else "–" for name in ("seconds", "red", "green")]
        lines.append(f"| {seen['of']} | {how} | {' | '.join(times)} | {what} |")
    return lines


def _wrong(run: Found) -> list[str]:
    if not run.wrong:
        return []
    return ["", f"### Wrong, {run.database.partition(',')[0]}", "", *(f"- {line}" for line in run.wrong)]
