"""Each ticket in a topic of its own, whatever becomes of the topic."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from botbridge import forum_topic_calls, requests
from botbridge.alterations import steps_of
from botbridge.chat_actions import chats_to_tell
from botbridge.claiming import Pause, claim, has_work
from botbridge.client import make_bot
from botbridge.forum_topics import Place
from botbridge.handlers import build_dispatcher
from botbridge.models import BotStatus, ChatSession, ForumTopic, OutboundCall, TelegramMessage, Update
from botbridge.requests import Outcome
from botbridge.restored import doubt_calls
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import expire_leases, settle
from botbridge.tests.conftest import BOT_ID, TOKEN, WORKER, Line, Phone, ask, claim_now, let_time_pass
from tickets import operations
from tickets.models import Alteration, Customer, Delivery, DeliveryState, Event, Message, Sender, Status, Ticket, User
from tickets.operations.acts import begin, lock_ticket
from tickets.text import utf16_length

pytestmark = pytest.mark.django_db

Json = dict[str, Any]
CREATE = ["createForumTopic"]


@dataclass
class Conversation:
    """Timur in his Telegram, the bot between, and the desk."""

    sandbox: SandboxServer
    phone: CustomerClient
    line: Line
    manager: User
    taken: set[int] = field(default_factory=set)

    def catch_up(self) -> None:
        """The bot handles what Telegram has for it and sends what is due."""
        self.handle()
        self.send()

    def handle(self) -> None:
        for line in self.sandbox.updates():
            if line["id"] not in self.taken:
                self.taken.add(line["id"])
                if is_from(line["update"], self.phone.id):
                    self.line.store(line["update"])
        self.line.handle_all()

    def send(self) -> None:
        while self.send_next() is not None:
            pass

    def send_next(self) -> Outcome | None:
        let_time_pass()
        Delivery.objects.filter(state=DeliveryState.QUEUED).update(due_at=timezone.now() - timedelta(minutes=1))
        OutboundCall.objects.filter(state=DeliveryState.QUEUED).update(due_at=timezone.now() - timedelta(minutes=1))
        if not has_work(BOT_ID):
            return None
        claimed = claim_now()
        outcome = ask(claimed, make_bot(TOKEN, self.sandbox.base_url))
        settle(claimed.call, outcome)
        return outcome

    def write(self, text: str, **more: Any) -> int:
        """Timur writes, and the bot does what follows. Returns the message's id in the chat."""
        message_id: int = self.phone.write(text, **more)["message_id"]
        self.catch_up()
        return message_id

    def answer(self, ticket: Ticket, text: str, **more: Any) -> Message:
        """The manager answers; the bot has not got to it."""
        return operations.reply(ticket_id=ticket.pk, actor=self.manager, text=text, client_id=uuid.uuid4(), **more)

    def reply(self, ticket: Ticket, text: str, **more: Any) -> Message:
        message = self.answer(ticket, text, **more)
        self.send()
        return message

    def resolve(self, ticket: Ticket) -> None:
        operations.resolve(ticket_id=ticket.pk, actor=self.manager)
        self.rename()

    def rename(self) -> None:
        """The bot sends what is due, after the time in which an act can be undone, and looks for names that changed."""
        self.send()
        forum_topic_calls.rename_changed(BOT_ID)
        self.send()

    @property
    def tickets(self) -> list[Ticket]:
        return list(Ticket.objects.filter(customer__telegram_user_id=self.phone.id).order_by("pk"))

    @property
    def ticket(self) -> Ticket:
        (ticket,) = self.tickets
        return ticket

    @property
    def names(self) -> list[str]:
        return list(self.phone.topics().values())

    def thread_of(self, ticket: Ticket) -> int | None:
        return ForumTopic.objects.get(ticket=ticket).message_thread_id

    def seen_in(self, thread_id: int | None) -> list[str]:
        """The last lines of what Timur sees in one topic, or in the main chat."""
        return [
            message["text"].split("\n")[-1]
            for message in self.phone.messages()
            if not message["deleted"] and "text" in message and message.get("message_thread_id") == thread_id
        ]


def is_from(update: Json, chat_id: int) -> bool:
    event = next(value for key, value in update.items() if key != "update_id")
    message = event.get("message") or event
    return bool(message.get("chat", {}).get("id") == chat_id)


@pytest.fixture
def asked_for(bot_status: BotStatus) -> None:
    BotStatus.objects.update(tickets_as_topics=True)


@pytest.fixture
def bot_status(db: None) -> BotStatus:
    """The bot as getMe has told of it in threaded mode; nobody has asked for topics yet."""
    return BotStatus.objects.create(bot_id=BOT_ID, has_topics_enabled=True, forum_topics_named_to=0)


@pytest.fixture
def talk(sandbox: SandboxServer, aigerim: User, bot_status: BotStatus) -> Iterator[Conversation]:
    sandbox.knobs.turn_on("threaded_mode")
    phone = sandbox.customer("Тимур")
    bot = make_bot(TOKEN, sandbox.base_url)
    talk = Conversation(sandbox, phone, Line(bot, build_dispatcher()), aigerim)
    talk.taken = {line["id"] for line in sandbox.updates()}
    yield talk
    sandbox.knobs.clear()


@pytest.fixture(autouse=True)
def nothing_to_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forum_topic_calls, "UNDO_WINDOW", timedelta(0))


# The ordinary way.


def test_without_being_asked_for_there_are_no_topics(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert talk.names == []
    assert talk.seen_in(None)[-1] == "Проверьте зарядку."


@pytest.mark.usefixtures("asked_for")
def test_without_threaded_mode_there_are_no_topics(talk: Conversation, sandbox: SandboxServer):
    BotStatus.objects.update(has_topics_enabled=False)
    talk.write("Не включается ноутбук.")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert [line["method"] for line in sandbox.log(chat_id=talk.phone.id) if line["direction"] == "bot"] == [
        "sendMessage",
        "sendMessage",
    ]
    assert talk.phone.received()[-1]["text"] == "Айгерим, поддержка\nПроверьте зарядку."


@pytest.mark.usefixtures("asked_for")
def test_a_ticket_gets_a_topic_before_its_first_message(talk: Conversation):
    talk.write("Не включается ноутбук.")
    thread_id = talk.thread_of(talk.ticket)
    assert talk.phone.topics() == {thread_id: f"№{talk.ticket.pk} Не включается ноутбук."}
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert talk.seen_in(None) == ["Не включается ноутбук."]
    assert talk.seen_in(thread_id) == [
        f"Обращение №{talk.ticket.pk} принято. Дописывайте сюда же, менеджер увидит всё.",
        "Проверьте зарядку.",
    ]


@pytest.mark.usefixtures("asked_for")
def test_that_somebody_writes_is_shown_in_the_tickets_topic(talk: Conversation):
    talk.write("Не включается ноутбук.")
    operations.show_typing(ticket_id=talk.ticket.pk, user=talk.manager)
    assert chats_to_tell(BOT_ID) == [(talk.phone.id, Place(talk.thread_of(talk.ticket)))]


@pytest.mark.usefixtures("asked_for")
def test_two_tickets_have_two_topics_and_need_no_number(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.write("/new Где мой заказ?")
    first, second = talk.tickets
    talk.reply(first, "Проверьте зарядку.")
    talk.reply(second, "В пути.")
    assert talk.seen_in(talk.thread_of(first))[-1] == "Проверьте зарядку."
    assert talk.seen_in(talk.thread_of(second))[-1] == "В пути."
    assert talk.phone.received()[-1]["text"] == "Айгерим, поддержка\nВ пути."


@pytest.mark.usefixtures("asked_for")
def test_what_is_written_in_a_topic_goes_to_its_ticket_whatever_the_current_one_is(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.write("/new Где мой заказ?")
    first, second = talk.tickets
    talk.write("Лампочка не горит.", message_thread_id=talk.thread_of(first))
    talk.write("Номер 719-204.", message_thread_id=talk.thread_of(second))
    talk.write("И кабель цел.", message_thread_id=talk.thread_of(first))
    assert client_words(first) == ["Не включается ноутбук.", "Лампочка не горит.", "И кабель цел."]
    assert client_words(second) == ["Где мой заказ?", "Номер 719-204."]


def client_words(ticket: Ticket) -> list[str]:
    return list(ticket.messages.filter(sender=Sender.CLIENT).order_by("pk").values_list("text", flat=True))


@pytest.mark.usefixtures("asked_for")
def test_what_is_written_in_the_main_chat_goes_where_it_would_without_topics(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.write("/new Где мой заказ?")
    first, second = talk.tickets
    reply = talk.reply(first, "Проверьте зарядку.")
    receipt = talk.phone.received()[0]["message_id"]
    talk.write("Проверил.")
    assert client_words(first)[-1] == reply.ticket.messages.filter(sender=Sender.CLIENT).last().text == "Проверил."
    talk.write("Спасибо за ответ по первому", reply_to=receipt)
    assert client_words(first)[-1] == "Спасибо за ответ по первому"
    assert client_words(second) == ["Где мой заказ?"]


@pytest.mark.usefixtures("asked_for")
def test_a_topic_of_the_customers_becomes_a_new_tickets(talk: Conversation):
    talk.write("Не включается ноутбук.")
    thread_id = talk.phone.create_topic()
    talk.catch_up()
    assert len(talk.tickets) == 1
    talk.write("Где мой заказ?", message_thread_id=thread_id)
    first, second = talk.tickets
    assert talk.thread_of(second) == thread_id
    assert talk.phone.topics()[thread_id] == f"№{second.pk} Где мой заказ?"
    talk.write("Номер 719-204.", message_thread_id=thread_id)
    talk.reply(second, "В пути.")
    assert [text for text in talk.seen_in(thread_id) if not text.startswith("Обращение")] == [
        "Где мой заказ?",
        "Номер 719-204.",
        "В пути.",
    ]
    assert client_words(first) == ["Не включается ноутбук."]
    assert not Message.objects.filter(content_type__startswith="forum_topic").exists()


@pytest.mark.usefixtures("asked_for")
def test_an_album_in_a_new_topic_is_one_ticket(talk: Conversation):
    thread_id = talk.phone.create_topic("Фото")
    files = [(f"{n}.txt", b"text", "text/plain") for n in range(3)]
    talk.phone.send_files(*files, message_thread_id=thread_id)
    talk.catch_up()
    assert talk.ticket.messages.filter(sender=Sender.CLIENT).count() == 3
    assert talk.thread_of(talk.ticket) == thread_id


@pytest.mark.usefixtures("asked_for")
def test_a_redelivered_update_adopts_once(talk: Conversation):
    thread_id = talk.phone.create_topic()
    talk.write("Где мой заказ?", message_thread_id=thread_id)
    again = Update.objects.order_by("pk").last()
    assert again is not None
    talk.line.store(again_as_another(again))
    talk.line.handle_all()
    talk.send()
    assert len(talk.tickets) == 1
    assert ForumTopic.objects.count() == 1
    assert talk.names == [f"№{talk.ticket.pk} Где мой заказ?"]


def again_as_another(update: Update) -> Json:
    """Telegram says the same again under another number, as after a week of silence."""
    return {**json.loads(update.raw), "update_id": update.update_id + 1000}


@pytest.mark.usefixtures("asked_for")
def test_the_customers_own_name_and_order_do_no_harm(talk: Conversation):
    talk.write("Не включается ноутбук.")
    thread_id = talk.thread_of(talk.ticket)
    assert thread_id is not None
    talk.phone.rename_topic(thread_id, "Мой ноутбук")
    talk.write("Лампочка не горит.", message_thread_id=thread_id)
    assert client_words(talk.ticket) == ["Не включается ноутбук.", "Лампочка не горит."]
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert talk.names == ["Мой ноутбук"]
    assert talk.seen_in(thread_id)[-1] == "Проверьте зарядку."


def test_a_message_aiogram_cannot_read_whole_keeps_its_topic(phone: Phone, bot_status: BotStatus, asked_for: None):
    phone.send(text="Где заказ?", message_thread_id=5, is_topic_message=True, forward_origin={"type": 7}, from_=3)
    phone.send(text="Ещё", message_thread_id=5, is_topic_message=True, entities="нет", photo="нет", sticker=1)
    (ticket,) = phone.tickets
    assert client_words(ticket) == ["Где заказ?", "Ещё"]
    assert ForumTopic.objects.get().message_thread_id == 5


# The bot's sentences.


@pytest.mark.usefixtures("asked_for")
def test_a_command_is_answered_where_it_was_written(talk: Conversation):
    talk.write("Не включается ноутбук.")
    thread_id, nobodys = talk.thread_of(talk.ticket), talk.phone.create_topic()
    talk.write("/my", message_thread_id=thread_id)
    assert "пишете сюда" in talk.seen_in(thread_id)[-1]
    talk.write("/help", message_thread_id=nobodys)
    assert talk.seen_in(nobodys)[-1] == "/lang: язык бота."
    talk.write("/start")
    assert talk.seen_in(None)[-1].startswith("Здравствуйте, Тимур!")
    assert len(talk.tickets) == 1


@pytest.mark.usefixtures("asked_for")
def test_a_new_question_asked_for_in_a_tickets_topic_gets_its_own(talk: Conversation):
    talk.write("Не включается ноутбук.")
    first = talk.ticket
    thread_id = talk.thread_of(first)
    talk.write("/new", message_thread_id=thread_id)
    assert talk.seen_in(thread_id)[-1].startswith(f"У вас открыто обращение №{first.pk}")
    press(talk, "Нет, новый вопрос")
    assert talk.seen_in(thread_id)[-1].startswith("Напишите вопрос")
    talk.write("Где мой заказ?", message_thread_id=thread_id)
    _first, second = talk.tickets
    assert talk.thread_of(first) == thread_id
    assert talk.seen_in(talk.thread_of(second)) == [
        f"Обращение №{second.pk} принято. Дописывайте сюда же, менеджер увидит всё."
    ]


@pytest.mark.usefixtures("asked_for")
def test_a_new_question_asked_for_elsewhere_is_not_what_is_written_in_a_tickets_topic(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.write("/new")
    press(talk, "Нет, новый вопрос")
    talk.write("Лампочка не горит.", message_thread_id=talk.thread_of(talk.ticket))
    assert client_words(talk.ticket) == ["Не включается ноутбук.", "Лампочка не горит."]


def press(talk: Conversation, button: str) -> None:
    for message in reversed(talk.phone.received()):
        for row in message.get("reply_markup", {}).get("inline_keyboard", []):
            for item in row:
                if item["text"] == button:
                    talk.phone.press(message["message_id"], item["callback_data"])
                    talk.catch_up()
                    return
    raise AssertionError(f"no button «{button}»")


@pytest.mark.usefixtures("asked_for")
def test_choosing_another_ticket_is_said_where_it_is_true(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.write("/new Где мой заказ?")
    first, second = talk.tickets
    talk.write(f"/my {first.pk}", message_thread_id=talk.thread_of(second))
    assert talk.seen_in(talk.thread_of(first))[-1] == f"Теперь вы пишете в обращение №{first.pk}."
    talk.write(f"/my {second.pk}")
    assert talk.seen_in(None)[-1] == f"Теперь вы пишете в обращение №{second.pk}."


# Names.


@pytest.mark.usefixtures("asked_for")
def test_a_solved_tickets_topic_says_so_and_a_reopened_ones_no_more(talk: Conversation):
    talk.write("Не включается ноутбук.")
    thread_id, name = talk.thread_of(talk.ticket), f"№{talk.ticket.pk} Не включается ноутбук."
    talk.reply(talk.ticket, "Проверьте зарядку.")
    talk.resolve(talk.ticket)
    assert talk.names == [f"✅ {name}"]
    assert talk.seen_in(thread_id)[-1] == f"Менеджер отметил обращение №{talk.ticket.pk} решённым."
    operations.reopen(ticket_id=talk.ticket.pk, actor=talk.manager)
    talk.rename()
    assert talk.names == [name]


@pytest.mark.usefixtures("asked_for")
def test_a_ticket_solved_by_mistake_is_not_renamed_before_that_can_be_undone(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
):
    talk.write("Не включается ноутбук.")
    forum_topic_calls.rename_changed(BOT_ID)
    talk.send()
    monkeypatch.setattr(forum_topic_calls, "UNDO_WINDOW", timedelta(seconds=8))
    operations.take(ticket_id=talk.ticket.pk, actor=talk.manager)
    operations.resolve(ticket_id=talk.ticket.pk, actor=talk.manager)
    forum_topic_calls.rename_changed(BOT_ID)
    assert not OutboundCall.objects.filter(method="editForumTopic").exists()
    operations.undo_resolve(ticket_id=talk.ticket.pk, actor=talk.manager)
    monkeypatch.setattr(forum_topic_calls, "UNDO_WINDOW", timedelta(0))
    talk.rename()
    assert not OutboundCall.objects.filter(method="editForumTopic").exists()


@pytest.mark.usefixtures("asked_for")
def test_a_name_that_arrives_late_gives_way_to_the_one_that_suits(talk: Conversation, sandbox: SandboxServer):
    talk.write("Не включается ноутбук.")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    talk.rename()
    sandbox.knobs.turn_on("server_error", times=1, methods=["editForumTopic"])
    operations.resolve(ticket_id=talk.ticket.pk, actor=talk.manager)
    forum_topic_calls.rename_changed(BOT_ID)
    talk.send_next()
    operations.reopen(ticket_id=talk.ticket.pk, actor=talk.manager)
    talk.rename()
    assert talk.names == [f"№{talk.ticket.pk} Не включается ноутбук."]
    assert ForumTopic.objects.get().name == talk.names[0]


@pytest.mark.usefixtures("asked_for")
def test_a_renaming_that_waited_while_its_ticket_was_reopened_is_undone(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    operations.resolve(ticket_id=talk.ticket.pk, actor=talk.manager)
    forum_topic_calls.rename_changed(BOT_ID)
    operations.reopen(ticket_id=talk.ticket.pk, actor=talk.manager)
    forum_topic_calls.rename_changed(BOT_ID)
    talk.send()
    assert talk.names == [f"№{talk.ticket.pk} Не включается ноутбук."]


@pytest.mark.usefixtures("asked_for")
def test_a_name_has_at_most_128_characters(talk: Conversation):
    talk.write("😀" * 100)
    (name,) = talk.names
    assert name.endswith("😀…")
    assert len(name.encode("utf-16-le")) // 2 <= 128


@pytest.mark.usefixtures("asked_for")
def test_a_message_to_a_solved_ticket_reopens_it_from_its_topic(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    talk.resolve(talk.ticket)
    thread_id = talk.thread_of(talk.ticket)
    talk.write("Всё равно не включается.", message_thread_id=thread_id)
    assert talk.ticket.status == Status.OPEN
    assert talk.seen_in(thread_id)[-1] == f"Обращение №{talk.ticket.pk} снова в работе."
    talk.rename()
    assert talk.names == [f"№{talk.ticket.pk} Не включается ноутбук."]


@pytest.mark.usefixtures("asked_for")
def test_the_topic_of_a_closed_ticket_passes_on_to_the_one_that_follows_it(talk: Conversation):
    talk.write("Не включается ноутбук.")
    closed = talk.ticket
    thread_id = talk.thread_of(closed)
    close(closed)
    talk.write("Опять не включается.", message_thread_id=thread_id)
    _closed, second = talk.tickets
    assert second.follows_up == closed
    assert talk.thread_of(second) == thread_id
    assert talk.thread_of(closed) is None
    assert talk.phone.topics() == {thread_id: f"№{second.pk} Опять не включается."}


def close(ticket: Ticket) -> None:
    locked = lock_ticket(ticket.pk)
    locked.status, locked.closed_at, locked.waiting_since = Status.CLOSED, timezone.now(), None
    begin(locked).record(Event.Kind.CLOSED)


@pytest.mark.usefixtures("asked_for")
def test_a_ticket_solved_while_its_topic_is_made_has_the_sign_all_the_same(talk: Conversation, sandbox: SandboxServer):
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    claimed = claim_now()
    operations.take(ticket_id=talk.ticket.pk, actor=talk.manager)
    operations.resolve(ticket_id=talk.ticket.pk, actor=talk.manager)
    forum_topic_calls.rename_changed(BOT_ID)
    settle(claimed.call, ask(claimed, make_bot(TOKEN, sandbox.base_url)))
    talk.send()
    assert talk.names == [f"✅ №{talk.ticket.pk} Не включается ноутбук."]


# Trouble.


@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize("knob", ["cut", "server_error_after_delivery", "hang"])
def test_a_topic_nobody_knows_of_is_not_made_twice(
    talk: Conversation, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, knob: str
):
    monkeypatch.setattr(requests, "REQUEST_TIMEOUT", 1)
    sandbox.knobs.turn_on(knob, times=1, methods=CREATE)
    talk.write("Не включается ноутбук.")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert len(talk.names) == 1
    assert ForumTopic.objects.get().state == ForumTopic.State.GIVEN_UP
    assert OutboundCall.objects.get(method="createForumTopic").state == DeliveryState.UNKNOWN
    assert [message["text"] for message in talk.phone.received() if "text" in message] == [
        f"Обращение №{talk.ticket.pk} принято. Дописывайте сюда же, менеджер увидит всё.",
        f"№{talk.ticket.pk}\nАйгерим, поддержка\nПроверьте зарядку.",
    ]


@pytest.mark.usefixtures("asked_for")
def test_a_topic_nobody_knew_of_is_found_when_the_customer_writes_in_it(talk: Conversation, sandbox: SandboxServer):
    sandbox.knobs.turn_on("cut", times=1, methods=CREATE)
    talk.write("Не включается ноутбук.")
    (thread_id,) = talk.phone.topics()
    talk.write("Лампочка не горит.", message_thread_id=thread_id)
    assert client_words(talk.ticket) == ["Не включается ноутбук.", "Лампочка не горит."]
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert talk.seen_in(thread_id)[-1] == "Проверьте зарядку."


@pytest.mark.usefixtures("asked_for")
def test_a_creation_that_answers_after_its_lease_still_counts(talk: Conversation, sandbox: SandboxServer):
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    claimed = claim_now()
    assert claimed.call.method == "createForumTopic"
    OutboundCall.objects.filter(pk=claimed.call.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert expire_leases() == 1
    assert ForumTopic.objects.get().state == ForumTopic.State.GIVEN_UP
    outcome = ask(claimed, make_bot(TOKEN, sandbox.base_url))
    settle(claimed.call, outcome)
    talk.send()
    (thread_id,) = talk.phone.topics()
    assert talk.thread_of(talk.ticket) == thread_id
    assert talk.seen_in(thread_id)[0].startswith("Обращение №")


@pytest.mark.usefixtures("asked_for")
def test_a_late_creation_that_became_another_tickets_topic_stays_its(talk: Conversation, sandbox: SandboxServer):
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    claimed = claim_now()
    outcome = ask(claimed, make_bot(TOKEN, sandbox.base_url))
    OutboundCall.objects.filter(pk=claimed.call.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    expire_leases()
    (thread_id,) = talk.phone.topics()
    talk.phone.rename_topic(thread_id, "Заказ")
    talk.write("/new Где мой заказ?", message_thread_id=thread_id)
    first, second = talk.tickets
    assert talk.thread_of(second) == thread_id
    settle(claimed.call, outcome)
    assert talk.thread_of(second) == thread_id
    assert talk.thread_of(first) is None


@pytest.mark.usefixtures("asked_for")
def test_a_chat_waits_while_its_topic_is_being_made(talk: Conversation):
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    claim_now()
    talk.phone.write("/new Где мой заказ?")
    talk.handle()
    let_time_pass()
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert OutboundCall.objects.filter(state=DeliveryState.SENDING).count() == 1


@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize("knob", ["too_many_requests"])
def test_a_refused_creation_is_asked_for_again_in_its_turn(talk: Conversation, sandbox: SandboxServer, knob: str):
    sandbox.knobs.turn_on(knob, times=2, methods=CREATE)
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    first = talk.send_next()
    assert first is not None
    assert first.state == DeliveryState.QUEUED
    assert ChatSession.objects.get().next_send_at > timezone.now() + timedelta(seconds=5)
    assert Delivery.objects.get().state == DeliveryState.QUEUED
    talk.send()
    assert len(talk.names) == 1
    assert talk.seen_in(talk.thread_of(talk.ticket))[0].startswith("Обращение №")
    call = OutboundCall.objects.get(method="createForumTopic")
    assert (call.state, call.attempts) == (DeliveryState.SENT, 3)


@pytest.mark.usefixtures("asked_for")
def test_a_deleted_topic_is_made_anew_once(talk: Conversation):
    talk.write("Не включается ноутбук.")
    first_thread = talk.thread_of(talk.ticket)
    assert first_thread is not None
    talk.phone.delete_topic(first_thread)
    talk.reply(talk.ticket, "Проверьте зарядку.")
    second_thread = talk.thread_of(talk.ticket)
    assert second_thread is not None
    assert talk.phone.topics() == {second_thread: f"№{talk.ticket.pk} Не включается ноутбук."}
    assert talk.seen_in(second_thread) == ["Проверьте зарядку."]
    talk.phone.delete_topic(second_thread)
    message = talk.reply(talk.ticket, "Или замените батарею.")
    assert talk.names == []
    assert talk.phone.received()[-1]["text"] == f"№{talk.ticket.pk}\nИли замените батарею."
    assert Delivery.objects.get(pk=message.pk).state == DeliveryState.SENT
    talk.write("Заменил.")
    assert client_words(talk.ticket)[-1] == "Заменил."


@pytest.mark.usefixtures("asked_for")
def test_an_answer_whose_topic_is_gone_comes_in_the_main_chat(talk: Conversation):
    thread_id = talk.phone.create_topic()
    talk.phone.write("/help", message_thread_id=thread_id)
    talk.handle()
    talk.phone.delete_topic(thread_id)
    talk.send()
    assert talk.seen_in(None) == ["/lang: язык бота."]


@pytest.mark.usefixtures("asked_for")
def test_files_whose_topic_goes_in_the_middle_all_arrive(talk: Conversation):
    talk.write("Не включается ноутбук.")
    files = [operations.Upload(name=f"{n}.txt", file=upload(f"{n}.txt")) for n in range(3)]
    talk.answer(talk.ticket, "", uploads=files)
    talk.send_next()
    thread_id = talk.thread_of(talk.ticket)
    assert thread_id is not None
    talk.phone.delete_topic(thread_id)
    talk.send()
    names = [item["document"]["file_name"] for item in talk.phone.messages() if "document" in item]
    assert names == ["0.txt", "1.txt", "2.txt"]
    assert Delivery.objects.get(lane=1).state == DeliveryState.SENT


@pytest.mark.usefixtures("asked_for")
def test_the_rest_of_a_reply_whose_topic_goes_in_the_middle_bears_the_number(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.phone.delete_topic(the_topic_of(talk))
    talk.reply(talk.ticket, "Проверьте зарядку.")  # is made anew, once
    long = "\n\n".join(word * 3000 for word in "абв")
    talk.answer(talk.ticket, long)
    talk.send_next()
    talk.phone.delete_topic(the_topic_of(talk))
    talk.send()
    shown = [message["text"] for message in talk.phone.received() if "text" in message][-2:]
    assert [text.split("\n")[0][:9] for text in shown] == [f"№{talk.ticket.pk}", "в" * 9]


@pytest.mark.usefixtures("asked_for")
def test_the_number_above_the_rest_stays_when_the_reply_is_changed(talk: Conversation):
    talk.write("Не включается ноутбук.")
    talk.phone.delete_topic(the_topic_of(talk))
    talk.reply(talk.ticket, "Проверьте зарядку.")  # is made anew, once
    reply = talk.answer(talk.ticket, "\n\n".join(word * 3000 for word in "аб"))
    talk.send_next()
    talk.phone.delete_topic(the_topic_of(talk))
    talk.send()
    rest = OutboundCall.objects.get(delivery=reply.pk, part=1)
    number = rest.payload["text"].split("\n")[0]
    assert number.startswith(f"№{talk.ticket.pk}")
    changed = "\n\n".join(word * 3000 for word in "ав")
    operations.edit_reply(message_id=reply.pk, actor=talk.manager, text=changed)
    edits = [step.payload for step in steps_of(Alteration.objects.get(message=reply), BOT_ID)]
    assert edits[1]["text"] == f"{number}\n{'в' * 3000}"
    assert edits[1]["entities"] == [{"type": "bold", "offset": 0, "length": utf16_length(number)}]


def the_topic_of(talk: Conversation) -> int:
    thread_id = talk.thread_of(talk.ticket)
    assert thread_id is not None
    return thread_id


def upload(name: str) -> Any:
    return SimpleUploadedFile(name, b"text")


@pytest.mark.usefixtures("asked_for")
def test_a_message_that_fell_into_the_main_chat_has_arrived_and_the_next_finds_a_topic(
    talk: Conversation, sandbox: SandboxServer
):
    talk.write("Не включается ноутбук.")
    former = talk.thread_of(talk.ticket)
    sandbox.knobs.turn_on("topic_ignored", times=1)
    message = talk.reply(talk.ticket, "Проверьте зарядку.")
    assert Delivery.objects.get(pk=message.pk).state == DeliveryState.SENT
    assert talk.seen_in(None)[-1] == "Проверьте зарядку."
    talk.reply(talk.ticket, "Или замените батарею.")
    assert talk.thread_of(talk.ticket) != former
    assert talk.seen_in(talk.thread_of(talk.ticket)) == ["Или замените батарею."]


@pytest.mark.usefixtures("asked_for")
def test_a_customer_who_stopped_the_bot_gets_no_topic_and_the_reply_waits(talk: Conversation):
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    Delivery.objects.update(state=DeliveryState.CANCELLED)
    talk.answer(talk.ticket, "Проверьте зарядку.")
    talk.phone.block()
    talk.send()
    reply = Delivery.objects.get(lane=1)
    assert (reply.state, reply.reason) == (DeliveryState.HELD, "blocked")
    assert Customer.objects.get(telegram_user_id=talk.phone.id).stopped_bot_at is not None
    talk.phone.unblock()
    talk.catch_up()
    assert talk.seen_in(talk.thread_of(talk.ticket)) == ["Проверьте зарядку."]


@pytest.mark.usefixtures("asked_for")
def test_a_bot_that_loses_threaded_mode_goes_on_flat(talk: Conversation, sandbox: SandboxServer):
    talk.write("Не включается ноутбук.")
    sandbox.knobs.turn_off("threaded_mode")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    assert talk.seen_in(None)[-1] == "Проверьте зарядку."
    assert not BotStatus.objects.get().has_topics_enabled
    talk.reply(talk.ticket, "Или замените батарею.")
    assert len([call for call in sandbox.log(chat_id=talk.phone.id) if call["method"] == "createForumTopic"]) == 2


@pytest.mark.usefixtures("asked_for")
def test_with_threaded_mode_back_a_former_topic_still_leads_to_its_ticket(talk: Conversation, sandbox: SandboxServer):
    talk.write("Не включается ноутбук.")
    former = talk.thread_of(talk.ticket)
    sandbox.knobs.turn_off("threaded_mode")
    talk.reply(talk.ticket, "Проверьте зарядку.")
    sandbox.knobs.turn_on("threaded_mode")
    BotStatus.objects.update(has_topics_enabled=True)
    talk.write("Проверил.", message_thread_id=former)
    assert client_words(talk.ticket) == ["Не включается ноутбук.", "Проверил."]
    assert talk.thread_of(talk.ticket) == former


@pytest.mark.usefixtures("asked_for")
def test_switched_off_and_on_again_nothing_is_lost_and_the_topics_are_used_again(talk: Conversation):
    talk.write("Не включается ноутбук.")
    thread_id = talk.thread_of(talk.ticket)
    BotStatus.objects.update(tickets_as_topics=False)
    talk.write("Лампочка не горит.", message_thread_id=thread_id)
    talk.write("/new Где мой заказ?")
    first, second = talk.tickets
    talk.write("И кабель цел.", message_thread_id=thread_id)
    talk.reply(first, "Проверьте зарядку.")
    assert client_words(first) == ["Не включается ноутбук.", "Лампочка не горит.", "И кабель цел."]
    assert talk.phone.received()[-1]["text"] == f"№{first.pk}\nАйгерим, поддержка\nПроверьте зарядку."
    talk.resolve(first)
    BotStatus.objects.update(tickets_as_topics=True)
    talk.rename()
    talk.reply(second, "В пути.")
    assert talk.phone.topics()[thread_id or 0] == f"✅ №{first.pk} Не включается ноутбук."
    assert talk.seen_in(talk.thread_of(second)) == ["В пути."]


@pytest.mark.usefixtures("asked_for")
def test_after_a_restore_a_topic_that_was_being_made_is_given_up(talk: Conversation):
    talk.phone.write("Не включается ноутбук.")
    talk.handle()
    claim_now()
    doubt_calls()
    assert ForumTopic.objects.get().state == ForumTopic.State.GIVEN_UP


@pytest.mark.usefixtures("asked_for")
def test_another_customers_number_in_a_topics_name_leads_nowhere(talk: Conversation, ticket: Ticket):
    thread_id = talk.phone.create_topic(f"№{ticket.pk} чужое")
    talk.write("Что там?", message_thread_id=thread_id)
    assert client_words(talk.ticket) == ["Что там?"]
    assert "Что там?" not in client_words(ticket)


# The same either way.

STEPS: list[tuple[str, int, str]] = [
    # who, which question, words
    ("client", 0, "Не включается ноутбук."),
    ("client", 0, "Лампочка не горит."),
    ("manager", 0, "Проверьте зарядку."),
    ("client", 1, "Где мой заказ?"),
    ("manager", 1, "Назовите номер."),
    ("client", 0, "Проверил, не помогло."),
    ("client", 1, "Номер 719-204."),
    ("manager", 0, "Привозите в сервис."),
    ("resolve", 0, ""),
    ("client", 1, "И когда привезут?"),
    ("client", 0, "Спасибо"),
    ("manager", 1, "Завтра."),
    ("client", 0, "Опять не включается."),
    ("manager", 0, "Привозите ещё раз."),
    ("resolve", 1, ""),
    ("client", 2, "Можно вернуть чехол?"),
    ("manager", 2, "Можно."),
]


@pytest.mark.parametrize("threaded", [False, True])
def test_the_same_conversation_ends_in_the_same_tickets_flat_and_in_topics(talk: Conversation, threaded: bool):
    BotStatus.objects.update(tickets_as_topics=threaded, has_topics_enabled=threaded)
    for who, question, words in STEPS:
        tickets = talk.tickets
        if who == "resolve":
            talk.resolve(tickets[question])
        elif who == "manager":
            talk.reply(tickets[question], words)
        elif question == len(tickets):
            talk.write(f"/new {words}")
        elif threaded:
            talk.write(words, message_thread_id=talk.thread_of(tickets[question]))
        else:
            talk.write(words, reply_to=last_of_bot(talk, tickets[question]))
    written = [
        (message.sender, message.text, talk.tickets.index(message.ticket))
        for message in Message.objects.filter(sender__in=[Sender.CLIENT, Sender.MANAGER]).order_by("pk")
        if message.ticket is not None
    ]
    assert written == [(who, words, question) for who, question, words in STEPS if who != "resolve"]
    assert [ticket.status for ticket in talk.tickets] == [Status.WAITING, Status.RESOLVED, Status.WAITING]
    assert not Delivery.objects.exclude(state=DeliveryState.SENT).exists()
    if threaded:
        assert_each_in_its_topic(talk)
    else:
        assert talk.names == []


def last_of_bot(talk: Conversation, ticket: Ticket) -> int:
    known = TelegramMessage.objects.filter(message__ticket=ticket).exclude(message__sender=Sender.CLIENT)
    return known.order_by("-pk")[0].telegram_id


def assert_each_in_its_topic(talk: Conversation) -> None:
    """What opened a ticket from the main chat stays there; all else is in the ticket's topic."""
    threads = {message["message_id"]: message.get("message_thread_id") for message in talk.phone.messages()}
    for known in TelegramMessage.objects.select_related("message__ticket"):
        ticket = known.message.ticket
        assert ticket is not None
        opens = ticket.opened_by_id == known.message_id
        assert threads[known.telegram_id] == (None if opens else talk.thread_of(ticket)), known.message.text
