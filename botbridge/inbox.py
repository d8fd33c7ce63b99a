"""Stored updates into the domain: each in one transaction, each chat's in order, across any number of workers.

A claim locks the chat's row, takes the chat's head and commits one more attempt, so that an update which kills its
process is counted too. Handling locks the chat again and does everything, the row's own «handled» included, in one
transaction: the dispatcher's coroutine runs on the loop, its ORM calls on the thread that holds the transaction.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiogram import Bot, Dispatcher, types
from aiogram.types.update import UpdateTypeLookupError
from asgiref.sync import async_to_sync
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from pydantic import ValidationError

from botbridge import crash, log_context
from botbridge.doorbell import INBOX, Bell
from botbridge.models import MAX_REASON, ChatSession, Update
from botbridge.storage import session_at_work
from botbridge.threads import in_thread
from tickets.operations.acts import notify
from tickets.text import storable

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
#: How long a claimed chat is left to its worker. Longer than between a claim and the lock that follows it; as long as
#: a chat waits whose worker was killed.
CLAIM_LASTS = timedelta(seconds=2)
#: Chats looked at in one claim before giving the next worker a turn.
CANDIDATES = 20
BIGINT = 2**63

Json = dict[str, Any]


# Storing.


def store(bot_id: int, updates: Sequence[Json]) -> None:
    """Commit a batch as it came; only then may it be acknowledged. What is known already is left alone.

    :raises OperationalError, InterfaceError: the database is away; nothing is stored.
    """
    rows = [_row(bot_id, update) for update in updates]
    try:
        _insert(rows)
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        logger.exception("A batch of %s updates was refused; storing them one by one", len(rows))
        for row in rows:
            _store_alone(row)
    crash.at(crash.AFTER_STORE)


def _insert(rows: list[Update]) -> None:
    with transaction.atomic():
        Update.objects.bulk_create(rows, ignore_conflicts=True)
        notify(INBOX)


def _store_alone(row: Update) -> None:
    """One row of a refused batch; what is refused even alone is kept with nothing but its words."""
    try:
        _insert([row])
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as error:
        row.chat_id, row.state, row.reason = None, Update.State.PARKED, type(error).__name__
        _insert([row])


def _row(bot_id: int, update: Json) -> Update:
    raw = json.dumps(update, ensure_ascii=True, sort_keys=True)
    chat_id = chat_of(update)
    update_id: Any = update.get("update_id")
    return Update(
        bot_id=bot_id,
        update_id=update_id if _is_id(update_id) else 0,
        digest=hashlib.sha256(raw.encode()).hexdigest(),
        raw=raw,
        chat_id=chat_id,
        state=Update.State.STORED if chat_id is not None else Update.State.PARKED,
        reason="" if chat_id is not None else "no chat in it",
    )


def chat_of(update: Json) -> int | None:
    """The chat an update belongs to, found without trusting its shape; a person's own id is their private chat's."""
    for event in update.values():
        if not isinstance(event, dict):
            continue
        message = event.get("message")
        for holder in (event, message if isinstance(message, dict) else {}):
            chat = holder.get("chat")
            if isinstance(chat, dict) and _is_id(chat.get("id")):
                return int(chat["id"])
        sender = event.get("from")
        if isinstance(sender, dict) and _is_id(sender.get("id")):
            return int(sender["id"])
    return None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -BIGINT <= value < BIGINT


def retry_update(update: Update) -> None:
    """Give a parked update another five attempts; being the oldest of its chat, it comes first."""
    with transaction.atomic():
        Update.objects.filter(pk=update.pk, state=Update.State.PARKED, chat_id__isnull=False).update(
            state=Update.State.STORED, attempts=0, reason=""
        )
        notify(INBOX)


# Claiming and handling.


@dataclass(frozen=True)
class Claim:
    """One worker's turn at the head of one chat."""

    update_id: int
    chat_id: int
    attempt: int


def claim(bot_id: int) -> Claim | None:
    """The head of a chat that no worker is busy with; None where there is nothing to do."""
    chats = _waiting_chats(bot_id)
    if not chats:
        return None
    with transaction.atomic():
        session = next(filter(None, (_lock_if_free(bot_id, chat_id) for chat_id in chats)), None)
        if session is None:
            return None
        update = _stored(bot_id).filter(chat_id=session.chat_id).order_by("pk").first()
        if update is None:
            return None
        if update.attempts >= MAX_ATTEMPTS:
            _park(update, f"the process ended {MAX_ATTEMPTS} times while handling it")
        else:
            update.attempts += 1
            update.save(update_fields=["attempts"])
            ChatSession.objects.filter(pk=session.pk).update(handle_after=Now() + CLAIM_LASTS)
    return Claim(update.pk, session.chat_id, update.attempts)


def _stored(bot_id: int) -> QuerySet[Update]:
    return Update.objects.filter(bot_id=bot_id, state=Update.State.STORED)


def _waiting_chats(bot_id: int) -> list[int]:
    """Chats with something to handle and nobody at it, those waiting longest first."""
    busy = ChatSession.objects.filter(bot_id=bot_id, chat_id=OuterRef("chat_id"), handle_after__gt=Now())
    oldest = _stored(bot_id).filter(~Exists(busy)).order_by("pk").values_list("chat_id", flat=True)[:CANDIDATES]
    return [chat_id for chat_id in dict.fromkeys(oldest) if chat_id is not None]


def _lock_if_free(bot_id: int, chat_id: int) -> ChatSession | None:
    """The chat's row, made where it is missing; None while another worker holds it or has just claimed it."""
    rows = ChatSession.objects.filter(bot_id=bot_id, chat_id=chat_id)
    free = rows.filter(Q(handle_after__isnull=True) | Q(handle_after__lte=Now())).select_for_update(skip_locked=True)
    session = free.first()
    if session is None and not rows.exists():
        ChatSession.objects.bulk_create([ChatSession(bot_id=bot_id, chat_id=chat_id)], ignore_conflicts=True)
        session = free.all().first()
    return session


def _park(update: Update, reason: str) -> None:
    update.state, update.reason = Update.State.PARKED, reason[:MAX_REASON]
    update.save(update_fields=["state", "reason"])


def handle(claimed: Claim, bot: Bot, dispatcher: Dispatcher) -> None:
    """Do what an update asks for, once; on an error nothing of it stays, and the chat waits for the next attempt."""
    log_context.chat_id.set(claimed.chat_id)
    try:
        with transaction.atomic():
            _handle(claimed, bot, dispatcher)
            crash.at(crash.AFTER_HANDLING)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the claim lapses by itself
    except Exception as error:
        logger.exception("Update %s failed, attempt %s", claimed.update_id, claimed.attempt)
        _failed(bot.id, claimed, error)
    finally:
        log_context.chat_id.set(None)


def _handle(claimed: Claim, bot: Bot, dispatcher: Dispatcher) -> None:
    rows = ChatSession.objects.filter(bot_id=bot.id, chat_id=claimed.chat_id)
    session = rows.select_for_update(skip_locked=True).first()
    update = _stored(bot.id).filter(pk=claimed.update_id).first()
    if session is None or update is None:
        return  # another worker took over after this one's claim had lapsed
    event = parse(update.raw, bot)
    if event is None:
        _park(update, "not an update this version understands")
    else:
        session_at_work.set(session)
        async_to_sync(dispatcher.feed_update)(bot, event, session=session)
        update.state, update.handled_at = Update.State.HANDLED, timezone.now()
        update.save(update_fields=["state", "handled_at"])
    rows.update(handle_after=None)


def _failed(bot_id: int, claimed: Claim, error: Exception) -> None:
    """Park after the last attempt so that the chat goes on; until then the chat waits, twice as long each time."""
    with transaction.atomic():
        update = _stored(bot_id).select_for_update().filter(pk=claimed.update_id).first()
        if update is None:
            return
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON]
        pause = timedelta(0)
        if update.attempts >= MAX_ATTEMPTS:
            _park(update, storable(reason))
        else:
            pause = timedelta(seconds=0.5 * 2**update.attempts)
        rows = ChatSession.objects.filter(bot_id=bot_id, chat_id=claimed.chat_id)
        rows.update(handle_after=Now() + pause)


def parse(raw: str, bot: Bot) -> types.Update | None:
    """The update in aiogram's types, a message they do not fit cut down to what a bubble needs; None beyond that."""
    update = json.loads(raw, object_pairs_hook=_storable_pairs)
    for wanted in (update, _bare(update)):
        try:
            event = types.Update.model_validate(wanted, context={"bot": bot})
            _kind = event.event_type  # raises for a kind that is newer than aiogram
        except (ValidationError, UpdateTypeLookupError):
            logger.warning("Update %s does not fit aiogram's types", update.get("update_id"))
        else:
            return event
    return None


def _storable_pairs(pairs: list[tuple[str, Any]]) -> Json:
    return {storable(key): _storable(value) for key, value in pairs}


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    return [_storable(item) for item in value] if isinstance(value, list) else value


def _bare(update: Json) -> Json:
    """The update with only those parts of its message that a bubble cannot do without."""
    for kind in ("message", "edited_message"):
        message = update.get(kind)
        if isinstance(message, dict):
            kept = {name: message[name] for name in ("message_id", "date", "edit_date", "chat") if name in message}
            sender = message.get("from")
            if isinstance(sender, dict):
                kept["from"] = {"is_bot": False, "first_name": "", **_strings(sender), "id": sender.get("id")}
            words = message.get("text", message.get("caption"))
            if isinstance(words, str):
                kept["text"] = words
            return {"update_id": update.get("update_id"), kind: kept}
    return {}


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
