"""Updates as Telegram would never send them: every kind it knows, broken in ways a seed repeats.

Each update is of the Bot API's shape with a few parts replaced, dropped or renamed; `words_of` says what a customer
would have written in it, told without any code of the product's.
"""

import copy
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botbridge.tests.test_every_kind import KINDS, content

Json = dict[str, Any]
#: Where a value stands: the keys and indexes that lead to it.
Path = tuple[Any, ...]

#: What marks a customer's own words.
MARKER = re.compile(r"слово-\d+-конец")
DAY = 1_790_000_000
#: A chat says this much before the next one begins: less than a flood (`botbridge.pace`).
UPDATES_OF_A_CHAT = 20

CHAT_TYPES = ("private", "group", "supergroup", "channel")
MADE_UP_KINDS = ("hologram", "smell", "text_2", "фото", "")
#: What json still reads. Deeper ones are met where the answer itself is read, in test_unreadable.py.
DEPTHS = (100, 500, 900)
ENTITY_TYPES = ("bold", "url", "text_link", "pre", "custom_emoji", "spoiler", "date_time", "new_in_2031")
RTL = "\u202e\u2066\u200b\u200d\ufeff\u0301"


def nested(depth: int, *, as_list: bool, inside: Any = 0) -> Any:
    value = inside
    for _level in range(depth):
        value = [value] if as_list else {"a": value}
    return value


#: What may stand in any place. Made anew each time, since mutations go on inside.
VALUES: tuple[Callable[[random.Random], Any], ...] = (
    lambda dice: None,
    lambda dice: dice.choice([True, False]),
    lambda dice: dice.choice([0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400]),
    lambda dice: dice.choice([0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")]),
    lambda dice: dice.choice(
        ["NaN", "Infinity", "1e999", "7", "-1", "true", "null", "", " ", "/start", "/my 1", "/new"]
    ),
    lambda dice: dice.choice(["\x00", "\ud83d", "до\x00после \udfff", "\udc00\ud800", "\x1b[31m", "\r\n\t"]),
    lambda dice: RTL + "абв" + RTL,
    lambda dice: "👨‍👩‍👧‍👦🇰🇿" * dice.choice([1, 40, 2_000]),
    lambda dice: "<script>alert(1)</script>{{ 7 }}{% now 'Y' %}%s%(n)s",
    lambda dice: "q" * dice.choice([65, 256, 1_025, 4_097, 70_000]),
    lambda dice: [],
    lambda dice: {},
    lambda dice: [None, 1, "a", [], {}],
    lambda dice: {"": "", "\x00": 1, "\ud800": 2, "a.b": 3, "__class__": 4, "q" * 300: 5},
    lambda dice: nested(dice.choice(DEPTHS), as_list=dice.choice([True, False])),
)
#: Much for each to carry, so only one in hundreds does.
HEAVY: tuple[Callable[[random.Random], Any], ...] = (
    lambda dice: "Ж" * 1_000_000,
    lambda dice: "😀" * 500_000,
    lambda dice: list(range(20_000)),
)


@dataclass
class Customer:
    """One chat's Telegram: numbers its messages."""

    id: int
    message_ids: Iterator[int]

    @property
    def user(self) -> Json:
        return {"id": self.id, "is_bot": False, "first_name": "Тимур", "username": "timur_a", "language_code": "kk"}

    @property
    def chat(self) -> Json:
        return {"id": self.id, "type": "private", "first_name": "Тимур"}

    def message(self, **content: Any) -> Json:
        return {"message_id": next(self.message_ids), "date": DAY, "chat": self.chat, "from": self.user, **content}


class Mutants:
    """Endless broken updates, the same for the same seed. `marker` names the words of each."""

    def __init__(self, seed: int, *, first_chat: int = 810_000_000) -> None:
        self._dice = random.Random(seed)
        self._chats = (Customer(first_chat + number, itertools.count(1)) for number in itertools.count())
        self._numbers = itertools.count(1)
        self._earlier: list[Json] = []
        self._update_id = 600_000_000

    def __iter__(self) -> Iterator[Json]:
        for customer in self._chats:
            for _turn in range(UPDATES_OF_A_CHAT):
                update = self._seed(customer)
                for _time in range(self._dice.choice([0, 1, 1, 1, 2, 3])):
                    if update:
                        self._mutate(update)
                self._earlier.append(update)
                yield update

    def marker(self) -> str:
        return f"слово-{next(self._numbers)}-конец"

    # What Telegram would say.

    def _seed(self, customer: Customer) -> Json:
        make = self._dice.choice([*[self._message] * 6, self._edit, self._press, self._membership, self._made_up])
        self._update_id += 1
        return {"update_id": self._update_id, **make(customer)}

    def _message(self, customer: Customer) -> Json:
        kind = self._dice.choice(["text", "text", "photo", "document", *KINDS])
        words = self.marker()
        said = {"text": words} if kind == "text" else copy.deepcopy(content(kind))
        more: Json = {}
        if kind in ("photo", "video", "document", "animation", "audio", "voice"):
            more["caption"] = words
        if self._dice.random() < 0.3:
            place = "caption_entities" if "caption" in more else "entities"
            more[place] = [self._entity(words) for _each in range(self._dice.randint(1, 4))]
        if self._dice.random() < 0.1:
            more["reply_to_message"] = customer.message(text="прежнее")
        if self._dice.random() < 0.1:
            more["forward_origin"] = {"type": "hidden_user", "date": DAY, "sender_user_name": "Кто-то"}
        if self._dice.random() < 0.1:
            more["media_group_id"] = "5"
        return {"message": customer.message(**said, **more)}

    def _entity(self, words: str) -> Json:
        """Often beside the words it speaks of, before them, or across another."""
        numbers = (0, 1, len(words) - 1, len(words), len(words) + 1, -1, 10**6, 2**63)
        offset, length = self._dice.choice(numbers), self._dice.choice(numbers)
        link = {"url": self._dice.choice(["javascript:alert(1)", 'https://a.example/" onmouseover="', "tg://x"])}
        return {"type": self._dice.choice(ENTITY_TYPES), "offset": offset, "length": length, **link}

    def _edit(self, customer: Customer) -> Json:
        earlier = self._dice.randint(1, UPDATES_OF_A_CHAT)
        edit = customer.message(text=self.marker(), edit_date=DAY + 60)
        return {"edited_message": {**edit, "message_id": earlier} if self._dice.random() < 0.7 else edit}

    def _press(self, customer: Customer) -> Json:
        data = self._dice.choice(["topic:1", "lang:kk", "same:1000", "switch:x", "new:", "\x00", "нет:такой:кнопки"])
        message = {"message_id": 3, "date": DAY, "chat": customer.chat}
        return {
            "callback_query": {
                "id": str(next(self._numbers)),
                "from": customer.user,
                "chat_instance": "1",
                "data": data,
                "message": message,
            }
        }

    def _membership(self, customer: Customer) -> Json:
        bot = {"id": 4242, "is_bot": True, "first_name": "Отклик"}
        change = {"chat": customer.chat, "from": customer.user, "date": DAY}
        status = self._dice.choice(["kicked", "member", "administrator", "evaporated"])
        old, new = {"status": "member", "user": bot}, {"status": status, "user": bot, "until_date": 0}
        return {"my_chat_member": {**change, "old_chat_member": old, "new_chat_member": new}}

    def _made_up(self, customer: Customer) -> Json:
        """A kind of message, or of update, from years ahead."""
        kind = self._dice.choice(MADE_UP_KINDS)
        if self._dice.random() < 0.5:
            return {"message": customer.message(**{kind: {"of": "2031"}}, text=self.marker())}
        return {kind or "telepathy": {"from": customer.user, "chat": customer.chat, "thought": self.marker()}}

    # What breaks it.

    def _mutate(self, update: Json) -> None:
        mutations = (
            *[self._replace] * 6,
            *[self._drop] * 3,
            self._rename,
            self._wrap,
            self._repeat_id,
            self._other_chat,
            self._renumber,
            self._into_words,
        )
        self._dice.choice(mutations)(update)

    def _place(self, update: Json) -> Path:
        """Some part's place, deep ones as likely as others; what is nested beyond reason counts as one part."""
        return self._dice.choice(list(places(update)))

    def _replace(self, update: Json) -> None:
        heavy = self._dice.random() < 0.004
        value = self._dice.choice(HEAVY if heavy else VALUES)(self._dice)
        put(update, self._place(update), value)

    def _drop(self, update: Json) -> None:
        holder, name = at(update, self._place(update))
        del holder[name]

    def _rename(self, update: Json) -> None:
        holder, name = at(update, self._place(update))
        if isinstance(holder, dict):
            new = self._dice.choice([f"{name}_2", name.upper(), "", "\x00", "\ud800", "__dict__", "from_user", "bot"])
            holder[new] = holder.pop(name)

    def _wrap(self, update: Json) -> None:
        holder, name = at(update, self._place(update))
        value = holder[name]
        wrapped = [[value], {"a": value}, [value, value]]
        holder[name] = self._dice.choice([*wrapped, str(value)] if isinstance(value, int | str) else wrapped)

    def _repeat_id(self, update: Json) -> None:
        """Another update under the number of an earlier one, of this chat or another."""
        if self._earlier:
            earlier = self._dice.choice(self._earlier[-50:])
            update["update_id"] = earlier.get("update_id")

    def _other_chat(self, update: Json) -> None:
        for event in update.values():
            if isinstance(event, dict) and isinstance(event.get("chat"), dict):
                kind = self._dice.choice(CHAT_TYPES[1:])
                event["chat"] = {"id": -1_001_000_000_000 - self._dice.randint(0, 3), "type": kind, "title": "Чат"}

    def _renumber(self, update: Json) -> None:
        """As after a week of silence, or as nobody numbers."""
        update["update_id"] = self._dice.choice([1, 0, -5, str(self._update_id), None, 2**64, 1.5, True])
        if self._dice.random() < 0.3:
            self._update_id = self._dice.randint(1, 10**9)
        if self._dice.random() < 0.2:
            update.pop("update_id")

    def _into_words(self, update: Json) -> None:
        """Something no text holds, in the middle of the words."""
        strange = self._dice.choice(["\x00", "\ud83d", "\udfff", RTL, "\u2028", "👩‍👩‍👦", "\x1b[0m", "&lt;", "'\""])
        for path in places(update):
            holder, name = at(update, path)
            if name in ("text", "caption") and isinstance(holder[name], str):
                holder[name] = f"{strange}{holder[name]}{strange}"
                return


def places(value: Any, path: Path = (), *, most: int = 12) -> Iterator[Path]:
    if len(path) >= most or not isinstance(value, dict | list):
        return
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value[:20]))
    for name, inner in items:
        yield (*path, name)
        yield from places(inner, (*path, name), most=most)


def at(update: Json, path: Path) -> tuple[Any, Any]:
    """The holder of a part, and its name there."""
    holder: Any = update
    for name in path[:-1]:
        holder = holder[name]
    return holder, path[-1]


def put(update: Json, path: Path, value: Any) -> None:
    holder, name = at(update, path)
    holder[name] = value


def words_in(update: Json) -> list[str]:
    """What a customer wrote in a private chat by this update, wherever it can be told that one did."""
    words = []
    for name in ("message", "edited_message"):
        message = update.get(name)
        if isinstance(message, dict) and is_private(message.get("chat")):
            # On their way two halves that stand beside each other become one character.
            said = [json.loads(json.dumps(message.get(part))) for part in ("text", "caption")]
            words += [text for text in said if isinstance(text, str) and MARKER.search(text)]
    return words


def is_private(chat: Any) -> bool:
    """Groups and channels say what they are; whatever does not is taken for a person."""
    return not isinstance(chat, dict) or chat.get("type") not in CHAT_TYPES[1:]
