"""Stored updates into the domain: each in one transaction, each chat's in order, across any number of workers.

A claim locks the chat's row, takes the chat's head and commits one more attempt, so that an update which kills its
process is counted too. Handling locks the chat again and does everything, the row's own «handled» included, in one
transaction: the dispatcher's coroutine runs on the loop, its ORM calls on the thread that holds the transaction.
"""

import asyncio
import json
import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiogram import Bot, Dispatcher, types
from aiogram.enums import ChatType
from aiogram.types.update import UpdateTypeLookupError
from asgiref.sync import async_to_sync
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone
from pydantic import ValidationError

from botbridge import crash, log_context, pace
from botbridge.doorbell import Bell
from botbridge.incoming import UNREAD_KIND, UNREAD_ORIGIN, kind_in_json
from botbridge.metrics import UPDATES
from botbridge.models import MAX_REASON, ChatSession, Update
from botbridge.rich import words_of_rich_message
from botbridge.storage import session_at_work
from botbridge.threads import in_thread
from tickets.cards import masked
from tickets.text import storable

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
#: For how long attempts that the database broke off do not count.
PATIENCE = timedelta(hours=1)
#: How long a claimed chat is left to its worker. Longer than between a claim and the lock that follows it; as long as
#: a chat waits whose worker was killed.
CLAIM_LASTS = timedelta(seconds=2)
#: Chats looked at in one claim before giving the next worker a turn.
CANDIDATES = 20

#: What of an update is a message that must reach the desk.
MESSAGES = ("message", "edited_message")

Json = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """One worker's turn at the head of one chat."""

    update_id: int
    chat_id: int
    attempt: int


def claim(bot_id: int) -> Claim | None:
    """The head of a chat that no worker is busy with; None where there is nothing to do."""
    # A flood stored before it would keep everybody else's message waiting until the last of its own is handled.
    chats = _waiting_chats(bot_id, but=pace.flooding_chats()) or _waiting_chats(bot_id)
    if not chats:
        return None
    with transaction.atomic():
        session = _lock_first(bot_id, chats)
        if session is None:
            return None
        update = _stored(bot_id).filter(chat_id=session.chat_id).order_by("pk").first()
        if update is None:
            return None
        if update.attempts >= MAX_ATTEMPTS:
            _park(update, f"{MAX_ATTEMPTS} times the process ended, or the database gave up, while handling it")
        else:
            update.attempts += 1
            update.save(update_fields=["attempts"])
            ChatSession.objects.filter(pk=session.pk).update(handle_after=Now() + CLAIM_LASTS)
    return Claim(update.pk, session.chat_id, update.attempts)


def _stored(bot_id: int) -> QuerySet[Update]:
    return Update.objects.filter(bot_id=bot_id, state=Update.State.STORED)


def _waiting_chats(bot_id: int, *, but: Collection[int] = ()) -> list[int]:
    """Chats with something to handle and nobody at it, those waiting longest first."""
    busy = ChatSession.objects.filter(bot_id=bot_id, chat_id=OuterRef("chat_id"), handle_after__gt=Now())
    free = _stored(bot_id).filter(~Exists(busy)).exclude(chat_id__in=but)
    oldest = free.order_by("pk").values_list("chat_id", flat=True)[:CANDIDATES]
    return [chat_id for chat_id in dict.fromkeys(oldest) if chat_id is not None]


def _lock_first(bot_id: int, chats: Collection[int]) -> ChatSession | None:
    """The row of that chat which waits longest of those that no worker holds or has just claimed."""
    rows = ChatSession.objects.filter(bot_id=bot_id, chat_id__in=chats)
    free = rows.filter(Q(handle_after__isnull=True) | Q(handle_after__lte=Now()))
    head = _stored(bot_id).filter(chat_id=OuterRef("chat_id")).order_by("pk").values("pk")[:1]
    waiting = free.alias(head=Subquery(head)).filter(head__isnull=False).order_by("head")
    session = waiting.select_for_update(skip_locked=True).first()
    if session is None:
        # Of an earlier version, which stored updates without their chat's row, one may still be at work.
        missing = set(chats) - set(rows.values_list("chat_id", flat=True))
        made = [ChatSession(bot_id=bot_id, chat_id=chat_id) for chat_id in sorted(missing)]
        if made:
            ChatSession.objects.bulk_create(made, ignore_conflicts=True)
            session = waiting.select_for_update(skip_locked=True).first()
    return session


def _park(update: Update, reason: str) -> None:
    update.state, update.reason, update.settled_at = Update.State.PARKED, reason[:MAX_REASON], None
    update.save(update_fields=["state", "reason", "settled_at"])


def handle(claimed: Claim, bot: Bot, dispatcher: Dispatcher) -> None:
    """Do what an update asks for, once; on an error nothing of it stays, and the chat waits for the next attempt."""
    log_context.chat_id.set(claimed.chat_id)
    try:
        with transaction.atomic():
            outcome = _handle(claimed, bot, dispatcher)
            crash.at(crash.AFTER_HANDLING)
        UPDATES.labels(outcome).inc()
    except (OperationalError, InterfaceError):
        _give_back(bot.id, claimed)
        raise  # the claim lapses by itself
    except Exception as error:
        logger.exception("Update %s failed, attempt %s", claimed.update_id, claimed.attempt)
        UPDATES.labels("failed").inc()
        _failed(bot.id, claimed, error)
    finally:
        log_context.chat_id.set(None)


def _give_back(bot_id: int, claimed: Claim) -> None:
    """A database that is away, or busy with something else, is no fault of the update: the attempt does not count. For
    long it may be one all the same, which would hold up its chat for ever.
    """
    attempt = _stored(bot_id).filter(pk=claimed.update_id, attempts=claimed.attempt)
    with suppress(OperationalError, InterfaceError):
        attempt.filter(received_at__gt=Now() - PATIENCE).update(attempts=claimed.attempt - 1)


def _handle(claimed: Claim, bot: Bot, dispatcher: Dispatcher) -> str:
    """Returns what became of it: `handled`, `parked`, or `lost` to a worker that took over."""
    rows = ChatSession.objects.filter(bot_id=bot.id, chat_id=claimed.chat_id)
    # The outbox may hold the row for a moment. To pass it by would cost this chat its turn, and the update an attempt.
    session = rows.select_for_update().first()
    update = _stored(bot.id).filter(pk=claimed.update_id).first()
    if session is None or update is None:
        return "lost"  # this one's claim had lapsed
    event = parse(update.raw, bot)
    if event is None or _is_of_unknown_chat(event):
        _park(update, "not an update this version understands")
    else:
        session_at_work.set(session)
        pace.hear(session)
        async_to_sync(dispatcher.feed_update)(bot, event, session=session, stored=update)
        update.state, update.handled_at = Update.State.HANDLED, timezone.now()
        update.save(update_fields=["state", "handled_at"])
    rows.update(handle_after=None, **{name: getattr(session, name) for name in pace.FIELDS})
    return update.state


def _failed(bot_id: int, claimed: Claim, error: Exception) -> None:
    """Park after the last attempt so that the chat goes on; until then the chat waits, twice as long each time."""
    rows = ChatSession.objects.filter(bot_id=bot_id, chat_id=claimed.chat_id)
    with transaction.atomic():
        # The chat's row before the update's, as whoever handles it locks them.
        rows.select_for_update().first()
        update = _stored(bot_id).select_for_update().filter(pk=claimed.update_id).first()
        if update is None:
            return
        pause = timedelta(0)
        if update.attempts >= MAX_ATTEMPTS:
            # An error can quote what it stumbled over.
            _park(update, masked(storable(f"{type(error).__name__}: {error}")))
        else:
            pause = timedelta(seconds=0.5 * 2**update.attempts)
        rows.update(handle_after=Now() + pause)


def parse(raw: str, bot: Bot) -> types.Update | None:
    """The update in aiogram's types. A message they do not fit is read without what they refuse, or cut down to what a
    bubble needs; None beyond that.
    """
    update = json.loads(raw, object_pairs_hook=_storable_pairs)
    _name_sender(update)
    event, refused = _read(update, bot)
    if event is None:
        event, _refused = _read(_without(update, refused), bot)
    return event or _read(_bare(update), bot)[0]


def _is_of_unknown_chat(event: types.Update) -> bool:
    """Whether it is a message in a kind of chat newer than aiogram: nobody can say whose words these are."""
    message = event.message or event.edited_message
    return message is not None and message.chat.type not in set(ChatType)


def _name_sender(update: Json) -> None:
    """In a private chat nobody else writes: where the sender cannot be told, the chat says who it is."""
    for message in (update.get(name) for name in MESSAGES):
        if not isinstance(message, dict):
            continue
        chat, sender = message.get("chat"), message.get("from")
        if not isinstance(chat, dict) or chat.get("type") != ChatType.PRIVATE:
            continue
        if not isinstance(sender, dict) or not isinstance(sender.get("id"), int):
            message["from"] = {"is_bot": False, "first_name": "", **_strings(chat), "id": chat.get("id")}


def _read(update: Json, bot: Bot) -> tuple[types.Update | None, set[str]]:
    """The update, or None and the names of those parts of its message that do not fit."""
    refused: set[str] = set()
    try:
        event = types.Update.model_validate(update, context={"bot": bot})
        _kind = event.event_type  # raises for a kind that is newer than aiogram
    except (ValidationError, UpdateTypeLookupError) as error:
        if isinstance(error, ValidationError):
            refused = {str(place["loc"][1]) for place in error.errors() if len(place["loc"]) > 1}
        logger.warning("Update %s does not fit aiogram's types %s", update.get("update_id"), sorted(refused) or "")
        return None, refused
    return event, refused


def _storable_pairs(pairs: list[tuple[str, Any]]) -> Json:
    return {storable(key): _storable(value) for key, value in pairs}


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    return [_storable(item) for item in value] if isinstance(value, list) else value


def _without(update: Json, refused: Collection[str]) -> Json:
    """The update without those parts of its message, but for what it is none without, which is cut down."""
    for name in MESSAGES:
        message = update.get(name)
        if isinstance(message, dict):
            kept = {part: value for part, value in message.items() if part not in refused}
            cut_down = {part: value for part, value in _itself(message).items() if part in refused}
            return {"update_id": update.get("update_id"), name: {**_said(message), **kept, **cut_down}}
    return {}


def _bare(update: Json) -> Json:
    """The update with only those parts of its message that a bubble cannot do without."""
    for name in MESSAGES:
        message = update.get(name)
        if isinstance(message, dict):
            return {"update_id": update.get("update_id"), name: {**_said(message), **_itself(message)}}
    return {}


def _itself(message: Json) -> Json:
    """Which message it is, whose and when, in the least that says so."""
    parts: Json = {part: message[part] for part in ("message_id", "date", "chat", "edit_date") if part in message}
    if not isinstance(parts.get("edit_date"), int):
        parts.pop("edit_date", None)
    if isinstance(parts.get("chat"), dict):
        parts["chat"] = {part: parts["chat"].get(part) for part in ("id", "type")}
    sender = message.get("from")
    if isinstance(sender, dict):
        parts["from"] = {"is_bot": False, "first_name": "", **_strings(sender), "id": sender.get("id")}
    return parts


def _said(message: Json) -> Json:
    """The words of a message that cannot be read as it is, and its kind under a name no type has."""
    kind = {UNREAD_KIND: kind_in_json(message), UNREAD_ORIGIN: "forward_origin" in message}
    # A caption stays one: as a text it could be taken for a command, and its picture would be lost.
    for name in ("text", "caption"):
        if isinstance(message.get(name), str):
            return {name: message[name], **kind}
    words = words_of_rich_message(message.get("rich_message"))
    return {"text": words, **kind} if words else kind


def _strings(sender: Json) -> Json:
    return {name: sender[name] for name in ("first_name", "last_name", "username") if isinstance(sender.get(name), str)}


class Inbox:
    """Workers that handle stored updates, each chat's in order and different chats side by side."""

    def __init__(self, bot: Bot, dispatcher: Dispatcher, bell: Bell) -> None:
        self._bot = bot
        self._dispatcher = dispatcher
        self._bell = bell

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until asked to stop; an update begun is finished."""
        while not stopping.is_set():
            try:
                worked = await in_thread(self.work)
            except (OperationalError, InterfaceError) as error:
                logger.warning("Inbox: the database does not answer (%s)", type(error).__name__)
                worked = False
            if not worked:
                await self._bell.wait()

    def work(self) -> bool:
        """Handle one update. False where there was none."""
        claimed = claim(self._bot.id)
        if claimed is None:
            return False
        handle(claimed, self._bot, self._dispatcher)
        return True
