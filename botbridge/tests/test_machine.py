"""A bad day at random: customers, managers, Telegram and the processes between them, and what must hold whatever comes.

The machine plays the sandbox's customers, fetches and stores their updates as polling does, handles them as the inbox
does and sends as the outbox does, each step by itself, so that a process may end between any two of them. Beside it
stands a model in plain Python: which updates were stored, in which order, and which words each reply consists of. What
Telegram has is asked of the sandbox, never of the product.
"""

import asyncio
import copy
import itertools
import json
import logging
import re
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from aiogram import Bot
from aiogram.methods import TelegramMethod
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from botbridge import crash, inbox, polling
from botbridge.claiming import Claimed, claim
from botbridge.client import QuietSession, make_bot
from botbridge.doorbell import Doorbell
from botbridge.handlers import build_dispatcher
from botbridge.models import BotStatus, ChatSession, OutboundCall, TelegramMessage, Update
from botbridge.outbox import perform
from botbridge.parts import parts_in
from botbridge.polling import LIMIT, Polling
from botbridge.requests import Outcome
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import expire_leases, settle
from botbridge.storing import store
from botbridge.tests.conftest import BOT_ID, TOKEN, Json
from tickets import operations
from tickets.models import (
    Alteration,
    AlterationState,
    Delivery,
    DeliveryState,
    Lane,
    Message,
    MessageRevision,
    Notice,
    Sender,
    Ticket,
    Trouble,
    User,
)

pytestmark = pytest.mark.django_db

T = TypeVar("T")

#: Any part of a reply bears one; no two replies share one, but a reply and its repeats do.
#: How three files begin that leave one by one, and three that leave as an album.
FILES = {"files": (b"words", b"ID3", b"words"), "album": (b"words", b"words", b"words")}
TOKEN_IN_WORDS = re.compile(r"ответ-\d+-\d+(?:-v\d+)?")
NOWHERE = "http://127.0.0.1:9"
IDS = itertools.count(300_000_000)
#: What Telegram and the network do to one request; None is a good day. «refused»: no connection opens.
TROUBLES = (
    *[None] * 3,
    "too_many_requests",
    "drop",
    "cut",
    "server_error",
    "server_error_after_delivery",
    "bad_gateway",
    "refused",
)
PICKS = st.integers(0, 20)
MAY_HAVE_LEFT = (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.SENDING)
ASIDE = (DeliveryState.HELD, DeliveryState.UNKNOWN, DeliveryState.FAILED)


class KilledError(BaseException):
    """What a SIGKILL leaves of an act: nothing after this point happens, and no `except Exception` hears of it."""


class Queue(QuietSession):
    """Telegram's queue of updates, which getUpdates hands out and forgets by its offset."""

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[Json] = []
        self.ever: list[Json] = []
        self.most = LIMIT
        self.given: list[Json] = []

    def put(self, events: Iterable[Json]) -> None:
        """Telegram numbers updates in the order in which it hands them out."""
        numbered = [{**event, "update_id": next(IDS)} for event in events]
        self.updates += numbered
        self.ever += numbered

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109 - aiogram's
        offset = getattr(method, "offset", None) or 0
        self.updates = [update for update in self.updates if update["update_id"] >= offset]
        batch = self.updates[: self.most]
        self.given += batch
        return copy.deepcopy(batch)


@dataclass
class World:
    """What outlives one example: the fake wire, and the people of the desk."""

    sandbox: SandboxServer
    people: list[User]
    patch: pytest.MonkeyPatch


@dataclass
class Reply:
    """What a manager wrote: a token for each part, and every wording of the first, the last as the desk has it."""

    tokens: list[str]
    versions: list[str] = field(default_factory=list)
    #: Of a reply that was held, refused or in doubt the place is where its manager let it go.
    set_aside: bool = False


@dataclass
class Wire:
    """One customer's chat at Telegram, and what of it has been stored."""

    customer: CustomerClient
    #: What was ever seen in the database, in the order in which it came.
    stored: list[Json] = field(default_factory=list)
    #: Parts of albums that Telegram has not yet given a number.
    late: list[Json] = field(default_factory=list)
    blocked: bool = False


class BadDay(RuleBasedStateMachine):
    """One example: two customers, two managers, and whatever comes."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.example = transaction.atomic()
        self.example.__enter__()
        self.bot = make_bot(TOKEN, world.sandbox.base_url)
        self.dispatcher = build_dispatcher()
        self.numbers = itertools.count(1)
        self.offset = 0
        self.queue = Queue()
        self.polling = Polling(Bot(TOKEN, session=self.queue), Doorbell())
        self.batches: list[list[Json]] = []
        self.replies: dict[int, Reply] = {}
        self.claimed: list[Claimed] = []
        self.answers: list[tuple[Claimed, Outcome]] = []
        self.chats: list[Wire] = []

    @initialize()
    def begin(self) -> None:
        self._new()  # other examples' customers have left something
        for name in ("Тимур", "Алия"):
            wire = Wire(self.world.sandbox.customer(name))
            self.chats.append(wire)
            wire.customer.write("Здравствуйте, где мой заказ?")
        self._fetch()
        self.poll(LIMIT, None)
        self.handle(LIMIT, None)

    def teardown(self) -> None:
        try:
            if self.chats:
                self._drain()
                self._check_everything()
        finally:
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)
            self.world.sandbox.knobs.clear()

    # The customers.

    @rule(chat=PICKS, quotes=st.one_of(st.none(), PICKS))
    def write(self, chat: int, quotes: int | None) -> None:
        wire = self._writer(chat)
        quoted = pick(wire.customer.messages(), quotes) if quotes is not None else None
        more = {"reply_to": quoted["message_id"]} if quoted is not None else {}
        wire.customer.write(f"вопрос {next(self.numbers)}", **more)
        self._fetch()

    @rule(chat=PICKS, kind=st.sampled_from(["contact", "sticker", "poll", "location", "dice"]))
    def send_something(self, chat: int, kind: str) -> None:
        customer = self._writer(chat).customer
        if kind == "dice":
            customer.send_content(dice={"emoji": "🎲", "value": 3})
        else:
            customer.send_other(kind)
        self._fetch()

    @rule(chat=PICKS, photos=st.integers(2, 4), order=st.randoms(use_true_random=False), late=st.integers(0, 2))
    def send_album(self, chat: int, photos: int, order: Any, late: int) -> None:
        """Its parts come in any order, and some of them only after a while."""
        wire = self._writer(chat)
        number = next(self.numbers)
        files = [(f"{number}-{part}.txt", b"words", "text/plain") for part in range(photos)]
        wire.customer.send_files(*files, kind="document", text=f"альбом {number}")
        parts = self._new()
        order.shuffle(parts)
        wire.late += parts[photos - late :]
        self.queue.put(parts[: photos - late])

    @rule()
    def late_parts_come(self) -> None:
        for wire in self.chats:
            self.queue.put(wire.late)
            wire.late = []

    @rule(chat=PICKS, which=PICKS)
    def edit(self, chat: int, which: int) -> None:
        wire = self._writer(chat)
        own = [each for each in wire.customer.messages() if not each["from"]["is_bot"] and "text" in each]
        message = pick(own, which)
        if message is not None:
            wire.customer.edit(message["message_id"], f"исправлено {next(self.numbers)}")
            self._fetch()

    @rule(chat=PICKS, which=PICKS)
    def press(self, chat: int, which: int) -> None:
        wire = self._writer(chat)
        buttons = [
            (message["message_id"], button["callback_data"])
            for message in wire.customer.received()
            for button in itertools.chain.from_iterable(message.get("reply_markup", {}).get("inline_keyboard", []))
        ]
        button = pick(buttons, which)
        if button is not None:
            wire.customer.press(*button)
            self._fetch()

    @rule(chat=PICKS)
    def block(self, chat: int) -> None:
        wire = self.chats[chat % len(self.chats)]
        if not wire.blocked:
            wire.customer.block()
            wire.blocked = True
            self._fetch()

    @rule(chat=PICKS)
    def come_back(self, chat: int) -> None:
        self._writer(chat)

    def _writer(self, number: int) -> Wire:
        """Who writes has let the bot in again."""
        wire = self.chats[number % len(self.chats)]
        if wire.blocked:
            wire.customer.unblock()
            wire.blocked = False
            self._fetch()
        return wire

    def _fetch(self) -> None:
        self.queue.put(self._new())

    def _new(self) -> list[Json]:
        """What the customers' Telegram has produced since this was asked last."""
        new: list[Json] = []
        while batch := self.world.sandbox.call("getUpdates", offset=self.offset, timeout=0)["result"]:
            self.offset = batch[-1]["update_id"] + 1
            new += batch
        return new

    # The bot: in.

    @rule(
        most=st.integers(1, 6),
        fate=st.sampled_from([None, None, None, None, crash.AFTER_FETCH, crash.AFTER_STORE, crash.BEFORE_ACK]),
    )
    def poll(self, most: int, fate: str | None) -> None:
        """One turn of polling. A process that ends forgets what it would have acknowledged."""
        self.queue.most, self.queue.given = most, []
        with self._killed_at(fate):
            without_loop(self.polling._poll())
        if fate is not None:
            self.polling = Polling(self.polling._bot, Doorbell())
        if self.queue.given and fate != crash.AFTER_FETCH:
            self._note_stored(self.queue.given)

    def _note_stored(self, batch: list[Json]) -> None:
        self.batches.append(batch)
        for update in batch:
            wire = next((wire for wire in self.chats if wire.customer.id == chat_id_of(update)), None)
            if wire is not None and update not in wire.stored:
                wire.stored.append(update)

    @precondition(lambda self: self.batches)
    @rule(which=PICKS)
    def deliver_again(self, which: int) -> None:
        store(BOT_ID, copy.deepcopy(pick(self.batches, which)))

    @rule(most=st.integers(1, 6), fate=st.sampled_from([None, None, None, crash.AFTER_HANDLING]))
    def handle(self, most: int, fate: str | None) -> None:
        for _update in range(most):
            claimed = self._claim_update()
            if claimed is None:
                return
            with self._killed_at(fate):
                inbox.handle(claimed, self.bot, self.dispatcher)
            if fate is not None:
                return

    def _claim_update(self) -> inbox.Claim | None:
        self._pass_time()
        return inbox.claim(BOT_ID)

    @contextmanager
    def _killed_at(self, point: str | None) -> Iterator[None]:
        """A savepoint in place of a process: what it had not committed is gone."""

        def kill(reached: str) -> None:
            if reached == point:
                raise KilledError

        with self.world.patch.context() as patch:
            patch.setattr(crash, "at", kill)
            with suppress(KilledError):
                yield

    # The bot: out.

    @rule(trouble=st.sampled_from(TROUBLES), turns=st.integers(1, 4))
    def send(self, trouble: str | None, turns: int) -> None:
        for _turn in range(turns):
            claimed = self._claim()
            if claimed is None:
                return
            settle(claimed.call, self._ask(claimed, trouble))

    @rule()
    def send_and_die_before_asking(self) -> None:
        self._claim()

    @rule(trouble=st.sampled_from(TROUBLES))
    def send_and_hang(self, trouble: str | None) -> None:
        """The answer is there, and its worker is not: it may die, or come back after its lease."""
        claimed = self._claim()
        if claimed is not None:
            self.answers.append((claimed, self._ask(claimed, trouble)))

    @precondition(lambda self: self.answers)
    @rule(which=PICKS)
    def a_late_answer_comes(self, which: int) -> None:
        claimed, outcome = self.answers.pop(which % len(self.answers))
        settle(claimed.call, outcome)

    @rule()
    def leases_run_out(self) -> None:
        past = timezone.now() - timedelta(minutes=1)
        OutboundCall.objects.filter(state=DeliveryState.SENDING).update(lease_until=past)
        expire_leases()
        self._note_what_was_set_aside()

    def _claim(self) -> Claimed | None:
        self._pass_time()
        claimed = claim(BOT_ID, f"worker {next(self.numbers)}")
        return claimed if isinstance(claimed, Claimed) else None

    def _ask(self, claimed: Claimed, trouble: str | None) -> Outcome:
        knobs = self.world.sandbox.knobs
        if trouble is not None and trouble != "refused":
            knobs.turn_on(trouble, times=1, methods=[claimed.call.method], seconds=1)
        bot = make_bot(TOKEN, NOWHERE if trouble == "refused" else self.world.sandbox.base_url)
        try:
            return asyncio.run(ask(bot, claimed))
        finally:
            if trouble is not None:
                knobs.clear()

    def _pass_time(self) -> None:
        """Long enough for every pause, and for no lease."""
        past = timezone.now() - timedelta(minutes=5)
        BotStatus.objects.update(next_send_at=past)
        ChatSession.objects.update(next_send_at=past, handle_after=None, minute_since=None)
        OutboundCall.objects.filter(state=DeliveryState.QUEUED).update(due_at=past)
        Delivery.objects.filter(state=DeliveryState.QUEUED, due_at__gt=past).update(due_at=past)
        Alteration.objects.filter(state=AlterationState.QUEUED).update(due_at=past)

    # The managers.

    @rule(
        who=PICKS,
        ticket=PICKS,
        shape=st.sampled_from(["plain", "plain", "pieces", "files", "album"]),
        quotes=st.booleans(),
        then=st.sampled_from([operations.Then.WAIT, operations.Then.OPEN, operations.Then.RESOLVE]),
    )
    def reply(self, who: int, ticket: int, shape: str, quotes: bool, then: operations.Then) -> None:
        about = pick(self._tickets(), ticket)
        if about is None:
            return
        number = next(self.numbers)
        tokens = [f"ответ-{number}-{part}" for part in range(1 if shape == "plain" else 3)]
        text, uploads = tokens[0], []
        if shape == "pieces":
            text = "\n\n".join(f"{token} {'слово ' * 600}" for token in tokens)
        if shape in FILES:
            text = ""
            kinds = zip(tokens, FILES[shape], strict=True)
            uploads = [operations.Upload(name=f"{token}.txt", file=ContentFile(head)) for token, head in kinds]
        quote = about.messages.filter(sender=Sender.CLIENT).order_by("-pk").first() if quotes else None
        with refusals():
            message = operations.reply(
                ticket_id=about.pk,
                actor=self._person(who),
                text=text,
                uploads=uploads,
                client_id=uuid.uuid4(),
                quote_id=quote.pk if quote is not None else None,
                then=then,
            )
            self.replies[message.pk] = Reply(tokens, tokens[:1])

    @rule(who=PICKS, which=PICKS)
    def edit_reply(self, who: int, which: int) -> None:
        known = pick(sorted(self.replies), which)
        if known is None or len(self.replies[known].tokens) > 1:
            return
        token = f"{self.replies[known].tokens[0]}-v{next(self.numbers)}"
        with refusals():
            operations.edit_reply(message_id=known, actor=self._person(who), text=token)
            self.replies[known].versions.append(token)

    @rule(who=PICKS, which=PICKS, what=st.sampled_from(["withdraw", "release", "mark_arrived", "resend"]))
    def decide(self, who: int, which: int, what: str) -> None:
        known = pick(sorted(self.replies), which)
        if known is None:
            return
        act: Callable[..., Message] = getattr(operations, what)
        with refusals():
            message = act(message_id=known, actor=self._person(who))
            if what == "resend":
                parts_sent = Delivery.objects.get(pk=known).parts_sent
                former = self.replies[known]
                tokens = former.tokens[parts_sent:]
                self.replies[message.pk] = Reply(tokens, tokens[:1] if parts_sent else former.versions[-1:])

    @rule(who=PICKS, ticket=PICKS, what=st.sampled_from(["take", "resolve", "undo_resolve", "reopen"]))
    def act(self, who: int, ticket: int, what: str) -> None:
        about = pick(self._tickets(), ticket)
        if about is not None:
            with refusals():
                getattr(operations, what)(ticket_id=about.pk, actor=self._person(who))

    @rule(who=PICKS, whom=PICKS, ticket=PICKS)
    def hand_over(self, who: int, whom: int, ticket: int) -> None:
        about = pick(self._tickets(), ticket)
        if about is not None:
            with refusals():
                operations.assign(
                    ticket_id=about.pk, actor=self._person(who), assignee_id=self._person(whom).pk if whom % 3 else None
                )

    @rule(who=PICKS, ticket=PICKS)
    def note(self, who: int, ticket: int) -> None:
        about = pick(self._tickets(), ticket)
        if about is not None:
            operations.note(ticket_id=about.pk, actor=self._person(who), text="ответ-0-0 своим", client_id=uuid.uuid4())

    @rule(who=PICKS, ticket=PICKS)
    def read(self, who: int, ticket: int) -> None:
        about = pick(self._tickets(), ticket)
        if about is not None:
            last = about.messages.latest("pk")
            operations.mark_seen(ticket_id=about.pk, user=self._person(who), message_id=last.pk)
            assert Ticket.objects.with_news(self._person(who)).get(pk=about.pk).unread == 0

    def _person(self, number: int) -> User:
        return self.world.people[number % len(self.world.people)]

    def _tickets(self) -> list[Ticket]:
        return list(Ticket.objects.filter(customer__telegram_user_id__in=self._chat_ids()).order_by("pk"))

    def _chat_ids(self) -> list[int]:
        return [wire.customer.id for wire in self.chats]

    # What must hold after every step.

    @invariant()
    def nothing_is_lost_or_out_of_order_on_the_desk(self) -> None:
        for wire in self.chats:
            rows = list(Update.objects.filter(chat_id=wire.customer.id).order_by("pk").values_list("raw", "state"))
            assert [json.loads(raw) for raw, _state in rows] == wire.stored
            states = [state for _raw, state in rows]
            handled = states.count(Update.State.HANDLED)
            assert states == [Update.State.HANDLED] * handled + [Update.State.STORED] * (len(rows) - handled)
            self._check_desk(wire, wire.stored[:handled])

    def _check_desk(self, wire: Wire, handled: list[Json]) -> None:
        said = what_was_said(handled)
        messages = Message.objects.filter(customer__telegram_user_id=wire.customer.id, sender=Sender.CLIENT)
        known = {
            row.message_id: row.telegram_id
            for row in TelegramMessage.objects.filter(bot_id=BOT_ID, chat_id=wire.customer.id)
        }
        on_desk = list(messages.order_by("pk"))
        assert [known[message.pk] for message in on_desk] == list(said)
        for message in on_desk:
            versions = said[known[message.pk]]
            if versions:
                former = list(
                    MessageRevision.objects.filter(message=message).order_by("pk").values_list("text", flat=True)
                )
                assert [*former, message.text] == versions
        albums = Counter((message.media_group_id, message.ticket_id) for message in on_desk if message.media_group_id)
        assert len({album for album, _ticket in albums}) == len(albums)

    @invariant()
    def telegram_has_each_reply_once_and_in_order(self) -> None:
        self._note_what_was_set_aside()
        for wire in self.chats:
            self._check_sent(wire)

    def _check_sent(self, wire: Wire) -> None:
        received = {message["message_id"]: tokens_in(message) for message in wire.customer.received()}
        calls = list(
            OutboundCall.objects.filter(chat_id=wire.customer.id, delivery__isnull=False).select_related("delivery")
        )
        numbers = TelegramMessage.objects.filter(chat_id=wire.customer.id).values_list("message", "part", "telegram_id")
        known = {(message, part): telegram_id for message, part, telegram_id in numbers}
        left = [(call.delivery_id, part) for call in calls if call.state in MAY_HAVE_LEFT for part in parts_of(call)]
        # A tick is Telegram's word, for each message of an album.
        sent = {
            known[call.delivery_id, part]: (call.delivery_id, part)
            for call in calls
            if call.state == DeliveryState.SENT
            for part in parts_of(call)
        }
        for message_id, (delivery_id, part) in sent.items():
            assert message_id in received
            reply = self.replies.get(delivery_id)
            if reply is not None:
                wordings = reply.versions if part == 0 else [reply.tokens[part]]
                assert received[message_id][0] in wordings
                assert len(received[message_id]) == 1
        delivered = Counter(map(first_wording, itertools.chain.from_iterable(received.values())))
        may_be = Counter(self.replies[pk].tokens[part] for pk, part in left if pk in self.replies)
        assert not delivered - may_be  # never more often than the desk says
        assert len(received) <= len(left)
        in_order = [
            (pk, part)
            for _message_id, (pk, part) in sorted(sent.items())
            if pk not in self.replies or not self.replies[pk].set_aside
        ]
        assert in_order == sorted(in_order)

    def _note_what_was_set_aside(self) -> None:
        for pk in Delivery.objects.filter(pk__in=self.replies, state__in=ASIDE).values_list("pk", flat=True):
            self.replies[pk].set_aside = True

    @invariant()
    def the_desk_tells_the_truth(self) -> None:
        for ticket in self._tickets():
            assert ticket.version == 1 + ticket.events.count()
            assert ticket.trouble == trouble_of(ticket)
            if ticket.is_active and waits(ticket):
                assert ticket.waiting_since is not None
            receipts = ticket.messages.filter(notice=Notice.RECEIPT).count()
            assert receipts == 1

    # In the end.

    def _drain(self) -> None:
        """Every process lives again, and whatever may move has moved."""
        self.late_parts_come()
        while self.queue.updates:
            self.poll(LIMIT, None)
        for claimed in until_none(self._claim_update):
            inbox.handle(claimed, self.bot, self.dispatcher)
        self.leases_run_out()
        for sending in until_none(self._claim):
            settle(sending.call, self._ask(sending, None))

    def _check_everything(self) -> None:
        self.nothing_is_lost_or_out_of_order_on_the_desk()
        self.telegram_has_each_reply_once_and_in_order()
        self.the_desk_tells_the_truth()
        of_ours = {"customer__telegram_user_id__in": self._chat_ids()}
        assert not Update.objects.filter(chat_id__in=self._chat_ids()).exclude(state=Update.State.HANDLED).exists()
        under_way = [DeliveryState.QUEUED, DeliveryState.SENDING]
        assert not Delivery.objects.filter(**of_ours, state__in=under_way).exists()
        for wire in self.chats:
            assert wire.stored == [update for update in self.queue.ever if chat_id_of(update) == wire.customer.id]
            wordings = list(itertools.chain.from_iterable(map(tokens_in, wire.customer.received())))
            delivered = Counter(map(first_wording, wordings))
            for pk, reply in self.replies.items():
                delivery = Delivery.objects.select_related("message__customer").get(pk=pk)
                if delivery.message.customer.telegram_user_id != wire.customer.id:
                    continue
                if delivery.state == DeliveryState.SENT and not delivery.decision:
                    assert all(delivered[token] for token in reply.tokens)
                    # Whatever was edited, before it left or since, the customer has as the desk shows it.
                    assert delivery.message.deleted_at is not None or reply.versions[-1] in wordings
                if delivery.state == DeliveryState.CANCELLED:
                    assert not any(delivered[token] for token in reply.tokens)


def without_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing here to its end. In a loop Django would open a connection of its own."""
    with suppress(StopIteration):
        coroutine.send(None)
        raise AssertionError("it waits for something")


async def ask(bot: Bot, claimed: Claimed) -> Outcome:
    try:
        return await perform(bot, claimed)
    finally:
        await bot.session.close()


def pick(items: Any, number: int) -> Any:
    return items[number % len(items)] if items else None


def until_none(claim_next: Callable[[], T | None]) -> Iterator[T]:
    """Everything that is there to be claimed. No day makes nearly so much, so more of it means that it never ends."""
    for _turn in range(10_000):
        claimed = claim_next()
        if claimed is None:
            return
        yield claimed
    raise AssertionError("there is no end of what is to be claimed")


@contextmanager
def refusals() -> Iterator[None]:
    """An act the desk refuses, as it refuses most that come too late, changes nothing."""
    with suppress(operations.Refused), transaction.atomic():
        yield


def chat_id_of(update: Json) -> int:
    event = next(value for name, value in update.items() if name != "update_id")
    chat: int = event.get("message", event)["chat"]["id"] if "chat" not in event else event["chat"]["id"]
    return chat


def what_was_said(updates: list[Json]) -> dict[int, list[str]]:
    """Each message of a customer's in the order in which they came, with all it said, one edit after another.

    Of what is no text the words are the desk's own affair.
    """
    said: dict[int, list[str]] = {}
    for update in updates:
        message = update.get("message") or update.get("edited_message")
        if message is None:
            continue
        versions = said.setdefault(message["message_id"], [])
        if "text" in message and versions[-1:] != [message["text"]]:
            versions.append(message["text"])
    return said


def tokens_in(message: Json) -> list[str]:
    file = message.get("document") or message.get("audio") or {}
    said = (message.get("text"), message.get("caption"), file.get("file_name"))
    return TOKEN_IN_WORDS.findall(" ".join(filter(None, said)))


def first_wording(token: str) -> str:
    return token.partition("-v")[0]


def parts_of(call: OutboundCall) -> range:
    """Which of its message's parts a request carried."""
    return range(call.part, call.part + parts_in(call.payload))


def trouble_of(ticket: Ticket) -> Trouble:
    """The worst of what its manager has to decide about."""
    replies = Delivery.objects.filter(message__ticket=ticket, lane=Lane.REPLY)
    open_ones = {state for state, decision in replies.values_list("state", "decision") if not decision}
    worst = (DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.HELD)
    return next((Trouble[state.name] for state in worst if state in open_ones), Trouble.NONE)


def waits(ticket: Ticket) -> bool:
    """Whether the customer wrote after the last reply that was not taken back, refused or left lying."""
    messages = ticket.messages.filter(sender__in=[Sender.CLIENT, Sender.MANAGER]).select_related("delivery")
    for message in messages.order_by("-pk"):
        if message.sender == Sender.CLIENT:
            return True
        if message.delivery.state not in (DeliveryState.HELD, DeliveryState.FAILED, DeliveryState.CANCELLED):
            return False
    return False


# The days.


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Trouble is the rule here, and each has its line."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(autouse=True)
def in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling asks the database on this thread, whose transaction ends with the example."""

    async def here(function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    monkeypatch.setattr(polling, "in_thread", here)


@pytest.fixture
def world(sandbox: SandboxServer, aigerim: User, bolat: User, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(sandbox, [aigerim, bolat], monkeypatch)


def play(world: World, *, examples: int, steps: int, derandomize: bool) -> None:
    run_state_machine_as_test(
        lambda: BadDay(world),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=derandomize,
            database=None,
            deadline=None,
            print_blob=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_few_bad_days(world: World) -> None:
    play(world, examples=4, steps=40, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("_half", range(2))
def test_many_bad_days(world: World, _half: int) -> None:
    """In two parts, which workers share."""
    play(world, examples=40, steps=50, derandomize=False)
