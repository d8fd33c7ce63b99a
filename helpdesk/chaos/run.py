"""One run on one database, and what it found."""

import random
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib.auth.models import Group
from django.db import connection

from botbridge.sandbox.thread import SandboxServer
from helpdesk.chaos import kills, outages, report
from helpdesk.chaos.databases import Database, Server
from helpdesk.chaos.house import House
from helpdesk.chaos.trial import Trial
from helpdesk.gates import Passage, free_port
from helpdesk.progress import Say
from tickets.models import MANAGERS, DeliveryState, Team, User


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    updates: int
    chats: int
    replies: int
    kills: int
    outages: int
    longest: float
    seed: int


def run(database: Database, size: Size, folder: Path, say: Say) -> report.Found:
    """Everything that befalls the product on this database, Django's own. Its output is kept in `folder`."""
    began = time.monotonic()
    found = report.Found(database.words, database.trouble, chats=size.chats)
    dice = random.Random(size.seed)  # noqa: S311  # to be repeated, not to be secret
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="helpdesk-chaos-telegram-"))
        sandbox = stack.enter_context(SandboxServer(Path(state), port=free_port()))
        output = stack.enter_context((folder / "output").open("wb"))
        trial = Trial(sandbox, manager(), dice)
        trial.invite(size.chats)
        house = House(sandbox, output, stack)
        two_bots = connection.vendor == "postgresql"
        killing = kills.Killing(trial, house, database, sandbox, size.updates, size.replies, two_bots, say)
        killing.run(kills.plan(size.kills, dice))
        found.kills, found.wrong, found.bots = dict(killing.struck), killing.wrong, 1 + two_bots
        if size.outages:
            telegram = stack.enter_context(Passage("127.0.0.1", urlsplit(sandbox.base_url).port or 0))
            suffered = outages.Outages(trial, house, database, telegram, say)
            suffered.run(outages.plan(size.outages, size.longest, dice, database_stops=isinstance(database, Server)))
            found.outages = [asdict(seen) for seen in suffered.seen]
            found.wrong += suffered.wrong
            found.wrong += [f"outage of {seen.of}: {line}" for seen in suffered.seen for line in seen.wrong]
        _judge(trial, found)
    found.seconds = time.monotonic() - began
    return found


def manager() -> User:
    """Whoever answers everybody."""
    person = User.objects.create_user("aigerim", first_name="Айгерим", last_name="Сатпаева", public_name="Айгерим")
    person.groups.add(Group.objects.get(name=MANAGERS))
    Team.objects.get(is_default=True).members.add(person)
    return person


def _judge(trial: Trial, found: report.Found) -> None:
    verdict = trial.judge()
    found.wrong += verdict.wrong
    found.counts = {
        "lost": len(verdict.lost),
        "doubled rows": len(verdict.doubled),
        "out of order": len(verdict.disordered),
        "sent twice in silence": len(verdict.sent_twice),
        "unsure and not shown": len(verdict.hidden),
        "still on its way": len(verdict.unsettled),
    }
    found.updates, found.replies = trial.told, len(trial.replies)
    found.parts = sum(written.parts for written in trial.replies)
    found.albums = trial.shown
    log = trial.sandbox.log()
    calls = [line for line in log if line["direction"] == "bot"]
    outcomes = Counter(line["outcome"] for line in calls if line["method"] != "getUpdates")
    found.faults = {name: outcomes[name] for name in report.FAULTS if outcomes[name]}
    found.calls = sum(outcomes.values())
    found.failed_polls = len(calls) - found.calls
    states = Counter(reply.state for reply in trial.what_became_of_replies())
    found.sent = states[DeliveryState.SENT]
    found.unsure_came, found.unsure_lost = trial.unsure()
    found.failed = len(trial.replies) - found.sent - found.unsure_came - found.unsure_lost
