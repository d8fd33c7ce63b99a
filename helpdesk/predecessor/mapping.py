"""What a row of the earlier service is in this product's words, by tables: docs/import.md shows them.

A fact may stand in one of several columns, since the service's versions named some differently: the first that is
there counts. What has no place here is told to the report, and never guessed.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from django.utils.dateparse import parse_datetime

from helpdesk.predecessor.source import Row
from tickets.models import SUBJECT_LENGTH, ContentType, Priority, Sender, Status, User
from tickets.operations import PastFile, PastMessage, PastTicket

Choice = TypeVar("Choice")

#: Tells the report why something does not fit.
Tell = Callable[[str], None]

TICKET = {
    "user": ("telegram_user_id", "user_id", "telegram_id", "chat_id"),
    "name": ("customer_name", "user_name", "full_name", "name"),
    "username": ("username", "telegram_username"),
    "subject": ("subject", "title"),
    "status": ("status",),
    "priority": ("priority",),
    "assignee": ("assignee", "assigned_to", "manager"),
    "created": ("created_at",),
    "updated": ("updated_at", "last_message_at"),
    "solved": ("resolved_at", "closed_at"),
}
MESSAGE = {
    "ticket": ("ticket_id",),
    "sender": ("sender_type", "sender"),
    "author": ("author", "manager", "sender_name"),
    "text": ("text", "content", "body"),
    "kind": ("media_type", "content_type"),
    "files": ("file_id", "file_ids", "files", "media"),
    "created": ("created_at", "timestamp"),
}
SESSION = {
    "user": ("user_id", "telegram_user_id", "telegram_id", "chat_id"),
    "ticket": ("current_ticket_id", "active_ticket_id", "ticket_id"),
    "language": ("language", "language_code", "lang"),
    "pending": ("pending_media",),
    "updated": ("updated_at", "created_at"),
}
#: Columns whose facts follow from others here, so that nothing is lost without them.
IMPLIED = {
    "tickets": {"id", "last_message_at", "updated_at"},
    "messages": {"id", "ticket_id"},
    "user_sessions": {"id", "created_at"},
}

STATUSES = {
    "new": Status.NEW,
    "open": Status.OPEN,
    "in_progress": Status.OPEN,
    "inprogress": Status.OPEN,
    "pending": Status.WAITING,
    "waiting": Status.WAITING,
    "waiting_client": Status.WAITING,
    "resolved": Status.RESOLVED,
    "solved": Status.RESOLVED,
    "closed": Status.CLOSED,
}
PRIORITIES = {
    "low": Priority.LOW,
    "normal": Priority.NORMAL,
    "medium": Priority.NORMAL,
    "high": Priority.HIGH,
    "urgent": Priority.URGENT,
    "critical": Priority.URGENT,
    "1": Priority.LOW,
    "2": Priority.NORMAL,
    "3": Priority.HIGH,
    "4": Priority.URGENT,
}
SENDERS = {
    "client": Sender.CLIENT,
    "customer": Sender.CLIENT,
    "user": Sender.CLIENT,
    "manager": Sender.MANAGER,
    "operator": Sender.MANAGER,
    "agent": Sender.MANAGER,
    "support": Sender.MANAGER,
    "admin": Sender.MANAGER,
    "note": Sender.NOTE,
    "internal": Sender.NOTE,
    "system": Sender.SYSTEM,
    "bot": Sender.SYSTEM,
}
FILE_KINDS = frozenset(
    {
        ContentType.PHOTO,
        ContentType.VIDEO,
        ContentType.DOCUMENT,
        ContentType.VOICE,
        ContentType.AUDIO,
        ContentType.VIDEO_NOTE,
        ContentType.ANIMATION,
        ContentType.STICKER,
    }
)
LARGEST_ID = 2**63 - 1
LONGEST_FILE_ID = 255


class Mapping:
    """Rows into records. `zone` is where times without a zone were written; `people` are ours by how they are named."""

    def __init__(self, *, zone: tzinfo, people: dict[str, User]) -> None:
        self._zone = zone
        self._people = people

    def ticket(self, row: Row, messages: list[PastMessage], tell: Tell) -> PastTicket | None:
        """None where it cannot be told whose it is."""
        user = whole(fact(row, TICKET["user"]))
        if user is None or not 0 < user <= LARGEST_ID:
            tell("whose it is cannot be told: its Telegram user id is no positive number")
            return None
        created = self._moment(row, TICKET["created"], tell) or (messages[0].sent_at if messages else None)
        if created is None:
            tell("when it was made cannot be told, nor does a message say")
            return None
        subject = words(fact(row, TICKET["subject"]))
        if len(subject) > SUBJECT_LENGTH:
            tell(f"its subject is longer than {SUBJECT_LENGTH} characters and was cut")
        last = messages[-1].sent_at if messages else created
        return PastTicket(
            imported_id=row["id"],
            telegram_user_id=user,
            customer_name=words(fact(row, TICKET["name"])),
            username=words(fact(row, TICKET["username"])).removeprefix("@"),
            subject=subject,
            status=looked_up(STATUSES, row, TICKET["status"], Status.NEW, tell),
            priority=looked_up(PRIORITIES, row, TICKET["priority"], Priority.NORMAL, tell),
            assignee=self._person(row, TICKET["assignee"], tell),
            created_at=created,
            updated_at=self._moment(row, TICKET["updated"], tell) or last,
            solved_at=self._moment(row, TICKET["solved"], tell),
            messages=messages,
        )

    def messages(self, rows: list[Row], tell: Callable[[Row, str], None]) -> list[PastMessage]:
        """A ticket's messages by the time they were written, then by id."""
        read = (self._message(row, lambda why, row=row: tell(row, why)) for row in rows)  # type: ignore[misc]
        return sorted((message for message in read if message), key=lambda m: (m.sent_at, m.imported_id))

    def _message(self, row: Row, tell: Tell) -> PastMessage | None:
        named = words(fact(row, MESSAGE["sender"]))
        sender = SENDERS.get(named.lower())
        if sender is None:
            tell(f"who wrote it cannot be told: sender {named!r}")
            return None
        sent_at = self._moment(row, MESSAGE["created"], tell)
        if sent_at is None:
            tell("when it was written cannot be told")
            return None
        kind = words(fact(row, MESSAGE["kind"])).lower()
        found = (files_of(row.get(column), kind, tell) for column in MESSAGE["files"])
        files = next((files for files in found if files), [])
        text = str(fact(row, MESSAGE["text"]) or "")
        if not text.strip() and not files and kind in ("", ContentType.TEXT):
            tell("it has neither words nor a file")
            return None
        default = files[0].kind if files else ContentType.TEXT
        return PastMessage(
            imported_id=row["id"],
            sender=sender,
            author=self._author(row, sender),
            text=text,
            content_type=kind or default,
            sent_at=sent_at,
            files=files,
        )

    def _author(self, row: Row, sender: Sender) -> User | None:
        if sender not in (Sender.MANAGER, Sender.NOTE):
            return None
        return self._people.get(words(fact(row, MESSAGE["author"])).lower())

    def _person(self, row: Row, columns: tuple[str, ...], tell: Tell) -> User | None:
        named = words(fact(row, columns))
        person = self._people.get(named.lower())
        if named and person is None:
            tell(f"{named!r} is nobody here who could be responsible, so it is free")
        return person

    def _moment(self, row: Row, columns: tuple[str, ...], tell: Tell) -> datetime | None:
        """A time in UTC; one without a zone was written where the service ran."""
        for column in columns:
            if row.get(column) is None:
                continue
            moment = moment_of(row[column], self._zone)
            if moment is not None:
                return moment
            tell(f"{column} is no time: {row[column]!r}")
        return None


def moment_of(value: Any, zone: tzinfo) -> datetime | None:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def fact(row: Row, columns: tuple[str, ...]) -> Any:
    """The first of these columns that holds something."""
    return next((row[column] for column in columns if row.get(column) is not None), None)


def words(value: Any) -> str:
    return "" if value is None else str(value).strip()


def whole(value: Any) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def looked_up(table: dict[str, Choice], row: Row, columns: tuple[str, ...], otherwise: Choice, tell: Tell) -> Choice:
    named = words(fact(row, columns))
    found = table.get(named.lower().replace(" ", "_").replace("-", "_"))
    if named and found is None:
        tell(f"{columns[0]} {named!r} is not known here, it became {otherwise!s}")
    return otherwise if found is None else found


def files_of(value: Any, kind: str, tell: Tell) -> list[PastFile]:
    """Files of a message: an id, a list of ids, or objects that hold one, also as text that is JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            tell("its files are no JSON")
            return [PastFile(kind=kind_of(kind))]
    if value is None or value in ("", [], {}):
        return []
    return [file_of(item, kind, tell) for item in (value if isinstance(value, list) else [value])]


def file_of(item: Any, kind: str, tell: Tell) -> PastFile:
    about = item if isinstance(item, dict) else {"file_id": item}
    file_id = words(fact(about, ("file_id", "fileId")))
    if not 0 < len(file_id) <= LONGEST_FILE_ID:
        tell("a file has no Telegram id, so it stays in the earlier system")
        file_id = ""
    size = whole(fact(about, ("file_size", "fileSize", "size")))
    return PastFile(
        kind=kind_of(words(fact(about, ("type", "media_type", "mediaType"))).lower() or kind),
        file_id=file_id,
        file_name=words(fact(about, ("file_name", "fileName", "name"))),
        size=size if size is not None and 0 <= size <= LARGEST_ID else None,
    )


def kind_of(named: str) -> ContentType:
    return ContentType(named) if named in FILE_KINDS else ContentType.DOCUMENT
