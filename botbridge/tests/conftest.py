"""Telegram as the bridge's tests meet it: updates as they come over the wire, and the sandbox to send to."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from botbridge import claiming
from botbridge.claiming import Claimed
from botbridge.client import make_bot
from botbridge.handlers import build_dispatcher
from botbridge.inbox import Claim, claim, handle
from botbridge.models import BotStatus, ChatSession, OutboundCall, TelegramMessage, Update
from botbridge.outbox import perform
from botbridge.parts import keyboard_under
from botbridge.requests import Outcome
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import settle
from botbridge.storing import store
from tickets.models import Customer, Delivery, Message, Sender, Ticket, Topic
from tickets.operations import Upload

Json = dict[str, Any]

BOT_ID = 4242
WORKER = "this one"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(2000)
OGG = b"OggS" + bytes(2000)


TOKEN = f"{BOT_ID}:AAtesttesttesttesttesttesttesttestt"


@dataclass
class Line:
    """The bot's end of the line: takes updates in and handles them."""

    bot: Bot
    dispatcher: Dispatcher
    update_ids: Iterator[int] = field(default_factory=lambda: itertools.count(500_000))

    def take(self, *events: Json) -> None:
        """Store what Telegram says and handle all of it."""
        self.store(*events)
        self.handle_all()

    def store(self, *events: Json) -> None:
        store(self.bot.id, [{"update_id": next(self.update_ids), **event} for event in events])

    def handle_all(self) -> None:
        while self.handle_next() is not None:
            pass

    def handle_next(self) -> Claim | None:
        """One update; None where no chat has one that may be handled now."""
        claimed = claim(self.bot.id)
        if claimed is not None:
            handle(claimed, self.bot, self.dispatcher)
        return claimed

    def skip_waiting(self) -> None:
        """Time passes: chats that wait for another attempt may go on."""
        ChatSession.objects.update(handle_after=None)


@dataclass
class Phone:
    """A customer's Telegram: what a person does there, as updates."""

    line: Line
    id: int = 700_001
    first_name: str = "Тимур"
    language_code: str = "ru"
    message_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def user(self) -> Json:
        return {
            "id": self.id,
            "is_bot": False,
            "first_name": self.first_name,
            "last_name": "Ахметов",
            "username": "timur_a",
            "language_code": self.language_code,
        }

    @property
    def chat(self) -> Json:
        return {"id": self.id, "type": "private", "first_name": self.first_name}

    def message(self, **content: Any) -> Json:
        """A message update of this person's, not sent yet."""
        body = {"message_id": next(self.message_ids), "date": int(time.time()), "chat": self.chat, "from": self.user}
        return {"message": {**body, **content}}

    def write(self, text: str, **more: Any) -> int:
        """Returns the message's id in the chat."""
        return self.send(text=text, **more)

    def send(self, **content: Any) -> int:
        event = self.message(**content)
        self.line.take(event)
        message_id: int = event["message"]["message_id"]
        return message_id

    def edit(self, message_id: int, text: str) -> None:
        event = self.message(message_id=message_id, text=text, edit_date=int(time.time()))
        self.line.take({"edited_message": event["message"]})

    def press(self, button: str) -> None:
        """Presses the newest of the bot's buttons with this text."""
        data, under = self.find(button)
        self.press_data(data, under)

    def press_data(self, data: str, under: int = 999) -> None:
        message = {"message_id": under, "date": int(time.time()), "chat": self.chat}
        press = {"id": f"press-{data}", "from": self.user, "chat_instance": "1", "data": data, "message": message}
        self.line.take({"callback_query": press})

    def find(self, button: str) -> tuple[str, int]:
        """The data of a button and the id of the message it hangs under, as if Telegram had shown it."""
        for message in Message.objects.filter(sender=Sender.SYSTEM, customer=self.customer).order_by("-pk"):
            for item in itertools.chain.from_iterable(keyboard_under(message)):
                if item.text == button:
                    row, _created = TelegramMessage.objects.get_or_create(
                        bot_id=BOT_ID, chat_id=self.id, message=message, defaults={"telegram_id": 10_000 + message.pk}
                    )
                    return item.press.pack(), row.telegram_id
        raise AssertionError(f"no button «{button}»")

    def stop_bot(self) -> None:
        self.line.take(self.membership("kicked"))

    def start_bot_again(self) -> None:
        self.line.take(self.membership("member"))

    def membership(self, status: str) -> Json:
        bot = {"id": BOT_ID, "is_bot": True, "first_name": "Отклик"}
        change = {"chat": self.chat, "from": self.user, "date": int(time.time())}
        old, new = {"status": "member", "user": bot}, {"status": status, "user": bot, "until_date": 0}
        return {"my_chat_member": {**change, "old_chat_member": old, "new_chat_member": new}}

    @property
    def customer(self) -> Customer:
        return Customer.objects.get(telegram_user_id=self.id)

    @property
    def tickets(self) -> list[Ticket]:
        return list(Ticket.objects.filter(customer__telegram_user_id=self.id).order_by("pk"))

    @property
    def heard(self) -> list[str]:
        """What the bot has said to this person, in order."""
        said = Message.objects.filter(customer__telegram_user_id=self.id, sender=Sender.SYSTEM)
        return list(said.order_by("pk").values_list("text", flat=True))

    @property
    def written(self) -> list[str]:
        """What the desk has of this person's words, in order."""
        words = Message.objects.filter(customer__telegram_user_id=self.id, sender=Sender.CLIENT)
        return list(words.order_by("pk").values_list("text", flat=True))

    @property
    def toasts(self) -> list[str]:
        answers = OutboundCall.objects.filter(chat_id=self.id, method="answerCallbackQuery").order_by("pk")
        return [call.payload.get("text", "") for call in answers]


@pytest.fixture
def bot() -> Bot:
    """A bot whose server nobody has started: what a handler sends, it may only queue."""
    return make_bot(TOKEN, "http://127.0.0.1:9")


@pytest.fixture
def line(db: None, bot: Bot) -> Line:
    return Line(bot, build_dispatcher())


@pytest.fixture
def phone(line: Line) -> Phone:
    """Timur's."""
    return Phone(line)


@pytest.fixture
def topics(db: None) -> list[Topic]:
    return [
        Topic.objects.create(name="Доставка и получение", name_en="Delivery and pickup", position=1),
        Topic.objects.create(name="Гарантия и ремонт", name_en="Warranty and repair", position=2),
    ]


def parked() -> list[Update]:
    return list(Update.objects.filter(state=Update.State.PARKED))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A Bot API server over real HTTP."""
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with SandboxServer(folder, token=TOKEN) as server:
        yield server


@pytest.fixture
def timurs_telegram(sandbox: SandboxServer) -> Iterator[CustomerClient]:
    """A person in the sandbox who has written to the bot, so that it may answer."""
    customer = sandbox.customer("Тимур")
    customer.write("/start")
    yield customer
    sandbox.knobs.clear()


@pytest.fixture
def api_url(sandbox: SandboxServer) -> str:
    return sandbox.base_url


@pytest.fixture
def send_next(api_url: str) -> Callable[[], Outcome]:
    """One turn of the outbox: claim, ask Telegram, settle. Pace is not waited for."""

    def turn() -> Outcome:
        claimed = claim_now()
        outcome = ask(claimed, make_bot(TOKEN, api_url))
        settle(claimed.call, outcome)
        return outcome

    return turn


def upload(name: str, content: bytes = b"text") -> Upload:
    return Upload(name=name, file=SimpleUploadedFile(name, content))


def claim_now(worker: str = WORKER) -> Claimed:
    let_time_pass()
    claimed = claiming.claim(BOT_ID, worker)
    assert isinstance(claimed, Claimed), claimed
    return claimed


def come_due() -> None:
    """SQLite's clock counts whole milliseconds: what was queued in this one is due in the next."""
    time.sleep(0.001)


def let_time_pass() -> None:
    come_due()
    past = timezone.now() - timedelta(hours=1)
    BotStatus.objects.update(next_send_at=past)
    ChatSession.objects.update(next_send_at=past)


def ask(claimed: Claimed, bot: Bot) -> Outcome:
    async def once() -> Outcome:
        try:
            return await perform(bot, claimed)
        finally:
            await bot.session.close()

    return asyncio.run(once())


def state_of(message: Message) -> tuple[str, str]:
    delivery = Delivery.objects.get(pk=message.pk)
    return delivery.state, delivery.reason
