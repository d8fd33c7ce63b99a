"""aiogram's conversation states, kept in the chat's row and so in the update's own transaction."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey

from botbridge.models import ChatSession
from botbridge.threads import in_transaction

#: The chat whose update is being handled: the inbox has read and locked its row.
session_at_work: ContextVar[ChatSession] = ContextVar("session_at_work")


class ChatSessionStorage(BaseStorage):
    """One state a chat (FSMStrategy.CHAT). Reading asks nobody: nothing else may change a locked row."""

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        session = _session(key)
        session.state = (state.state if isinstance(state, State) else state) or ""
        fields = ["state"]
        if session.state:
            await in_transaction(session.keep_current)
            fields += ["current_ticket", "current_since"]
        await in_transaction(session.save, update_fields=fields)

    async def get_state(self, key: StorageKey) -> str | None:
        return _session(key).state or None

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        session = _session(key)
        session.data = dict(data)
        await in_transaction(session.save, update_fields=["data"])

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        return dict(_session(key).data)

    async def close(self) -> None:
        """Nothing to close: the row is Django's."""


def _session(key: StorageKey) -> ChatSession:
    session = session_at_work.get()
    assert (session.bot_id, session.chat_id) == (key.bot_id, key.chat_id)
    return session
