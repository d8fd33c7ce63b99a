"""PostgreSQL or Telegram is away for a while, and a monitor watches what health says meanwhile."""

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Self

from helpdesk.chaos.databases import Database, Server
from helpdesk.chaos.house import House
from helpdesk.chaos.trial import Trial, patiently, wait_for
from helpdesk.gates import Passage
from helpdesk.progress import Say
from tickets.models import Delivery, Message, Sender

DATABASE, TELEGRAM = "database", "Telegram"
#: The part of health that has to name it.
PARTS = {DATABASE: "database", TELEGRAM: "bot"}

SHORTEST, LONGEST = 1, 60
ASKED_EVERY = 0.2
#: Seconds after which health has to say it, and after which all is well again. Telegram's silence can be told from a
#: quiet time only when a poll has not been answered in time (`botbridge.polling`), 10 s at most.
RED_WITHIN, SILENCE_RED_WITHIN, GREEN_WITHIN = 5.0, 15.0, 60.0


@dataclass(frozen=True)
class Outage:
    """`silent`: connections stay open and nothing is answered; else they break and new ones are refused."""

    of: str
    seconds: float
    silent: bool = False

    @property
    def red_within(self) -> float:
        return SILENCE_RED_WITHIN if self.silent else RED_WITHIN


@dataclass(frozen=True)
class Answer:
    """What health said and when. Without an answer a monitor takes the site for broken, but nobody knows why."""

    at: float
    status: int | None
    failing: tuple[str, ...] = ()

    @property
    def is_red(self) -> bool:
        return self.status != 200


@dataclass
class Seen:
    """One outage as the monitor saw it, in seconds: `red` after it began, `green` after it ended; None for never."""

    of: str
    silent: bool
    seconds: float
    red: float | None
    green: float | None
    wrong: list[str] = field(default_factory=list)


def judge(outage: Outage, began: float, ended: float, answers: Sequence[Answer]) -> Seen:
    """Whether health said it, said what fails, went on saying it and stopped when it was over."""
    during = [answer for answer in answers if began <= answer.at < ended]
    after = [answer for answer in answers if answer.at >= ended]
    red = next((answer.at - began for answer in during if answer.is_red), None)
    green = next((answer.at - ended for answer in after if not answer.is_red), None)
    seen = Seen(outage.of, outage.silent, ended - began, red, green)
    if red is None and seen.seconds > outage.red_within:
        seen.wrong.append("health never said it")
    if red is not None and red > outage.red_within:
        seen.wrong.append(f"health said it only after {red:.1f} s")
    later = [answer for answer in during if red is not None and answer.at > began + red]
    if any(not answer.is_red for answer in later):
        seen.wrong.append("health took it back while it lasted")
    if any(answer.status == 503 and PARTS[outage.of] not in answer.failing for answer in later):
        seen.wrong.append("health named another part")
    if any(answer.status is None for answer in later):
        seen.wrong.append("health did not answer")
    if green is None or green > GREEN_WITHIN:
        seen.wrong.append(f"health was not well {GREEN_WITHIN:g} s after its end")
    return seen


class Monitor:
    """Asks health several times a second, for the length of a `with` block."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/health"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def is_green(self) -> bool:
        return bool(self.answers) and not self.answers[-1].is_red

    def _watch(self) -> None:
        while not self._over.is_set():
            self.answers.append(self._ask())
            self._over.wait(ASKED_EVERY)

    def _ask(self) -> Answer:
        asked = time.monotonic()
        try:
            with urllib.request.urlopen(self._url, timeout=10) as answer:  # noqa: S310  # an address of our own
                return Answer(asked, answer.status)
        except urllib.error.HTTPError as error:
            return Answer(asked, error.code, tuple(json.load(error)["failing"]))
        except (OSError, HTTPException, ValueError):
            return Answer(asked, None)


def plan(count: int, longest: float, dice: random.Random, *, database_stops: bool) -> list[Outage]:
    """So many of each kind and of any length, the shortest and the longest too; every third of Telegram's is silent."""
    lengths = [SHORTEST, longest]
    outages = [
        Outage(TELEGRAM, seconds, silent=number % 3 == 2)
        for number, seconds in enumerate(_lengths(lengths, count, longest, dice))
    ]
    if database_stops:
        outages += [Outage(DATABASE, seconds) for seconds in _lengths(lengths, count, longest, dice)]
    dice.shuffle(outages)
    return outages


def _lengths(first: Sequence[float], count: int, longest: float, dice: random.Random) -> list[float]:
    return [*first, *(round(dice.uniform(SHORTEST, longest), 1) for _ in range(count))][:count]


@dataclass
class Outages:
    """A run of outages, while people write. Nothing is restarted."""

    trial: Trial
    house: House
    database: Database
    telegram: Passage
    say: Say
    seen: list[Seen] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self, outages: Sequence[Outage]) -> None:
        environment = {"TELEGRAM_API_URL": f"http://127.0.0.1:{self.telegram.port}"}
        with self.house.bot(**environment) as bot, Monitor(self.house.port) as monitor:
            for number, outage in enumerate(outages, start=1):
                if not self._comes_true(monitor.is_green):
                    self.wrong.append(f"health was not well before outage {number}: {monitor.answers[-1:]}")
                self._write(reply=True)
                found = self._suffer(outage, monitor)
                self.seen.append(found)
                well = "; ".join(found.wrong) or "as it should be"
                self.say(f"outage {number} of {len(outages)}, {found.of} for {found.seconds:.0f} s: {well}")
            self.trial.settle()
            if bot.poll() is not None:
                self.wrong.append(f"the bot ended by itself with {bot.returncode}")
        self.wrong += self.house.ended()

    def _suffer(self, outage: Outage, monitor: Monitor) -> Seen:
        stop, start = self._how(outage)
        began = time.monotonic()
        stop()
        while time.monotonic() - began < outage.seconds:
            # While the database is away a manager's page waits, and so would this.
            self._write(reply=outage.of == TELEGRAM)
            time.sleep(0.3)
        # From here on it may answer at any moment.
        ended = time.monotonic()
        start()
        self._comes_true(lambda: monitor.is_green() and monitor.answers[-1].at > ended)
        self._comes_true(self._is_quiet)
        return judge(outage, began, ended, list(monitor.answers))

    def _how(self, outage: Outage) -> tuple[Callable[[], None], Callable[[], None]]:
        if outage.of == DATABASE:
            assert isinstance(self.database, Server)  # `plan` has no such outage for one that cannot stop
            return self.database.stop, self.database.start
        return (self.telegram.hush, self.telegram.speak) if outage.silent else (self.telegram.shut, self.telegram.open)

    def _write(self, *, reply: bool) -> None:
        self.trial.write()
        if reply:
            self.trial.reply()

    def _is_quiet(self) -> bool:
        """What was written is in, and sent."""
        kept = patiently(Message.objects.filter(sender=Sender.CLIENT).count)
        return kept >= self.trial.told and not patiently(Delivery.objects.filter(state="queued").exists)

    def _comes_true(self, what: Callable[[], bool]) -> bool:
        try:
            wait_for(what, within=2 * GREEN_WITHIN)
        except TimeoutError:
            return False
        return True
