"""The Bot API over HTTP: tokens, methods, trouble, the log; and the files behind getFile."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from botbridge.sandbox.bot_api import BotApi, Params
from botbridge.sandbox.errors import BotApiError, blocked_by_user, too_many_requests
from botbridge.sandbox.files import Files
from botbridge.sandbox.knobs import SENDS, Knob, Knobs
from botbridge.sandbox.limits import SendingLimits
from botbridge.sandbox.polling import Polling
from botbridge.sandbox.requests import read_params
from botbridge.sandbox.state import State, milliseconds_since

Json = dict[str, Any]

BEFORE = ("drop", "too_many_requests", "server_error", "bad_gateway", "blocked")
AFTER = ("server_error_after_delivery", "hang", "cut")
HANG = 300.0  # seconds until even a patient client is cut off
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Outcome:
    """What becomes of a call: `name` for the log, the HTTP status (None: no answer at all), the body."""

    name: str
    status: int | None
    body: Json | str = ""
    message_ids: list[int] = field(default_factory=list)

    @property
    def description(self) -> str | None:
        return self.body.get("description") if isinstance(self.body, dict) else None


def refusal(error: BotApiError) -> Outcome:
    return Outcome(str(error.code), error.code, error.as_json())


class Wire:
    """Answers /bot<token>/<method> and /file/bot<token>/<path>."""

    def __init__(self, state: State, files: Files, knobs: Knobs, bot_api: BotApi) -> None:
        self._state = state
        self._files = files
        self._knobs = knobs
        self._bot_api = bot_api
        self._polling = Polling(state)
        self._limits = SendingLimits()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/bot{token:[^/]+}/{method}", self.call),
            web.get("/file/bot{token:[^/]+}/{path:.+}", self.download),
        ]

    async def call(self, request: web.Request) -> web.StreamResponse:
        began = time.time()
        try:
            bot_id = self._state.bot_id(request.match_info["token"])
            method = self._bot_api.name_of(request.match_info["method"])
            params = await read_params(request)
        except BotApiError as error:
            return _json_response(error.code, error.as_json())
        if slow := self._knobs.strike("slow", method, params.chat_id):
            self._state.feed.publish({"kind": "knobs"})
            await asyncio.sleep(slow.seconds)
        if method == "getUpdates":
            return await self._poll(request, bot_id, params)
        return await _respond(request, self._perform(bot_id, method, params, began))

    async def _poll(self, request: web.Request, bot_id: int, params: Params) -> web.StreamResponse:
        """Polls are logged only when they fail: there is one every few seconds."""
        began = time.time()
        outcome = self._refuse(bot_id, "getUpdates", params)
        if outcome is None:
            try:
                return _json_response(200, {"ok": True, "result": await self._polling.get_updates(bot_id, params)})
            except BotApiError as error:
                outcome = refusal(error)
        with self._state.transaction():
            self._log(bot_id, "getUpdates", params, outcome, began)
        return await _respond(request, outcome)

    def _perform(self, bot_id: int, method: str, params: Params, began: float) -> Outcome:
        """Delivers and logs in one transaction: the log never tells of a message that is not in the chat."""
        outcome = self._refuse(bot_id, method, params)
        if outcome is None:
            if self._knobs.strike("partial_album", method, params.chat_id):
                params.album_parts = max(1, len(params.array("media")) // 2)
            try:
                with self._state.transaction():
                    result = self._bot_api.call(bot_id, method, params)
                    outcome = self._accepted(method, params, result)
                    self._log(bot_id, method, params, outcome, began)
                return outcome
            except BotApiError as error:
                outcome = refusal(error)
        with self._state.transaction():
            self._log(bot_id, method, params, outcome, began)
        return outcome

    def _refuse(self, bot_id: int, method: str, params: Params) -> Outcome | None:
        """Trouble that strikes before anything is taken."""
        if struck := self._knobs.first(BEFORE, method, params.chat_id):
            return _trouble(*struck)
        if method in SENDS and params.chat_id and self._knobs.strike("limits", method, params.chat_id):
            messages = len(params.array("media")) or 1
            retry_after = self._limits.take(bot_id, params.chat_id, messages, time.monotonic())
            if retry_after:
                return refusal(too_many_requests(retry_after))
        return None

    def _accepted(self, method: str, params: Params, result: Any) -> Outcome:
        """What is answered to a call that was carried out."""
        sent = result if isinstance(result, list) else [result]
        message_ids = [
            message["message_id"] for message in sent if isinstance(message, dict) and "message_id" in message
        ]
        if params.album_parts is not None:
            number = params.album_parts + 1
            error = f'Bad Request: failed to send message #{number} with the error message "MEDIA_EMPTY"'
            return Outcome("partial_album", 400, BotApiError(400, error).as_json(), message_ids)
        if struck := self._knobs.first(AFTER, method, params.chat_id):
            name = struck[0]
            if name == "server_error_after_delivery":
                return Outcome(name, 500, BotApiError(500, "Internal Server Error").as_json(), message_ids)
            return Outcome(name, None, message_ids=message_ids)
        return Outcome("200", 200, {"ok": True, "result": result}, message_ids)

    def _log(self, bot_id: int, method: str, params: Params, outcome: Outcome, began: float) -> None:
        self._state.log_call(
            bot_id,
            params.chat_id,
            {
                "at": began,
                "direction": "bot",
                "method": method,
                "payload": params.as_json(),
                "message_ids": outcome.message_ids,
                "delivered": method in SENDS and bool(outcome.message_ids),
                "status": outcome.status,
                "outcome": outcome.name,
                "description": outcome.description,
                "ms": milliseconds_since(began),
            },
        )
        self._state.announce("knobs")

    async def download(self, request: web.Request) -> web.StreamResponse:
        try:
            bot_id = self._state.bot_id(request.match_info["token"])
        except BotApiError as error:
            return _json_response(error.code, error.as_json())
        if slow := self._knobs.strike("slow", "file", None):
            await asyncio.sleep(slow.seconds)
        if struck := self._knobs.first(BEFORE, "file", None):
            return await _respond(request, _trouble(*struck))
        path = self._files.by_path(bot_id, request.match_info["path"])
        if path is None:
            return _json_response(404, BotApiError(404, "Not Found").as_json())
        return web.FileResponse(path, headers={"Content-Type": "application/octet-stream"})


def _trouble(name: str, knob: Knob) -> Outcome:
    answers: dict[str, Callable[[], Outcome]] = {
        "drop": lambda: Outcome("drop", None),
        "too_many_requests": lambda: refusal(too_many_requests(max(1, round(knob.seconds)))),
        "server_error": lambda: refusal(BotApiError(500, "Internal Server Error")),
        "bad_gateway": lambda: Outcome("bad_gateway", 502, BAD_GATEWAY),
        "blocked": lambda: refusal(blocked_by_user()),
    }
    return answers[name]()


async def _respond(request: web.Request, outcome: Outcome) -> web.StreamResponse:
    if outcome.status is None:
        if outcome.name == "hang":
            await asyncio.sleep(HANG)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    if isinstance(outcome.body, str):
        return web.Response(status=outcome.status, text=outcome.body, content_type="text/html")
    return _json_response(outcome.status, outcome.body)


def _json_response(status: int, body: Json) -> web.Response:
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")
