"""The bot's process: takes updates in, handles them, sends what is due."""

import asyncio
import contextlib
import logging
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.methods import GetMe, SetMyCommands
from aiogram.types import BotCommand, BotCommandScopeAllPrivateChats, User
from aiogram.utils.token import TokenValidationError
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.utils import translation

from botbridge import conversation, forum_topic_calls, metrics
from botbridge.chat_actions import ChatActions
from botbridge.client import make_bot
from botbridge.doorbell import INBOX, Doorbell
from botbridge.handlers import build_dispatcher
from botbridge.inbox import Inbox
from botbridge.models import BotStatus
from botbridge.outbox import Outbox
from botbridge.polling import AlreadyRunningError, Polling, sole_runner
from botbridge.process import run_process, stop_signal
from botbridge.threads import in_thread
from botbridge.watching import Watching
from botbridge.webhook import SECRET
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

NOTHING_TO_SHOW = (
    "runbot --webhook needs a TELEGRAM_WEBHOOK_SECRET of letters, digits, _ and -, the same for the web processes. "
    "Make one with python3 -c 'import secrets; print(secrets.token_urlsafe(32))'."
)
HOW_TO_BE_REACHED = (
    "Telegram brings updates to an https address alone, on port 443, 80, 88 or 8443, and PUBLIC_URL is {url}. Put a "
    "proxy with a certificate before the site and write its address into PUBLIC_URL, or leave --webhook out: then the "
    "bot asks for updates, and nobody has to reach this machine."
)
TELEGRAMS_OWN = "https://api.telegram.org"
#: Bot API, setWebhook: "Ports currently supported for webhooks".
WEBHOOK_PORTS = {None, 443, 80, 88, 8443}

#: SQLite has one writer at a time: more workers would only wait for each other.
INBOX_WORKERS = {"sqlite": 1, "postgresql": 4}
RETRY_INTRODUCTION = 15
#: How soon a change in @BotFather is noticed.
INTRODUCED_EVERY = 600


class Command(BaseCommand):
    help = "Takes updates from Telegram, handles them and sends what is due. Needs TELEGRAM_BOT_TOKEN."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--webhook",
            action="store_true",
            help="let Telegram bring updates to the web processes at PUBLIC_URL, instead of asking for them",
        )

    def handle(self, *args: Any, webhook: bool, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError(HOW_TO_GET_A_BOT)
        try:
            bot = make_bot(settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL)
        except TokenValidationError:
            raise CommandError(HOW_TO_COPY_IT) from None
        if webhook:
            expect_reachable()
        try:
            alone = sole_runner()
        except AlreadyRunningError:
            raise CommandError(ALREADY_RUNNING) from None
        with alone or contextlib.nullcontext():
            show_metrics()
            run_process(run(bot, webhook=webhook))


def expect_reachable() -> None:
    """Refuse a webhook that Telegram would refuse.

    A Bot API server of one's own takes plain HTTP and any port (Bot API, "Using a Local Bot API Server").
    """
    if not SECRET.fullmatch(settings.TELEGRAM_WEBHOOK_SECRET):
        raise CommandError(NOTHING_TO_SHOW)
    if settings.TELEGRAM_API_URL != TELEGRAMS_OWN:
        return
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme != "https" or public.port not in WEBHOOK_PORTS:
        raise CommandError(HOW_TO_BE_REACHED.format(url=settings.PUBLIC_URL))


def show_metrics() -> None:
    try:
        if settings.BOT_METRICS:
            metrics.show(settings.BOT_METRICS)
    except (ValueError, OSError) as error:
        raise CommandError(HOW_TO_SHOW_METRICS.format(address=settings.BOT_METRICS, error=error)) from None


async def run(bot: Bot, *, webhook: bool) -> None:
    """Everything the bot does, until SIGTERM or SIGINT: then what has begun is finished, within five seconds."""
    stopping = stop_signal()
    doorbell, dispatcher = Doorbell(), build_dispatcher()
    workers = [Inbox(bot, dispatcher, doorbell.bell(INBOX)) for _ in range(INBOX_WORKERS[connection.vendor])]
    outbox = Outbox(bot, doorbell.bell(OUTBOX_CHANNEL))
    chat_actions = ChatActions(bot, doorbell.bell(OUTBOX_CHANNEL))
    door = Watching(bot) if webhook else Polling(bot, doorbell)
    fetching = [door.run(), doorbell.listen(), introduce(bot), forum_topic_calls.keep_names(bot.id)]
    async with asyncio.TaskGroup() as group:
        endless = [group.create_task(coroutine) for coroutine in fetching]
        for work in (*(worker.run for worker in workers), outbox.run, chat_actions.run):
            group.create_task(work(stopping))
        await stopping.wait()
        logger.info("Stopping: what has begun is finished, the rest stays in the database")
        for task in endless:
            task.cancel()
        for channel in (INBOX, OUTBOX_CHANNEL):
            doorbell.ring(channel)
    await bot.session.close()


async def introduce(bot: Bot) -> None:
    """Learn what the bot is and may, and tell Telegram its commands; again and again, since that does no harm."""
    while True:
        pause = INTRODUCED_EVERY
        try:
            await in_thread(remember, bot.id, await bot(GetMe()))
            for language in Language:
                await bot(commands_in(language))
        except (AiogramError, Error) as error:
            logger.warning("The bot's commands are not set yet: %s", type(error).__name__)
            pause = RETRY_INTRODUCTION
        await asyncio.sleep(pause)


def remember(bot_id: int, me: User) -> None:
    facts = {"username": me.username or "", "has_topics_enabled": bool(me.has_topics_enabled)}
    BotStatus.objects.update_or_create(bot_id=bot_id, defaults=facts)


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
