"""Requests that belong to no delivery: answers to presses, edits of keyboards, a line to a group.

They are unordered, never queue behind messages, and are dropped when they would come too late to mean anything.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from botbridge.buttons import Keyboard, inline_keyboard
from botbridge.models import ChatSession, OutboundCall
from tickets.models import Lane
from tickets.operations import OUTBOX_CHANNEL
from tickets.operations.acts import notify

ANSWER_CALLBACK = "answerCallbackQuery"
EDIT_MARKUP = "editMessageReplyMarkup"
SEND_MESSAGE = "sendMessage"

#: Calls that may be repeated: doing them twice is doing them once.
IDEMPOTENT = frozenset({ANSWER_CALLBACK, EDIT_MARKUP})

#: Longer than a person looks at a pressed button.
PRESS_WAITS = timedelta(minutes=1)
KEYBOARD_WAITS = timedelta(hours=1)
GROUP_WAITS = timedelta(minutes=5)


def answer_press(session: ChatSession, press_id: str, text: str = "") -> None:
    """End the waiting circle on a pressed button, with a short note above the chat if there is one."""
    payload = {"callback_query_id": press_id, **({"text": text[:200]} if text else {})}
    _queue(session, ANSWER_CALLBACK, payload, waits=PRESS_WAITS)


def edit_keyboard(session: ChatSession, telegram_id: int, keyboard: Keyboard) -> None:
    """Put other buttons under a message already sent; an empty keyboard takes them away."""
    payload = {"chat_id": session.chat_id, "message_id": telegram_id, "reply_markup": inline_keyboard(keyboard)}
    _queue(session, EDIT_MARKUP, payload, waits=KEYBOARD_WAITS)


def say_to_group(session: ChatSession, text: str) -> None:
    """A line to a chat without a customer, so without a message on the desk."""
    _queue(session, SEND_MESSAGE, {"chat_id": session.chat_id, "text": text}, waits=GROUP_WAITS)


def _queue(session: ChatSession, method: str, payload: dict[str, Any], *, waits: timedelta) -> None:
    OutboundCall.objects.create(
        bot_id=session.bot_id,
        chat_id=session.chat_id,
        method=method,
        payload=payload,
        lane=Lane.ANSWER,
        expires_at=timezone.now() + waits,
    )
    notify(OUTBOX_CHANNEL)
