"""A sandbox as tests and scripts use it: its controls over HTTP, blocking, with nothing but the standard library."""

import http.client
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]


class SandboxRefusal(Exception):
    """The sandbox answered 4xx: what the customer's app would not let them do."""


class SandboxClient:
    """The controls of the sandbox at `base_url`, wherever its process runs."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.knobs = KnobsClient(self)

    def customer(
        self, first_name: str = "Тимур", *, language_code: str = "ru", phone: str = "+77000000199", **more: Any
    ) -> "CustomerClient":
        """A new customer, who has not written yet."""
        body = {"first_name": first_name, "language_code": language_code, "phone": phone, **more}
        return CustomerClient(self, self.post("/sandbox/chats", body)["id"])

    def chats(self) -> list[Json]:
        result: list[Json] = self.get("/sandbox/chats")
        return result

    def messages(self, chat_id: int) -> list[Json]:
        """Every message of a chat in order, the Bot API's Message with `deleted`, `reaction` (the bot's) and
        `customer_reaction` beside it.
        """
        result: list[Json] = self.get(f"/sandbox/chats/{chat_id}/messages")
        return result

    def log(self, after: int = 0, chat_id: int | None = None) -> list[Json]:
        """The call log: id, at, direction (bot or customer), method, chat_id, payload, message_ids, delivered,
        status (None: never answered), outcome ("200", "429", "hang", …), description, ms.
        """
        query = urlencode({"after": after, **({"chat_id": chat_id} if chat_id else {})})
        result: list[Json] = self.get(f"/sandbox/log?{query}")
        return result

    def sends(self, chat_id: int | None = None) -> list[Json]:
        """The log's lines of calls that put messages into a chat, however they were answered."""
        return [line for line in self.log(chat_id=chat_id) if line.get("delivered")]

    def updates(self) -> list[Json]:
        """Every update produced: {"id", "update", "created_at", "acknowledged_at"}."""
        result: list[Json] = self.get("/sandbox/updates")
        return result

    def put_update(self, update_id: int, **body: Any) -> None:
        """Queues an update exactly as given, however malformed."""
        self.post("/sandbox/updates", {"update_id": update_id, **body})

    def revoke(self, token: str) -> str:
        """Makes a token worthless. Returns the bot's new one."""
        new_token: str = self.post("/sandbox/revoke", {"token": token})["token"]
        return new_token

    def get(self, path: str) -> Any:
        return self._request("GET", path)

    def post(self, path: str, body: Json) -> Any:
        return self._request("POST", path, json.dumps(body).encode(), "application/json")

    def post_form(self, path: str, fields: dict[str, str], files: list[tuple[str, bytes, str]]) -> Any:
        """A multipart form (RFC 7578); files are (name, bytes, content type)."""
        boundary = secrets.token_hex(16)
        parts = [(f'name="{name}"\r\n', value.encode()) for name, value in fields.items()]
        for number, (name, content, content_type) in enumerate(files):
            parts.append((f'name="file{number}"; filename="{name}"\r\nContent-Type: {content_type}\r\n', content))
        body = b"".join(
            f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n".encode() + content + b"\r\n"
            for head, content in parts
        )
        end = f"--{boundary}--\r\n".encode()
        return self._request("POST", path, body + end, f"multipart/form-data; boundary={boundary}")

    def _request(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise SandboxRefusal(answer.decode())
        return json.loads(answer) if answer else None


@dataclass(frozen=True)
class KnobsClient:
    """Trouble on demand; knobs.KINDS names the knobs and tells what each does."""

    sandbox: SandboxClient

    def turn_on(self, name: str, **how: Any) -> None:
        """`how`: times, probability, seed, methods, chat_id, seconds; without `times` until it is turned off."""
        self.sandbox.post("/sandbox/knobs", {"name": name, **how})

    def turn_off(self, name: str) -> None:
        self.sandbox.post("/sandbox/knobs", {"name": name, "on": False})

    def clear(self) -> None:
        self.sandbox.post("/sandbox/knobs", {"clear": True})

    def state(self) -> Json:
        """Each knob by its name: None, or how it is set."""
        knobs: Json = self.sandbox.get("/sandbox/knobs")
        return knobs


@dataclass(frozen=True)
class CustomerClient:
    """One customer's Telegram app. Every act raises SandboxRefusal where the app would not let them."""

    sandbox: SandboxClient
    id: int

    def write(self, text: str, **more: Any) -> Json:
        """Sends a text; `reply_to` and `quote` answer a message, `message_thread_id` names the topic it is written in.

        Returns the (first) message.
        """
        message: Json = self._post("send", {"text": text, **more})[0]
        return message

    def send_files(
        self, *files: tuple[str, bytes, str], kind: str = "document", text: str = "", **more: Any
    ) -> list[Json]:
        """Sends files (name, bytes, content type) as photo, video, voice, audio or document; several are an album."""
        fields = {"kind": kind, "text": text, **{name: str(value) for name, value in more.items()}}
        messages: list[Json] = self.sandbox.post_form(self._path("send"), fields, list(files))
        return messages

    def send_imagined(self, kind: str, file_name: str, file_size: int) -> Json:
        """Sends a file too big for bots, without its bytes."""
        about = {"file_name": file_name, "file_size": file_size}
        message: Json = self._post("send", {"kind": kind, "imagined_file": about})[0]
        return message

    def send_other(self, kind: str) -> Json:
        """Sends a contact, sticker, poll or location."""
        message: Json = self._post("send", {"kind": kind})[0]
        return message

    def send_content(self, **content: Any) -> Json:
        """Sends content in the words of the Bot API's Message: send_content(dice={"emoji": "🎲", "value": 3})."""
        message: Json = self._post("send", {"kind": "content", "content": content})[0]
        return message

    def create_topic(self, name: str = "") -> int:
        """Opens a topic; without a name the app gives it one of its own. Returns its `message_thread_id`."""
        thread_id: int = self._post("topics", {"name": name})["message_thread_id"]
        return thread_id

    def rename_topic(self, thread_id: int, name: str) -> None:
        self._post("topics", {"message_thread_id": thread_id, "name": name})

    def delete_topic(self, thread_id: int) -> None:
        """Deletes a topic with all its messages; the bot is told nothing."""
        self._post("topics", {"message_thread_id": thread_id})

    def topics(self) -> dict[int, str]:
        """The names of the chat's topics by their `message_thread_id`; none outside threaded mode."""
        (chat,) = [chat for chat in self.sandbox.chats() if chat["id"] == self.id]
        return {topic["message_thread_id"]: topic["name"] for topic in chat["topics"] or []}

    def edit(self, message_id: int, text: str) -> Json:
        message: Json = self._post("edit", {"message_id": message_id, "text": text})
        return message

    def react(self, message_id: int, emoji: str) -> None:
        """Puts a reaction under a message; an empty one takes it away."""
        self._post("react", {"message_id": message_id, "emoji": emoji})

    def press(self, message_id: int, data: str) -> str:
        """Presses an inline button. Returns the callback query's id."""
        query_id: str = self._post("press", {"message_id": message_id, "data": data})["callback_query_id"]
        return query_id

    def tap(self, button: str) -> Json:
        """Taps a button of the reply keyboard."""
        message: Json = self._post("press", {"button": button})
        return message

    def callback_answer(self, query_id: str) -> Json | None:
        """{"text", "show_alert"}, or None while the bot has not answered the press."""
        answer: Json | None = self.sandbox.get(f"/sandbox/callbacks/{query_id}")
        return answer

    def block(self) -> None:
        self._post("block", {})

    def unblock(self) -> None:
        self._post("unblock", {})

    def clear(self) -> None:
        self._post("clear", {})

    def messages(self) -> list[Json]:
        return self.sandbox.messages(self.id)

    def received(self) -> list[Json]:
        """The bot's messages in this chat that were not deleted."""
        return [message for message in self.messages() if message["from"]["is_bot"] and not message["deleted"]]

    def _path(self, act: str) -> str:
        return f"/sandbox/chats/{self.id}/{act}"

    def _post(self, act: str, body: Json) -> Any:
        return self.sandbox.post(self._path(act), body)
