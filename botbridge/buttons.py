"""What the bot's inline buttons carry. Anybody can forge it, so a handler checks each id against the presser."""

from dataclasses import dataclass
from typing import Any

from aiogram.filters.callback_data import CallbackData


class TopicPress(CallbackData, prefix="t"):
    topic: int


class ChangeTopicPress(CallbackData, prefix="c"):
    """«Сменить тему»."""


class LanguagePress(CallbackData, prefix="l"):
    language: str


class SameQuestionPress(CallbackData, prefix="s"):
    """«Да, дописать»."""

    ticket: int


class NewQuestionPress(CallbackData, prefix="n"):
    """«Нет, новый вопрос»."""


class SwitchPress(CallbackData, prefix="m"):
    """A ticket in the list of /my."""

    ticket: int


class NotSolvedPress(CallbackData, prefix="r"):
    """«Вопрос не решён»."""

    ticket: int


@dataclass(frozen=True)
class Button:
    """An inline button: what it says, and what comes back when it is pressed."""

    text: str
    press: CallbackData


Keyboard = list[list[Button]]


def inline_keyboard(keyboard: Keyboard) -> dict[str, Any]:
    """InlineKeyboardMarkup as JSON (Bot API); an empty one takes a message's buttons away."""
    rows = [[{"text": button.text, "callback_data": button.press.pack()} for button in row] for row in keyboard]
    return {"inline_keyboard": rows}
