"""Requests that belong to no delivery: answers to presses, edits of keyboards, a line to a group and the way out of it.

They are unordered, never queue behind messages, and are dropped when they would come too late to mean anything.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from botbridge.buttons import Keyboard, inline_keyboard
from botbridge.models import ChatSession, ForumTopic, OutboundCall
from tickets.models import DeliveryState, Lane
from tickets.operations import OUTBOX_CHANNEL
from tickets.operations.acts import notify

ANSWER_CALLBACK = "answerCallbackQuery"
EDIT_MARKUP = "editMessageReplyMarkup"
CREATE_FORUM_TOPIC = "createForumTopic"
EDIT_FORUM_TOPIC = "editForumTopic"
SEND_MESSAGE = "sendMessage"
LEAVE = "leaveChat"

#: Calls that may be repeated: doing them twice is doing them once.
IDEMPOTENT = frozenset({ANSWER_CALLBACK, EDIT_MARKUP, EDIT_FORUM_TOPIC, LEAVE})

#: Longer than a person looks at a pressed button.
PRESS_WAITS = timedelta(minutes=1)
KEYBOARD_WAITS = timedelta(hours=1)
GROUP_WAITS = timedelta(minutes=5)
NAME_WAITS = timedelta(days=1)
#: Calls have no order; in this time the line to a group has been said.
LEAVES_IN = timedelta(seconds=5)
LEAVE_WAITS = timedelta(days=1)


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


def rename_forum_topic(topic: ForumTopic, name: str) -> None:
    """Give an open topic another name (Bot API, "editForumTopic")."""
    payload = {"chat_id": topic.chat_id, "message_thread_id": topic.message_thread_id, "name": name}
    _queue(topic, EDIT_FORUM_TOPIC, payload, waits=NAME_WAITS)


def leave(session: ChatSession) -> None:
    """Go out of a group or channel, once however many write there until it is done."""
    of_chat = OutboundCall.objects.filter(bot_id=session.bot_id, chat_id=session.chat_id, method=LEAVE)
    if not of_chat.filter(state=DeliveryState.QUEUED).exists():
        _queue(session, LEAVE, {"chat_id": session.chat_id}, waits=LEAVE_WAITS, due_in=LEAVES_IN)


def _queue(
    chat: ChatSession | ForumTopic,
    method: str,
    payload: dict[str, Any],
    *,
    waits: timedelta,
    due_in: timedelta = timedelta(0),
) -> None:
    now = timezone.now()
    OutboundCall.objects.create(
        bot_id=chat.bot_id,
        chat_id=chat.chat_id,
        method=method,
        payload=payload,
        lane=Lane.ANSWER,
        due_at=now + due_in,
        expires_at=now + waits,
    )
    notify(OUTBOX_CHANNEL)
