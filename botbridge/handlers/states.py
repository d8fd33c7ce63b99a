"""What the bot may be waiting for. Whatever it is, a text that comes instead is a message like any other."""

from collections.abc import Mapping
from typing import Any

from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup

from botbridge.chats import Chat

#: In the conversation's data: the topic chosen before the question was written.
TOPIC = "topic"
#: And the chat's topic in which a new question was asked for, where it was one.
ASKED_IN = "asked_in"


class Question(StatesGroup):
    #: The next message opens a ticket of its own.
    new = State()


async def expect_question(chat: Chat, state: FSMContext, known: Mapping[str, Any] | None = None) -> None:
    """Wait for a new question; `known` is what has been said about it already."""
    place = {ASKED_IN: chat.thread_id} if chat.thread_id is not None else {}
    if known or place:
        await state.update_data({**(known or {}), **place})
    await state.set_state(Question.new)
