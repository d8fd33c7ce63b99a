"""The truth about every message that leaves, whatever Telegram or the network does to it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from aiogram.exceptions import AiogramError, ClientDecodeError
from aiogram.methods import GetFile, GetMe, GetWebhookInfo, TelegramMethod
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import REGISTRY

from botbridge import calls, claiming, client, outbox, requests
from botbridge.claiming import Claimed, Pause, claim
from botbridge.client import SentMessage, make_bot
from botbridge.forum_topics import Place
from botbridge.handlers.states import TOPIC, Question
from botbridge.models import BotStatus, ChatSession, OutboundCall, TelegramMessage
from botbridge.parts import Part, part_of
from botbridge.polling import polled
from botbridge.requests import Outcome
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import expire_leases, settle
from botbridge.tests.conftest import (
    BOT_ID,
    OGG,
    TOKEN,
    WORKER,
    ask,
    claim_now,
    come_due,
    let_time_pass,
    state_of,
    upload,
)
from conftest import wrote
from tickets import operations
from tickets.log_context import request_id
from tickets.marks import typed
from tickets.models import (
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    Message,
    Notice,
    Reason,
    Ticket,
    Trouble,
    User,
)

pytestmark = pytest.mark.django_db

Answer = Callable[..., Message]


@pytest.fixture
def timur(timurs_telegram: CustomerClient) -> Customer:
    """The customer, with Telegram in his hands."""
    return Customer.objects.create(telegram_user_id=timurs_telegram.id, name="Тимур Ахметов")


# The ordinary way.


def test_requests_are_counted_for_a_monitor_by_what_became_of_them(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, answer: Answer, send_next
):
    def counted(outcome: str) -> float:
        labels = {"method": "sendMessage", "lane": "reply", "outcome": outcome}
        return REGISTRY.get_sample_value("helpdesk_bot_calls_total", labels) or 0

    sent, unknown = counted("sent"), counted("unknown")
    answer(ticket, aigerim)
    send_next()
    sandbox.knobs.turn_on("bad_gateway", times=1, methods=["sendMessage"])
    answer(ticket, aigerim)
    send_next()
    assert (counted("sent"), counted("unknown")) == (sent + 1, unknown + 1)


def test_a_reply_arrives_and_gets_its_tick(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "Проверьте зарядку.")
    send_next()
    assert state_of(message) == (DeliveryState.SENT, "")
    received = timurs_telegram.received()[-1]
    assert received["text"] == "Айгерим, поддержка\nПроверьте зарядку."
    known = TelegramMessage.objects.get(message=message)
    assert (known.bot_id, known.chat_id, known.telegram_id) == (BOT_ID, timurs_telegram.id, received["message_id"])
    call = OutboundCall.objects.get()
    assert (call.state, call.message_id, call.attempts, call.lease_until) == (
        DeliveryState.SENT,
        received["message_id"],
        1,
        None,
    )


def test_formatting_arrives_as_it_was_typed(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    words = typed(
        "**Важно 👍:** код `12-34`, __до среды__\n> ваши слова\n[сайт](https://a.kz/x) ||тайна||\n```\nx = 1\n```"
    )
    message = answer(ticket, aigerim, words.text, entities=words.entities)
    send_next()
    assert state_of(message) == (DeliveryState.SENT, "")
    received = timurs_telegram.received()[-1]
    head, *formatting = received["entities"]
    assert received["text"] == f"Айгерим, поддержка\n{words.text}"
    assert formatting == [{**entity, "offset": entity["offset"] + head["length"] + 1} for entity in words.entities]


def test_formatting_telegram_refuses_fails_where_it_can_be_seen_and_mended(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "Да")
    nowhere = {"type": "text_link", "offset": 0, "length": 2, "url": "https://nowhere"}
    Message.objects.filter(pk=message.pk).update(entities=[nowhere])
    send_next()
    assert state_of(message) == (DeliveryState.FAILED, Reason.REFUSED)
    operations.edit_reply(message_id=message.pk, actor=aigerim, text="Да")
    send_next()
    assert state_of(message) == (DeliveryState.SENT, "")


def test_files_of_two_kinds_arrive_one_after_another_and_open(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    files = [upload("чек.pdf", b"%PDF-1.4 invoice"), upload("1.ogg", OGG)]
    message = answer(ticket, aigerim, "Посмотрите", uploads=files)
    send_next()
    assert state_of(message) == (DeliveryState.QUEUED, "")
    send_next()
    assert state_of(message) == (DeliveryState.SENT, "")
    first, second = timurs_telegram.received()[-2:]
    assert (first["document"]["file_name"], first["caption"]) == ("чек.pdf", "Айгерим, поддержка\nПосмотрите")
    assert ("voice" in second, second.get("caption")) == (True, None)
    known = TelegramMessage.objects.filter(message=message).order_by("part")
    assert list(known.values_list("part", flat=True)) == [0, 1]


def test_a_ticket_in_several_parts_has_one_line_of_history(ticket: Ticket, aigerim: User, answer: Answer, send_next):
    answer(ticket, aigerim, "", uploads=[upload("0.txt"), upload("1.ogg", OGG), upload("2.txt")])
    for _ in range(3):
        send_next()
    assert [event.data["state"] for event in Event.objects.filter(kind=Event.Kind.DELIVERY)] == ["sent"]


@pytest.mark.parametrize("then", operations.Then)
def test_a_reply_makes_its_ticket_current(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timur: Customer, then: operations.Then
):
    other = wrote(timur, "И ещё вопрос").ticket
    ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur, current_ticket=other)
    answer(ticket, aigerim, "Ответ на первый", then=then, snooze_until=timezone.now() + timedelta(days=1))
    send_next()
    assert ChatSession.objects.get().current_ticket == ticket


def test_a_reply_ends_the_wait_for_a_new_question(ticket: Ticket, aigerim: User, answer: Answer, send_next):
    chat_id = ticket.customer.telegram_user_id
    waiting = {"state": Question.new.state, "data": {TOPIC: 1}}
    ChatSession.objects.create(bot_id=BOT_ID, chat_id=chat_id, customer=ticket.customer, **waiting)
    answer(ticket, aigerim, "Заказ 719-204?")
    send_next()
    session = ChatSession.objects.get()
    assert (session.state, session.data) == ("", {})


# Trouble, and what the desk says about it.

TROUBLES = [
    # knob, state, arrived
    ("server_error", DeliveryState.UNKNOWN, False),
    ("server_error_after_delivery", DeliveryState.UNKNOWN, True),
    ("drop", DeliveryState.UNKNOWN, False),
    ("cut", DeliveryState.UNKNOWN, True),
    ("hang", DeliveryState.UNKNOWN, True),
    ("bad_gateway", DeliveryState.UNKNOWN, False),
    ("too_many_requests", DeliveryState.QUEUED, False),
    ("blocked", DeliveryState.HELD, False),
]


@pytest.mark.parametrize(("knob", "state", "arrived"), TROUBLES)
def test_what_telegram_does_is_told_as_it_is(
    knob: str,
    state: DeliveryState,
    arrived: bool,
    ticket: Ticket,
    aigerim: User,
    answer: Answer,
    send_next,
    sandbox: SandboxServer,
    timurs_telegram: CustomerClient,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(requests, "REQUEST_TIMEOUT", 1)
    sandbox.knobs.turn_on(knob, times=1)
    before = len(timurs_telegram.received())
    message = answer(ticket, aigerim, "Проверьте зарядку.")
    send_next()
    assert state_of(message)[0] == state
    assert (len(timurs_telegram.received()) > before) is arrived
    assert not TelegramMessage.objects.filter(message=message).exists()


def test_an_unsure_message_is_never_sent_again_by_itself(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer, timurs_telegram: CustomerClient
):
    sandbox.knobs.turn_on("cut", times=1)
    answer(ticket, aigerim, "Раз")
    answer(ticket, aigerim, "Два")
    send_next()
    send_next()
    let_time_pass()
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    texts = [message["text"].split("\n")[-1] for message in timurs_telegram.received()[-2:]]
    assert texts == ["Раз", "Два"]
    ticket.refresh_from_db()
    assert ticket.trouble == Trouble.UNKNOWN


def test_an_unsure_part_stops_the_other_parts_and_not_the_chat(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer
):
    parts = answer(ticket, aigerim, "Файлы", uploads=[upload("0.txt"), upload("1.ogg", OGG), upload("2.txt")])
    after = answer(ticket, aigerim, "После")
    send_next()
    sandbox.knobs.turn_on("cut", times=1)
    send_next()
    send_next()
    assert Delivery.objects.get(pk=parts.pk).parts_sent == 1
    assert state_of(parts)[0] == DeliveryState.UNKNOWN
    assert state_of(after)[0] == DeliveryState.SENT


def test_once_the_manager_says_it_arrived_the_other_parts_follow(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "Файлы", uploads=[upload("0.txt"), upload("1.ogg", OGG)])
    sandbox.knobs.turn_on("cut", times=1)
    send_next()
    operations.mark_arrived(message_id=message.pk, actor=aigerim)
    send_next()
    assert state_of(message)[0] == DeliveryState.SENT
    first, second = timurs_telegram.received()[-2:]
    assert ("document" in first, "voice" in second) == (True, True)


def test_sent_once_more_it_comes_last(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer, timurs_telegram: CustomerClient
):
    sandbox.knobs.turn_on("drop", times=1)
    message = answer(ticket, aigerim, "Раз")
    send_next()
    answer(ticket, aigerim, "Два")
    operations.resend(message_id=message.pk, actor=aigerim)
    send_next()
    send_next()
    assert [item["text"].split("\n")[-1] for item in timurs_telegram.received()[-2:]] == ["Два", "Раз"]


LONG = "\n\n".join(f"{number}" + " яхта" * 600 for number in range(3))


def test_a_long_reply_leaves_in_pieces_one_after_another(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, LONG)
    states = []
    for _ in range(3):
        send_next()
        states.append(state_of(message)[0])
    assert states == [DeliveryState.QUEUED, DeliveryState.QUEUED, DeliveryState.SENT]
    texts = [item["text"].removeprefix("Айгерим, поддержка\n") for item in timurs_telegram.received()[-3:]]
    assert [text[0] for text in texts] == ["0", "1", "2"]
    assert [text.count("яхта") for text in texts] == [600, 600, 600]


def test_of_a_long_reply_only_what_may_be_missing_is_sent_again(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, LONG)
    send_next()
    sandbox.knobs.turn_on("drop", times=1)
    send_next()
    assert state_of(message)[0] == DeliveryState.UNKNOWN

    repeat = operations.resend(message_id=message.pk, actor=aigerim)
    while state_of(repeat)[0] == DeliveryState.QUEUED:
        send_next()

    assert state_of(repeat)[0] == DeliveryState.SENT
    assert [item["text"][0] for item in timurs_telegram.received()[-2:]] == ["1", "2"]


def test_after_429_the_chat_waits_as_long_as_telegram_says_and_other_chats_do_not(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer, timur: Customer
):
    sandbox.knobs.turn_on("too_many_requests", times=1, seconds=300)
    message = answer(ticket, aigerim, "Раз")
    send_next()
    session = ChatSession.objects.get(customer=timur)
    assert session.next_send_at > timezone.now() + timedelta(seconds=295)
    BotStatus.objects.update(next_send_at=timezone.now() - timedelta(seconds=1))
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    other = sandbox.customer("Мадина")
    other.write("/start")
    madina = Customer.objects.create(telegram_user_id=other.id, name="Мадина")
    operations.say(customer=madina, notice=Notice.HELP, text="Другой чат")
    come_due()
    claimed = claim(BOT_ID, WORKER)
    assert isinstance(claimed, Claimed)
    assert claimed.call.chat_id == other.id
    send_next()
    assert state_of(message)[0] == DeliveryState.SENT


def test_when_nothing_listens_there_everything_waits(ticket: Ticket, aigerim: User, answer: Answer):
    message = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    outcome = ask(claimed, make_bot(TOKEN, "http://127.0.0.1:9"))
    settle(claimed.call, outcome)
    assert state_of(message) == (DeliveryState.QUEUED, "")
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert BotStatus.objects.get().last_error == "ClientConnectorError"


def test_a_refusal_that_comes_late_does_not_deny_what_a_poll_has_found_since(
    ticket: Ticket, aigerim: User, answer: Answer
):
    answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    polled(BOT_ID)
    settle(claimed.call, Outcome(DeliveryState.QUEUED, "ConnectionTimeoutError", bot_pause=timedelta(seconds=3)))
    assert BotStatus.objects.get().last_error == ""
    assert isinstance(claim(BOT_ID, WORKER), Pause)


def test_a_customer_who_stopped_the_bot_holds_replies_and_ends_the_bots_own_sentences(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient, timur: Customer
):
    timurs_telegram.block()
    receipt = operations.say(customer=timur, notice=Notice.RECEIPT, text="Принято", ticket=ticket)
    reply = answer(ticket, aigerim, "Раз")
    send_next()
    assert state_of(receipt) == (DeliveryState.CANCELLED, Reason.BLOCKED)
    assert state_of(reply) == (DeliveryState.HELD, Reason.BLOCKED)
    timur.refresh_from_db()
    assert timur.stopped_bot_at is not None
    timurs_telegram.unblock()
    operations.customer_returned(customer=timur)
    send_next()
    assert state_of(reply)[0] == DeliveryState.SENT


def test_a_customer_telegram_takes_a_message_for_has_not_stopped_the_bot(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    before = answer(ticket, aigerim, "Раз.")
    under_way = claim_now()
    operations.customer_stopped_bot(customer=timur)
    settle(under_way.call, Outcome(DeliveryState.SENT, sent=(SentMessage(7),)))
    assert Customer.objects.get().stopped_bot_at is not None, "it was taken before"
    released, other = answer(ticket, aigerim, "Два."), answer(ticket, aigerim, "Три.")
    operations.release(message_id=released.pk, actor=aigerim)
    send_next()
    assert Customer.objects.get().stopped_bot_at is None
    assert [state_of(message)[0] for message in (before, released, other)] == ["sent", "sent", "queued"]
    assert ticket.events.filter(kind=Event.Kind.RETURNED).count() == 1


REFUSALS = [
    ("Bad Request: chat not found", Reason.NO_CHAT),
    ("Bad Request: message is too long", Reason.TOO_LONG),
    ("Bad Request: message caption is too long", Reason.TOO_LONG),
    ("Bad Request: file is too big", Reason.TOO_BIG),
    ("Bad Request: PHOTO_INVALID_DIMENSIONS", Reason.BAD_FILE),
    ("Bad Request: something new", Reason.REFUSED),
]


@pytest.mark.parametrize(("said", "reason"), REFUSALS)
def test_a_refusal_is_told_in_our_words(said: str, reason: Reason):
    bot = make_bot(TOKEN, "http://127.0.0.1:9")
    method = requests.METHODS["sendMessage"](chat_id=1, text="…")
    body = f'{{"ok": false, "error_code": 400, "description": "{said}"}}'
    with pytest.raises(AiogramError) as error:
        bot.session.check_response(bot, method, 400, body)
    outcome = requests.judge(error.value)
    assert (outcome.state, outcome.reason) == (DeliveryState.FAILED, reason)


def test_a_refused_reply_can_be_changed_and_goes_again(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    settle(claimed.call, Outcome(DeliveryState.FAILED, "Bad Request: message is too long", Reason.TOO_LONG))
    assert state_of(message) == (DeliveryState.FAILED, Reason.TOO_LONG)
    operations.edit_reply(message_id=message.pk, actor=aigerim, text="Короче")
    send_next()
    assert timurs_telegram.received()[-1]["text"].endswith("Короче")
    assert OutboundCall.objects.get().attempts == 2


def test_a_file_that_has_left_the_disk_is_said_to_be_bad(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer
):
    message = answer(ticket, aigerim, "", uploads=[upload("a")])
    attachment = message.attachments.get()
    attachment.file.storage.delete(attachment.file.name)
    send_next()
    assert state_of(message) == (DeliveryState.FAILED, Reason.BAD_FILE)


def test_a_worthless_token_stops_the_bot_and_loses_nothing(
    ticket: Ticket, aigerim: User, answer: Answer, sandbox: SandboxServer
):
    sandbox.revoke("77:AAworthlessworthlessworthlessworthless")
    message = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    settle(claimed.call, ask(claimed, make_bot("77:AAworthlessworthlessworthlessworthless", sandbox.base_url)))
    assert state_of(message) == (DeliveryState.QUEUED, "")
    status = BotStatus.objects.get()
    assert status.stopped_reason == "Telegram does not know this token"
    assert status.next_send_at > timezone.now() + timedelta(seconds=50)


def test_a_success_of_a_newer_telegram_is_still_a_success():
    bot = make_bot(TOKEN, "http://127.0.0.1:9")
    method = requests.METHODS["sendMessage"](chat_id=1, text="…")
    answer = bot.session.check_response(bot, method, 200, '{"ok": true, "result": {"message_id": 5, "date": {}}}')
    assert client.sent_messages(answer.result) == (SentMessage(5),)


@pytest.mark.parametrize("method", [GetMe(), GetWebhookInfo(), GetFile(file_id="x")])
def test_an_answer_that_was_asked_for_and_cannot_be_read_is_none(method: TelegramMethod[object]):
    bot = make_bot(TOKEN, "http://127.0.0.1:9")
    with pytest.raises(ClientDecodeError):
        bot.session.check_response(bot, method, 200, '{"ok": true, "result": {"url": [], "id": [], "file_id": []}}')


def test_a_message_no_request_can_be_made_of_stops_nobody(
    ticket: Ticket, aigerim: User, answer: Answer, monkeypatch: pytest.MonkeyPatch
):
    def breaks(message: Message, number: int, session: ChatSession, place: Place) -> Part:
        if message.text == "Плохое":
            raise ValueError("no such kind")
        return part_of(message, number, session, place)

    monkeypatch.setattr(claiming, "part_of", breaks)
    bad, good = answer(ticket, aigerim, "Плохое"), answer(ticket, aigerim, "Хорошее")
    let_time_pass()
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert state_of(bad) == (DeliveryState.FAILED, Reason.REFUSED)
    assert claim_now().call.delivery_id == good.pk


def test_an_erased_customer_is_sent_nothing(timur: Customer):
    say(timur, "Квитанция")
    Customer.objects.update(telegram_user_id=None, erased_at=timezone.now())
    assert isinstance(claim(BOT_ID, WORKER), Pause)


# Leases.


def test_a_call_whose_worker_died_becomes_unknown_when_its_lease_ends(ticket: Ticket, aigerim: User, answer: Answer):
    message = answer(ticket, aigerim, "Раз")
    claim_now()
    assert expire_leases() == 0
    OutboundCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert expire_leases() == 1
    assert state_of(message)[0] == DeliveryState.UNKNOWN


def test_a_call_of_a_bot_that_works_here_no_more_holds_its_customer_up_no_longer(
    ticket: Ticket, aigerim: User, answer: Answer
):
    first, second = answer(ticket, aigerim, "Раз"), answer(ticket, aigerim, "Два")
    claim_now()
    ChatSession.objects.update(bot_id=BOT_ID + 1)
    OutboundCall.objects.update(bot_id=BOT_ID + 1, lease_until=timezone.now() - timedelta(seconds=1))
    expire_leases()
    come_due()
    assert state_of(first)[0] == DeliveryState.UNKNOWN
    assert claim_now().call.delivery_id == second.pk


def test_a_success_that_comes_late_is_still_told(
    ticket: Ticket, aigerim: User, answer: Answer, api_url: str, timurs_telegram: CustomerClient
):
    message = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    outcome = ask(claimed, make_bot(TOKEN, api_url))
    OutboundCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    expire_leases()
    settle(claimed.call, outcome)
    assert state_of(message)[0] == DeliveryState.SENT
    assert TelegramMessage.objects.filter(message=message).exists()


@pytest.fixture
def late_first_part(
    ticket: Ticket, aigerim: User, answer: Answer, api_url: str, timurs_telegram: CustomerClient
) -> tuple[Message, Callable[[], None]]:
    """Two files; of the first Telegram has said yes, and its lease ended before that was written down."""
    message = answer(ticket, aigerim, "Файлы", uploads=[upload("0.txt"), upload("1.ogg", OGG)])
    claimed = claim_now()
    outcome = ask(claimed, make_bot(TOKEN, api_url))
    OutboundCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    expire_leases()
    return message, lambda: settle(claimed.call, outcome)


def test_of_several_parts_one_that_came_late_lets_the_others_follow(
    late_first_part, ticket: Ticket, send_next, timurs_telegram: CustomerClient
):
    message, settle_late = late_first_part
    settle_late()
    ticket.refresh_from_db()
    assert (state_of(message)[0], ticket.trouble) == (DeliveryState.QUEUED, Trouble.NONE)
    send_next()
    assert state_of(message)[0] == DeliveryState.SENT
    first, second = timurs_telegram.received()[-2:]
    assert ("document" in first, "voice" in second) == (True, True)


def test_a_late_part_does_not_disturb_what_its_manager_has_decided(
    late_first_part, aigerim: User, send_next, timurs_telegram: CustomerClient
):
    message, settle_late = late_first_part
    operations.mark_arrived(message_id=message.pk, actor=aigerim)
    second = claim_now()
    settle_late()
    assert state_of(message)[0] == DeliveryState.SENDING
    assert Delivery.objects.get(pk=message.pk).parts_sent == 1
    assert second.call.part == 1


def test_a_reply_released_meanwhile_leaves_after_the_pieces_of_the_one_begun(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, timurs_telegram: CustomerClient
):
    held = answer(ticket, aigerim, "Это ждало.")
    operations.hold_stale(now=timezone.now() + timedelta(hours=1))
    begun = answer(ticket, aigerim, "Пункт договора. " * 400)
    send_next()
    operations.release(message_id=held.pk, actor=aigerim)
    for _turn in range(2):
        send_next()
    assert [state_of(message)[0] for message in (held, begun)] == [DeliveryState.SENT] * 2
    words = [message["text"] for message in timurs_telegram.received()[-3:]]
    assert ["договора" in text for text in words] == [True, True, False]


def test_the_rest_of_an_unsure_reply_leaves_after_the_pieces_of_one_begun_meanwhile(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer
):
    unsure, begun = (answer(ticket, aigerim, f"Пункт {letter}. " * 1000) for letter in "АБ")
    send_next()
    sandbox.knobs.turn_on("cut", times=1)
    send_next()
    send_next()
    operations.mark_arrived(message_id=unsure.pk, actor=aigerim)
    while state_of(begun)[0] == DeliveryState.QUEUED:
        send_next()
        assert Delivery.objects.get(pk=unsure.pk).parts_sent == 2
    send_next()
    assert Delivery.objects.get(pk=unsure.pk).parts_sent == 3


def test_what_was_refused_before_the_customer_came_back_is_sent_again(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
):
    reply = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    operations.customer_stopped_bot(customer=timur)
    operations.customer_returned(customer=timur, at=timezone.now())
    settle(claimed.call, Outcome(DeliveryState.HELD, "bot was blocked by the user", Reason.BLOCKED))
    assert state_of(reply) == (DeliveryState.QUEUED, "")
    assert Customer.objects.get().stopped_bot_at is None


def test_a_failure_that_comes_late_changes_nothing(ticket: Ticket, aigerim: User, answer: Answer):
    message = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    OutboundCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    expire_leases()
    settle(claimed.call, Outcome(DeliveryState.QUEUED, "Too Many Requests"))
    assert state_of(message)[0] == DeliveryState.UNKNOWN


def test_a_request_that_could_outlive_its_lease_does_not_leave(
    ticket: Ticket, aigerim: User, answer: Answer, api_url: str, sandbox: SandboxServer, timurs_telegram: CustomerClient
):
    before = len(timurs_telegram.received())
    message = answer(ticket, aigerim, "Раз")
    claimed = claim_now()
    late = Claimed(claimed.call, began=claimed.began - 9)
    settle(late.call, ask(late, make_bot(TOKEN, api_url)))
    assert state_of(message) == (DeliveryState.QUEUED, "")
    assert len(timurs_telegram.received()) == before


def test_no_second_worker_takes_what_one_is_sending(ticket: Ticket, aigerim: User, answer: Answer):
    answer(ticket, aigerim, "Раз")
    answer(ticket, aigerim, "Два")
    claim_now()
    let_time_pass()
    assert isinstance(claim(BOT_ID, "another"), Pause)


# Order, lanes, pace.


@pytest.fixture
def crowd(db: None) -> list[Customer]:
    return [Customer.objects.create(telegram_user_id=800_000 + number) for number in range(5)]


def say(customer: Customer, text: str, lane: Lane = Lane.RECEIPT) -> Message:
    return operations.say(customer=customer, notice=Notice.OTHER, text=text, lane=lane)


def text_of(claimed: Claimed | Pause) -> str:
    assert isinstance(claimed, Claimed), claimed
    text: str = claimed.call.payload["text"]
    return text


def test_a_managers_reply_goes_before_receipts_of_other_chats(
    crowd: list[Customer], ticket: Ticket, aigerim: User, answer: Answer
):
    for customer in crowd:
        say(customer, "Квитанция")
    answer(ticket, aigerim, "Ответ")
    assert text_of(claim_now()).endswith("Ответ")


def test_within_a_chat_order_holds_whatever_the_lane(ticket: Ticket, timur: Customer, aigerim: User, answer: Answer):
    say(timur, "Квитанция", Lane.RECEIPT)
    answer(ticket, aigerim, "Ответ")
    claimed = claim_now()
    assert text_of(claimed) == "Квитанция"
    settle(claimed.call, Outcome(DeliveryState.SENT, sent=(SentMessage(1),)))
    assert text_of(claim_now()).endswith("Ответ")


def test_what_is_due_later_holds_nobody_up(ticket: Ticket, aigerim: User, answer: Answer):
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    operations.reopen(ticket_id=ticket.pk, actor=aigerim)
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)  # its message waits eight seconds
    answer(ticket, aigerim, "И ещё одно")
    assert text_of(claim_now()).endswith("И ещё одно")


def test_what_has_expired_holds_nobody_up(timur: Customer):
    expired = say(timur, "Вчерашняя квитанция")
    Delivery.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    say(timur, "Сегодняшняя")
    assert text_of(claim_now()) == "Сегодняшняя"


def test_a_held_reply_does_not_hold_up_the_next(ticket: Ticket, aigerim: User, answer: Answer):
    held = answer(ticket, aigerim, "Вчера")
    Delivery.objects.filter(pk=held.pk).update(state=DeliveryState.HELD, reason=Reason.STALE)
    answer(ticket, aigerim, "Сегодня")
    assert text_of(claim_now()).endswith("Сегодня")


def test_a_chat_gets_a_short_burst_and_then_one_message_a_second(timur: Customer):
    for number in range(6):
        say(timur, str(number))
    come_due()
    sent = 0
    while isinstance(claimed := claim(BOT_ID, WORKER), Claimed):
        settle(claimed.call, Outcome(DeliveryState.SENT, sent=(SentMessage(sent + 1),)))
        BotStatus.objects.update(next_send_at=timezone.now() - timedelta(seconds=1))
        sent += 1
    assert sent == 3
    assert 0.2 < claimed.seconds <= 1


def test_the_bot_keeps_its_pace_over_all_chats(crowd: list[Customer]):
    for customer in crowd:
        say(customer, "Квитанция")
    soon = timezone.now() + timedelta(seconds=5)
    BotStatus.objects.create(bot_id=BOT_ID, next_send_at=soon)
    waits = claim(BOT_ID, WORKER)
    assert isinstance(waits, Pause)
    assert 3 < waits.seconds <= 5


def test_each_message_moves_the_pace_of_all_workers(crowd: list[Customer]):
    began = timezone.now()
    for customer in crowd:
        say(customer, "Квитанция")
    for worker in ("one", "another"):
        claim_now(worker)
        status = BotStatus.objects.get()
        assert timedelta(seconds=0.03) < status.next_send_at - began


# Calls that belong to no delivery.


@pytest.fixture
def session(timur: Customer) -> ChatSession:
    return ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur)


def test_an_answer_to_a_press_waits_for_nobody(session: ChatSession, timur: Customer):
    for _ in range(3):
        say(timur, "Квитанция")
    ahead = timezone.now() + timedelta(minutes=5)
    BotStatus.objects.update_or_create(bot_id=BOT_ID, defaults={"next_send_at": ahead})
    ChatSession.objects.update(next_send_at=ahead)
    calls.answer_press(session, "1")
    come_due()
    claimed = claim(BOT_ID, WORKER)
    assert isinstance(claimed, Claimed)
    assert claimed.call.method == "answerCallbackQuery"


def test_an_answer_nobody_waits_for_any_more_is_dropped(session: ChatSession):
    calls.answer_press(session, "1")
    past = timezone.now() - timedelta(seconds=1)
    # Due for long enough for SQLite's clock, which knows milliseconds.
    OutboundCall.objects.update(due_at=past, expires_at=past)
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    assert OutboundCall.objects.get().state == DeliveryState.CANCELLED


def test_an_edit_of_a_keyboard_is_simply_tried_again(session: ChatSession):
    calls.edit_keyboard(session, 5, [])
    claimed = claim_now()
    settle(claimed.call, Outcome(DeliveryState.UNKNOWN, "ServerDisconnectedError"))
    call = OutboundCall.objects.get()
    assert call.state == DeliveryState.QUEUED
    assert call.due_at > timezone.now()


def test_a_line_to_a_group_is_never_repeated(session: ChatSession):
    calls.say_to_group(session, "Я отвечаю только в личных сообщениях")
    claimed = claim_now()
    settle(claimed.call, Outcome(DeliveryState.UNKNOWN, "ServerDisconnectedError"))
    assert OutboundCall.objects.get().state == DeliveryState.UNKNOWN


def test_the_token_is_in_nothing_that_is_kept(
    ticket: Ticket, aigerim: User, answer: Answer, send_next, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
):
    for knob in ("drop", "cut", "bad_gateway", "server_error"):
        sandbox.knobs.turn_on(knob, times=1)
        answer(ticket, aigerim, knob)
        send_next()
    kept = [str(call.__dict__) for call in OutboundCall.objects.all()] + [caplog.text]
    assert TOKEN.split(":")[1] not in "".join(kept)


# Which request it was.


def test_what_goes_wrong_is_logged_under_the_request_that_wrote_the_reply(
    ticket: Ticket, aigerim: User, answer: Answer
):
    token = request_id.set("proxy-12345678")
    answer(ticket, aigerim)
    request_id.reset(token)
    assert request_id.get() is None
    assert outbox.request_of(claim_now().call) == "proxy-12345678"


def test_a_sentence_of_the_bot_has_no_request(timur: Customer):
    operations.say(customer=timur, notice=Notice.HELP, text="Справка")
    assert outbox.request_of(claim_now().call) is None


def test_a_claim_looks_at_no_more_of_a_long_queue_than_it_takes(timur: Customer):
    """Statistics know nothing of a queue that has just grown, so the plan must be good without them."""
    operations.say(customer=timur, notice=Notice.HELP, text="Это поддержка.")
    with CaptureQueriesContext(connection) as asked:
        claim(BOT_ID, WORKER)
    (heads,) = [query["sql"] for query in asked if '"lane" ASC' in query["sql"] and "LIMIT" in query["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # else it reads small tables whole
        cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + heads)
        plan = str(cursor.fetchall())
    assert "delivery_due" in plan
    assert "delivery_begun" in plan
    assert plan.count("delivery_unsettled") == 2
    assert not any(costly in plan for costly in ("Join", "Sort", "TEMP B-TREE")), plan
