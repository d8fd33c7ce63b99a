"""/start, /new, /my, /lang, /help. A command with other words behind it is a message like any other."""

import re

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import Message
from aiogram.utils.magic_filter import MagicFilter
from magic_filter import RegexpMode

from botbridge.chats import Chat
from botbridge.conversation import language_named
from botbridge.handlers.states import expect_question
from botbridge.threads import in_transaction

#: What a link https://t.me/<bot>?start=<payload> may carry (Bot API, "Deep linking").
PAYLOAD = re.compile(r"[\w-]{1,64}", re.ASCII)
TICKET_NUMBER = re.compile(r"№?\s*[0-9]{1,18}")

BARE = ~F.args


def router() -> Router:
    router = Router(name="commands")
    # A caption is never a command: its photo would be lost.
    router.message.filter(F.text)
    router.edited_message.filter(F.text, F.chat.type == ChatType.PRIVATE)
    for handler, wanted in (
        (start, command("start", BARE)),
        (start, command("start", F.args.regexp(PAYLOAD, mode=RegexpMode.FULLMATCH))),
        (new, command("new", BARE)),
        (my, command("my", BARE)),
        (switch, command("my", F.args.regexp(TICKET_NUMBER, mode=RegexpMode.FULLMATCH))),
        (lang, command("lang", BARE)),
        (set_language, command("lang", F.args.func(language_named))),
        (help_, command("help", BARE)),
    ):
        router.message.register(handler, wanted)
        router.edited_message.register(edited, wanted)
    return router


def command(name: str, args: MagicFilter) -> Command:
    """A filter for /name with such words behind it. In a private chat a mention names this bot anyway; checking it
    would ask Telegram, which a handler never does.
    """
    return Command(name, ignore_case=True, ignore_mention=True, magic=args)


async def edited(message: Message, chat: Chat) -> None:
    """A person's words edited into a command are an edit; one command edited into another asks for nothing."""
    await in_transaction(chat.revise, message)


async def start(message: Message, chat: Chat) -> None:
    await in_transaction(chat.greet)


async def new(message: Message, chat: Chat, state: FSMContext) -> None:
    if await in_transaction(chat.begin_new):
        await expect_question(chat, state)


async def my(message: Message, chat: Chat) -> None:
    await in_transaction(chat.list_tickets)


async def switch(message: Message, command: CommandObject, chat: Chat, state: FSMContext) -> None:
    digits = "".join(filter(str.isdigit, command.args or ""))
    await in_transaction(chat.switch, int(digits))
    await state.clear()


async def lang(message: Message, chat: Chat) -> None:
    await in_transaction(chat.ask_language)


async def set_language(message: Message, command: CommandObject, chat: Chat) -> None:
    language = language_named(command.args or "")
    assert language is not None
    await in_transaction(chat.set_language, language)


async def help_(message: Message, chat: Chat) -> None:
    await in_transaction(chat.help)
