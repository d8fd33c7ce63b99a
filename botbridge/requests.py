"""One Bot API request, and what became of it in the states of a delivery."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiogram import Bot, methods
from aiogram.exceptions import (
    AiogramError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import InputFile
from pydantic import ValidationError

from botbridge import calls
from botbridge.client import NeverSentError, message_id_of
from tickets.models import DeliveryState, Reason

SENDS = {
    "sendMessage": methods.SendMessage,
    "sendPhoto": methods.SendPhoto,
    "sendVideo": methods.SendVideo,
    "sendVoice": methods.SendVoice,
    "sendAudio": methods.SendAudio,
    "sendDocument": methods.SendDocument,
}
METHODS: dict[str, Any] = {
    **SENDS,
    calls.ANSWER_CALLBACK: methods.AnswerCallbackQuery,
    calls.EDIT_MARKUP: methods.EditMessageReplyMarkup,
}

#: Telegram's words for a refusal, and ours (the wordings are those of Telegram's own server).
BAD_REQUESTS = (
    ("chat not found", Reason.NO_CHAT),
    ("too long", Reason.TOO_LONG),
    ("too big", Reason.TOO_BIG),
    ("wrong file", Reason.BAD_FILE),
    ("file must be non-empty", Reason.BAD_FILE),
    ("image_process_failed", Reason.BAD_FILE),
    ("photo_invalid_dimensions", Reason.BAD_FILE),
)

PAUSE_WITHOUT_CONNECTION = timedelta(seconds=3)
PAUSE_WITHOUT_TOKEN = timedelta(seconds=60)
#: 429 without a number of seconds.
DEFAULT_RETRY_AFTER = timedelta(seconds=5)

UNKNOWN_TOKEN = "Telegram does not know this token"  # noqa: S105 - a sentence


@dataclass(frozen=True)
class Outcome:
    """What became of one request.

    `chat_pause` and `bot_pause`: how long Telegram, or reason, wants this chat or the whole bot to wait. `stopped`:
    why nothing works until somebody changes a setting.
    """

    state: DeliveryState
    error: str = ""
    reason: Reason | str = ""
    message_id: int | None = None
    chat_pause: timedelta = timedelta(0)
    bot_pause: timedelta = timedelta(0)
    stopped: str = ""


async def make(bot: Bot, method: str, payload: dict[str, Any], files: dict[str, InputFile]) -> Outcome:
    """Ask Telegram once. `files` are parameters whose bytes travel with the request."""
    try:
        result = await bot(METHODS[method](**payload, **files))
    except AiogramError as error:
        return judge(error)
    except ValidationError as error:
        return Outcome(DeliveryState.FAILED, str(error), Reason.REFUSED)
    except asyncio.CancelledError:
        return Outcome(DeliveryState.UNKNOWN, "the process ended while Telegram was answering")
    return Outcome(DeliveryState.SENT, message_id=message_id_of(result) if method in SENDS else None)


def judge(error: AiogramError) -> Outcome:
    """What an answer means. Whatever is not surely a refusal leaves the fate of the message unknown.

    Repeated by itself is only what Telegram surely has not taken: after a JSON 429, without a connection, or without
    a valid token. A 5xx says nothing: Telegram answers 500 also to what it has accepted.
    """
    said = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
    meaning = next((meaning for kind, meaning in MEANINGS if isinstance(error, kind)), _unclear)
    return meaning(said, error)


def _retry_after(said: str, error: Any) -> Outcome:
    return Outcome(DeliveryState.QUEUED, said, chat_pause=timedelta(seconds=error.retry_after))


def _no_connection(said: str, _error: Any) -> Outcome:
    return Outcome(DeliveryState.QUEUED, said, bot_pause=PAUSE_WITHOUT_CONNECTION)


def _no_token(said: str, _error: Any) -> Outcome:
    return Outcome(DeliveryState.QUEUED, said, bot_pause=PAUSE_WITHOUT_TOKEN, stopped=UNKNOWN_TOKEN)


def _forbidden(said: str, _error: Any) -> Outcome:
    if "initiate conversation" in said:
        return Outcome(DeliveryState.FAILED, said, Reason.NO_CHAT)
    reason = Reason.DEACTIVATED if "deactivated" in said else Reason.BLOCKED
    return Outcome(DeliveryState.HELD, said, reason)


def _too_large(said: str, _error: Any) -> Outcome:
    return Outcome(DeliveryState.FAILED, said, Reason.TOO_BIG)


def _bad_request(said: str, _error: Any) -> Outcome:
    lower = said.lower()
    reason = next((reason for words, reason in BAD_REQUESTS if words in lower), Reason.REFUSED)
    return Outcome(DeliveryState.FAILED, said, reason)


def _unclear(said: str, _error: Any) -> Outcome:
    if said.startswith("Too Many Requests"):
        return Outcome(DeliveryState.QUEUED, said, chat_pause=DEFAULT_RETRY_AFTER)
    return Outcome(DeliveryState.UNKNOWN, said)


MEANINGS: tuple[tuple[type[AiogramError], Callable[[str, Any], Outcome]], ...] = (
    (TelegramRetryAfter, _retry_after),
    (NeverSentError, _no_connection),
    (TelegramUnauthorizedError, _no_token),
    (TelegramNotFound, _no_token),
    (TelegramForbiddenError, _forbidden),
    (TelegramEntityTooLarge, _too_large),
    (TelegramBadRequest, _bad_request),
)
