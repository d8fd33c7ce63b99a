"""The bot's side: what it takes in, what it sends, and how soon; beside a Telegram that keeps the real one's limits."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from helpdesk.bench import push, seed, servers
from helpdesk.bench.measuring import Desk
from helpdesk.bench.report import Row, memory_row, percentile
from helpdesk.bench.store import Store
from helpdesk.bench.telegram import TOKEN, Call, Telegram, telegram

#: Seconds a run of the outbox is measured, the replies queued for it, and the messages a second it is to reach.
SENDING, QUEUED, SENT_A_SECOND = 60, 2_100, 28
#: Refusals in that time which are none of a steady kind: one for every ten seconds.
REFUSED_MOST = 6
#: Replies to an idle bot, seconds between them, and the seconds within which it is to take them up.
PICKED, PICKED_EVERY, PICKED_WITHIN = 100, 0.15, 0.05
#: Updates that wait when the bot starts, people who wrote them, and what is to be stored and handled a second.
UPDATES, PEOPLE, STORED_A_SECOND, HANDLED_A_SECOND = 2_000, 1_000, 1_000, 150
#: Messages to a desk among many, and the seconds within which they are to be seen.
PUSHED, PUSHED_WITHIN = 100, 0.1
#: Receipts in the queue, replies behind them, seconds between these, and the seconds within which each is to leave.
RECEIPTS, BEHIND, BEHIND_EVERY, BEHIND_WITHIN = 20_000, 20, 0.5, 2
#: Seconds the jobs' process is given to grow to its size.
JOBS_RUN = 30
#: Seconds a bot is given to start and to do what is measured, however slowly.
PATIENCE = 600

HANDLED = """
SELECT count(*), extract(epoch FROM max(handled_at) - min(received_at))
FROM botbridge_update WHERE state = 'handled' AND id > %s
"""


PUSH, PICK_UP, OUTBOX, INBOX, RECEIPTS_FIRST, MEMORY = "push", "pick-up", "outbox", "inbox", "behind receipts", "memory"
#: In the order they are measured, each on what the one before has left: those that leave work undone come last.
ALL = (PUSH, PICK_UP, OUTBOX, INBOX, RECEIPTS_FIRST, MEMORY)


@dataclass
class Bridge:
    """A desk to measure at, and what the bots that were measured held in memory, in MB."""

    store: Store
    name: str
    desk: Desk
    environment: dict[str, str]
    memory: list[float] = field(default_factory=list)

    def rows(self, wanted: Collection[str], say: Callable[[str], None]) -> list[Row]:
        measures = {
            PUSH: self.pushed,
            PICK_UP: self.picked_up,
            OUTBOX: self.sent,
            INBOX: self.taken_in,
            RECEIPTS_FIRST: self.behind_receipts,
            MEMORY: self.held,
        }
        rows = []
        for name in (name for name in ALL if name in wanted):
            say(f"Measuring the bot: {name}")
            rows += measures[name]()
        return rows

    def pushed(self) -> list[Row]:
        with self._bot() as bench:
            seconds = push.measure(self.desk, bench, PUSHED)
        title = f"customer's message → fragment on the desk, {push.DESKS} desks, p95"
        return [_at_most(title, percentile(seconds, 0.95), PUSHED_WITHIN)]

    def picked_up(self) -> list[Row]:
        with self._bot() as bench:
            seconds = self._replies(bench, "Отвечаем", PICKED, PICKED_EVERY)
        return [
            _at_most("reply committed → request at Telegram, idle bot, p95", percentile(seconds, 0.95), PICKED_WITHIN)
        ]

    def sent(self) -> list[Row]:
        self.store.inside(self.name, "replies", "Пишем", str(QUEUED), "0")
        with self._bot() as bench:
            log = bench.wait_for(lambda log: bool(log.taken), within=PATIENCE)
            began = log.taken[0].at
            time.sleep(max(0, began + SENDING - time.monotonic()))
            calls = [call for call in bench.log().calls if call.at < began + SENDING]
            bench.wait_for(lambda log: len(log.taken) >= QUEUED, within=PATIENCE)
            wrong = out_of_order(bench.log().taken)
        refused = sum(call.refused > 0 for call in calls)
        rate = (len(calls) - refused) / SENDING
        return [
            _at_least(f"outbox, messages a second for {SENDING} s", rate, SENT_A_SECOND),
            Row(f"… refused with 429 in these {SENDING} s", f"≤ {REFUSED_MOST}", str(refused), refused <= REFUSED_MOST),
            Row("… out of order in their chats", "0", str(wrong), wrong == 0),
        ]

    def taken_in(self) -> list[Row]:
        (last,) = self.store.ask(self.name, "SELECT coalesce(max(id), 0) FROM botbridge_update")
        (customers,) = self.store.ask(self.name, "SELECT count(*) FROM tickets_customer")
        people = min(PEOPLE, customers)
        each = customers // people
        written = [(seed.FIRST_CHAT + 1 + each * (n % people), f"Где мой заказ? {n}") for n in range(UPDATES)]
        with self._bot(written) as bench:
            log = bench.wait_for(lambda log: len(log.acknowledged) == UPDATES, within=PATIENCE)
            stored = UPDATES / (log.acknowledged[-1] - min(log.given.values()))
            handled = UPDATES / self._until_handled(last)
        return [
            _at_least("updates stored and acknowledged a second, while others are handled", stored, STORED_A_SECOND),
            _at_least("updates handled a second", handled, HANDLED_A_SECOND),
        ]

    def behind_receipts(self) -> list[Row]:
        queued = json.loads(self.store.inside(self.name, "receipts", str(RECEIPTS)))
        with self._bot() as bench:
            bench.wait_for(lambda log: bool(log.taken), within=PATIENCE)
            seconds = self._replies(bench, "Спешим", BEHIND, BEHIND_EVERY)
        return [
            _at_most(
                f"reply behind {queued:,} queued receipts leaves, slowest of {BEHIND}", max(seconds), BEHIND_WITHIN
            )
        ]

    def held(self) -> list[Row]:
        with servers.command("runjobs", self.store.url(self.name), self.environment) as jobs:
            time.sleep(JOBS_RUN)
            of_jobs = servers.memory(jobs.pid)
        of_bots = [memory_row("the bot after this load", max(self.memory))] if self.memory else []
        return [*of_bots, memory_row(f"the jobs after {JOBS_RUN} s", of_jobs)]

    @contextmanager
    def _bot(self, written: Sequence[tuple[int, str]] = ()) -> Iterator[Telegram]:
        """A bot that polls a Telegram where this was written before it came."""
        with telegram() as bench:
            if written:
                bench.write(written)
            own = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": bench.url}
            with servers.command("runbot", self.store.url(self.name), self.environment | own) as bot:
                bench.wait_for(lambda log: log.polls > 1 or bot.poll() is not None, within=PATIENCE)
                if bot.poll() is not None:
                    raise RuntimeError(f"the bot ended with {bot.returncode}")
                yield bench
                self.memory.append(servers.memory(bot.pid))

    def _replies(self, bench: Telegram, word: str, number: int, pause: float) -> list[float]:
        """Seconds from each reply's commit to its request."""
        committed = json.loads(self.store.inside(self.name, "replies", word, str(number), str(pause)))

        def left(calls: list[Call]) -> dict[str, float]:
            return {_text(call): call.at for call in calls if word in call.text}

        log = bench.wait_for(lambda log: len(left(log.taken)) == number, within=PATIENCE)
        return [at - committed[text] for text, at in left(log.taken).items()]

    def _until_handled(self, last: int) -> float:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            handled, seconds = self.store.ask(self.name, HANDLED, last)
            if handled == UPDATES:
                return float(seconds)
            time.sleep(1)
        raise TimeoutError(f"{handled} of {UPDATES} updates were handled within {PATIENCE} s")


def _text(call: Call) -> str:
    """What was written, without the line that names who did."""
    return call.text.rpartition("\n")[2]


def out_of_order(calls: list[Call]) -> int:
    """How many calls came after one whose text bears a higher number, in the same chat."""
    highest: defaultdict[int, int] = defaultdict(int)
    wrong = 0
    for call in calls:
        number = int(_text(call).split()[-1])
        wrong += number < highest[call.chat]
        highest[call.chat] = max(highest[call.chat], number)
    return wrong


def _at_least(title: str, rate: float, least: float) -> Row:
    return Row(title, f"≥ {least:,}", f"{rate:,.1f}", rate >= least)


def _at_most(title: str, seconds: float, most: float) -> Row:
    return Row(title, f"≤ {1000 * most:,.0f} ms", f"{1000 * seconds:,.0f} ms", seconds <= most)
