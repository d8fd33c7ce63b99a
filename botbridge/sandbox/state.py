"""Everything the sandbox remembers, in one SQLite file that outlives its process.

One thread uses it. Whatever is answered, served or logged was committed before, so that a SIGKILL of the sandbox
forgets nothing a bot was told (WAL survives the death of a process without an fsync for each commit).
"""

import fcntl
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botbridge.sandbox.errors import BotApiError
from botbridge.sandbox.feed import Feed

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revoked_token (token TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS bot (
    bot_id INTEGER PRIMARY KEY, next_update_id INTEGER NOT NULL, allowed_updates TEXT, menu_button TEXT);
CREATE TABLE IF NOT EXISTS webhook (
    bot_id INTEGER PRIMARY KEY, url TEXT NOT NULL, secret_token TEXT NOT NULL, max_connections INTEGER NOT NULL,
    last_error_date INTEGER, last_error_message TEXT);
CREATE TABLE IF NOT EXISTS command_list (
    bot_id INTEGER NOT NULL, scope TEXT NOT NULL, language_code TEXT NOT NULL, commands TEXT NOT NULL,
    PRIMARY KEY (bot_id, scope, language_code));
CREATE TABLE IF NOT EXISTS customer (user_id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chat (
    bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, blocked INTEGER NOT NULL DEFAULT 0,
    last_message_id INTEGER NOT NULL DEFAULT 0, cleared_up_to INTEGER NOT NULL DEFAULT 0, keyboard TEXT,
    menu_button TEXT, PRIMARY KEY (bot_id, chat_id));
CREATE TABLE IF NOT EXISTS message (
    bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, message_id INTEGER NOT NULL, body TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0, reaction TEXT, customer_reaction TEXT,
    PRIMARY KEY (bot_id, chat_id, message_id));
CREATE TABLE IF NOT EXISTS topic (
    bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, message_thread_id INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (bot_id, chat_id, message_thread_id));
CREATE TABLE IF NOT EXISTS pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bot_id INTEGER NOT NULL, update_id INTEGER NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL, acknowledged_at REAL);
CREATE INDEX IF NOT EXISTS pending_queue ON pending (bot_id, update_id) WHERE acknowledged_at IS NULL;
CREATE TABLE IF NOT EXISTS late (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bot_id INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    due_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS callback (
    id TEXT PRIMARY KEY, bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, created_at REAL NOT NULL, answer TEXT);
CREATE TABLE IF NOT EXISTS file (
    file_id TEXT PRIMARY KEY, bot_id INTEGER NOT NULL, kind TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS file_path ON file (bot_id, path);
CREATE TABLE IF NOT EXISTS call (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bot_id INTEGER NOT NULL, chat_id INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS call_of_chat ON call (chat_id, id);
"""

TOKEN = re.compile(r"([1-9][0-9]{0,14}):[A-Za-z0-9_-]+")

# "An Array of update types… Specify an empty list to receive all update types except chat_member, message_reaction,
# and message_reaction_count (default)" (Bot API, getUpdates).
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
# "Incoming updates are stored on the server until the bot receives them either way, but they will not be kept longer
# than 24 hours" (Bot API, "Getting updates"); a button press waits 150 s (Telegram's own server).
UPDATE_LIFETIME = 24 * 3600.0
CALLBACK_LIFETIME = 150.0


class StateInUse(Exception):
    """Another sandbox works on this folder."""


class State:
    """The sandbox's tables and files under one folder."""

    def __init__(self, folder: Path) -> None:
        """Opens or creates the state. Raises StateInUse while another sandbox holds the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.feed = Feed()
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StateInUse(f"another sandbox already uses {folder}") from error
        self.db = sqlite3.connect(folder / "sandbox.sqlite3", isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(SCHEMA)
        columns = {row["name"] for row in self.db.execute("PRAGMA table_info(message)")}
        if "customer_reaction" not in columns:  # a folder from before customers could react
            self.db.execute("ALTER TABLE message ADD COLUMN customer_reaction TEXT")
        self._events: list[Json] = []

    def close(self) -> None:
        self.db.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; what was announced inside reaches the pages after the commit."""
        self._events = []
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        for event in self._events:
            self.feed.publish(event)

    def announce(self, kind: str, **facts: Any) -> None:
        """Tells the pages, once the transaction is through."""
        self._events.append({"kind": kind, **facts})

    # Bots.

    def default_token(self, wanted: str = "") -> str:
        """The token of the bot the customers write to: the wanted one, else the one kept here, else a new one."""
        with self.transaction():
            row = self.db.execute("SELECT value FROM setting WHERE name = 'token'").fetchone()
            token: str = wanted or (row["value"] if row else "") or _new_token(_new_bot_id())
            self.bot_id(token)
            self.db.execute("INSERT OR REPLACE INTO setting VALUES ('token', ?)", (token,))
        return token

    def bot_id(self, token: str) -> int:
        """The bot behind a token; every well-formed token is one. Raises 401 for a malformed or revoked token."""
        match = TOKEN.fullmatch(token)
        revoked = self.db.execute("SELECT 1 FROM revoked_token WHERE token = ?", (token,)).fetchone()
        if match is None or revoked:
            raise BotApiError(401, "Unauthorized")
        bot_id = int(match[1])
        if not self.db.execute("SELECT 1 FROM bot WHERE bot_id = ?", (bot_id,)).fetchone():
            # Telegram's ids start anywhere and grow by one.
            first_update_id = 100_000_000 + secrets.randbelow(800_000_000)
            self.db.execute("INSERT INTO bot (bot_id, next_update_id) VALUES (?, ?)", (bot_id, first_update_id))
        return bot_id

    def revoke(self, token: str) -> str:
        """As BotFather's /revoke does: this token answers 401 from now on. Returns the bot's new token."""
        with self.transaction():
            new_token = _new_token(self.bot_id(token))
            self.db.execute("INSERT INTO revoked_token VALUES (?)", (token,))
            self.db.execute("UPDATE setting SET value = ? WHERE name = 'token' AND value = ?", (new_token, token))
        return new_token

    # Customers and chats.

    def customers(self) -> list[Json]:
        rows = self.db.execute("SELECT body FROM customer ORDER BY user_id").fetchall()
        return [json.loads(row["body"]) for row in rows]

    def customer(self, user_id: int) -> Json | None:
        row = self.db.execute("SELECT body FROM customer WHERE user_id = ?", (user_id,)).fetchone()
        return json.loads(row["body"]) if row else None

    def save_customer(self, customer: Json) -> None:
        self.db.execute("INSERT INTO customer VALUES (?, ?)", (customer["id"], json.dumps(customer)))

    def chat(self, bot_id: int, chat_id: int) -> sqlite3.Row | None:
        """A chat exists from the customer's first message on; a bot cannot open one (Bot API, "Bots FAQ")."""
        row: sqlite3.Row | None = self.db.execute(
            "SELECT * FROM chat WHERE bot_id = ? AND chat_id = ?", (bot_id, chat_id)
        ).fetchone()
        return row

    def set_chat(self, bot_id: int, chat_id: int, **columns: Any) -> None:
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        self.db.execute(
            f"UPDATE chat SET {assignments} WHERE bot_id = :bot_id AND chat_id = :chat_id",  # noqa: S608
            {**columns, "bot_id": bot_id, "chat_id": chat_id},
        )

    def open_chat(self, bot_id: int, chat_id: int) -> None:
        """A chat as the customer's first message would have left it."""
        self.db.execute("INSERT INTO chat (bot_id, chat_id, last_message_id) VALUES (?, ?, 0)", (bot_id, chat_id))

    # Messages.

    def add_message(self, bot_id: int, chat_id: int, body: Json) -> Json:
        """Stores a message under the chat's next id. `body` is the Bot API's Message without its message_id."""
        self.db.execute(
            "INSERT INTO chat (bot_id, chat_id, last_message_id) VALUES (?, ?, 1)"
            " ON CONFLICT DO UPDATE SET last_message_id = last_message_id + 1",
            (bot_id, chat_id),
        )
        chat = self.chat(bot_id, chat_id)
        assert chat is not None
        message = {"message_id": chat["last_message_id"], **body}
        self.db.execute(
            "INSERT INTO message (bot_id, chat_id, message_id, body) VALUES (?, ?, ?, ?)",
            (bot_id, chat_id, message["message_id"], json.dumps(message)),
        )
        self.announce("message", chat_id=chat_id, message=message)
        return message

    def message(self, bot_id: int, chat_id: int, message_id: int) -> Json | None:
        """A message that is still there."""
        row = self.db.execute(
            "SELECT body FROM message WHERE bot_id = ? AND chat_id = ? AND message_id = ? AND NOT deleted",
            (bot_id, chat_id, message_id),
        ).fetchone()
        return json.loads(row["body"]) if row else None

    def customer_reaction(self, bot_id: int, chat_id: int, message_id: int) -> str:
        row = self.db.execute(
            "SELECT customer_reaction FROM message WHERE bot_id = ? AND chat_id = ? AND message_id = ?",
            (bot_id, chat_id, message_id),
        ).fetchone()
        return (row["customer_reaction"] if row else None) or ""

    def replace_message(self, bot_id: int, chat_id: int, message: Json) -> None:
        self.db.execute(
            "UPDATE message SET body = ? WHERE bot_id = ? AND chat_id = ? AND message_id = ?",
            (json.dumps(message), bot_id, chat_id, message["message_id"]),
        )
        self.announce("edited", chat_id=chat_id, message=message)

    def messages(self, bot_id: int, chat_id: int, after: int = 0) -> list[Json]:
        """Every message of a chat, deleted ones too: the Bot API's Message with `deleted`, `reaction` (the bot's)
        and `customer_reaction` beside it.
        """
        rows = self.db.execute(
            "SELECT body, deleted, reaction, customer_reaction FROM message"
            " WHERE bot_id = ? AND chat_id = ? AND message_id > ?"
            " ORDER BY message_id",
            (bot_id, chat_id, after),
        )
        return [
            {
                **json.loads(row["body"]),
                "deleted": bool(row["deleted"]),
                "reaction": row["reaction"],
                "customer_reaction": row["customer_reaction"],
            }
            for row in rows
        ]

    def mark_message(self, bot_id: int, chat_id: int, message_id: int, column: str, value: str | int | None) -> None:
        """Sets `deleted`, `reaction` or `customer_reaction`, which Telegram's Message does not carry."""
        self.db.execute(
            f"UPDATE message SET {column} = ? WHERE bot_id = ? AND chat_id = ? AND message_id = ?",  # noqa: S608
            (value, bot_id, chat_id, message_id),
        )
        self.announce("marked", chat_id=chat_id, message_id=message_id, **{column: value})

    # Updates.

    def set_allowed_updates(self, bot_id: int, kinds: list[Any]) -> None:
        """Kept until the bot names others; it "doesn't affect updates created before the call" (getUpdates)."""
        self.db.execute("UPDATE bot SET allowed_updates = ? WHERE bot_id = ?", (json.dumps(kinds), bot_id))

    def add_update(self, bot_id: int, kind: str, body: Json) -> None:
        """Queues an update, unless the bot said that it does not want its kind."""
        bot = self.db.execute("SELECT * FROM bot WHERE bot_id = ?", (bot_id,)).fetchone()
        allowed = json.loads(bot["allowed_updates"] or "[]")
        if kind in allowed or (not allowed and kind not in NOT_BY_DEFAULT):
            self.put_update(bot_id, bot["next_update_id"], kind, {kind: body})

    def put_update(self, bot_id: int, update_id: int, kind: str, body: Json) -> None:
        """Queues an update under the given id; the next one follows it, lower or higher."""
        now = time.time()
        lifetime = CALLBACK_LIFETIME if kind == "callback_query" else UPDATE_LIFETIME
        self.db.execute(
            "INSERT INTO pending (bot_id, update_id, kind, body, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
            (bot_id, update_id, kind, json.dumps({"update_id": update_id, **body}), now, now + lifetime),
        )
        self.db.execute("UPDATE bot SET next_update_id = ? WHERE bot_id = ?", (update_id + 1, bot_id))
        self.announce("update", bot_id=bot_id)

    def put_late(self, bot_id: int, kind: str, body: Json, delay: float) -> None:
        """Queues an update that Telegram gets to only `delay` seconds from now."""
        self.db.execute(
            "INSERT INTO late (bot_id, kind, body, due_at) VALUES (?, ?, ?, ?)",
            (bot_id, kind, json.dumps(body), time.time() + delay),
        )

    def release_late(self, bot_id: int) -> float | None:
        """Moves what is due into the queue. Returns the seconds until the next one, or None."""
        rows = self.db.execute("SELECT * FROM late WHERE bot_id = ? ORDER BY due_at, id", (bot_id,)).fetchall()
        due = [row for row in rows if row["due_at"] <= time.time()]
        if due:
            with self.transaction():
                for row in due:
                    self.db.execute("DELETE FROM late WHERE id = ?", (row["id"],))
                    self.add_update(bot_id, row["kind"], json.loads(row["body"]))
        waiting = rows[len(due) :]
        return max(0.0, waiting[0]["due_at"] - time.time()) if waiting else None

    def pending_updates(self, bot_id: int, limit: int) -> list[Json]:
        """The oldest updates that were neither acknowledged nor let expire."""
        rows = self.db.execute(
            "SELECT body FROM pending WHERE bot_id = ? AND acknowledged_at IS NULL AND expires_at > ?"
            " ORDER BY update_id LIMIT ?",
            (bot_id, time.time(), limit),
        )
        return [json.loads(row["body"]) for row in rows]

    def pending_count(self, bot_id: int) -> int:
        row = self.db.execute(
            "SELECT count(*) FROM pending WHERE bot_id = ? AND acknowledged_at IS NULL AND expires_at > ?",
            (bot_id, time.time()),
        ).fetchone()
        count: int = row[0]
        return count

    def acknowledge(self, bot_id: int, offset: int) -> None:
        """ "An update is considered confirmed as soon as getUpdates is called with an offset higher than its
        update_id. The negative offset can be specified to retrieve updates starting from -offset update from the end
        of the updates queue. All previous updates will be forgotten." (Bot API, getUpdates)
        """
        if offset < 0:
            row = self.db.execute(
                "SELECT update_id FROM pending WHERE bot_id = ? AND acknowledged_at IS NULL"
                " ORDER BY update_id DESC LIMIT 1 OFFSET ?",
                (bot_id, -offset - 1),
            ).fetchone()
            offset = row["update_id"] if row else 0
        self.db.execute(
            "UPDATE pending SET acknowledged_at = ? WHERE bot_id = ? AND update_id < ? AND acknowledged_at IS NULL",
            (time.time(), bot_id, offset),
        )

    # Webhooks.

    def webhooks(self) -> list[sqlite3.Row]:
        return self.db.execute("SELECT * FROM webhook ORDER BY bot_id").fetchall()

    def webhook(self, bot_id: int) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute("SELECT * FROM webhook WHERE bot_id = ?", (bot_id,)).fetchone()
        return row

    def set_webhook(self, bot_id: int, url: str, secret_token: str, max_connections: int) -> None:
        """Takes the place of the one before, whose errors are forgotten."""
        self.db.execute(
            "INSERT OR REPLACE INTO webhook (bot_id, url, secret_token, max_connections) VALUES (?, ?, ?, ?)",
            (bot_id, url, secret_token, max_connections),
        )
        self.announce("webhook", bot_id=bot_id)

    def delete_webhook(self, bot_id: int) -> None:
        self.db.execute("DELETE FROM webhook WHERE bot_id = ?", (bot_id,))
        self.announce("webhook", bot_id=bot_id)

    def note_webhook_error(self, bot_id: int, message: str) -> None:
        self.db.execute(
            "UPDATE webhook SET last_error_date = ?, last_error_message = ? WHERE bot_id = ?",
            (int(time.time()), message, bot_id),
        )

    def waiting_updates(self, bot_id: int) -> list[int]:
        """The numbers in our table of what was neither acknowledged nor let expire, in Telegram's order."""
        rows = self.db.execute(
            "SELECT id FROM pending WHERE bot_id = ? AND acknowledged_at IS NULL AND expires_at > ? ORDER BY update_id",
            (bot_id, time.time()),
        )
        return [row["id"] for row in rows]

    def waiting_update(self, row_id: int) -> tuple[str, str]:
        """Its kind, and its body as text."""
        row = self.db.execute("SELECT kind, body FROM pending WHERE id = ?", (row_id,)).fetchone()
        return row["kind"], row["body"]

    def acknowledge_one(self, row_id: int) -> None:
        self.db.execute(
            "UPDATE pending SET acknowledged_at = ? WHERE id = ? AND acknowledged_at IS NULL", (time.time(), row_id)
        )

    def updates(self, bot_id: int, after: int = 0) -> list[Json]:
        """Every update ever produced, with when it was acknowledged: what a kill test compares the desk with."""
        rows = self.db.execute("SELECT * FROM pending WHERE bot_id = ? AND id > ? ORDER BY id", (bot_id, after))
        return [
            {
                "id": row["id"],
                "update": json.loads(row["body"]),
                "created_at": row["created_at"],
                "acknowledged_at": row["acknowledged_at"],
            }
            for row in rows
        ]

    # The log.

    def log_call(self, bot_id: int, chat_id: int | None, body: Json) -> None:
        """Writes one line of the call log: what came, what was delivered, what is answered."""
        cursor = self.db.execute(
            "INSERT INTO call (bot_id, chat_id, body) VALUES (?, ?, ?)", (bot_id, chat_id, json.dumps(body))
        )
        self.announce("call", call={"id": cursor.lastrowid, "bot_id": bot_id, "chat_id": chat_id, **body})

    def log(self, after: int = 0, chat_id: int | None = None, last: int | None = None) -> list[Json]:
        """The log's lines in order, with numbers above `after`; `last` keeps only that many of the newest."""
        rows = self.db.execute(
            "SELECT * FROM (SELECT * FROM call WHERE id > :after AND (:chat_id IS NULL OR chat_id = :chat_id)"
            " ORDER BY id DESC LIMIT :last) ORDER BY id",
            {"after": after, "chat_id": chat_id, "last": -1 if last is None else last},
        )
        return [
            {"id": row["id"], "bot_id": row["bot_id"], "chat_id": row["chat_id"], **json.loads(row["body"])}
            for row in rows
        ]


def milliseconds_since(began: float) -> int:
    """For the log: whole milliseconds, and never none."""
    return max(1, round((time.time() - began) * 1000))


def _new_bot_id() -> int:
    return 7_000_000_000 + secrets.randbelow(999_999_999)


def _new_token(bot_id: int) -> str:
    """A token of Telegram's form: the bot's id and 35 characters."""
    return f"{bot_id}:{secrets.token_urlsafe(40)[:35]}"
