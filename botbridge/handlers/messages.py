"""Everything a customer writes and edits; the last router, so that nothing is left over."""

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.fsm.context import FSMContext
from aiogram.types import Message

from botbridge.chats import Chat, topics_offered
from botbridge.handlers.states import ASKED_IN, TOPIC, Question
from botbridge.incoming import is_new_command
from botbridge.threads import in_transaction
from tickets.models import Topic


def router() -> Router:
    router = Router(name="messages")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.edited_message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(wrote)
    router.edited_message.register(edited)
    return router


async def wrote(message: Message, chat: Chat, state: FSMContext, raw_state: str | None) -> None:
    asked = await state.get_data()
    is_awaited = bool(asked or raw_state)
    if is_awaited and await in_transaction(chat.has_gone_on, message):
        await in_transaction(receive, chat, message, as_new=is_new_command(message), topic_id=None)
        return
    # Who asks for a new question in one place and writes in another ticket's topic, writes to that ticket, and who was
    # answered since, answers.
    is_over = is_awaited and await in_transaction(chat.has_moved_on, asked.get(ASKED_IN))
    as_new = is_new_command(message) or (raw_state == Question.new.state and not is_over)
    topic_id = None if is_over else asked.get(TOPIC)
    is_news = await in_transaction(receive, chat, message, as_new=as_new, topic_id=topic_id)
    if is_news and is_awaited:
        await state.clear()


async def edited(message: Message, chat: Chat, state: FSMContext, raw_state: str | None) -> None:
    """An edit of a message the bot has never seen, or saw as a command alone, is a message."""
    if not await in_transaction(chat.revise, message):
        await wrote(message, chat, state, raw_state)


def receive(chat: Chat, message: Message, *, as_new: bool, topic_id: int | None) -> bool:
    return chat.receive(message, as_new=as_new, topic=chosen(topic_id))


def chosen(topic_id: int | None) -> Topic | None:
    return topics_offered().filter(pk=topic_id).first() if topic_id is not None else None
