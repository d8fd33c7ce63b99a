"""What went wrong between Telegram and the desk, judged from what each of them knows; asks nobody itself.

Telegram's side is the sandbox's log, which is written before anything is answered. The desk's side is its rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeVar

from tickets.models import AttachmentState, DeliveryState

Key = TypeVar("Key")


@dataclass(frozen=True)
class Words:
    """A customer's message by its number in the chat. The desk may hold one without a number: nobody sent that."""

    telegram_id: int | None
    text: str


@dataclass(frozen=True)
class Photo:
    """A customer's photo on the desk: the album it stands in, and of each of its files the state, `torn` for one that
    is called ready and has other bytes.
    """

    album: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """What the desk says of one reply: how many messages it made of it, and what became of that.

    `is_shown`: its ticket bears the sign that a person has to look. `known`: the numbers it has noted of its parts.
    """

    number: int
    chat: int
    parts: int
    rows: int
    state: str
    parts_sent: int
    is_shown: bool
    known: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Arrival:
    """A part of a reply that Telegram put into a chat, in the order of the log."""

    chat: int
    telegram_id: int
    reply: int
    part: int


@dataclass(frozen=True)
class Sentence:
    """One of the bot's own sentences and what the desk says of it."""

    chat: int
    text: str
    state: str


@dataclass
class Verdict:
    """What is wrong, each in a line of its own; all of it is empty on a good day.

    `lost`: one side wrote, and the other neither has it nor is told. `doubled`: the desk holds it twice. `disordered`:
    not in the order it was written in. `sent_twice`: the customer got it twice and no person had decided so. `hidden`:
    in doubt, and nobody is told. `unsettled`: still on its way.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    sent_twice: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(**{kind.name: getattr(self, kind.name) + getattr(other, kind.name) for kind in fields(self)})

    @property
    def wrong(self) -> list[str]:
        """Everything that is wrong, with its kind."""
        return [f"{kind.name}: {line}" for kind in fields(self) for line in getattr(self, kind.name)]


def judge_incoming(told: Mapping[int, Sequence[Words]], kept: Mapping[int, Sequence[Words]]) -> Verdict:
    """Customers' messages, by chat: those Telegram told of, in its order, and those the desk shows, in its own."""
    verdict = Verdict()
    for chat in told.keys() | kept.keys():
        wanted = {words.telegram_id: words.text for words in told.get(chat, ())}
        shown = kept.get(chat, ())
        times = Counter(words.telegram_id for words in shown)
        texts = {words.telegram_id: words.text for words in shown}
        for number, text in wanted.items():
            if number not in times:
                verdict.lost.append(f"chat {chat}, message {number}: {text[:40]!r}")
            elif texts[number] != text:
                verdict.lost.append(f"chat {chat}, message {number} reads {texts[number][:40]!r}, not {text[:40]!r}")
        for number, count in times.items():
            if count > 1 or number not in wanted:
                verdict.doubled.append(f"chat {chat}, message {number} is there {count} times")
        places = {number: place for place, number in enumerate(wanted)}
        for number in _too_late([words.telegram_id for words in shown], places):
            verdict.disordered.append(f"chat {chat}: message {number} stands behind a later one")
    return verdict


def judge_photos(albums: Mapping[tuple[int, int], str], kept: Mapping[tuple[int, int], Photo]) -> Verdict:
    """Customers' photos by chat and number: the albums Telegram told of, and the photos on the desk. One that is not
    there at all is lost with its message.
    """
    verdict = Verdict()
    for (chat, number), album in albums.items():
        name, photo = f"chat {chat}, photo {number}", kept.get((chat, number))
        if photo is None:
            continue
        if photo.album != album:
            verdict.disordered.append(f"{name} stands apart from its album")
        if len(photo.files) > 1:
            verdict.doubled.append(f"{name} has {len(photo.files)} files")
        elif photo.files in ((AttachmentState.PENDING,), (AttachmentState.FETCHING,)):
            verdict.unsettled.append(f"{name}, its file")
        elif photo.files != (AttachmentState.READY,):
            verdict.lost.append(f"{name}, its file ({', '.join(photo.files) or 'none'})")
    return verdict


def _too_late(keys: Iterable[Key], places: Mapping[Key, int]) -> list[Key]:
    """Those that come after one whose place is behind theirs."""
    late, furthest = [], -1
    for key in keys:
        place = places.get(key, furthest)
        if place < furthest:
            late.append(key)
        furthest = max(furthest, place)
    return late


def judge_replies(replies: Sequence[Reply], arrivals: Sequence[Arrival]) -> Verdict:
    """Replies in the order they were written, and everything Telegram delivered of them."""
    verdict = Verdict()
    by_reply: defaultdict[int, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_reply[arrival.reply].append(arrival)
    for reply in replies:
        _judge_reply(reply, by_reply.pop(reply.number, []), verdict)
    for number in by_reply:
        verdict.doubled.append(f"reply {number}, which nobody wrote, was delivered")
    for chat, arrived in _by_chat(arrivals).items():
        keys = [(arrival.reply, arrival.part) for arrival in arrived]
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        for number, part in _too_late(list(dict.fromkeys(keys)), places):
            verdict.disordered.append(f"chat {chat}: part {part} of reply {number} came behind a later one")
    return verdict


def _judge_reply(reply: Reply, arrived: Sequence[Arrival], verdict: Verdict) -> None:
    name = f"reply {reply.number} ({reply.state})"
    times = Counter(arrival.part for arrival in arrived)
    verdict.sent_twice += [f"{name}, part {part}: {count} times" for part, count in times.items() if count > 1]
    verdict.sent_twice += [f"{name} in chat {a.chat}, another's" for a in arrived if a.chat != reply.chat]
    if reply.rows > 1:
        verdict.doubled.append(f"{name} is there {reply.rows} times")
    if reply.rows == 0:
        verdict.lost.append(f"{name} is not there")
    elif reply.state in (DeliveryState.QUEUED, DeliveryState.SENDING):
        verdict.unsettled.append(name)
    elif reply.state not in (DeliveryState.SENT, DeliveryState.UNKNOWN):
        verdict.lost.append(f"{name}, though Telegram refused nothing")
    claimed = reply.parts if reply.state == DeliveryState.SENT else reply.parts_sent
    verdict.lost += [f"{name}: part {part} has a tick and never came" for part in range(claimed) if part not in times]
    if reply.state == DeliveryState.UNKNOWN and not reply.is_shown:
        verdict.hidden.append(f"{name}: its ticket bears no sign")
    if reply.state == DeliveryState.SENT:
        unknown = [arrival.part for arrival in arrived if arrival.telegram_id not in reply.known]
        verdict.lost += [f"{name}: nobody could answer its part {part}" for part in unknown]


def _by_chat(arrivals: Iterable[Arrival]) -> dict[int, list[Arrival]]:
    chats: dict[int, list[Arrival]] = {}
    for arrival in arrivals:
        chats.setdefault(arrival.chat, []).append(arrival)
    return chats


def judge_sentences(said: Iterable[Sentence], heard: Iterable[tuple[int, str]]) -> Verdict:
    """The bot's own sentences, and as (chat, text) all Telegram delivered of them. They are alike: counts decide."""
    verdict = Verdict()
    surely: Counter[tuple[int, str]] = Counter()
    perhaps: Counter[tuple[int, str]] = Counter()
    for sentence in said:
        key = (sentence.chat, sentence.text)
        surely[key] += sentence.state == DeliveryState.SENT
        perhaps[key] += sentence.state in (DeliveryState.SENT, DeliveryState.UNKNOWN)
        if sentence.state in (DeliveryState.QUEUED, DeliveryState.SENDING):
            verdict.unsettled.append(f"chat {sentence.chat}: {sentence.text[:40]!r}")
    times = Counter(heard)
    for chat, text in surely.keys() | times.keys():
        count = times[chat, text]
        if count < surely[chat, text]:
            verdict.lost.append(f"chat {chat}: {text[:40]!r} has {surely[chat, text]} ticks and came {count} times")
        if count > perhaps[chat, text]:
            verdict.sent_twice.append(f"chat {chat}: {text[:40]!r} came {count} times for {perhaps[chat, text]}")
    return verdict


def judge_once(what: str, times: Mapping[Key, int], wanted: Iterable[Key]) -> Verdict:
    """What has to be there exactly once: an update's row, a chat's ticket, a ticket's receipt."""
    keys = dict.fromkeys([*wanted, *times])
    return Verdict(
        lost=[f"{what} {key}" for key in keys if times.get(key, 0) == 0],
        doubled=[f"{what} {key}: {times[key]} times" for key in keys if times.get(key, 0) > 1],
    )
