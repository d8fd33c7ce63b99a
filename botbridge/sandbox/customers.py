"""What customers do in their Telegram: write, send files, edit, press buttons, stop the bot."""

import base64
import io
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from botbridge.sandbox import content
from botbridge.sandbox.bot_api import REACTIONS, BotApi, private_chat, without_reply
from botbridge.sandbox.errors import BotApiError, CustomerError
from botbridge.sandbox.files import Files, Upload, image_size
from botbridge.sandbox.knobs import Knobs
from botbridge.sandbox.known import Known, Past
from botbridge.sandbox.state import State, milliseconds_since

Json = dict[str, Any]

FIRST_CUSTOMER_ID = 5_000_000_001  # above 32 bits, as Telegram's are
EDITABLE = 48 * 3600  # seconds in which a person may edit their message
FILE_KINDS = ("photo", "video", "voice", "audio", "document")
# The smallest lossless WebP, one pixel.
STICKER = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")

# People who are there from the start. All of them are invented.
CAST: list[Json] = [
    {"first_name": "Сауле", "last_name": "Бекова", "language_code": "ru", "phone": "+77000000101"},
    {"first_name": "Ерлан", "last_name": "Досов", "language_code": "kk", "phone": "+77000000102"},
    {"first_name": "Марк", "last_name": "Левин", "language_code": "ru", "phone": "+77000000103"},
    {"first_name": "Emma", "last_name": "Larsen", "language_code": "en", "phone": "+77000000104"},
    {"first_name": "Инна", "last_name": "Жук", "language_code": "ru", "phone": "+77000000105"},
    # People who want no name fill the required field with a letter that shows nothing.
    {"first_name": "\u3164", "phone": "+77000000106"},
]


@dataclass(frozen=True)
class Draft:
    """What a customer is about to send: a text, files of one kind (several make an album), or something else."""

    kind: str = "text"
    text: str = ""
    uploads: list[Upload] = field(default_factory=list)
    reply_to: int | None = None
    quote: str = ""
    # What the app measured of a file: duration in seconds, width and height in pixels.
    facts: Json = field(default_factory=dict)
    # A file too big for bots, which therefore needs a name and a size only.
    imagined_file: Json | None = None
    # Content in the words of the Bot API's Message, say {"dice": {…}}.
    content: Json = field(default_factory=dict)
    # The topic it is written in; None: the main chat.
    message_thread_id: int | None = None


class Customers:
    """All customers of one bot."""

    def __init__(self, state: State, files: Files, knobs: Knobs, bot_api: BotApi, bot_id: int) -> None:
        self._state = state
        self._files = files
        self._knobs = knobs
        self._bot_api = bot_api
        self._topics = bot_api.topics
        self._bot_id = bot_id

    def invite_cast(self) -> None:
        """Adds the invented customers to a state without any."""
        if not self._state.customers():
            with self._state.transaction():
                for person in CAST:
                    self._add(person)

    def introduce(self, people: Iterable[Known]) -> None:
        """Adds people who have written to the bot before this sandbox was there, so that it may write to them."""
        with self._state.transaction():
            for known in people:
                if self._state.customer(known.person["id"]) is not None:
                    continue
                customer = self._add(known.person)
                self._state.open_chat(self._bot_id, customer["id"])
                for past in known.past:
                    self._remember(customer, past)

    def _remember(self, customer: Json, past: Past) -> None:
        body: Json = {"text": past.text, "entities": past.entities}
        if past.file is not None:
            kind, name, path = past.file
            with path.open("rb") as file:
                media = self._files.keep(self._bot_id, kind, Upload(file, name, ""), {})
            body = {**media, **({"caption": past.text, "caption_entities": past.entities} if past.text else {})}
        head = {
            "from": user(customer) if past.is_customers else self._bot_api.bot_user(self._bot_id),
            "chat": private_chat(customer),
            "date": int(past.sent_at.timestamp()),
        }
        self._state.add_message(self._bot_id, customer["id"], {**head, **body})

    def add(self, person: Json) -> Json:
        """A new customer, who has not written yet. Names and language as in the Bot API's User; `phone` beside them."""
        with self._state.transaction():
            customer = self._add(person)
            self._state.announce("chat", chat=self.summary(customer))
        return customer

    def _add(self, person: Json) -> Json:
        taken = [customer["id"] for customer in self._state.customers()]
        fields = ("first_name", "last_name", "username", "language_code", "phone")
        customer = {
            "id": int(person.get("id") or max(taken, default=FIRST_CUSTOMER_ID - 1) + 1),
            **{name: str(person[name]) for name in fields if person.get(name)},
        }
        if not customer.get("first_name"):
            raise CustomerError("a customer needs a first name")
        if customer["id"] in taken:
            raise CustomerError("there is a customer with this id")
        self._state.save_customer(customer)
        return customer

    def summaries(self) -> list[Json]:
        return [self.summary(customer) for customer in self._state.customers()]

    def summary(self, customer: Json) -> Json:
        """A customer as the page's list shows them."""
        chat = self._state.chat(self._bot_id, customer["id"])
        return {
            **customer,
            "started": chat is not None,
            "blocked": bool(chat and chat["blocked"]),
            "keyboard": json.loads(chat["keyboard"]) if chat and chat["keyboard"] else None,
            "commands": self._commands(customer),
            "topics": self._topics.listed(self._bot_id, customer["id"]),
            "last": self._last_message(customer["id"], chat["cleared_up_to"]) if chat else None,
        }

    def _commands(self, customer: Json) -> list[Json]:
        return self._bot_api.commands_for(self._bot_id, customer["id"], customer.get("language_code", ""))

    def _last_message(self, chat_id: int, after: int) -> Json | None:
        row = self._state.db.execute(
            "SELECT body FROM message WHERE bot_id = ? AND chat_id = ? AND message_id > ? AND NOT deleted"
            " ORDER BY message_id DESC LIMIT 1",
            (self._bot_id, chat_id, after),
        ).fetchone()
        return json.loads(row["body"]) if row else None

    def shown_messages(self, chat_id: int) -> list[Json]:
        """What the customer sees of their chat: not what they cleared away, nothing deleted."""
        chat = self._state.chat(self._bot_id, chat_id)
        messages = self._state.messages(self._bot_id, chat_id, chat["cleared_up_to"] if chat else 0)
        return [message for message in messages if not message["deleted"]]

    # Writing.

    def send(self, chat_id: int, draft: Draft) -> list[Json]:
        """Sends a message, or several: an album, or a text that the app splits. Raises CustomerError."""
        began = time.time()
        customer = self._writer(chat_id)
        with self._state.transaction():
            reply = {**self._place(chat_id, draft), **self._reply(chat_id, draft)}
            bodies = self._bodies(customer, draft)
            messages = [self._store(customer, {**reply, **body}) for body in bodies]
            self._log(chat_id, _log_name(draft), [message["message_id"] for message in messages], began)
            self._post(messages)
        return messages

    def _bodies(self, customer: Json, draft: Draft) -> list[Json]:
        caption = content.caption(draft.text, []) if draft.kind != "text" else {}
        if draft.kind == "text":
            return [_text_body(part) for part in _split(draft.text)]
        if draft.kind == "content":
            return [{**draft.content, **caption}]
        if draft.imagined_file is not None:
            return [{**self._imagined(draft.kind, draft.imagined_file), **caption}]
        if draft.kind in FILE_KINDS:
            return self._file_bodies(draft, caption)
        return [self._other(customer, draft.kind)]

    def _file_bodies(self, draft: Draft, caption: Json) -> list[Json]:
        """One message a file. The files of an album share a group, and the first carries the caption."""
        if not draft.uploads:
            raise CustomerError("there is no file to send")
        if len(draft.uploads) > 10:
            raise CustomerError("an album holds up to 10 files")
        group = {"media_group_id": str(secrets.randbelow(10**17))} if len(draft.uploads) > 1 else {}
        bodies = [{**group, **self._file(draft.kind, upload, draft.facts)} for upload in draft.uploads]
        bodies[0] |= caption
        return bodies

    def _file(self, kind: str, upload: Upload, facts: Json) -> Json:
        if kind == "photo" and (upload.mime_type.startswith("video/") or image_size(upload.head()) is None):
            # The app's gallery sends films as videos and what it cannot show as files.
            kind = "video" if upload.mime_type.startswith("video/") else "document"
        return self._files.keep(self._bot_id, kind, upload, facts if kind in {"video", "voice", "audio"} else {})

    def _imagined(self, kind: str, about: Json) -> Json:
        name, size = str(about.get("file_name", "file")), int(about["file_size"])
        facts: Json = {"file_name": name, "mime_type": str(about.get("mime_type") or "application/octet-stream")}
        if kind == "video":
            facts |= {"duration": 0, "width": 1920, "height": 1080}
        return self._files.record(self._bot_id, kind, f"imagined/{secrets.token_hex(8)}", size, facts)

    def _other(self, customer: Json, kind: str) -> Json:
        if kind == "contact":
            return {"contact": self._contact(customer)}
        if kind == "sticker":
            upload = Upload(io.BytesIO(STICKER), "sticker.webp", "image/webp")
            facts = {
                "type": "regular",
                "width": 512,
                "height": 512,
                "is_animated": False,
                "is_video": False,
                "emoji": "👍",
            }
            return self._files.keep(self._bot_id, "sticker", upload, facts)
        if kind == "location":
            return {"location": {"latitude": 43.238949, "longitude": 76.889709}}
        if kind == "poll":
            return {"poll": _poll("Когда удобнее привезти заказ?", ["Утром", "Вечером"])}
        raise CustomerError(f"a customer cannot send this kind: {kind}")

    def _contact(self, customer: Json) -> Json:
        if not customer.get("phone"):
            raise CustomerError("this customer has no phone number")
        return {
            "phone_number": customer["phone"],
            "user_id": customer["id"],
            **{name: customer[name] for name in ("first_name", "last_name") if customer.get(name)},
        }

    def _store(self, customer: Json, body: Json) -> Json:
        return self._state.add_message(self._bot_id, customer["id"], {**_head(customer), **body})

    def _place(self, chat_id: int, draft: Draft) -> Json:
        """The topic; a message in one answers the message that opened it, unless it answers another."""
        if draft.message_thread_id is None:
            return {}
        try:
            place = self._topics.place(self._bot_id, chat_id, draft.message_thread_id)
        except BotApiError as error:
            raise CustomerError("there is no such topic any more") from error
        opening = self._state.message(self._bot_id, chat_id, draft.message_thread_id)
        return {**place, "reply_to_message": opening} if opening is not None else place

    def _post(self, messages: list[Json]) -> None:
        """Tells the bot. Of an album whose parts straggle the first comes now, the others late and last part first."""
        first, *others = messages
        self._state.add_update(self._bot_id, "message", first)
        late = self._knobs.strike("album_in_parts", "album", first["chat"]["id"]) if "media_group_id" in first else None
        if late is None:
            for message in others:
                self._state.add_update(self._bot_id, "message", message)
            return
        for message in reversed(others):
            self._state.put_late(self._bot_id, "message", message, late.seconds)
        self._state.announce("knobs")

    def _reply(self, chat_id: int, draft: Draft) -> Json:
        if draft.reply_to is None:
            return {}
        replied = self._state.message(self._bot_id, chat_id, draft.reply_to)
        if replied is None:
            raise CustomerError("the message replied to is gone")
        return {"reply_to_message": without_reply(replied), **content.quotation(replied, {"quote": draft.quote})}

    def edit(self, chat_id: int, message_id: int, text: str) -> Json:
        """Changes the text or the caption of an own message."""
        began = time.time()
        customer = self._writer(chat_id)
        message = self._state.message(self._bot_id, chat_id, message_id)
        if message is None or message["from"]["id"] != customer["id"] or message["date"] < time.time() - EDITABLE:
            raise CustomerError("only own messages of the last 48 hours can be edited")
        body = _text_body(text) if "text" in message else content.caption(text, [])
        replaced = {"text", "entities", "caption", "caption_entities"}
        edited = {key: value for key, value in message.items() if key not in replaced} | body
        edited["edit_date"] = int(time.time())
        with self._state.transaction():
            self._state.replace_message(self._bot_id, chat_id, edited)
            self._log(chat_id, "edited_message", [message_id], began)
            self._state.add_update(self._bot_id, "edited_message", edited)
        return edited

    def react(self, chat_id: int, message_id: int, emoji: str) -> None:
        """Puts a reaction under a message, in place of an earlier one; an empty one takes it away."""
        began = time.time()
        customer = self._writer(chat_id)
        if self._state.message(self._bot_id, chat_id, message_id) is None:
            raise CustomerError("the message is gone")
        if emoji and emoji not in REACTIONS:
            raise CustomerError("there is no such reaction")
        former = self._state.customer_reaction(self._bot_id, chat_id, message_id)
        change = {
            "chat": private_chat(customer),
            "message_id": message_id,
            "user": user(customer),
            "date": int(time.time()),
            "old_reaction": _reaction(former),
            "new_reaction": _reaction(emoji),
        }
        with self._state.transaction():
            self._state.mark_message(self._bot_id, chat_id, message_id, "customer_reaction", emoji or None)
            self._log(chat_id, "message_reaction", [message_id], began)
            self._state.add_update(self._bot_id, "message_reaction", change)

    # Topics.

    def create_topic(self, chat_id: int, name: str = "") -> Json:
        """Opens a topic; without a name the app gives it one of its own. Returns the message that says so."""
        began, customer = time.time(), self._writer(chat_id)
        with self._state.transaction():
            message = self._topics.create(
                self._bot_id, chat_id, _head(customer), name or "New Thread", is_implicit=not name
            )
            self._log(chat_id, "forum_topic_created", [message["message_id"]], began)
            self._state.add_update(self._bot_id, "message", message)
        return message

    def rename_topic(self, chat_id: int, thread_id: int, name: str) -> Json:
        began, customer = time.time(), self._writer(chat_id)
        with self._state.transaction():
            message = self._topics.rename(self._bot_id, chat_id, thread_id, _head(customer), name)
            self._log(chat_id, "forum_topic_edited", [message["message_id"]], began)
            self._state.add_update(self._bot_id, "message", message)
        return message

    def delete_topic(self, chat_id: int, thread_id: int) -> None:
        """Deletes a topic with its messages; the bot is told nothing."""
        self._writer(chat_id)
        with self._state.transaction():
            self._topics.delete(self._bot_id, chat_id, thread_id)

    # Buttons.

    def press(self, chat_id: int, message_id: int, data: str) -> str:
        """Presses an inline button by its callback data. Returns the callback query's id."""
        began = time.time()
        customer = self._writer(chat_id)
        message = self._state.message(self._bot_id, chat_id, message_id)
        rows = (message or {}).get("reply_markup", {}).get("inline_keyboard", [])
        if message is None or data not in [button.get("callback_data") for row in rows for button in row]:
            raise CustomerError("there is no such button under this message")
        query_id = str(secrets.randbelow(10**18))
        query = {
            "id": query_id,
            "from": user(customer),
            "message": message,
            "chat_instance": str(chat_id),
            "data": data,
        }
        with self._state.transaction():
            self._state.db.execute(
                "INSERT INTO callback (id, bot_id, chat_id, created_at) VALUES (?, ?, ?, ?)",
                (query_id, self._bot_id, chat_id, time.time()),
            )
            self._log(chat_id, "callback_query", [message_id], began)
            self._state.add_update(self._bot_id, "callback_query", query)
        return query_id

    def callback_answer(self, query_id: str) -> Json | None:
        """What answerCallbackQuery said, or None while the button still spins."""
        row = self._state.db.execute("SELECT answer FROM callback WHERE id = ?", (query_id,)).fetchone()
        return json.loads(row["answer"]) if row and row["answer"] else None

    def tap(self, chat_id: int, text: str) -> Json:
        """Taps a button of the reply keyboard: it writes its text, or sends the customer's own contact."""
        self._writer(chat_id)
        chat = self._state.chat(self._bot_id, chat_id)
        keyboard = json.loads(chat["keyboard"]) if chat and chat["keyboard"] else {"keyboard": []}
        button = next((button for row in keyboard["keyboard"] for button in row if button["text"] == text), None)
        if button is None:
            raise CustomerError("there is no such button on the keyboard")
        draft = Draft(kind="contact") if button.get("request_contact") else Draft(text=text)
        return self.send(chat_id, draft)[0]

    # Stopping the bot.

    def block(self, chat_id: int) -> None:
        """Stops the bot: every send answers 403, and the bot hears of it by my_chat_member."""
        self._set_blocked(chat_id, blocked=True)

    def unblock(self, chat_id: int) -> None:
        self._set_blocked(chat_id, blocked=False)

    def _set_blocked(self, chat_id: int, *, blocked: bool) -> None:
        began = time.time()
        customer = self._customer(chat_id)
        chat = self._state.chat(self._bot_id, chat_id)
        if chat is None:
            raise CustomerError("this customer has not started the bot yet")
        if bool(chat["blocked"]) == blocked:
            return
        bot = self._bot_api.bot_user(self._bot_id)
        member, kicked = {"user": bot, "status": "member"}, {"user": bot, "status": "kicked", "until_date": 0}
        change = {
            "chat": private_chat(customer),
            "from": user(customer),
            "date": int(time.time()),
            "old_chat_member": member if blocked else kicked,
            "new_chat_member": kicked if blocked else member,
        }
        with self._state.transaction():
            self._state.set_chat(self._bot_id, chat_id, blocked=int(blocked))
            self._log(chat_id, "my_chat_member", [], began)
            self._state.add_update(self._bot_id, "my_chat_member", change)
            self._state.announce("chat", chat=self.summary(customer))

    def clear(self, chat_id: int) -> None:
        """Clears the chat on the customer's side; the bot is told nothing (Telegram never reports deletions)."""
        customer = self._customer(chat_id)
        with self._state.transaction():
            chat = self._state.chat(self._bot_id, chat_id)
            if chat is not None:
                self._state.set_chat(self._bot_id, chat_id, cleared_up_to=chat["last_message_id"])
            self._state.announce("cleared", chat_id=chat_id)
            self._state.announce("chat", chat=self.summary(customer))

    def _customer(self, chat_id: int) -> Json:
        if (customer := self._state.customer(chat_id)) is None:
            raise CustomerError("there is no such customer")
        return customer

    def _writer(self, chat_id: int) -> Json:
        """The customer, if they have not stopped the bot: then the app shows «Перезапустить» in place of the input."""
        customer = self._customer(chat_id)
        chat = self._state.chat(self._bot_id, chat_id)
        if chat is not None and chat["blocked"]:
            raise CustomerError("this customer has stopped the bot and has to start it again first")
        return customer

    def _log(self, chat_id: int, method: str, message_ids: list[int], began: float) -> None:
        self._state.log_call(
            self._bot_id,
            chat_id,
            {
                "at": began,
                "direction": "customer",
                "method": method,
                "message_ids": message_ids,
                "ms": milliseconds_since(began),
            },
        )


def _head(customer: Json) -> Json:
    """Whose message it is, where and when."""
    return {"from": user(customer), "chat": private_chat(customer), "date": int(time.time())}


def user(customer: Json) -> Json:
    """The Bot API's User of a customer; it never carries the phone number."""
    names = ("first_name", "last_name", "username", "language_code")
    return {"id": customer["id"], "is_bot": False, **{name: customer[name] for name in names if customer.get(name)}}


def _reaction(emoji: str) -> list[Json]:
    return [{"type": "emoji", "emoji": emoji}] if emoji else []


def _text_body(text: str) -> Json:
    text, entities = content.formatted(text, [])
    if not text:
        raise CustomerError("an empty message cannot be sent")
    return content.with_entities("text", text, entities)


def _split(text: str) -> list[str]:
    """A long text in parts of at most 4096 UTF-16 units, as Telegram's apps send it."""
    parts = [""]
    used = 0
    for letter in text:
        units = content.length(letter)
        if used + units > content.MAX_TEXT:
            parts.append("")
            used = 0
        parts[-1] += letter
        used += units
    return parts


def _log_name(draft: Draft) -> str:
    """What the log calls a message: a command by its name, everything else by its kind."""
    if draft.kind == "text" and draft.text.startswith("/"):
        return draft.text.split()[0]
    if draft.kind == "content":
        return next(iter(draft.content), "content")
    return draft.kind


def _poll(question: str, options: list[str]) -> Json:
    return {
        "id": str(secrets.randbelow(10**18)),
        "question": question,
        "options": [
            {"persistent_id": str(number), "text": text, "voter_count": 0} for number, text in enumerate(options)
        ],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": False,
        "members_only": False,
    }
