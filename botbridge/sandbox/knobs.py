"""Trouble on demand: what Telegram and the network do to a bot on a bad day."""

import random
from dataclasses import dataclass, field
from typing import Any

from botbridge.sandbox.errors import CustomerError

Json = dict[str, Any]

SENDS = frozenset({"sendMessage", "sendPhoto", "sendVideo", "sendDocument", "sendVoice", "sendAudio", "sendMediaGroup"})
TOPIC_CHANGES = {"createForumTopic", "editForumTopic", "deleteForumTopic"}
CHANGES = SENDS | TOPIC_CHANGES | {"editMessageText", "editMessageCaption", "editMessageReplyMarkup", "deleteMessage"}
# A knob that names no methods leaves polls, webhooks and downloads alone, so that it strikes the calls people look at.
UNTOUCHED = frozenset({"getUpdates", "file", "webhook"})


@dataclass(frozen=True)
class Kind:
    """What one knob does: the calls it strikes unless told otherwise (None: all but UNTOUCHED), and its seconds."""

    methods: frozenset[str] | None
    seconds: float = 0


KINDS = {
    "too_many_requests": Kind(None, seconds=7),  # 429; `seconds` is retry_after
    "server_error": Kind(None),  # 500, not delivered
    "server_error_after_delivery": Kind(CHANGES),  # 500, yet delivered
    "hang": Kind(CHANGES),  # delivered, never answered
    "drop": Kind(None),  # the connection is cut before anything was taken
    "cut": Kind(CHANGES),  # delivered, then the connection is cut
    "bad_gateway": Kind(None),  # 502 with an HTML page, not delivered
    "partial_album": Kind(frozenset({"sendMediaGroup"})),  # the first parts arrive, then an error
    "blocked": Kind(SENDS),  # 403, as from a customer who stopped the bot
    "slow": Kind(None, seconds=3),  # the call takes `seconds` longer
    "limits": Kind(SENDS),  # 30 messages a second, 1 a second in a chat
    "album_in_parts": Kind(frozenset({"album"}), seconds=4),  # a customer's album comes late and out of order
    "threaded_mode": Kind(frozenset({"topics"})),  # no trouble: the bot's Threaded Mode is on in @BotFather
    "topic_ignored": Kind(SENDS),  # a message for a topic falls into the main chat
}


@dataclass
class Knob:
    """A knob that is on."""

    kind: Kind
    seconds: float
    left: int | None = None  # how often it still strikes; None: until it is turned off
    probability: float = 1.0
    methods: frozenset[str] | None = None
    chat_id: int | None = None
    dice: random.Random = field(default_factory=random.Random)

    def strikes(self, method: str, chat_id: int | None) -> bool:
        methods = self.methods or self.kind.methods
        meant = method in methods if methods else method not in UNTOUCHED
        if not meant or self.chat_id not in {None, chat_id}:
            return False
        return self.probability >= 1 or self.dice.random() < self.probability


class Knobs:
    """All knobs. They live in memory: a restarted sandbox behaves itself."""

    def __init__(self) -> None:
        self._on: dict[str, Knob] = {}

    def turn_on(
        self,
        name: str,
        *,
        times: int | None = None,
        probability: float = 1.0,
        seed: int | None = None,
        methods: list[str] | None = None,
        chat_id: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Turns a knob on: `times` strikes, or until it is turned off; with a `seed` the dice repeat."""
        if name not in KINDS:
            raise CustomerError(f"no such knob: {name}; there are {', '.join(sorted(KINDS))}")
        kind = KINDS[name]
        self._on[name] = Knob(
            kind=kind,
            seconds=kind.seconds if seconds is None else seconds,
            left=times,
            probability=probability,
            methods=frozenset(methods) if methods else None,
            chat_id=chat_id,
            dice=random.Random(seed),  # noqa: S311
        )

    def turn_off(self, name: str) -> None:
        self._on.pop(name, None)

    def clear(self) -> None:
        self._on.clear()

    def is_on(self, name: str) -> bool:
        return name in self._on

    def strike(self, name: str, method: str, chat_id: int | None) -> Knob | None:
        """The knob, if it is on and strikes this call; that uses up one of its times."""
        knob = self._on.get(name)
        if knob is None or not knob.strikes(method, chat_id):
            return None
        if knob.left is not None:
            knob.left -= 1
            if knob.left <= 0:
                self.turn_off(name)
        return knob

    def first(self, names: tuple[str, ...], method: str, chat_id: int | None) -> tuple[str, Knob] | None:
        """The first of the named knobs that strikes this call."""
        for name in names:
            if knob := self.strike(name, method, chat_id):
                return name, knob
        return None

    def as_json(self) -> dict[str, Json | None]:
        """Each knob by its name: None, or how it is set."""
        return {name: self._describe(name) for name in KINDS}

    def _describe(self, name: str) -> Json | None:
        if (knob := self._on.get(name)) is None:
            return None
        return {
            "left": knob.left,
            "probability": knob.probability,
            "methods": sorted(knob.methods) if knob.methods else None,
            "chat_id": knob.chat_id,
            "seconds": knob.seconds,
        }
