"""aiogram's own client against the sandbox: what it sends is taken, what it gets back it can read."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    KeyboardButton,
    MenuButtonCommands,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyKeyboardMarkup,
    ReplyParameters,
    Update,
)

from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer

# One grey pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


@pytest.fixture
def timur(sandbox: SandboxServer) -> CustomerClient:
    customer = sandbox.customer()
    customer.write("/start")
    return customer


def with_bot(sandbox: SandboxServer, act: Callable[[Any], Coroutine[Any, Any, Any]], timeout: float = 10) -> Any:
    async def run() -> Any:
        session = AiohttpSession(api=TelegramAPIServer.from_base(sandbox.base_url), timeout=timeout)
        async with Bot(sandbox.token, session=session) as bot:
            return await act(bot)

    # A thread of its own: a browser test before this one leaves an event loop in the main thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def test_texts_with_everything_on_them(sandbox, timur):
    async def act(bot: Any):
        return await bot.send_message(
            timur.id,
            "Здравствуйте",
            entities=[MessageEntity(type="bold", offset=0, length=12)],
            reply_parameters=ReplyParameters(message_id=1, allow_sending_without_reply=True),
            reply_markup=InlineKeyboardMarkup(
                inline_keyboard=[[InlineKeyboardButton(text="Да", callback_data="yes")]],
            ),
        )

    message = with_bot(sandbox, act)
    assert (message.text, message.entities[0].type, message.reply_to_message.text) == ("Здравствуйте", "bold", "/start")
    assert message.reply_markup.inline_keyboard[0][0].callback_data == "yes"


def test_files_go_out_come_back_by_id_and_are_downloaded(sandbox, timur):
    async def act(bot: Any):
        photo = await bot.send_photo(timur.id, BufferedInputFile(PNG, "p.png"), caption="Фото")
        assert (photo.photo[-1].width, photo.caption) == (1, "Фото")
        assert photo.photo[0].file_id != photo.photo[-1].file_id
        again = await bot.send_photo(timur.id, photo.photo[-1].file_id)
        assert again.photo[-1].file_unique_id == photo.photo[-1].file_unique_id
        video = await bot.send_video(timur.id, BufferedInputFile(b"film", "v.mp4"), duration=7, width=640, height=360)
        assert (video.video.duration, video.video.mime_type) == (7, "video/mp4")
        voice = await bot.send_voice(timur.id, BufferedInputFile(b"OggS", "v.ogg"), duration=3)
        assert (voice.voice.duration, voice.voice.mime_type) == (3, "audio/ogg")
        audio = await bot.send_audio(timur.id, BufferedInputFile(b"song", "s.mp3"), title="Песня", duration=9)
        assert (audio.audio.title, audio.audio.file_name) == ("Песня", "s.mp3")
        document = await bot.send_document(timur.id, BufferedInputFile("чек".encode(), "Чек 1.pdf"))
        assert (document.document.file_name, document.document.mime_type) == ("Чек 1.pdf", "application/pdf")
        downloaded = BytesIO()
        await bot.download(document.document, downloaded)
        return downloaded.getvalue()

    assert with_bot(sandbox, act) == "чек".encode()
    assert len(timur.received()) == 6


def test_albums_are_messages_of_one_group(sandbox, timur):
    async def act(bot: Any):
        photos = [InputMediaPhoto(media=BufferedInputFile(PNG, f"{n}.png"), caption=f"№{n}") for n in range(3)]
        messages = await bot.send_media_group(timur.id, photos)
        assert len({message.media_group_id for message in messages}) == 1
        assert [message.caption for message in messages] == ["№0", "№1", "№2"]
        with pytest.raises(TelegramBadRequest, match="group must contain 2-10 messages"):
            await bot.send_media_group(timur.id, photos[:1])
        with pytest.raises(TelegramBadRequest, match="too many messages to send as an album"):
            await bot.send_media_group(timur.id, [InputMediaPhoto(media=messages[0].photo[-1].file_id)] * 11)
        mixed = [photos[0], InputMediaDocument(media=BufferedInputFile(b"x", "x.txt"))]
        with pytest.raises(TelegramBadRequest, match="document can't be mixed with other media types"):
            await bot.send_media_group(timur.id, mixed)

    with_bot(sandbox, act)
    assert len(timur.received()) == 3


def test_files_too_big_or_unreadable_are_refused(sandbox, timur):
    async def act(bot: Any):
        with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
            await bot.send_photo(timur.id, BufferedInputFile(b"not a picture", "p.png"))
        with pytest.raises(TelegramBadRequest, match="is too big for a photo; the maximum size is 10485760 bytes"):
            await bot.send_photo(timur.id, BufferedInputFile(PNG + bytes(10 * 1024 * 1024), "p.png"))
        with pytest.raises(TelegramEntityTooLarge):
            await bot.send_document(timur.id, BufferedInputFile(bytes(50 * 1024 * 1024 + 1), "big.bin"))
        with pytest.raises(TelegramBadRequest, match="file must be non-empty"):
            await bot.send_document(timur.id, BufferedInputFile(b"", "empty.txt"))
        with pytest.raises(TelegramBadRequest, match="wrong file identifier"):
            await bot.send_document(timur.id, "AgADnonsense")
        with pytest.raises(TelegramBadRequest, match="message caption is too long"):
            await bot.send_photo(timur.id, BufferedInputFile(PNG, "p.png"), caption="a" * 1025)

    with_bot(sandbox, act, timeout=60)
    assert timur.received() == []


def test_files_over_20_mb_cannot_be_fetched(sandbox, timur):
    film = timur.send_imagined("video", "Ремонт.mp4", 61 * 1024 * 1024)["video"]

    async def act(bot: Any):
        with pytest.raises(TelegramBadRequest, match="file is too big"):
            await bot.get_file(film["file_id"])
        with pytest.raises(TelegramBadRequest, match="invalid file_id"):
            await bot.get_file("nonsense")

    with_bot(sandbox, act)


def test_the_other_methods_are_understood(sandbox, timur):
    async def act(bot: Any):
        await bot.set_my_commands(
            [BotCommand(command="new", description="Новый вопрос")], scope=BotCommandScopeAllPrivateChats()
        )
        assert (await bot.get_my_commands(BotCommandScopeAllPrivateChats()))[0].command == "new"
        assert await bot.set_chat_menu_button(timur.id, MenuButtonCommands())
        assert await bot.send_chat_action(timur.id, "typing")
        assert await bot.set_message_reaction(timur.id, 1, [ReactionTypeEmoji(emoji="👍")])
        sent = await bot.send_photo(timur.id, BufferedInputFile(PNG, "p.png"))
        edited = await bot.edit_message_caption(chat_id=timur.id, message_id=sent.message_id, caption="Новая")
        assert edited.caption == "Новая"
        assert await bot.delete_message(timur.id, sent.message_id)
        assert (await bot.get_webhook_info()).url == ""

    with_bot(sandbox, act)


@pytest.mark.parametrize(
    ("knob", "error"),
    [
        ("too_many_requests", TelegramRetryAfter),
        ("server_error", TelegramServerError),
        ("blocked", TelegramForbiddenError),
        ("drop", TelegramNetworkError),
        ("cut", TelegramNetworkError),
        ("hang", TelegramNetworkError),
    ],
)
def test_trouble_reaches_aiogram_as_its_own_errors(sandbox, timur, knob: str, error: type[Exception]):
    sandbox.knobs.turn_on(knob, times=1)

    async def act(bot: Any):
        with pytest.raises(error):
            await bot.send_message(timur.id, "hello")

    with_bot(sandbox, act, timeout=2)


def test_a_second_poller_and_a_revoked_token_are_told_so(sandbox):
    async def act(bot: Any):
        first = asyncio.create_task(bot.get_updates(timeout=5))
        while not first.done():
            await bot.get_updates(timeout=0)
        with pytest.raises(TelegramConflictError):
            await first
        await asyncio.to_thread(sandbox.revoke, sandbox.token)
        with pytest.raises(TelegramUnauthorizedError):
            await bot.get_me()

    with_bot(sandbox, act)


def test_every_kind_a_customer_sends_is_an_update_aiogram_reads(sandbox):
    emma = sandbox.customer("Emma", last_name="Larsen", language_code="en", username="emma")
    question = emma.write("/start")
    emma.write("see above", reply_to=question["message_id"], quote="start")
    emma.edit(question["message_id"], "hello")
    emma.send_files(("p.png", PNG, "image/png"), kind="photo", text="Look")
    emma.send_files(("a.png", PNG, "image/png"), ("b.mp4", b"film", "video/mp4"), kind="photo")
    emma.send_files(("v.ogg", b"OggS", "audio/ogg"), kind="voice", duration=3)
    emma.send_files(("Чек.pdf", b"%PDF", "application/pdf"))
    emma.send_imagined("video", "v.mp4", 63963136)
    for kind in ("contact", "sticker", "poll", "location"):
        emma.send_other(kind)
    emma.send_content(dice={"emoji": "🎲", "value": 3})
    emma.block()
    raw = sandbox.call("getUpdates")["result"]
    updates: list[Any] = [Update.model_validate(update) for update in raw]
    kinds = [update.message.content_type if update.message else update.event_type for update in updates]
    assert kinds == [
        "text",
        "text",
        "edited_message",
        "photo",
        "photo",
        "video",
        "voice",
        "document",
        "video",
        "contact",
        "sticker",
        "poll",
        "location",
        "dice",
        "my_chat_member",
    ]
    assert updates[1].message.quote.text == "start"
    assert updates[4].message.media_group_id == updates[5].message.media_group_id
    assert updates[9].message.contact.user_id == updates[9].message.from_user.id == emma.id


def test_a_reply_keyboard_is_tapped_and_the_phone_sent(sandbox, timur):
    async def act(bot: Any):
        button = KeyboardButton(text="Отправить мой номер", request_contact=True)
        await bot.send_message(
            timur.id, "Ваш номер?", reply_markup=ReplyKeyboardMarkup(keyboard=[[button], [KeyboardButton(text="Нет")]])
        )

    with_bot(sandbox, act)
    assert timur.tap("Отправить мой номер")["contact"]["phone_number"] == "+77000000199"
    assert timur.tap("Нет")["text"] == "Нет"
