"""Kills at random moments and at the worst ones, while Telegram and its network misbehave."""

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException

from botbridge import crash
from botbridge.sandbox.knobs import CHANGES
from botbridge.sandbox.thread import SandboxServer
from helpdesk.chaos.databases import Database
from helpdesk.chaos.house import House
from helpdesk.chaos.trial import Trial
from helpdesk.progress import Say

AT_RANDOM = "at random"
#: What a point is passed once for, and not for each update or reply: a batch.
OF_BATCHES = {crash.AFTER_FETCH, crash.AFTER_STORE, crash.BEFORE_ACK}
#: Seconds a bot is given to come to the point at which it is to die.
REACHED_WITHIN = 120
#: Seconds between the polls of somebody else's bot, which else would only keep ours from ever being answered.
POLLS_EVERY = 0.5

#: How often a call is answered so, and whether the message is delivered all the same. A 429 is Telegram's word that it
#: has not taken it, so that never is.
FAULTS = {
    "too_many_requests": 0.03,
    "drop": 0.02,
    "cut": 0.02,
    "server_error": 0.005,
    "bad_gateway": 0.005,
    "server_error_after_delivery": 0.01,
}
BEFORE_DELIVERY = sorted(CHANGES | {"answerCallbackQuery", "getFile", "getUpdates"})
#: Of the albums customers send, those whose parts come late and out of order, and how late.
STRAGGLING, LATE = 0.6, 1.5

#: Of what customers write and managers answer.
ALBUMS, LONG, WITH_FILES = 0.08, 0.15, 0.15


@dataclass(frozen=True)
class Kill:
    """At a point's `passes`-th time; or when this share of what is to be written till the next kill has been written,
    and some seconds later.
    """

    point: str
    passes: int = 0
    share: float = 0
    seconds: float = 0


def plan(count: int, dice: random.Random) -> list[Kill]:
    """So many kills: at each point alike often and at least once, more of them at random, all mixed."""
    each = max(1, count // (2 * len(crash.OF_THE_BOT)))
    kills = [
        Kill(point, passes=dice.randint(1, 2 if point in OF_BATCHES else 8))
        for point in crash.OF_THE_BOT
        for _ in range(each)
    ]
    kills += [Kill(AT_RANDOM, share=dice.random(), seconds=dice.uniform(0, 2)) for _ in range(count - len(kills))]
    dice.shuffle(kills)
    return kills


@dataclass
class Killing:
    """A run of kills. `struck` counts them by point; `wrong` is what went otherwise than it should."""

    trial: Trial
    house: House
    database: Database
    sandbox: SandboxServer
    updates: int
    replies: int
    two_bots: bool
    say: Say
    struck: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    #: What part of everything is written between two kills.
    _share: float = 0

    def run(self, kills: Sequence[Kill]) -> None:
        spells = [self._database_goes_away, self._another_poller, *([self._two_bots] if self.two_bots else [])]
        acts: list[tuple[str, Callable[[float], None]]] = [
            (f"kill {kill.point}", partial(self._kill, kill)) for kill in kills
        ]
        # Evenly among the kills, so that each meets people at work.
        for number, spell in enumerate(spells, start=1):
            acts.insert(number * len(acts) // (len(spells) + 1), (spell.__name__.strip("_").replace("_", " "), spell))
        with self._misbehaving():
            for number, (name, act) in enumerate(acts, start=1):
                self._share = 1 / (len(acts) + 1)
                act(number * self._share)
                written = f"{self.trial.told:,} updates, {len(self.trial.replies):,} replies"
                self.say(f"{number} of {len(acts)}, {name}: {written}")
            with self.house.bot() as bot:
                while self._talk(1):
                    pass
                self.say("Everything is written; waiting for rest")
                self.trial.settle()
                self._is_alive("the bot", bot)

    @contextmanager
    def _misbehaving(self) -> Iterator[None]:
        knobs, dice = self.sandbox.knobs, self.trial.dice
        for name, probability in FAULTS.items():
            methods = None if name in {"cut", "server_error_after_delivery"} else BEFORE_DELIVERY
            knobs.turn_on(name, probability=probability, seed=dice.getrandbits(32), methods=methods, seconds=1)
        knobs.turn_on("album_in_parts", probability=STRAGGLING, seed=dice.getrandbits(32), seconds=LATE)
        try:
            yield
        finally:
            knobs.clear()

    def _talk(self, share: float) -> bool:
        """A few words from both sides. False when so much of everything has been written."""
        dice, trial = self.trial.dice, self.trial
        for _ in range(5):
            if trial.told < self.updates * share:
                (trial.show if dice.random() < ALBUMS else trial.write)()
        kinds = [trial.reply, trial.reply_at_length, trial.reply_with_files]
        for _ in range(2):
            if len(trial.replies) < self.replies * share:
                dice.choices(kinds, [1 - LONG - WITH_FILES, LONG, WITH_FILES])[0]()
        time.sleep(0.05)
        return trial.told < self.updates * share or len(trial.replies) < self.replies * share

    def _talk_or_write(self, share: float) -> None:
        if not self._talk(share):
            self.trial.write()
            self.trial.reply()
            time.sleep(0.3)

    def _talk_for(self, seconds: float, share: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._talk(share)

    def _kill(self, kill: Kill, share: float) -> None:
        if kill.point == AT_RANDOM:
            with self.house.bot() as bot:
                while self._talk(share - (1 - kill.share) * self._share):
                    pass
                self._talk_for(kill.seconds, share)
                self._is_alive("the bot", bot)
                bot.kill()
                bot.wait()
            self.struck[AT_RANDOM] += 1
            return
        # Only in development a bot can be made to end at a point.
        with self.house.bot(CRASH_AT=f"{kill.point}:{kill.passes}", DEBUG="1") as bot:
            deadline = time.monotonic() + REACHED_WITHIN
            while bot.poll() is None and time.monotonic() < deadline:
                self._talk_or_write(share)  # it may be waiting for something to do
            if bot.poll() is None:
                self.wrong.append(f"no bot came to {kill.point} for the {kill.passes}th time")
                return
        self.struck[kill.point] += 1

    def _database_goes_away(self, share: float) -> None:
        with self.house.bot() as bot, ThreadPoolExecutor(1) as other:
            self._talk_for(1, share)
            trouble = other.submit(self.database.restart)
            while not trouble.done():
                self._talk_or_write(share)
            trouble.result()
            self._talk_for(2, share)
            self._is_alive("the bot", bot)
        self.wrong += self.house.ended()

    def _another_poller(self, share: float) -> None:
        """Somebody else asks Telegram under the same token: each ends the other's polls (409)."""
        over = threading.Event()
        with self.house.bot() as bot, ThreadPoolExecutor(1) as other:
            polling = other.submit(self._poll_until, over)
            for _ in range(20):
                self._talk_or_write(share)
                time.sleep(0.3)
            over.set()
            polling.result()
            self._is_alive("the bot", bot)

    def _poll_until(self, over: threading.Event) -> None:
        """Acknowledges nothing: what it did acknowledge would be another's to keep."""
        while not over.is_set():
            with suppress(OSError, HTTPException, ValueError):  # it meets the same troubles as the bot
                self.sandbox.call("getUpdates", timeout=1)
            over.wait(POLLS_EVERY)

    def _two_bots(self, share: float) -> None:
        """Both whole, on one database; then one of them is killed."""
        with self.house.bot() as one, self.house.bot() as other:
            self._talk_for(6, share)
            self._is_alive("the first of two bots", one)
            one.kill()
            one.wait()
            self.struck[AT_RANDOM] += 1
            self._talk_for(6, share)
            self._is_alive("the second of two bots", other)

    def _is_alive(self, what: str, bot: "subprocess.Popen[bytes]") -> None:
        code = bot.poll()
        if code is not None:
            self.wrong.append(f"{what} ended by itself with {code}")
