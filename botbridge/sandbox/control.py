"""The sandbox's own endpoints: people and chats, knobs, the log. The chat page and the tests use them alike."""

from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from botbridge.sandbox.customers import Customers, Draft
from botbridge.sandbox.errors import BotApiError, CustomerError
from botbridge.sandbox.files import Files, safe_type
from botbridge.sandbox.knobs import Knobs
from botbridge.sandbox.requests import as_upload
from botbridge.sandbox.state import State

Json = dict[str, Any]


class Control:
    """Answers /sandbox/…, for the bot that the customers write to."""

    def __init__(self, state: State, files: Files, knobs: Knobs, customers: Customers, bot_id: int) -> None:
        self._state = state
        self._files = files
        self._knobs = knobs
        self._customers = customers
        self._bot_id = bot_id

    def routes(self) -> list[web.RouteDef]:
        chat = r"/sandbox/chats/{chat_id:\d+}"
        return [
            web.get("/sandbox/chats", self.list_chats),
            web.post("/sandbox/chats", self.add_customer),
            web.get(f"{chat}/messages", self.messages),
            web.post(f"{chat}/send", self.send),
            web.post(f"{chat}/edit", self.edit),
            web.post(f"{chat}/react", self.react),
            web.post(f"{chat}/press", self.press),
            web.post(f"{chat}/block", self.block),
            web.post(f"{chat}/unblock", self.unblock),
            web.post(f"{chat}/clear", self.clear),
            web.post(f"{chat}/topics", self.change_topic),
            web.get(r"/sandbox/callbacks/{query_id:\d+}", self.callback_answer),
            web.get("/sandbox/log", self.log),
            web.get("/sandbox/updates", self.updates),
            web.post("/sandbox/updates", self.put_update),
            web.get("/sandbox/knobs", self.knobs),
            web.post("/sandbox/knobs", self.set_knob),
            web.post("/sandbox/revoke", self.revoke),
            web.get("/sandbox/files/{file_id}", self.file),
        ]

    async def list_chats(self, _: web.Request) -> web.Response:
        return web.json_response(self._customers.summaries())

    async def add_customer(self, request: web.Request) -> web.Response:
        """{"first_name", "last_name"?, "username"?, "language_code"?, "phone"?, "id"?} → the customer."""
        return web.json_response(self._customers.add(await _body(request)), status=201)

    async def messages(self, request: web.Request) -> web.Response:
        """The chat's messages. ?shown=1 gives what the customer sees, else all, deleted ones too."""
        chat_id = _chat_id(request)
        if request.query.get("shown"):
            return web.json_response(self._customers.shown_messages(chat_id))
        return web.json_response(self._state.messages(self._bot_id, chat_id, _number(request, "after")))

    async def send(self, request: web.Request) -> web.Response:
        """JSON or a multipart form: {"kind"?, "text"?, "reply_to"?, "quote"?, files under any names} → messages."""
        draft = await read_draft(request)
        return web.json_response(self._customers.send(_chat_id(request), draft), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """{"message_id", "text"} → the edited message."""
        body = await _body(request)
        edited = self._customers.edit(_chat_id(request), int(body["message_id"]), str(body["text"]))
        return web.json_response(edited)

    async def react(self, request: web.Request) -> web.Response:
        """{"message_id", "emoji"} puts a reaction under a message, an empty emoji takes it away."""
        body = await _body(request)
        self._customers.react(_chat_id(request), int(body["message_id"]), str(body.get("emoji") or ""))
        return web.Response(status=204)

    async def press(self, request: web.Request) -> web.Response:
        """{"message_id", "data"} presses an inline button, {"button"} one of the reply keyboard."""
        body = await _body(request)
        if "button" in body:
            return web.json_response(self._customers.tap(_chat_id(request), str(body["button"])), status=201)
        query_id = self._customers.press(_chat_id(request), int(body["message_id"]), str(body["data"]))
        return web.json_response({"callback_query_id": query_id}, status=201)

    async def callback_answer(self, request: web.Request) -> web.Response:
        return web.json_response(self._customers.callback_answer(request.match_info["query_id"]))

    async def block(self, request: web.Request) -> web.Response:
        self._customers.block(_chat_id(request))
        return web.Response(status=204)

    async def unblock(self, request: web.Request) -> web.Response:
        self._customers.unblock(_chat_id(request))
        return web.Response(status=204)

    async def clear(self, request: web.Request) -> web.Response:
        self._customers.clear(_chat_id(request))
        return web.Response(status=204)

    async def change_topic(self, request: web.Request) -> web.Response:
        """{"name"?} opens a topic, {"message_thread_id", "name"} renames one → the message that says so;
        {"message_thread_id"} alone deletes it.
        """
        body, chat_id = await _body(request), _chat_id(request)
        if "message_thread_id" not in body:
            return web.json_response(self._customers.create_topic(chat_id, str(body.get("name", ""))), status=201)
        thread_id = int(body["message_thread_id"])
        if "name" in body:
            return web.json_response(self._customers.rename_topic(chat_id, thread_id, str(body["name"])))
        self._customers.delete_topic(chat_id, thread_id)
        return web.Response(status=204)

    async def log(self, request: web.Request) -> web.Response:
        """The call log: ?after=<number>, ?chat_id=, ?last=<how many>."""
        chat_id, last = _number(request, "chat_id") or None, _number(request, "last") or None
        return web.json_response(self._state.log(_number(request, "after"), chat_id, last))

    async def updates(self, request: web.Request) -> web.Response:
        """Every update produced, with when it was acknowledged: ?after=<number>."""
        return web.json_response(self._state.updates(self._bot_id, _number(request, "after")))

    async def put_update(self, request: web.Request) -> web.Response:
        """{"update_id", …} queues an update exactly as given, however malformed; the next id follows it."""
        body = await _body(request)
        kind = next((name for name in body if name != "update_id"), "")
        with self._state.transaction():
            self._state.put_update(self._bot_id, int(body["update_id"]), kind, body)
        return web.Response(status=201)

    async def knobs(self, _: web.Request) -> web.Response:
        return web.json_response(self._knobs.as_json())

    async def set_knob(self, request: web.Request) -> web.Response:
        """{"name", and what Knobs.turn_on takes}, {"name", "on": false} or {"clear": true} → all knobs."""
        body = await _body(request)
        if body.get("clear"):
            self._knobs.clear()
        elif body.pop("on", True):
            self._knobs.turn_on(**body)
        else:
            self._knobs.turn_off(str(body["name"]))
        self._state.feed.publish({"kind": "knobs"})
        return web.json_response(self._knobs.as_json())

    async def revoke(self, request: web.Request) -> web.Response:
        """{"token"} makes it worthless → {"token": the bot's new one}."""
        token = self._state.revoke(str((await _body(request))["token"]))
        return web.json_response({"token": token})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file for the page. What is not plainly a picture, a film or a sound is only ever downloaded."""
        path = self._files.by_id(request.match_info["file_id"])
        if path is None:
            raise web.HTTPNotFound
        with path.open("rb") as content:
            shown_as = safe_type(content.read(64 * 1024))
        headers = {
            "Content-Type": shown_as or "application/octet-stream",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        if shown_as is None:
            headers["Content-Disposition"] = "attachment"
        return web.FileResponse(path, headers=headers)


async def read_draft(request: web.Request) -> Draft:
    """What a customer sends, from JSON or from a multipart form with files."""
    if request.content_type == "application/json":
        body = await _body(request)
        reply_to, thread_id = body.pop("reply_to", None), body.pop("message_thread_id", None)
        return Draft(
            reply_to=int(reply_to) if reply_to else None,
            message_thread_id=int(thread_id) if thread_id else None,
            **body,
        )
    form = await request.post()
    uploads = [as_upload(part) for part in form.values() if isinstance(part, FileField)]
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    return Draft(
        kind=texts.get("kind", "document"),
        text=texts.get("text", ""),
        uploads=uploads,
        reply_to=int(texts["reply_to"]) if texts.get("reply_to") else None,
        message_thread_id=int(texts["message_thread_id"]) if texts.get("message_thread_id") else None,
        facts={name: int(texts[name]) for name in ("duration", "width", "height") if texts.get(name, "").isdigit()},
    )


async def _body(request: web.Request) -> Json:
    body = await request.json()
    if not isinstance(body, dict):
        raise CustomerError("the body has to be a JSON object")
    return body


def _chat_id(request: web.Request) -> int:
    return int(request.match_info["chat_id"])


def _number(request: web.Request, name: str) -> int:
    return int(request.query.get(name, 0))


@web.middleware
async def refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    """A refused act answers 400 with the reason in words."""
    try:
        response: web.StreamResponse = await handler(request)
    except (BotApiError, CustomerError, KeyError, TypeError, ValueError) as error:
        if not request.path.startswith("/sandbox/"):
            raise
        return web.json_response({"error": str(error)}, status=400)
    return response
