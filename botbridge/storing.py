"""Updates into the database as they came, before anybody looks at what they mean.

Nothing here needs aiogram, so that a page may put an update back into the queue without loading it.
"""

import hashlib
import json
import logging
import re
from collections.abc import Sequence, Set
from typing import Any, TypeGuard

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from botbridge import crash
from botbridge.doorbell import INBOX
from botbridge.models import ChatSession, Update
from tickets.operations.acts import notify

logger = logging.getLogger(__name__)

BIGINT = 2**63

#: The number of the first update in a text that no JSON reader takes; no message's words can hold one unescaped.
UPDATE_ID = re.compile(r'"update_id"\s*:\s*(\d{1,18})\b')

Json = dict[str, Any]


def store(bot_id: int, updates: Sequence[Any]) -> None:
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
        _make_chats({(row.bot_id, row.chat_id) for row in rows if row.chat_id is not None})
        notify(INBOX)


def _make_chats(wrote: Set[tuple[int, int]]) -> None:
    """Make the rows, of those chats that have none yet, by which the inbox takes a chat's updates in turn."""
    bots, chats = {bot_id for bot_id, _chat in wrote}, {chat_id for _bot, chat_id in wrote}
    found = ChatSession.objects.filter(bot_id__in=bots, chat_id__in=chats)
    # In one order, so that two processes that meet the same new chats do not wait for each other.
    new = sorted(wrote - set(found.values_list("bot_id", "chat_id")))
    if new:
        sessions = [ChatSession(bot_id=bot_id, chat_id=chat_id) for bot_id, chat_id in new]
        ChatSession.objects.bulk_create(sessions, ignore_conflicts=True)


def _store_alone(row: Update) -> None:
    """One row of a refused batch; what is refused even alone is kept with nothing but its words."""
    try:
        _insert([row])
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as error:
        row.chat_id, row.state, row.reason = None, Update.State.PARKED, type(error).__name__
        _insert([row])


def park_unreadable(bot_id: int, update_id: int, content: str) -> None:
    """Keep, for a person to see, an update that no JSON reader takes, `content` being what it came in."""
    row = _row(bot_id, {"update_id": update_id, "unreadable": content})
    row.reason = "not JSON that can be read"
    _insert([row])


def _row(bot_id: int, update: Any) -> Update:
    """`update` is whatever stood in the list of updates."""
    raw = json.dumps(update, ensure_ascii=True, sort_keys=True)
    fields: Json = update if isinstance(update, dict) else {}
    chat_id, update_id = chat_of(fields), fields.get("update_id")
    return Update(
        bot_id=bot_id,
        update_id=update_id if is_id(update_id) else 0,
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
            if isinstance(chat, dict) and is_id(chat.get("id")):
                return int(chat["id"])
        sender = event.get("from")
        if isinstance(sender, dict) and is_id(sender.get("id")):
            return int(sender["id"])
    return None


def is_id(value: object) -> TypeGuard[int]:
    """Whether the database takes it for a number of a chat or an update."""
    return isinstance(value, int) and not isinstance(value, bool) and -BIGINT <= value < BIGINT


def retry_update(update: Update) -> None:
    """Give a parked update another five attempts; being the oldest of its chat, it comes first."""
    with transaction.atomic():
        Update.objects.filter(pk=update.pk, state=Update.State.PARKED, chat_id__isnull=False).update(
            state=Update.State.STORED, attempts=0, reason="", settled_at=None
        )
        notify(INBOX)


def parked_unsettled() -> QuerySet[Update]:
    """What nobody could handle and no person has settled: customers' words may be among it."""
    return Update.objects.filter(state=Update.State.PARKED, settled_at__isnull=True)


def settle_by_hand(update: Update) -> bool:
    """A person has read a parked update and done what it asks: it stays, and reminds nobody any more.

    False where it was not parked, or somebody has settled it before.
    """
    return parked_unsettled().filter(pk=update.pk).update(settled_at=timezone.now()) == 1
