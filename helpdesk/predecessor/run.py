"""The import from the first ticket to the last chat: each portion is committed, so that a cut run simply goes on."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from django.db import transaction

from botbridge.imports import PastSession, import_sessions, own_bot_id, remember_file_ids
from helpdesk.predecessor.mapping import IMPLIED, MESSAGE, SESSION, TICKET, Mapping, fact, moment_of, whole, words
from helpdesk.predecessor.report import Report
from helpdesk.predecessor.source import Row, Source
from helpdesk.progress import Progress, Say
from tickets import access
from tickets.models import Team, Ticket, User
from tickets.operations import Imported, PastMessage, PastTicket, import_tickets

COLUMNS = {"tickets": TICKET, "messages": MESSAGE, "user_sessions": SESSION}


@dataclass
class Outcome:
    """How many tickets and messages were read and fit; what was written of them, nothing in a dry run; and chats."""

    tickets: int = 0
    messages: int = 0
    sessions: int = 0
    written: Imported = field(default_factory=Imported)


class Run:
    """One run. Without `apply` it reads and reports everything, and writes nothing."""

    def __init__(self, source: Source, report: Report, *, apply: bool, zone: tzinfo, say: Say) -> None:
        self._source, self._report = source, report
        self._apply = apply
        self._zone = zone
        self._say = say
        self._bot_id = own_bot_id()
        self._mapping = Mapping(zone=zone, people=people())
        self.outcome = Outcome()

    def go(self) -> Outcome:
        self._tell_columns()
        total, progress = self._source.count("tickets"), Progress(self._say)
        for rows in self._source.tickets():
            self._take(self._read(rows))
            progress.at(f"tickets of {total:,}", self.outcome.tickets)
        for row in self._source.orphans():
            self._report.tell("messages", row, "its ticket is not there")
        self._take_sessions()
        return self.outcome

    def _tell_columns(self) -> None:
        for table, facts in COLUMNS.items():
            used = {column for columns in facts.values() for column in columns} | IMPLIED[table]
            for column in sorted(self._source.columns[table].keys() - used):
                self._report.tell_column(table, column)

    def _read(self, rows: list[Row]) -> list[PastTicket]:
        by_ticket: dict[int, list[Row]] = defaultdict(list)
        for row in self._source.messages_of([row["id"] for row in rows]):
            by_ticket[row["ticket_id"]].append(row)
        return [past for row in rows if (past := self._read_one(row, by_ticket[row["id"]])) is not None]

    def _read_one(self, row: Row, of_ticket: list[Row]) -> PastTicket | None:
        messages = self._mapping.messages(of_ticket, lambda wrong, why: self._report.tell("messages", wrong, why))
        past = self._mapping.ticket(row, messages, lambda why: self._report.tell("tickets", row, why))
        if past is None:
            for message in of_ticket:
                self._report.tell("messages", message, "its ticket does not fit")
        return past

    def _take(self, past: list[PastTicket]) -> None:
        self.outcome.tickets += len(past)
        self.outcome.messages += sum(len(ticket.messages) for ticket in past)
        if not self._apply:
            return
        with transaction.atomic():
            done = import_tickets(past, fetch_files=self._bot_id is not None)
            if self._bot_id is not None:
                remember_file_ids(done.files, bot_id=self._bot_id)
        for message in done.moved_on:
            self._tell_left_out(message, "its ticket has been worked on here since it was imported")
        for message in done.late:
            self._tell_left_out(message, "it fits now, but later words of its ticket are here already: it was left out")
        written = self.outcome.written
        written.created += done.created
        written.continued += done.continued
        written.unchanged += done.unchanged
        written.messages += done.messages

    def _tell_left_out(self, message: PastMessage, why: str) -> None:
        row = {"id": message.imported_id, "text": message.text, "created_at": message.sent_at.isoformat()}
        self._report.tell("messages", row, why)

    def _take_sessions(self) -> None:
        newest: dict[int, Row] = {}
        for row in self._source.sessions():
            user = whole(fact(row, SESSION["user"]))
            if user is None or user <= 0:
                self._report.tell("user_sessions", row, "whose it is cannot be told")
                continue
            older, newer = sorted((newest.get(user, row), row), key=self._age)
            if older is not newer:
                self._report.tell("user_sessions", older, "a newer row of the same user counts")
            newest[user] = newer
        for row in newest.values():
            if fact(row, SESSION["pending"]):
                self._report.tell("user_sessions", row, "files it waited for do not come any more")
        self._import_sessions(newest)

    def _age(self, row: Row) -> Any:
        moments = (moment_of(row.get(column), self._zone) for column in SESSION["updated"])
        written = next((moment.timestamp() for moment in moments if moment is not None), 0.0)
        return written, row.get("id") or 0

    def _import_sessions(self, rows: dict[int, Row]) -> None:
        if self._bot_id is None:
            for row in rows.values():
                self._report.tell("user_sessions", row, "no bot is set up whose chat it could be: TELEGRAM_BOT_TOKEN")
            return
        past = [
            PastSession(
                telegram_user_id=user,
                imported_ticket=whole(fact(row, SESSION["ticket"])),
                language=words(fact(row, SESSION["language"])).lower()[:2],
            )
            for user, row in rows.items()
        ]
        self.outcome.sessions = len(past)
        if not self._apply:
            return
        for stranger in import_sessions(past, bot_id=self._bot_id):
            self._report.tell("user_sessions", rows[stranger.telegram_user_id], "its user has no ticket here")


def people() -> dict[str, User]:
    """Who can be responsible for imported tickets, by login, mail, name and public name; ambiguous names left out."""
    ticket = Ticket(team=Team.objects.get(is_default=True))
    named: dict[str, set[User]] = defaultdict(set)
    for person in access.people_at_work():
        if access.can_be_assigned(person, ticket):
            for name in (person.username, person.email, person.get_full_name(), person.public_name):
                named[name.strip().lower()].add(person)
    return {name: only for name, found in named.items() if name and len(found) == 1 for only in found}
