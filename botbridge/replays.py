"""Giving stored updates to the inbox once more, one attempt each, without doing twice what was done.

What was handled is handled again only where the desk lacks the message it brought. That needs no token and no network:
handlers only write rows, and whatever they have to say the running bot sends.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiogram import Bot
from django.conf import settings

from botbridge.client import make_bot
from botbridge.handlers import build_dispatcher
from botbridge.inbox import MAX_ATTEMPTS, MESSAGES, claim, handle
from botbridge.models import TelegramMessage, Update

#: Seconds without any progress after which the rest is left to the bot: another worker has those chats.
PATIENCE = 15.0
LOOK_EVERY = 0.2
COMMAND = re.compile(r"/[a-z]", re.IGNORECASE)

Json = dict[str, Any]


@dataclass(frozen=True)
class Replayed:
    """One update and what became of it. `is_open`: it still waits for somebody."""

    update: Update
    kind: str
    fate: str
    is_open: bool = False

    def __str__(self) -> str:
        return f"{self.update.update_id} ({self.kind}, chat {self.update.chat_id}): {self.fate}"


def replay(updates: Iterable[Update], *, tell: Callable[[Replayed], None], dry_run: bool = False) -> bool:
    """Handle what can be handled and tell of each. True where nothing is left open.

    Between the chosen ones others of the same bot may be handled, as by any worker of the inbox.
    """
    chosen: list[Update] = []
    is_well = True
    for update in updates:
        reason = why_left(update)
        if reason:
            is_open = update.state == Update.State.PARKED and update.settled_at is None
            tell(Replayed(update, kind_of(update), f"left, {reason}", is_open))
            is_well = is_well and not is_open
        elif dry_run:
            tell(Replayed(update, kind_of(update), f"would be handled{_once_more(update)}"))
        else:
            chosen.append(update)
    return _handle(chosen, tell) and is_well


def _once_more(update: Update) -> str:
    return f", was parked: {update.reason}" if update.state == Update.State.PARKED else ""


def why_left(update: Update) -> str:
    """Why an update is not handled again; empty where it is."""
    if update.chat_id is None:
        return "it names no chat to be handled in"
    if update.state != Update.State.HANDLED:
        return ""
    message = json.loads(update.raw).get(kind_of(update))
    if kind_of(update) not in MESSAGES or not isinstance(message, dict):
        return "what was handled and is no message is not done twice"
    if not isinstance(message.get("chat"), dict) or message["chat"].get("type") != "private":
        return "of groups nothing is kept"
    if COMMAND.match(str(message.get("text", ""))):
        return "a command is not answered twice"
    of_chat = TelegramMessage.objects.filter(bot_id=update.bot_id, chat_id=update.chat_id)
    return "the desk has it" if of_chat.filter(telegram_id=int(message["message_id"])).exists() else ""


def kind_of(update: Update) -> str:
    """The name of what an update brings (Bot API, "Update")."""
    return next((name for name in json.loads(update.raw) if name != "update_id"), "nothing")


def _handle(chosen: list[Update], tell: Callable[[Replayed], None]) -> bool:
    for update in chosen:
        _put_back(update)
    for bot_id in {update.bot_id for update in chosen}:
        _work(bot_id, [update.pk for update in chosen if update.bot_id == bot_id])
    is_well = True
    for update in chosen:
        update.refresh_from_db()
        is_open = update.state != Update.State.HANDLED
        tell(Replayed(update, kind_of(update), _fate(update), is_open))
        is_well = is_well and not is_open
    return is_well


def _put_back(update: Update) -> None:
    """Among those to be handled, with one attempt: what fails is parked at once and holds up nobody.

    What a worker has begun with keeps the attempts it has.
    """
    if update.state == Update.State.STORED and update.attempts:
        return
    same = Update.objects.filter(pk=update.pk, state=update.state)
    same.update(state=Update.State.STORED, attempts=MAX_ATTEMPTS - 1, reason="", settled_at=None)


def _work(bot_id: int, wanted: list[int]) -> None:
    """Work as the inbox does until none of these waits any more, or nothing moves."""
    bot, dispatcher = bot_without_token(bot_id), build_dispatcher()
    waiting = Update.objects.filter(pk__in=wanted, state=Update.State.STORED)
    last_moved = time.monotonic()
    while waiting.exists() and time.monotonic() - last_moved < PATIENCE:
        claimed = claim(bot_id)
        if claimed is None:
            time.sleep(LOOK_EVERY)
        else:
            handle(claimed, bot, dispatcher)
            last_moved = time.monotonic()


def bot_without_token(bot_id: int) -> Bot:
    """A bot by its number alone: enough to handle, since handlers ask nothing of Telegram."""
    return make_bot(f"{bot_id}:{'-' * 35}", settings.TELEGRAM_API_URL)


def _fate(update: Update) -> str:
    match update.state:
        case Update.State.HANDLED:
            return "handled"
        case Update.State.PARKED:
            return f"parked again, {update.reason}"
    return "still waits, another worker has its chat"


def updates_in(text: str) -> Iterator[Json]:
    """The updates in a file: an array of them, or what getUpdates answers.

    :raises ValueError: neither.
    """
    content = json.loads(text)
    updates = content.get("result") if isinstance(content, dict) else content
    if not isinstance(updates, list) or not all(isinstance(update, dict) for update in updates):
        raise ValueError("neither an array of updates nor an answer of getUpdates")
    yield from updates
