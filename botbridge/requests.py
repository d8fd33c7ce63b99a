"""One Bot API request, and what became of it in the states of a delivery."""

import asyncio
from collections.abc import Callable, Mapping
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
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import InputFile
from pydantic import ValidationError

from botbridge import calls
from botbridge.client import REQUEST_TIMEOUT, NeverSentError, SentMessage, sent_messages, thread_id_of
from botbridge.parts import ATTACHED, SEND_ALBUM
from tickets.models import DeliveryState, Reason

SENDS = {
    "sendMessage": methods.SendMessage,
    "sendPhoto": methods.SendPhoto,
    "sendVideo": methods.SendVideo,
    "sendVoice": methods.SendVoice,
    "sendAudio": methods.SendAudio,
    "sendDocument": methods.SendDocument,
    SEND_ALBUM: methods.SendMediaGroup,
}
METHODS: dict[str, Any] = {
    **SENDS,
    calls.ANSWER_CALLBACK: methods.AnswerCallbackQuery,
    calls.EDIT_MARKUP: methods.EditMessageReplyMarkup,
    "editMessageText": methods.EditMessageText,
    "editMessageCaption": methods.EditMessageCaption,
    "deleteMessage": methods.DeleteMessage,
    "setMessageReaction": methods.SetMessageReaction,
    "sendChatAction": methods.SendChatAction,
    calls.CREATE_FORUM_TOPIC: methods.CreateForumTopic,
    calls.EDIT_FORUM_TOPIC: methods.EditForumTopic,
    calls.LEAVE: methods.LeaveChat,
}

#: Telegram's words for a refusal, and ours (the wordings are those of Telegram's own server).
BAD_REQUESTS = (
    ("chat not found", Reason.NO_CHAT),
    ("too long", Reason.TOO_LONG),
    ("too big", Reason.TOO_BIG),
    ("wrong file", Reason.BAD_FILE),
    ("file must be non-empty", Reason.BAD_FILE),
    ("image_process_failed", Reason.BAD_FILE),
    ("photo_invalid", Reason.BAD_FILE),
    ("photo_ext_invalid", Reason.BAD_FILE),
    ("wrong remote file", Reason.BAD_FILE),
    ("can't use file of type", Reason.BAD_FILE),  # a film without sound it has kept as an animation
    ("voice_messages_forbidden", Reason.NO_VOICE),
    ("peer_id_invalid", Reason.NO_CHAT),
    ("user not found", Reason.NO_CHAT),
)

#: «Failed to send message #2 with the error message …»: what came before it in the album may be in the chat.
HALF_AN_ALBUM = "failed to send message #"

PAUSE_WITHOUT_CONNECTION = timedelta(seconds=3)
PAUSE_WITHOUT_TOKEN = timedelta(seconds=60)
#: 429 without a number of seconds.
DEFAULT_RETRY_AFTER = timedelta(seconds=5)

#: After so long Telegram is asked anew. Further ahead stands what a wrong clock put there (`botbridge.clocks`).
LONGEST_WAIT = timedelta(minutes=50)

UNKNOWN_TOKEN = "Telegram does not know this token"  # noqa: S105 - a sentence


@dataclass(frozen=True)
class Outcome:
    """What became of one request. `message_thread_id`: the topic that was made, or that the message went into.

    `sent`: the messages Telegram took, an album's in their order. `chat_pause` and `bot_pause`: how long Telegram, or
    reason, wants this chat or the whole bot to wait. `stopped`: why nothing works until somebody changes a setting.
    `file_ids_refused`: a file was to go by its id, and Telegram knows it no more.
    """

    state: DeliveryState
    error: str = ""
    reason: Reason | str = ""
    sent: tuple[SentMessage, ...] = ()
    message_thread_id: int | None = None
    chat_pause: timedelta = timedelta(0)
    bot_pause: timedelta = timedelta(0)
    stopped: str = ""
    file_ids_refused: bool = False


async def make(
    bot: Bot,
    method: str,
    payload: dict[str, Any],
    files: Mapping[str, InputFile],
    *,
    upload_takes: timedelta = timedelta(0),
) -> Outcome:
    """Ask Telegram once. `files` are those whose bytes travel with the request, which may take so much longer."""
    seconds = round(REQUEST_TIMEOUT + upload_takes.total_seconds())
    try:
        result = await bot(METHODS[method](**_filled(method, payload, files)), request_timeout=seconds)
    except AiogramError as error:
        return judge(error)
    except ValidationError as error:
        return Outcome(DeliveryState.FAILED, str(error), Reason.REFUSED)
    except asyncio.CancelledError:
        return Outcome(DeliveryState.UNKNOWN, "the process ended while Telegram was answering")
    return Outcome(
        DeliveryState.SENT,
        sent=sent_messages(result) if method in SENDS else (),
        message_thread_id=thread_id_of(result),
    )


def _filled(method: str, payload: dict[str, Any], files: Mapping[str, InputFile]) -> dict[str, Any]:
    if method != SEND_ALBUM:
        return {**payload, **files}
    places = {f"{ATTACHED}{name}": file for name, file in files.items()}
    return payload | {
        "media": [item | {"media": places.get(item["media"], item["media"])} for item in payload["media"]]
    }


def judge(error: AiogramError) -> Outcome:
    """What an answer means. Whatever is not surely a refusal leaves the fate of the message unknown.

    Repeated by itself is only what Telegram surely has not taken: after a JSON 429, without a connection, or without
    a valid token. A 5xx says nothing: Telegram answers 500 also to what it has accepted.
    """
    said = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
    meaning = next((meaning for kind, meaning in MEANINGS if isinstance(error, kind)), _unclear)
    return meaning(said, error)


def _retry_after(said: str, error: Any) -> Outcome:
    return Outcome(DeliveryState.QUEUED, said, chat_pause=min(timedelta(seconds=error.retry_after), LONGEST_WAIT))


def _no_connection(said: str, _error: Any) -> Outcome:
    return Outcome(DeliveryState.QUEUED, said, bot_pause=PAUSE_WITHOUT_CONNECTION)


def _not_found(said: str, error: Any) -> Outcome:
    """A server of one's own may be older than a method; a bare «Not Found» is about the token."""
    return _bad_request(said, error) if "method not found" in said else _no_token(said, error)


def _no_token(said: str, _error: Any) -> Outcome:
    return Outcome(DeliveryState.QUEUED, said, bot_pause=PAUSE_WITHOUT_TOKEN, stopped=UNKNOWN_TOKEN)


def _forbidden(said: str, _error: Any) -> Outcome:
    if "initiate conversation" in said:
        return Outcome(DeliveryState.FAILED, said, Reason.NO_CHAT)
    if "to bots" in said:
        return Outcome(DeliveryState.FAILED, said, Reason.REFUSED)
    reason = Reason.DEACTIVATED if "deactivated" in said else Reason.BLOCKED
    return Outcome(DeliveryState.HELD, said, reason)


def _too_large(said: str, _error: Any) -> Outcome:
    return Outcome(DeliveryState.FAILED, said, Reason.TOO_BIG)


def _bad_request(said: str, _error: Any) -> Outcome:
    lower = said.lower()
    if HALF_AN_ALBUM in lower:
        return Outcome(DeliveryState.UNKNOWN, said)
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
    (TelegramNotFound, _not_found),
    (TelegramForbiddenError, _forbidden),
    (TelegramEntityTooLarge, _too_large),
    (TelegramBadRequest, _bad_request),
    # A group that has moved; customers' chats never do.
    (TelegramMigrateToChat, _bad_request),
)
