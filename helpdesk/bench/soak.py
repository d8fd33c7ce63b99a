"""What the product's processes hold in memory while the desk, the bot and the jobs all work for a long time."""

import itertools
import statistics
import time
from collections.abc import Callable

from helpdesk.bench import seed, servers
from helpdesk.bench.bridge import Bridge
from helpdesk.bench.measuring import FRAGMENT, LIST, QUEUE, REPLY, TICKET, Sample, burst, open_tickets
from helpdesk.bench.report import Row, memory_row
from helpdesk.bench.telegram import TOKEN, telegram

#: What managers do in turn, each for so many seconds, while so many customers write.
TURNS, TURN, WRITING = (QUEUE, FRAGMENT, TICKET, REPLY, LIST), 3.0, 20
PEOPLE = 500
#: MB by which the last quarter of the time may lie above the second: the first is each process growing to its size.
GROWTH = 5
WEB, BOT, JOBS = "a web worker", "the bot", "the jobs"


def soak(bridge: Bridge, web: int, minutes: float, say: Callable[[str], None]) -> list[Row]:
    """:param web: the process id of the desk's server."""
    held: dict[str, list[float]] = {WEB: [], BOT: [], JOBS: []}
    desk = bridge.desk
    # Whom nobody is replying to: a reply over words not yet seen would be held back.
    writers = itertools.cycle(range(2 * seed.FIRST_CHAT, 2 * seed.FIRST_CHAT + PEOPLE))
    open_tickets(desk)
    with telegram() as bench:
        own = bridge.environment | {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": bench.url}
        url = bridge.store.url(bridge.name)
        with servers.command("runbot", url, own) as bot, servers.command("runjobs", url, own) as jobs:
            began = time.monotonic()
            while time.monotonic() - began < 60 * minutes:
                bench.write([(next(writers), "Где мой заказ?") for _ in range(WRITING)])
                for what in TURNS:
                    burst(what, desk, Sample(), TURN)
                held[WEB].append(servers.worker_memory(web))
                held[BOT].append(servers.memory(bot.pid))
                held[JOBS].append(servers.memory(jobs.pid))
                say(f"{(time.monotonic() - began) / 60:.0f} of {minutes:g} min: {_last(held)}")
    return [row for process, values in held.items() for row in _rows(process, values, minutes)]


def _last(held: dict[str, list[float]]) -> str:
    return ", ".join(f"{process} {values[-1]:.0f} MB" for process, values in held.items())


def _rows(process: str, values: list[float], minutes: float) -> list[Row]:
    quarter = max(1, len(values) // 4)
    grown = statistics.median(values[-quarter:]) - statistics.median(values[quarter : 2 * quarter] or values)
    return [
        memory_row(f"{process} after {minutes:g} min of load", max(values)),
        Row(
            f"… from the second quarter of it to the last, {process}",
            f"≤ {GROWTH} MB",
            f"{grown:.0f} MB",
            grown <= GROWTH,
        ),
    ]
