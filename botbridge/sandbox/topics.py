"""Topics of private chats, as the bot and the customer make, rename and delete them (Bot API 9.4, "ForumTopic")."""

from typing import Any

from botbridge.sandbox import content
from botbridge.sandbox.errors import bad_request
from botbridge.sandbox.knobs import Knobs
from botbridge.sandbox.state import State

Json = dict[str, Any]

MAX_NAME = 128  # Bot API, createForumTopic: "Topic name, 1-128 characters"
ICON_COLOR = 7322096  # 0x6FB9F0, the first of those createForumTopic names


class Topics:
    """The topics of every chat, while @BotFather's Threaded Mode is on: the knob `threaded_mode`."""

    def __init__(self, state: State, knobs: Knobs) -> None:
        self._state = state
        self._knobs = knobs

    @property
    def enabled(self) -> bool:
        """What getMe says in `has_topics_enabled`."""
        return self._knobs.is_on("threaded_mode")

    def create(self, bot_id: int, chat_id: int, head: Json, name: str, *, is_implicit: bool = False) -> Json:
        """Opens a topic with a service message whose id is the topic's; `head` says whose message and which chat.

        Raises 400 outside threaded mode and for a bad name. Returns the service message.
        """
        if not self.enabled:
            raise bad_request("the chat is not a forum")
        if not 1 <= content.length(name.strip()) <= MAX_NAME:
            raise bad_request("TOPIC_TITLE_EMPTY" if not name.strip() else "TOPIC_TITLE_TOO_LONG")
        created: Json = {"name": name.strip(), "icon_color": ICON_COLOR}
        if is_implicit:
            created["is_name_implicit"] = True
        message = self._state.add_message(bot_id, chat_id, {**head, "forum_topic_created": created})
        thread_id = message["message_id"]
        message |= {"message_thread_id": thread_id, "is_topic_message": True}
        self._state.replace_message(bot_id, chat_id, message)
        self._state.db.execute("INSERT INTO topic VALUES (?, ?, ?, ?)", (bot_id, chat_id, thread_id, created["name"]))
        self._announce(bot_id, chat_id)
        return message

    def rename(self, bot_id: int, chat_id: int, thread_id: int, head: Json, name: str) -> Json:
        """Renames a topic and says so in it. Raises 400 as editForumTopic does. Returns the service message."""
        topic = self._topic(bot_id, chat_id, thread_id)
        if topic is None:
            raise bad_request("TOPIC_ID_INVALID")
        if content.length(name) > MAX_NAME:
            raise bad_request("TOPIC_TITLE_TOO_LONG")
        if not name or name == topic:
            raise bad_request("TOPIC_NOT_MODIFIED")
        self._state.db.execute(
            "UPDATE topic SET name = ? WHERE bot_id = ? AND chat_id = ? AND message_thread_id = ?",
            (name, bot_id, chat_id, thread_id),
        )
        body = {**head, **_inside(thread_id), "forum_topic_edited": {"name": name}}
        message = self._state.add_message(bot_id, chat_id, body)
        self._announce(bot_id, chat_id)
        return message

    def delete(self, bot_id: int, chat_id: int, thread_id: int) -> None:
        """Deletes a topic "along with all its messages" (deleteForumTopic). Telegram tells nobody of it."""
        if self._topic(bot_id, chat_id, thread_id) is None:
            raise bad_request("TOPIC_ID_INVALID")
        self._state.db.execute(
            "DELETE FROM topic WHERE bot_id = ? AND chat_id = ? AND message_thread_id = ?", (bot_id, chat_id, thread_id)
        )
        for message in self._state.messages(bot_id, chat_id):
            if message.get("message_thread_id") == thread_id:
                self._state.mark_message(bot_id, chat_id, message["message_id"], "deleted", 1)
        self._announce(bot_id, chat_id)

    def place(self, bot_id: int, chat_id: int, thread_id: int | None) -> Json:
        """What a message in this topic carries; nothing for one in the main chat. Raises 400 where the topic is gone.

        With the knob `topic_ignored` a message to it falls into the main chat instead, as some did at Telegram
        (https://github.com/tdlib/telegram-bot-api/issues/854).
        """
        if not thread_id:
            return {}
        if self._knobs.strike("topic_ignored", "sendMessage", chat_id):
            return {}
        if not self.enabled or self._topic(bot_id, chat_id, thread_id) is None:
            raise bad_request("message thread not found")
        return _inside(thread_id)

    def listed(self, bot_id: int, chat_id: int) -> list[Json] | None:
        """The chat's topics in the order they were made; None outside threaded mode."""
        if not self.enabled:
            return None
        rows = self._state.db.execute(
            "SELECT message_thread_id, name FROM topic WHERE bot_id = ? AND chat_id = ? ORDER BY message_thread_id",
            (bot_id, chat_id),
        )
        return [dict(row) for row in rows]

    def _topic(self, bot_id: int, chat_id: int, thread_id: int) -> str | None:
        """Its name, or None where there is no such topic any more."""
        row = self._state.db.execute(
            "SELECT name FROM topic WHERE bot_id = ? AND chat_id = ? AND message_thread_id = ?",
            (bot_id, chat_id, thread_id),
        ).fetchone()
        return row["name"] if row else None

    def _announce(self, bot_id: int, chat_id: int) -> None:
        self._state.announce("topics", chat_id=chat_id, topics=self.listed(bot_id, chat_id))


def _inside(thread_id: int) -> Json:
    return {"message_thread_id": thread_id, "is_topic_message": True}
