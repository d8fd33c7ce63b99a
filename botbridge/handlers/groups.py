"""Groups: the bot works in private chats only, and says so once."""

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import Message
from django.utils import translation

from botbridge import calls, conversation
from botbridge.models import BotStatus, ChatSession
from botbridge.threads import in_transaction
from tickets.operations import language_for

TOLD = "told"


def router() -> Router:
    router = Router(name="groups")
    router.message.register(in_group, F.chat.type != ChatType.PRIVATE)
    return router


async def in_group(message: Message, session: ChatSession) -> None:
    language = message.from_user.language_code if message.from_user is not None else None
    await in_transaction(refer_to_private, session, language or "")


def refer_to_private(session: ChatSession, language_code: str) -> None:
    """One line in a group's life: whoever writes there next needs no second."""
    status = BotStatus.objects.filter(pk=session.bot_id).first()
    if session.data.get(TOLD) or status is None or not status.username:
        return
    session.language = language_for(language_code)
    session.data = {**session.data, TOLD: True}
    session.save(update_fields=["language", "data"])
    with translation.override(session.language):
        calls.say_to_group(session, conversation.group_chat(f"https://t.me/{status.username}"))
