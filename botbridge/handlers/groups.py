"""Groups and channels: the bot works in private chats only, says so once in a group, and leaves."""

from aiogram import F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import ChatMemberUpdated, Message
from django.utils import translation

from botbridge import calls, conversation
from botbridge.models import BotStatus, ChatSession
from botbridge.threads import in_transaction
from tickets.operations import language_for

TOLD = "told"
INSIDE = (ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.RESTRICTED)


def router() -> Router:
    router = Router(name="groups")
    router.message.register(in_group, F.chat.type != ChatType.PRIVATE)
    router.my_chat_member.register(brought_in, F.chat.type != ChatType.PRIVATE, F.new_chat_member.status.in_(INSIDE))
    return router


async def in_group(message: Message, session: ChatSession) -> None:
    language = message.from_user.language_code if message.from_user is not None else None
    await in_transaction(refer_to_private, session, language or "")


async def brought_in(event: ChatMemberUpdated, session: ChatSession) -> None:
    """To all who read a channel nothing is said: only who brought the bot there has to learn anything."""
    if event.chat.type == ChatType.CHANNEL:
        await in_transaction(calls.leave, session)
    else:
        await in_transaction(refer_to_private, session, event.from_user.language_code or "")


def refer_to_private(session: ChatSession, language_code: str) -> None:
    """One line in a group's life: whoever brings the bot there again needs no second."""
    status = BotStatus.objects.filter(pk=session.bot_id).first()
    if status is None or not status.username:
        return
    calls.leave(session)
    if session.data.get(TOLD):
        return
    session.language = language_for(language_code)
    session.data = {**session.data, TOLD: True}
    session.save(update_fields=["language", "data"])
    with translation.override(session.language):
        calls.say_to_group(session, conversation.group_chat(f"https://t.me/{status.username}"))
