"""aiogram's conversation states, kept in the chat's row and so in the update's own transaction."""

from collections.abc import Mapping
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey

from botbridge.models import ChatSession
from botbridge.threads import in_transaction


class ChatSessionStorage(BaseStorage):
    """One row a chat (FSMStrategy.CHAT); the inbox has made and locked it before a handler runs."""

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        name = state.state if isinstance(state, State) else state
        await in_transaction(_rows(key).update, state=name or "")

    async def get_state(self, key: StorageKey) -> str | None:
        return await in_transaction(_rows(key).values_list("state", flat=True).first) or None

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        await in_transaction(_rows(key).update, data=dict(data))

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        return await in_transaction(_rows(key).values_list("data", flat=True).first) or {}

    async def close(self) -> None:
        """Nothing to close: the rows are Django's."""


def _rows(key: StorageKey) -> Any:
    return ChatSession.objects.filter(bot_id=key.bot_id, chat_id=key.chat_id)
