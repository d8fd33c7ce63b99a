"""The Bot API's methods, as Telegram's own server answers them.

Each method takes the bot and the request's parameters, and returns what stands under `result`; it runs inside one
transaction of the state. The rules are those of https://core.telegram.org/bots/api, the wordings of the refusals those
of https://github.com/tdlib/telegram-bot-api.
"""

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botbridge.sandbox import content
from botbridge.sandbox.errors import BotApiError, bad_request, blocked_by_user
from botbridge.sandbox.files import Files, Upload
from botbridge.sandbox.state import CALLBACK_LIFETIME, State
from botbridge.sandbox.topics import Topics

Json = dict[str, Any]

# Parameters that a form carries as JSON text (Bot API, "Making requests").
JSON_PARAMETERS = frozenset(
    [
        "entities",
        "caption_entities",
        "reply_markup",
        "reply_parameters",
        "media",
        "commands",
        "scope",
        "allowed_updates",
        "reaction",
        "link_preview_options",
        "menu_button",
    ]
)
CHAT_ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "record_audio",
        "upload_audio",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)
# "Reaction emoji. Currently, it can be one of…" (Bot API, ReactionTypeEmoji)
_REACTIONS = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔"
    " 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪"
    " 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡"
)
REACTIONS = frozenset(_REACTIONS.split())
ALBUM_KINDS = frozenset({"photo", "video", "document", "audio"})
DELETABLE = 48 * 3600  # Bot API, deleteMessage: "a message can only be deleted if it was sent less than 48 hours ago"
MAX_ALBUM, MIN_ALBUM = 10, 2  # Bot API, sendMediaGroup: "must include 2-10 items"
MAX_CALLBACK_ANSWER = 200  # Bot API, answerCallbackQuery: "0-200 characters"
# Bot API, setWebhook: "1-256 characters. Only characters A-Z, a-z, 0-9, _ and - are allowed"; "max_connections: 1-100.
# Defaults to 40".
SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
DEFAULT_CONNECTIONS, MAX_CONNECTIONS = 40, 100
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)


@dataclass
class Params:
    """A request's parameters, from the query, a form or JSON, and the files that came with them."""

    values: Json
    uploads: dict[str, Upload] = field(default_factory=dict)
    # How many parts of an album arrive before Telegram fails; None: all of them.
    album_parts: int | None = None

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return "" if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        try:
            return int(self.text(name))
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        return self.text(name).strip().lower() in {"true", "yes", "1"}

    def record(self, name: str) -> Json:
        """A JSON object; {} when it is not there."""
        return self._json(name, dict) or {}

    def array(self, name: str) -> list[Any]:
        """A JSON array; [] when it is not there."""
        return self._json(name, list) or []

    def _json(self, name: str, kind: type) -> Any:
        value = self.values.get(name)
        if value is not None and not isinstance(value, kind):
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object")
        return value

    @property
    def chat_id(self) -> int | None:
        return self.integer("chat_id") or None

    def as_json(self) -> Json:
        """What the log keeps: the values, and of files their names and sizes."""
        files = {
            key: {"file_name": upload.name, "file_size": upload.size, "mime_type": upload.mime_type}
            for key, upload in self.uploads.items()
        }
        return {**self.values, **files}


def decoded(values: Json) -> Json:
    """The values with their JSON texts parsed. Raises 400 for JSON that cannot be read."""
    return {name: _decoded(name, value) for name, value in values.items()}


def _decoded(name: str, value: Any) -> Any:
    if name not in JSON_PARAMETERS or not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError:
        raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None


class BotApi:
    """Every method but getUpdates, which waits and therefore stands in polling.py."""

    def __init__(self, state: State, files: Files, topics: Topics, brand: str) -> None:
        self._state = state
        self._files = files
        self.topics = topics
        self._brand = brand
        self._methods: dict[str, Callable[[int, Params], Any]] = {
            "getMe": lambda bot_id, _: self.get_me(bot_id),
            "setWebhook": self.set_webhook,
            "deleteWebhook": self.delete_webhook,
            "getWebhookInfo": lambda bot_id, _: self.webhook_info(bot_id),
            "setMyCommands": self.set_my_commands,
            "getMyCommands": self.get_my_commands,
            "deleteMyCommands": self.delete_my_commands,
            "setChatMenuButton": self.set_chat_menu_button,
            "sendMessage": self.send_message,
            "sendPhoto": lambda bot_id, params: self.send_media(bot_id, "photo", params),
            "sendVideo": lambda bot_id, params: self.send_media(bot_id, "video", params),
            "sendDocument": lambda bot_id, params: self.send_media(bot_id, "document", params),
            "sendVoice": lambda bot_id, params: self.send_media(bot_id, "voice", params),
            "sendAudio": lambda bot_id, params: self.send_media(bot_id, "audio", params),
            "sendMediaGroup": self.send_media_group,
            "editMessageText": self.edit_message_text,
            "editMessageCaption": self.edit_message_caption,
            "editMessageReplyMarkup": self.edit_message_reply_markup,
            "deleteMessage": self.delete_message,
            "setMessageReaction": self.set_message_reaction,
            "answerCallbackQuery": self.answer_callback_query,
            "sendChatAction": self.send_chat_action,
            "leaveChat": self.leave_chat,
            "getFile": self.get_file,
            "createForumTopic": self.create_forum_topic,
            "editForumTopic": self.edit_forum_topic,
            "deleteForumTopic": self.delete_forum_topic,
        }
        self._names = {name.lower(): name for name in [*self._methods, "getUpdates"]}

    def name_of(self, method: str) -> str:
        """The method's name as documented. "All methods in the Bot API are case-insensitive." Raises 404."""
        if (name := self._names.get(method.lower())) is None:
            raise BotApiError(404, "Not Found: method not found")
        return name

    def call(self, bot_id: int, method: str, params: Params) -> Any:
        """The method's result. Raises BotApiError."""
        return self._methods[method](bot_id, params)

    # About the bot.

    def get_me(self, bot_id: int) -> Json:
        return {
            **self.bot_user(bot_id),
            "can_join_groups": False,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
            "has_topics_enabled": self.topics.enabled,
            "allows_users_to_create_topics": self.topics.enabled,
        }

    def bot_user(self, bot_id: int) -> Json:
        return {"id": bot_id, "is_bot": True, "first_name": self._brand, "username": f"sandbox_{bot_id}_bot"}

    def set_webhook(self, bot_id: int, params: Params) -> bool:
        """An address over plain HTTP is taken as a Bot API server of one's own takes it (Bot API, "Using a Local Bot
        API Server").
        """
        url, secret_token = params.text("url"), params.text("secret_token")
        if not url:
            return self.delete_webhook(bot_id, params)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if secret_token and not SECRET_TOKEN.fullmatch(secret_token):
            raise bad_request("secret token contains unallowed characters or is too long")
        connections = max(1, min(params.integer("max_connections", DEFAULT_CONNECTIONS), MAX_CONNECTIONS))
        if params.values.get("allowed_updates") is not None:
            self._state.set_allowed_updates(bot_id, params.array("allowed_updates"))
        if params.flag("drop_pending_updates"):
            self._state.acknowledge(bot_id, 1 << 62)
        self._state.set_webhook(bot_id, url, secret_token, connections)
        return True

    def delete_webhook(self, bot_id: int, params: Params) -> bool:
        self._state.delete_webhook(bot_id)
        if params.flag("drop_pending_updates"):
            self._state.acknowledge(bot_id, 1 << 62)
        return True

    def webhook_info(self, bot_id: int) -> Json:
        hook = self._state.webhook(bot_id)
        info = {
            "url": hook["url"] if hook else "",
            "has_custom_certificate": False,
            "pending_update_count": self._state.pending_count(bot_id),
        }
        if hook is None:
            return info
        info["max_connections"] = hook["max_connections"]
        if hook["last_error_date"]:
            info |= {name: hook[name] for name in ("last_error_date", "last_error_message")}
        return info

    def set_my_commands(self, bot_id: int, params: Params) -> bool:
        commands = [_checked_command(command) for command in params.array("commands")]
        if len(commands) > 100:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        if not commands:
            return self.delete_my_commands(bot_id, params)
        self._state.db.execute(
            "INSERT OR REPLACE INTO command_list VALUES (?, ?, ?, ?)",
            (bot_id, *_command_key(params), json.dumps(commands)),
        )
        self._state.announce("commands")
        return True

    def get_my_commands(self, bot_id: int, params: Params) -> list[Json]:
        return self._commands(bot_id, *_command_key(params)) or []

    def delete_my_commands(self, bot_id: int, params: Params) -> bool:
        self._state.db.execute(
            "DELETE FROM command_list WHERE bot_id = ? AND scope = ? AND language_code = ?",
            (bot_id, *_command_key(params)),
        )
        self._state.announce("commands")
        return True

    def _commands(self, bot_id: int, scope: str, language_code: str) -> list[Json] | None:
        row = self._state.db.execute(
            "SELECT commands FROM command_list WHERE bot_id = ? AND scope = ? AND language_code = ?",
            (bot_id, scope, language_code),
        ).fetchone()
        return json.loads(row["commands"]) if row else None

    def commands_for(self, bot_id: int, chat_id: int, language_code: str) -> list[Json]:
        """The commands this customer sees (Bot API, BotCommandScope, "Determining list of commands")."""
        for scope in ({"type": "chat", "chat_id": chat_id}, {"type": "all_private_chats"}, {"type": "default"}):
            for language in (language_code, ""):
                commands = self._commands(bot_id, _canonical(scope), language)
                if commands is not None:
                    return commands
        return []

    def set_chat_menu_button(self, bot_id: int, params: Params) -> bool:
        button = params.record("menu_button") or {"type": "default"}
        if button.get("type") not in {"default", "commands", "web_app"}:
            raise bad_request("can't parse menu button: Unsupported type specified")
        if params.text("chat_id"):
            chat_id = self._chat(bot_id, params)
            self._state.set_chat(bot_id, chat_id, menu_button=json.dumps(button))
        else:
            self._state.db.execute("UPDATE bot SET menu_button = ? WHERE bot_id = ?", (json.dumps(button), bot_id))
        self._state.announce("commands")
        return True

    # Messages.

    def send_message(self, bot_id: int, params: Params) -> Json:
        _refuse_parse_mode(params)
        text, entities = content.message_text(params.text("text"), params.array("entities"))
        return self._deliver(bot_id, params, content.with_entities("text", text, entities))

    def send_media(self, bot_id: int, kind: str, params: Params) -> Json:
        _refuse_parse_mode(params)
        caption = content.caption(params.text("caption"), params.array("caption_entities"))
        media = self._media(bot_id, kind, params.text(kind) or f"attach://{kind}", params, params.values)
        return self._deliver(bot_id, params, {**media, **caption})

    def send_media_group(self, bot_id: int, params: Params) -> list[Json]:
        items = params.array("media")
        if len(items) < MIN_ALBUM:
            raise bad_request("there are no messages to send" if not items else "group must contain 2-10 messages")
        if len(items) > MAX_ALBUM:
            raise bad_request("too many messages to send as an album")
        _check_album_kinds([str(item.get("type")) for item in items])
        self._open_chat(bot_id, params)
        group = {"media_group_id": str(13_000_000_000_000_000 + secrets.randbelow(10**15))}
        bodies = [{**group, **self._album_part(bot_id, item, params)} for item in items]
        return [self._deliver(bot_id, params, body) for body in bodies[: params.album_parts]]

    def _album_part(self, bot_id: int, item: Json, params: Params) -> Json:
        if item.get("parse_mode"):
            raise bad_request("can't parse entities: the sandbox takes entities, not parse_mode")
        caption = content.caption(str(item.get("caption") or ""), item.get("caption_entities") or [])
        media = self._media(bot_id, item["type"], str(item.get("media") or ""), params, item)
        return {**media, **caption}

    def _media(self, bot_id: int, kind: str, source: str, params: Params, facts: Json) -> Json:
        """The media field of a message: an upload (attach://name), a file_id, or an address nobody here fetches."""
        if source.startswith("attach://"):
            upload = params.uploads.get(source.removeprefix("attach://"))
            if upload is None:
                raise bad_request(f"there is no {kind} in the request")
            return self._files.receive_upload(bot_id, kind, upload, _sender_facts(kind, facts))
        if "." in source:
            raise bad_request("failed to get HTTP URL content")
        return self._files.resend(bot_id, kind, source)

    def _deliver(self, bot_id: int, params: Params, body: Json) -> Json:
        """Puts a message into the customer's chat."""
        chat_id = self._open_chat(bot_id, params)
        markup = self._markup(bot_id, chat_id, params)
        return self._state.add_message(
            bot_id,
            chat_id,
            {
                "from": self.bot_user(bot_id),
                "chat": private_chat(self._state.customer(chat_id) or {}),
                "date": int(time.time()),
                **self.topics.place(bot_id, chat_id, params.integer("message_thread_id")),
                **self._reply(bot_id, chat_id, params),
                **body,
                **markup,
            },
        )

    # Topics.

    def create_forum_topic(self, bot_id: int, params: Params) -> Json:
        chat_id = self._open_chat(bot_id, params)
        message = self.topics.create(bot_id, chat_id, self._head(bot_id, chat_id), params.text("name"))
        return {"message_thread_id": message["message_thread_id"], **message["forum_topic_created"]}

    def edit_forum_topic(self, bot_id: int, params: Params) -> bool:
        chat_id, thread_id = self._open_chat(bot_id, params), params.integer("message_thread_id")
        self.topics.rename(bot_id, chat_id, thread_id, self._head(bot_id, chat_id), params.text("name"))
        return True

    def delete_forum_topic(self, bot_id: int, params: Params) -> bool:
        self.topics.delete(bot_id, self._open_chat(bot_id, params), params.integer("message_thread_id"))
        return True

    def _head(self, bot_id: int, chat_id: int) -> Json:
        """Whose message it is, where and when, for what the bot does in a chat without writing."""
        chat = private_chat(self._state.customer(chat_id) or {})
        return {"from": self.bot_user(bot_id), "chat": chat, "date": int(time.time())}

    def _chat(self, bot_id: int, params: Params) -> int:
        """The chat a request names. Raises 400 when the customer never wrote to this bot."""
        if not params.text("chat_id"):
            raise bad_request("chat_id is empty")
        chat_id = params.integer("chat_id")
        if self._state.chat(bot_id, chat_id) is None:
            raise bad_request("chat not found")
        return chat_id

    def _open_chat(self, bot_id: int, params: Params) -> int:
        """The chat, if the customer lets the bot write. Raises 403 when they stopped it."""
        chat_id = self._chat(bot_id, params)
        chat = self._state.chat(bot_id, chat_id)
        if chat is not None and chat["blocked"]:
            raise blocked_by_user()
        return chat_id

    def _reply(self, bot_id: int, chat_id: int, params: Params) -> Json:
        """The message replied to, and the quoted part (Bot API, ReplyParameters)."""
        asked = params.record("reply_parameters")
        if not asked and params.text("reply_to_message_id"):
            asked = {
                "message_id": params.integer("reply_to_message_id"),
                "allow_sending_without_reply": params.flag("allow_sending_without_reply"),
            }
        if not asked:
            return {}
        replied = self._state.message(bot_id, chat_id, int(asked.get("message_id") or 0))
        if replied is None:
            if asked.get("allow_sending_without_reply"):
                return {}
            raise bad_request("message to be replied not found")
        return {"reply_to_message": without_reply(replied), **content.quotation(replied, asked)}

    def _markup(self, bot_id: int, chat_id: int, params: Params) -> Json:
        """An inline keyboard stays with its message; a reply keyboard belongs to the chat until it is replaced."""
        markup = params.record("reply_markup")
        if "inline_keyboard" in markup:
            keyboard = content.inline_keyboard(markup)
            return {"reply_markup": keyboard} if keyboard["inline_keyboard"] else {}
        if "keyboard" in markup:
            self._set_keyboard(bot_id, chat_id, content.reply_keyboard(markup))
        elif markup.get("remove_keyboard"):
            self._set_keyboard(bot_id, chat_id, None)
        return {}

    def _set_keyboard(self, bot_id: int, chat_id: int, keyboard: Json | None) -> None:
        self._state.set_chat(bot_id, chat_id, keyboard=json.dumps(keyboard) if keyboard else None)
        self._state.announce("keyboard", chat_id=chat_id, keyboard=keyboard)

    def edit_message_text(self, bot_id: int, params: Params) -> Json:
        _refuse_parse_mode(params)
        message = self._own_message(bot_id, params)
        if "text" not in message:
            raise bad_request("there is no text in the message to edit")
        text, entities = content.message_text(params.text("text"), params.array("entities"))
        return self._edit(bot_id, params, message, content.with_entities("text", text, entities))

    def edit_message_caption(self, bot_id: int, params: Params) -> Json:
        _refuse_parse_mode(params)
        message = self._own_message(bot_id, params)
        if "text" in message:
            raise bad_request("there is no caption in the message to edit")
        caption = content.caption(params.text("caption"), params.array("caption_entities"))
        return self._edit(bot_id, params, message, caption)

    def edit_message_reply_markup(self, bot_id: int, params: Params) -> Json:
        message = self._own_message(bot_id, params)
        kept = ("text", "entities", "caption", "caption_entities")
        return self._edit(bot_id, params, message, {key: message[key] for key in kept if key in message})

    def _edit(self, bot_id: int, params: Params, message: Json, body: Json) -> Json:
        """Replaces text, caption and keyboard. A keyboard that the request leaves out goes away."""
        replaced = {"text", "entities", "caption", "caption_entities", "reply_markup"}
        markup = params.record("reply_markup")
        keyboard = content.inline_keyboard(markup) if "inline_keyboard" in markup else {"inline_keyboard": []}
        edited = {key: value for key, value in message.items() if key not in replaced} | body
        if keyboard["inline_keyboard"]:
            edited["reply_markup"] = keyboard
        if content.same_content(edited, message):
            raise bad_request(NOT_MODIFIED)
        edited["edit_date"] = int(time.time())
        self._state.replace_message(bot_id, message["chat"]["id"], edited)
        return edited

    def _own_message(self, bot_id: int, params: Params) -> Json:
        """The bot's own message that a request names. Raises 400."""
        message = self._state.message(bot_id, self._chat(bot_id, params), params.integer("message_id"))
        if message is None:
            raise bad_request("message to edit not found")
        if message["from"]["id"] != bot_id:
            raise bad_request("message can't be edited")
        return message

    def delete_message(self, bot_id: int, params: Params) -> bool:
        """Own and incoming messages alike: "Bots can delete incoming messages in private chats." (deleteMessage)"""
        chat_id, message_id = self._chat(bot_id, params), params.integer("message_id")
        message = self._state.message(bot_id, chat_id, message_id)
        if message is None:
            raise bad_request("message to delete not found")
        if message["date"] < time.time() - DELETABLE:
            raise bad_request("message can't be deleted for everyone")
        self._state.mark_message(bot_id, chat_id, message_id, "deleted", 1)
        return True

    def set_message_reaction(self, bot_id: int, params: Params) -> bool:
        """ "As non-premium users, bots can set up to one reaction per message." """
        chat_id, message_id = self._chat(bot_id, params), params.integer("message_id")
        if self._state.message(bot_id, chat_id, message_id) is None:
            raise bad_request("message to react not found")
        reactions = params.array("reaction")
        emoji = [reaction.get("emoji") for reaction in reactions if reaction.get("type") == "emoji"]
        if len(reactions) > 1 or len(emoji) != len(reactions) or not REACTIONS.issuperset(emoji):
            raise bad_request("REACTION_INVALID")
        self._state.mark_message(bot_id, chat_id, message_id, "reaction", emoji[0] if emoji else None)
        return True

    def answer_callback_query(self, bot_id: int, params: Params) -> bool:
        query_id = params.text("callback_query_id")
        row = self._state.db.execute(
            "SELECT * FROM callback WHERE id = ? AND bot_id = ? AND created_at > ?",
            (query_id, bot_id, time.time() - CALLBACK_LIFETIME),
        ).fetchone()
        if row is None:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        text = params.text("text")
        if content.length(text) > MAX_CALLBACK_ANSWER:
            raise bad_request("MESSAGE_TOO_LONG")
        answer = {"text": text, "show_alert": params.flag("show_alert")}
        self._state.db.execute("UPDATE callback SET answer = ? WHERE id = ?", (json.dumps(answer), query_id))
        self._state.announce("answered", chat_id=row["chat_id"], callback_query_id=query_id, **answer)
        return True

    def send_chat_action(self, bot_id: int, params: Params) -> bool:
        chat_id = self._open_chat(bot_id, params)
        action = params.text("action")
        if action not in CHAT_ACTIONS:
            raise bad_request("wrong parameter action in request")
        self._state.announce("action", chat_id=chat_id, action=action)
        return True

    def leave_chat(self, bot_id: int, params: Params) -> bool:
        """There are private chats alone here, and those are not left."""
        self._open_chat(bot_id, params)
        raise bad_request("chat member status can't be changed in private chats")

    def get_file(self, bot_id: int, params: Params) -> Json:
        return self._files.describe(bot_id, params.text("file_id"))


def private_chat(customer: Json) -> Json:
    """The Chat of a customer: a private chat's id is the user's."""
    names = ("first_name", "last_name", "username")
    return {"id": customer["id"], "type": "private", **{name: customer[name] for name in names if customer.get(name)}}


def without_reply(message: Json) -> Json:
    """ "The Message object in this field will not contain further reply_to_message fields." (Bot API, Message)"""
    return {key: value for key, value in message.items() if key not in {"reply_to_message", "quote"}}


def _refuse_parse_mode(params: Params) -> None:
    """Parsing Markdown and HTML half as Telegram does would hide faults, so neither is taken."""
    if params.text("parse_mode"):
        raise bad_request("can't parse entities: the sandbox takes entities, not parse_mode")


def _sender_facts(kind: str, facts: Json) -> Json:
    """What only the sender knows of a file; numbers arrive as text from a form."""
    numbers = {"video": ("duration", "width", "height"), "voice": ("duration",), "audio": ("duration",)}.get(kind, ())
    told: Json = {name: int(facts[name]) for name in numbers if str(facts.get(name, "")).isdigit()}
    if kind == "audio":
        told |= {name: facts[name] for name in ("performer", "title") if facts.get(name)}
    return told


def _check_album_kinds(kinds: list[str]) -> None:
    """ "Documents and audio files can be only grouped in an album with messages of the same type." """
    if strange := set(kinds) - ALBUM_KINDS:
        raise bad_request(f"can't parse InputMedia: type {strange.pop()} can't be used in an album")
    for loner in ("document", "audio"):
        if loner in kinds and set(kinds) != {loner}:
            raise bad_request(f"{loner} can't be mixed with other media types")


def _canonical(scope: Json) -> str:
    return json.dumps(scope, sort_keys=True)


def _command_key(params: Params) -> tuple[str, str]:
    return _canonical(params.record("scope") or {"type": "default"}), params.text("language_code")


def _checked_command(command: Any) -> Json:
    name = str(command.get("command", "")).removeprefix("/") if isinstance(command, dict) else ""
    if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
        raise bad_request("BOT_COMMAND_INVALID")
    description = str(command.get("description", "")).strip()
    if not 1 <= len(description) <= 256:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": description}
