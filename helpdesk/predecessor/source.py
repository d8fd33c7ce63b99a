"""The earlier service's database, read and never written, as it was at one moment.

Rows are read as JSON, so that a column may have any type, and a time that no calendar knows ends nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

Row = dict[str, Any]

PORTION = 200
INTEGERS = frozenset({"smallint", "integer", "bigint"})


class SourceError(Exception):
    """The earlier service's database cannot be read, in words for whoever runs the import."""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise SourceError(f"The earlier database cannot be read: {error}") from error


class Source:
    """A connection to it. `columns` are those of each of its three tables; no `user_sessions` means no columns."""

    def __init__(self, dsn: str) -> None:
        with _told():
            self._connection = psycopg.connect(dsn, connect_timeout=10)
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
            self.columns = {table: self._columns_of(table) for table in ("tickets", "messages", "user_sessions")}
        for table, column in (("tickets", "id"), ("messages", "id"), ("messages", "ticket_id")):
            if self.columns[table].get(column) not in INTEGERS:
                raise SourceError(f"The earlier database has no table {table} with whole numbers in {column}.")
        for table in ("tickets", "messages"):
            if alike := self._number(sql.SQL("SELECT count(*) - count(DISTINCT id) FROM {}"), table):
                raise SourceError(
                    f"{alike} rows of {table} have no id, or one that another row has, so that a second run could not "
                    "tell what is here already. Give each its own first."
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def _columns_of(self, table: str) -> dict[str, str]:
        """Types by column, as an unqualified name finds the table."""
        rows = self._connection.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [table],
        )
        return {name: type_ for name, type_ in rows}  # noqa: C416  # a row is no pair to mypy

    def count(self, table: str) -> int:
        return self._number(sql.SQL("SELECT count(*) FROM {}"), table)

    def _number(self, query: sql.SQL, table: str) -> int:
        with _told():
            row = self._connection.execute(query.format(sql.Identifier(table))).fetchone()
        return int(row[0]) if row else 0

    def tickets(self) -> Iterator[list[Row]]:
        """All tickets in the order of their ids, in portions."""
        after = None
        while portion := self._portion(after):
            yield portion
            after = portion[-1]["id"]

    def _portion(self, after: int | None) -> list[Row]:
        beyond = "WHERE id > %(after)s" if after is not None else ""
        return self._rows(
            f"SELECT to_jsonb(t) FROM tickets t {beyond} ORDER BY id LIMIT {PORTION}",  # noqa: S608
            {"after": after},
        )

    def messages_of(self, ticket_ids: list[int]) -> list[Row]:
        return self._rows("SELECT to_jsonb(m) FROM messages m WHERE ticket_id = ANY(%(ids)s)", {"ids": ticket_ids})

    def orphans(self) -> Iterator[Row]:
        """Messages of no ticket."""
        yield from self._stream(
            "SELECT to_jsonb(m) FROM messages m LEFT JOIN tickets t ON t.id = m.ticket_id WHERE t.id IS NULL"
        )

    def sessions(self) -> Iterator[Row]:
        if self.columns["user_sessions"]:
            yield from self._stream("SELECT to_jsonb(s) FROM user_sessions s")

    def _rows(self, query: str, parameters: dict[str, Any]) -> list[Row]:
        with _told():
            return [row for (row,) in self._connection.execute(query, parameters)]

    def _stream(self, query: str) -> Iterator[Row]:
        with _told(), self._connection.cursor(name="rows") as cursor:
            cursor.execute(query)
            for (row,) in cursor:
                yield row
