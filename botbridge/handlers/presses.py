"""Presses of inline buttons. One made while the bot was down is gone, so each has an equivalent in words."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, TelegramObject

from botbridge.buttons import (
    ChangeTopicPress,
    LanguagePress,
    NewQuestionPress,
    NotSolvedPress,
    SameQuestionPress,
    SwitchPress,
    TopicPress,
)
from botbridge.chats import Chat
from botbridge.handlers.states import TOPIC, expect_question
from botbridge.threads import in_transaction


def router() -> Router:
    router = Router(name="presses")
    router.callback_query.outer_middleware(unless_too_many)
    router.callback_query.filter(F.message.chat.type == ChatType.PRIVATE)
    router.callback_query.register(topic, TopicPress.filter())
    router.callback_query.register(change_topic, ChangeTopicPress.filter())
    router.callback_query.register(language, LanguagePress.filter())
    router.callback_query.register(same_question, SameQuestionPress.filter())
    router.callback_query.register(new_question, NewQuestionPress.filter())
    router.callback_query.register(switch, SwitchPress.filter())
    router.callback_query.register(not_solved, NotSolvedPress.filter())
    router.callback_query.register(unknown)
    return router


async def unless_too_many(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]], event: TelegramObject, data: dict[str, Any]
) -> Any:
    """Drops presses of who presses without end, or is muted: their button stays where it is, to be pressed later."""
    chat = data.get("chat")
    if chat is None or await in_transaction(chat.may_answer):
        return await handler(event, data)
    return None


async def topic(press: CallbackQuery, callback_data: TopicPress, chat: Chat, state: FSMContext) -> None:
    chosen = await in_transaction(chat.press_topic, pressed(press), press.id, callback_data.topic)
    if chosen is not None:
        await expect_question(chat, state, {TOPIC: chosen.pk})


async def change_topic(press: CallbackQuery, chat: Chat) -> None:
    await in_transaction(chat.press_change_topic, pressed(press), press.id)


async def language(press: CallbackQuery, callback_data: LanguagePress, chat: Chat) -> None:
    await in_transaction(chat.press_language, pressed(press), press.id, callback_data.language)


async def same_question(press: CallbackQuery, callback_data: SameQuestionPress, chat: Chat, state: FSMContext) -> None:
    await in_transaction(chat.press_same, pressed(press), press.id, callback_data.ticket)
    await state.clear()


async def new_question(press: CallbackQuery, chat: Chat, state: FSMContext) -> None:
    await in_transaction(chat.press_new, pressed(press), press.id)
    await expect_question(chat, state)


async def switch(press: CallbackQuery, callback_data: SwitchPress, chat: Chat, state: FSMContext) -> None:
    await in_transaction(chat.press_switch, pressed(press), press.id, callback_data.ticket)
    await state.clear()


async def not_solved(press: CallbackQuery, callback_data: NotSolvedPress, chat: Chat, state: FSMContext) -> None:
    await in_transaction(chat.press_not_solved, pressed(press), press.id, callback_data.ticket)
    await state.clear()


async def unknown(press: CallbackQuery, chat: Chat) -> None:
    """A button of an older version, or a forged one."""
    await in_transaction(chat.press_nothing, pressed(press), press.id)


def pressed(press: CallbackQuery) -> int:
    """The id of the message the button hangs under; the router lets only such presses in."""
    assert press.message is not None
    return press.message.message_id
