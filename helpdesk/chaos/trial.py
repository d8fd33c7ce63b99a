"""Customers and their manager, what they have written, and what became of it by both sides' word.

Telegram is a sandbox, which logs before it answers; everything else is the product itself on Django's database.
"""

import random
import re
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.core.files.base import ContentFile
from django.db import InterfaceError, OperationalError, connection

from botbridge.health import MOST, facts
from botbridge.models import OutboundCall, TelegramMessage, Update
from botbridge.sandbox.client import CustomerClient, SandboxClient
from botbridge.sandbox.thread import SandboxServer
from helpdesk.chaos.oracle import (
    Arrival,
    Photo,
    Reply,
    Sentence,
    Verdict,
    Words,
    judge_incoming,
    judge_once,
    judge_photos,
    judge_replies,
    judge_sentences,
)
from helpdesk.demo.files import photo_of_a_broken_screen, replacement_act
from tickets import operations
from tickets.models import (
    Attachment,
    AttachmentState,
    ContentType,
    Delivery,
    DeliveryState,
    Lane,
    Message,
    Notice,
    Sender,
    Ticket,
    Trouble,
    User,
)
from tickets.text import pieces_of

Json = dict[str, Any]
Result = TypeVar("Result")

#: Leases of 30 s, a message a second in each chat, and a machine that may be busy with other things.
RESTS_WITHIN = 240
#: A manager's browser sends again until it is answered.
ANSWERED_WITHIN = 300

#: A line of a reply's text, and the name of one of its files: which reply, and where in it.
LINE = re.compile(r"\[(\d+)\.(\d+)\]")
FILE = re.compile(r"(\d+)\.(\d+)\.(?:pdf|png)")

UNDER_WAY = (DeliveryState.QUEUED, DeliveryState.SENDING)
ON_ITS_WAY = (AttachmentState.PENDING, AttachmentState.FETCHING)


@dataclass(frozen=True)
class Written:
    """A reply as its manager meant it, from the moment of the first attempt on."""

    number: int
    ticket: int
    chat: int
    text: str
    files: tuple[str, ...] = ()
    client_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def parts(self) -> int:
        return len(self.files) or len(pieces_of(self.text))

    def part_of(self, line: str) -> int:
        """The part that holds this line of the text first."""
        return next(number for number, piece in enumerate(pieces_of(self.text)) if line in piece)


class Trial:
    """One trial on Django's database: a sandbox, its customers, and what they and `manager` have written."""

    def __init__(self, sandbox: SandboxServer, manager: User, dice: random.Random) -> None:
        self.sandbox = sandbox
        self.manager = manager
        self.dice = dice
        self.customers: list[CustomerClient] = []
        #: How many messages customers have sent; the parts of an album are one each.
        self.told = 0
        #: How many of them were parts of albums.
        self.shown = 0
        self.replies: list[Written] = []
        self._tickets: list[tuple[int, int]] = []

    def invite(self, count: int) -> None:
        self.customers += [self.sandbox.customer(f"Клиент {number}") for number in range(count)]

    def write(self, customer: CustomerClient | None = None) -> str:
        """A customer, any unless one is named, writes another message; gives its text."""
        customer = customer or self.dice.choice(self.customers)
        text = f"{customer.id} пишет {self.told}"
        customer.write(text)
        self.told += 1
        return text

    def show(self) -> None:
        """Any customer sends an album."""
        customer, number = self.dice.choice(self.customers), self.dice.randint(2, 4)
        photos = [(f"{place}.png", photo(), "image/png") for place in range(number)]
        customer.send_files(*photos, kind="photo", text=f"{customer.id} показывает {self.told}")
        self.told += number
        self.shown += number

    def reply(self) -> bool:
        """The manager answers any ticket in a sentence; False while there is none."""
        return self._reply(lambda number: (f"[{number}.0] Ответ.", ()))

    def reply_at_length(self) -> bool:
        """… in a text of several messages."""
        lines = self.dice.randint(60, 180)
        return self._reply(
            lambda number: ("\n".join(f"[{number}.{line}] {'слово ' * 15}" for line in range(lines)), ())
        )

    def reply_with_files(self) -> bool:
        """… with several files."""
        kinds = self.dice.choices(["pdf", "png"], k=self.dice.randint(2, 4))
        return self._reply(
            lambda number: (f"[{number}.0] Файлы.", tuple(f"{number}.{n}.{kind}" for n, kind in enumerate(kinds)))
        )

    def _reply(self, words: Callable[[int], tuple[str, tuple[str, ...]]]) -> bool:
        if len(self._tickets) < len(self.customers):
            self._tickets = patiently(tickets_and_chats)
        if not self._tickets:
            return False
        ticket, chat = self.dice.choice(self._tickets)
        number = len(self.replies)
        text, files = words(number)
        written = Written(number, ticket, chat, text.rstrip(), files)
        self.replies.append(written)
        patiently(lambda: self._send(written))
        return True

    def _send(self, written: Written) -> None:
        """As a browser does: under the same id each time, so that no attempt too many makes a second message."""
        uploads = [operations.Upload(name=name, file=ContentFile(file_for(name), name)) for name in written.files]
        operations.reply(
            ticket_id=written.ticket,
            actor=self.manager,
            text=written.text,
            client_id=written.client_id,
            uploads=uploads,
        )

    # What became of it.

    def settle(self) -> None:
        """Wait until the product has done all there is to do, or does nothing for `RESTS_WITHIN` seconds."""
        before, since = None, time.monotonic()
        while time.monotonic() - since < RESTS_WITHIN:
            left = patiently(self._left)
            if not any(left):
                return
            if left != before:
                before, since = left, time.monotonic()
            time.sleep(0.2)

    def _left(self) -> tuple[int, ...]:
        """What has still to come in, be handled, be sent, and be fetched."""
        return (
            max(0, self.told - Message.objects.filter(sender=Sender.CLIENT).count()),
            Update.objects.filter(state=Update.State.STORED).count(),
            Delivery.objects.filter(state__in=UNDER_WAY).count(),
            OutboundCall.objects.filter(state__in=UNDER_WAY).count(),
            Attachment.objects.filter(state__in=ON_ITS_WAY).count(),
        )

    def judge(self) -> Verdict:
        """What must hold after every trial, and what does not."""
        sent = list(self._sent())
        arrivals = [arrival for _chat, _text, found in sent for arrival in found]
        sentences = [(chat, text) for chat, text, found in sent if not found]
        verdict = self._judge_updates()
        verdict += judge_replies(self.what_became_of_replies(), arrivals)
        verdict += judge_sentences(self._said(), sentences)
        return verdict + self._judge_counts()

    def _judge_updates(self) -> Verdict:
        updates = self.sandbox.updates()
        told: defaultdict[int, list[Words]] = defaultdict(list)
        albums: dict[tuple[int, int], str] = {}
        for update in (line["update"] for line in updates):
            if message := update.get("message"):
                chat, number = message["chat"]["id"], message["message_id"]
                told[chat].append(Words(number, message.get("text") or message.get("caption") or ""))
                if "photo" in message:
                    albums[chat, number] = message["media_group_id"]
        verdict = judge_incoming(told, self._kept()) + judge_photos(albums, self._photos())
        count = sum(map(len, told.values()))
        if count != self.told:
            verdict.lost.append(f"{self.told} messages were written, and Telegram told of {count}")
        rows = Counter(Update.objects.values_list("update_id", flat=True))
        acknowledged = [line["update"]["update_id"] for line in updates if line["acknowledged_at"]]
        verdict += judge_once("update", rows, acknowledged)
        for update_id, reason in Update.objects.filter(state=Update.State.PARKED).values_list("update_id", "reason"):
            verdict.lost.append(f"update {update_id} is parked: {reason}")
        return verdict

    def _kept(self) -> dict[int, list[Words]]:
        numbers: defaultdict[int, list[int]] = defaultdict(list)
        for message, number in TelegramMessage.objects.values_list("message_id", "telegram_id"):
            numbers[message].append(number)
        kept: defaultdict[int, list[Words]] = defaultdict(list)
        rows = Message.objects.filter(sender=Sender.CLIENT).order_by("pk")
        for pk, chat, text in rows.values_list("pk", "customer__telegram_user_id", "text"):
            assert chat is not None  # nobody is erased here
            kept[chat] += [Words(number, text) for number in numbers[pk]] or [Words(None, text)]
        return kept

    def _photos(self) -> dict[tuple[int, int], Photo]:
        files: defaultdict[int, list[str]] = defaultdict(list)
        for attachment in Attachment.objects.filter(message__sender=Sender.CLIENT):
            is_whole = attachment.state != AttachmentState.READY or _bytes_of(attachment) == photo()
            files[attachment.message_id].append(attachment.state if is_whole else "torn")
        rows = TelegramMessage.objects.filter(message__content_type=ContentType.PHOTO, message__sender=Sender.CLIENT)
        about = rows.values_list("chat_id", "telegram_id", "message_id", "message__media_group_id")
        return {(chat, number): Photo(album, tuple(files[pk])) for chat, number, pk, album in about}

    def what_became_of_replies(self) -> list[Reply]:
        """The desk's word on each of them."""
        numbers: defaultdict[int, set[int]] = defaultdict(set)
        for message, number in TelegramMessage.objects.values_list("message_id", "telegram_id"):
            numbers[message].add(number)
        found: defaultdict[uuid.UUID | None, list[Row]] = defaultdict(list)
        rows = Message.objects.filter(sender=Sender.MANAGER).order_by("pk")
        about = ("pk", "delivery__state", "delivery__parts_sent", "ticket__trouble")
        for client_id, *row in rows.values_list("client_id", *about):
            found[client_id].append(Row(*row))
        return [_reply_of(written, found[written.client_id], numbers) for written in self.replies]

    def _said(self) -> Iterator[Sentence]:
        rows = Delivery.objects.filter(message__sender=Sender.SYSTEM)
        for chat, text, state in rows.values_list("customer__telegram_user_id", "message__text", "state"):
            assert chat is not None  # nobody is erased here
            yield Sentence(chat, text, state)

    def _sent(self) -> Iterator[tuple[int, str, list[Arrival]]]:
        """Every call that put messages into a chat, in order: the chat, the words, the parts of a reply it carried."""
        replies = {written.number: written for written in self.replies}
        for line in self.sandbox.sends():
            payload, numbers = line["payload"], line["message_ids"]
            text = str(payload.get("text") or payload.get("caption") or "")
            parts = list(_parts_in(payload, text, replies))
            pairs = zip(parts, numbers, strict=False)
            yield line["chat_id"], text, [Arrival(line["chat_id"], number, *part) for part, number in pairs]

    def _judge_counts(self) -> Verdict:
        """One ticket a customer who wrote, one receipt a ticket, and every unsure reply counted for health."""
        tickets = Counter(Ticket.objects.values_list("customer__telegram_user_id", flat=True))
        wrote = set(Message.objects.filter(sender=Sender.CLIENT).values_list("customer__telegram_user_id", flat=True))
        verdict = judge_once("the ticket of", tickets, wrote)
        receipts = Counter(Message.objects.filter(notice=Notice.RECEIPT).values_list("ticket", flat=True))
        verdict += judge_once("the receipt for", receipts, Ticket.objects.values_list("pk", flat=True))
        unsure = Delivery.objects.filter(state=DeliveryState.UNKNOWN, lane=Lane.REPLY, decision="").count()
        if (counted := facts()["unknown"]) != min(unsure, MOST):
            verdict.hidden.append(f"{unsure} replies are unsure, and health counts {counted}")
        return verdict

    def unsure(self) -> tuple[int, int]:
        """How many of the replies nobody is sure of have come, as Telegram knows, and how many have not."""
        arrived = {(found.reply, found.part) for _chat, _text, parts in self._sent() for found in parts}
        unknown = [reply for reply in self.what_became_of_replies() if reply.state == DeliveryState.UNKNOWN]
        came = sum((reply.number, reply.parts_sent) in arrived for reply in unknown)
        return came, len(unknown) - came


class Row(NamedTuple):
    """What the desk says of a reply."""

    pk: int = 0
    state: str = ""
    parts_sent: int = 0
    trouble: int = Trouble.NONE


def _reply_of(written: Written, rows: list[Row], numbers: dict[int, set[int]]) -> Reply:
    row = rows[0] if rows else Row()
    return Reply(
        number=written.number,
        chat=written.chat,
        parts=written.parts,
        rows=len(rows),
        state=row.state,
        parts_sent=row.parts_sent,
        is_shown=row.trouble in (Trouble.UNKNOWN, Trouble.FAILED),
        known=frozenset(numbers.get(row.pk, ())),
    )


def _parts_in(payload: Json, text: str, replies: dict[int, Written]) -> Iterable[tuple[int, int]]:
    names = [value["file_name"] for value in payload.values() if isinstance(value, dict) and "file_name" in value]
    files = [match for name in names if (match := FILE.fullmatch(str(name)))]
    if files:
        return [(int(file[1]), int(file[2])) for file in files]
    if line := LINE.search(text):
        number = int(line[1])
        return [(number, replies[number].part_of(line[0]) if number in replies else 0)]
    return []


def tickets_and_chats() -> list[tuple[int, int]]:
    rows = Ticket.objects.order_by("pk").values_list("pk", "customer__telegram_user_id")
    return [(ticket, chat) for ticket, chat in rows if chat is not None]


def file_for(name: str) -> bytes:
    return photo() if name.endswith("png") else replacement_act()


@cache
def photo() -> bytes:
    return photo_of_a_broken_screen()


def _bytes_of(attachment: Attachment) -> bytes:
    """Nothing where the file has gone."""
    if attachment.is_lost:
        return b""
    with attachment.file.open() as file:
        return bytes(file.read())


def patiently(act: Callable[[], Result]) -> Result:
    """Do it again while the database is away, as people and their browsers do."""
    deadline = time.monotonic() + ANSWERED_WITHIN
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.5)


def wait_for(what: Callable[[], bool], within: float = RESTS_WITHIN) -> None:
    """:raises TimeoutError: it has not come true within so many seconds."""
    deadline = time.monotonic() + within
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing of the kind within {within:g} s")
        time.sleep(0.2)


def introductions(sandbox: SandboxClient, after: int = 0) -> int:
    return sum(line["method"] == "getMe" for line in sandbox.log(after))


def last_line(sandbox: SandboxClient) -> int:
    """The number of the log's newest line."""
    return max((line["id"] for line in sandbox.get("/sandbox/log?last=1")), default=0)
