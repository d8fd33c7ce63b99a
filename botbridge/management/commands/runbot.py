"""The bot's process: takes updates in, handles them, sends what is due."""

import asyncio
import contextlib
import logging
from typing import Any

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.methods import GetMe, SetMyCommands
from aiogram.types import BotCommand, BotCommandScopeAllPrivateChats
from aiogram.utils.token import TokenValidationError
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.utils import translation

from botbridge import conversation, metrics
from botbridge.client import make_bot
from botbridge.doorbell import INBOX, Doorbell
from botbridge.handlers import build_dispatcher
from botbridge.inbox import Inbox
from botbridge.models import BotStatus
from botbridge.outbox import Outbox
from botbridge.polling import AlreadyRunningError, Polling, sole_runner
from botbridge.process import run_process, stop_signal
from botbridge.threads import in_thread
from tickets.models import Language
from tickets.operations import OUTBOX_CHANNEL

logger = logging.getLogger(__name__)

HOW_TO_GET_A_BOT = (
    "TELEGRAM_BOT_TOKEN is not set. Write to @BotFather in Telegram, send /newbot (or /token for a bot you have), "
    "and put the token it answers with into TELEGRAM_BOT_TOKEN."
)
HOW_TO_COPY_IT = (
    "TELEGRAM_BOT_TOKEN does not look like a bot's token. Copy the whole line that @BotFather gives after /newbot or "
    "/token: digits, a colon, 35 characters."
)
ALREADY_RUNNING = (
    "Another runbot already works with this SQLite file, and two would answer customers twice. Stop the other one, "
    "or use PostgreSQL (DATABASE_URL), where any number may run."
)

HOW_TO_SHOW_METRICS = (
    "Nothing can be shown at BOT_METRICS, {address}: {error}. Write a free address and port, such as 127.0.0.1:9101, "
    "or leave it out."
)

#: SQLite has one writer at a time: more workers would only wait for each other.
INBOX_WORKERS = {"sqlite": 1, "postgresql": 4}
RETRY_INTRODUCTION = 15


class Command(BaseCommand):
    help = "Takes updates from Telegram, handles them and sends what is due. Needs TELEGRAM_BOT_TOKEN."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError(HOW_TO_GET_A_BOT)
        try:
            bot = make_bot(settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL)
        except TokenValidationError:
            raise CommandError(HOW_TO_COPY_IT) from None
        try:
            alone = sole_runner()
        except AlreadyRunningError:
            raise CommandError(ALREADY_RUNNING) from None
        with alone or contextlib.nullcontext():
            show_metrics()
            run_process(run(bot))


def show_metrics() -> None:
    try:
        if settings.BOT_METRICS:
            metrics.show(settings.BOT_METRICS)
    except (ValueError, OSError) as error:
        raise CommandError(HOW_TO_SHOW_METRICS.format(address=settings.BOT_METRICS, error=error)) from None


async def run(bot: Bot) -> None:
    """Everything the bot does, until SIGTERM or SIGINT: then what has begun is finished, within five seconds."""
    stopping = stop_signal()
    doorbell, dispatcher = Doorbell(), build_dispatcher()
    workers = [Inbox(bot, dispatcher, doorbell.bell(INBOX)) for _ in range(INBOX_WORKERS[connection.vendor])]
    outbox = Outbox(bot, doorbell.bell(OUTBOX_CHANNEL))
    fetching = [Polling(bot, doorbell).run(), doorbell.listen(), introduce(bot)]
    async with asyncio.TaskGroup() as group:
        endless = [group.create_task(coroutine) for coroutine in fetching]
        for working in (*(worker.run(stopping) for worker in workers), outbox.run(stopping)):
            group.create_task(working)
        await stopping.wait()
        logger.info("Stopping: what has begun is finished, the rest stays in the database")
        for task in endless:
            task.cancel()
        for channel in (INBOX, OUTBOX_CHANNEL):
            doorbell.ring(channel)
    await bot.session.close()


async def introduce(bot: Bot) -> None:
    """Learn the bot's name and tell Telegram its commands; tried until it works, since it may be done twice."""
    while True:
        try:
            me = await bot(GetMe())
            await in_thread(remember, bot.id, me.username or "")
            for language in Language:
                await bot(commands_in(language))
        except (AiogramError, Error) as error:
            logger.warning("The bot's commands are not set yet: %s", type(error).__name__)
            await asyncio.sleep(RETRY_INTRODUCTION)
        else:
            return


def remember(bot_id: int, username: str) -> None:
    BotStatus.objects.update_or_create(bot_id=bot_id, defaults={"username": username})


def commands_in(language: Language) -> SetMyCommands:
    """The menu in one language; the default language's is also for everybody whose own has none."""
    with translation.override(language):
        descriptions = conversation.command_descriptions()
    commands = [BotCommand(command=name, description=text) for name, text in descriptions.items()]
    for_everybody = language == settings.LANGUAGE_CODE
    return SetMyCommands(
        commands=commands,
        scope=BotCommandScopeAllPrivateChats(),
        language_code=None if for_everybody else language.value,
    )
