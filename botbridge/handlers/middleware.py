"""What every handler of a private chat is given."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Message, TelegramObject

from botbridge.chats import Chat
from botbridge.incoming import thread_of, written_at
from botbridge.threads import in_transaction


async def open_chat(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]], event: TelegramObject, data: dict[str, Any]
) -> Any:
    """Adds `chat`, the customer's chat, where the event comes from a private one."""
    chat, user = data.get("event_chat"), data.get("event_from_user")
    if chat is not None and chat.type == ChatType.PRIVATE and user is not None:
        message = event.message if isinstance(event, CallbackQuery) else event
        wrote_at = written_at(event) if isinstance(event, Message) else None
        data["chat"] = await in_transaction(
            Chat.open, data["session"], user, data["stored"], thread_id=thread_of(message), wrote_at=wrote_at
        )
    return await handler(event, data)
