"""Each answer Telegram, or the network in its place, may give to a message, and what the desk says then."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiogram.exceptions import AiogramError
from django.utils import timezone

from botbridge import requests, too_many
from botbridge.claiming import Pause, claim
from botbridge.client import make_bot
from botbridge.models import BotStatus, ChatSession, OutboundCall
from botbridge.requests import Outcome
from botbridge.settling import settle
from botbridge.tests.conftest import BOT_ID, TOKEN, Line, Phone, parked
from tickets import operations
from tickets.models import Customer, DeliveryState, Message, MessageRevision, Notice, Reason

QUEUED, UNKNOWN = DeliveryState.QUEUED, DeliveryState.UNKNOWN
FAILED, HELD = DeliveryState.FAILED, DeliveryState.HELD


def error(code: int, description: str, **parameters: Any) -> tuple[int, str]:
    answer = {"ok": False, "error_code": code, "description": description}
    return code, json.dumps({**answer, **({"parameters": parameters} if parameters else {})})


HTML = "<html><body><h1>Service Unavailable</h1></body></html>"

# status and body, state, reason
ANSWERS = [
    # Taken, or surely not, and repeated by itself.
    (error(429, "Too Many Requests: retry after 7", retry_after=7), QUEUED, ""),
    (error(429, "Too Many Requests"), QUEUED, ""),
    (error(401, "Unauthorized"), QUEUED, ""),
    (error(404, "Not Found"), QUEUED, ""),
    # Nobody knows.
    (error(500, "Internal Server Error"), UNKNOWN, ""),
    (error(500, "Internal Server Error: restart"), UNKNOWN, ""),
    (error(504, "Gateway Timeout"), UNKNOWN, ""),
    (error(409, "Conflict: something"), UNKNOWN, ""),
    ((502, HTML), UNKNOWN, ""),
    ((413, HTML), UNKNOWN, ""),
    ((429, HTML), UNKNOWN, ""),
    ((200, HTML), UNKNOWN, ""),
    ((200, ""), UNKNOWN, ""),
    ((200, '{"ok": true, "result": {"message'), UNKNOWN, ""),
    ((200, "[]"), UNKNOWN, ""),
    # Surely not, and nothing but a change helps.
    (error(400, "Bad Request: chat not found"), FAILED, Reason.NO_CHAT),
    (error(400, "Bad Request: PEER_ID_INVALID"), FAILED, Reason.NO_CHAT),
    (error(400, "Bad Request: user not found"), FAILED, Reason.NO_CHAT),
    (error(400, "Bad Request: message is too long"), FAILED, Reason.TOO_LONG),
    (error(400, "Bad Request: file is too big"), FAILED, Reason.TOO_BIG),
    (error(413, "Request Entity Too Large"), FAILED, Reason.TOO_BIG),
    (error(400, "Bad Request: file must be non-empty"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: IMAGE_PROCESS_FAILED"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: PHOTO_EXT_INVALID"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: wrong file identifier/HTTP URL specified"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: wrong remote file identifier specified: wrong padding"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: can't use file of type Animation as Video"), FAILED, Reason.BAD_FILE),
    (error(400, "Bad Request: VOICE_MESSAGES_FORBIDDEN"), FAILED, Reason.NO_VOICE),
    (error(400, "Bad Request: can't parse entities: unsupported tag"), FAILED, Reason.REFUSED),
    (error(400, "Bad Request: something new"), FAILED, Reason.REFUSED),
    (error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100_7), FAILED, Reason.REFUSED),
    (error(403, "Forbidden: bot can't initiate conversation with a user"), FAILED, Reason.NO_CHAT),
    (error(403, "Forbidden: bot can't send messages to bots"), FAILED, Reason.REFUSED),
    (error(404, "Not Found: method not found"), FAILED, Reason.REFUSED),
    # Until the customer comes back.
    (error(403, "Forbidden: bot was blocked by the user"), HELD, Reason.BLOCKED),
    (error(403, "Forbidden: user is deactivated"), HELD, Reason.DEACTIVATED),
]


def judged(status: int, body: str) -> Outcome:
    bot = make_bot(TOKEN, "http://127.0.0.1:9")
    method = requests.METHODS["sendMessage"](chat_id=1, text="…")
    with pytest.raises(AiogramError) as raised:
        bot.session.check_response(bot, method, status, body)
    return requests.judge(raised.value)


@pytest.mark.parametrize(("answer", "state", "reason"), ANSWERS)
def test_an_answer_means(answer: tuple[int, str], state: DeliveryState, reason: str) -> None:
    outcome = judged(*answer)
    assert (outcome.state, outcome.reason) == (state, reason)
    assert bool(outcome.stopped) is (answer[0] in (401, 404) and state == QUEUED)


def test_429_parks_the_chat_as_long_as_it_says_and_a_moment_where_it_does_not_say() -> None:
    assert judged(*error(429, "Too Many Requests: retry after 7", retry_after=7)).chat_pause == timedelta(seconds=7)
    assert judged(*error(429, "Too Many Requests")).chat_pause == timedelta(seconds=5)


# The network.


async def asked_over(serve: Any) -> Outcome:
    """What becomes of a request to a server that does this with each connection."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bot = make_bot(TOKEN, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        return await requests.make(bot, "sendMessage", {"chat_id": 1, "text": "…"}, {})
    finally:
        await bot.session.close()
        server.close()


async def cut_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def cut_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)
    writer.transport.abort()


async def cut_amid_the_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"ok": true')
    await writer.drain()
    writer.close()


async def say_no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass
    writer.close()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: no single read is slow, the whole answer is."""
    await reader.read(65_536)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "serve", [cut_at_once, cut_after_the_request, cut_amid_the_answer, say_no_http, say_nothing, drip]
)
def test_whatever_breaks_once_the_line_was_open_leaves_its_fate_unknown(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "REQUEST_TIMEOUT", 1)
    assert asyncio.run(asked_over(serve)).state == UNKNOWN


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_where_no_line_opens_nothing_was_sent(address: str) -> None:
    async def ask() -> Outcome:
        bot = make_bot(TOKEN, address)
        try:
            return await requests.make(bot, "sendMessage", {"chat_id": 1, "text": "…"}, {})
        finally:
            await bot.session.close()

    outcome = asyncio.run(ask())
    assert (outcome.state, outcome.bot_pause) == (QUEUED, timedelta(seconds=3))


# Many chats refused at once.


@pytest.fixture
def refused_nowhere() -> Iterator[None]:
    too_many._refused.clear()
    yield
    too_many._refused.clear()


def refuse(customer: Customer, seconds: int) -> None:
    """Telegram answers 429 to what is said to a customer."""
    operations.say(customer=customer, notice=Notice.HELP, text="…")
    chat_id = customer.telegram_user_id or 0
    ChatSession.objects.get_or_create(bot_id=BOT_ID, chat_id=chat_id, customer=customer)
    call = OutboundCall.objects.create(
        bot_id=BOT_ID,
        chat_id=chat_id,
        method="sendMessage",
        lane=2,
        state=DeliveryState.SENDING,
        worker="w",
        lease_until=timezone.now() + timedelta(seconds=30),
    )
    settle(call, Outcome(QUEUED, "Too Many Requests", chat_pause=timedelta(seconds=seconds)))


@pytest.mark.django_db
@pytest.mark.usefixtures("refused_nowhere")
@pytest.mark.parametrize(("chats", "waits"), [(1, False), (2, False), (3, True)])
def test_429_in_several_chats_at_once_is_the_bots_and_all_of_it_waits(chats: int, waits: bool) -> None:
    BotStatus.objects.create(bot_id=BOT_ID)
    for number in range(chats):
        refuse(Customer.objects.create(telegram_user_id=700_100 + number), 300)
    ahead = BotStatus.objects.get().next_send_at - timezone.now()
    assert (timedelta(seconds=25) < ahead < timedelta(seconds=35)) is waits
    assert (ahead < timedelta(seconds=1)) is not waits
    if waits:
        operations.say(customer=Customer.objects.create(telegram_user_id=1), notice=Notice.HELP, text="Другой чат")
        assert isinstance(claim(BOT_ID, "w"), Pause)


@pytest.mark.django_db
@pytest.mark.usefixtures("refused_nowhere")
def test_one_chat_refused_again_and_again_stops_nobody_else() -> None:
    BotStatus.objects.create(bot_id=BOT_ID)
    customer = Customer.objects.create(telegram_user_id=700_100)
    for _ in range(5):
        refuse(customer, 300)
    assert BotStatus.objects.get().next_send_at < timezone.now() + timedelta(seconds=1)


# What comes in.

MILLION = "ж" * 1_000_000


@pytest.mark.django_db
def test_a_million_characters_survive_wherever_a_customer_may_put_them(line: Line, phone: Phone) -> None:
    phone.first_name = MILLION
    first = phone.write(MILLION)
    origin = {"type": "hidden_user", "date": 1_700_000_000, "sender_user_name": MILLION}
    phone.send(text="Переслал", forward_origin=origin)
    document = {"file_id": "f", "file_unique_id": "u", "file_name": MILLION}
    phone.send(document=document, caption=MILLION)
    phone.send(text="Ответ", quote={"text": MILLION, "position": 0})
    phone.send(contact={"phone_number": MILLION, "first_name": MILLION, "user_id": phone.id})
    phone.send(poll={"id": "1", "question": MILLION, "options": [{"text": MILLION, "voter_count": 0}]})
    phone.press_data(MILLION)
    phone.edit(first, "\x00" + MILLION + "\ud800")
    assert parked() == []
    assert phone.written[0] == "\ufffd" + MILLION + "\ufffd"
    assert MessageRevision.objects.get().text == MILLION
    assert len(phone.written) == 6
    assert Message.objects.filter(quote_text=MILLION[:1024]).exists()
