"""One moment of the database, read for as long as it takes while the desk goes on writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import connection, transaction

from helpdesk.backup.errors import BackupError
from helpdesk.backup.tables import Table

#: Both databases fix the moment at the first query of a transaction, not when it begins.
FIRST_QUERY = "SELECT count(*) FROM django_migrations"


@contextmanager
def one_moment() -> Iterator[None]:
    """All queries of the block see the database as it was when it began, and hold up nobody.

    :raises BackupError: inside another transaction, whose moment has passed.
    """
    if connection.in_atomic_block:
        raise BackupError("A backup is a transaction of its own.")
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            without_timeouts()
            cursor.execute(FIRST_QUERY)
            yield
        return
    # Transactions here take SQLite's write lock when they begin. In WAL one that only reads stops no writer.
    connection.ensure_connection()
    sqlite = cast("Any", connection)
    usual, sqlite.transaction_mode = sqlite.transaction_mode, "DEFERRED"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            sqlite.transaction_mode = usual
            cursor.execute(FIRST_QUERY)
            yield
    finally:
        sqlite.transaction_mode = usual


def without_timeouts() -> None:
    """For the rest of this transaction: limits made for pages would end a long copy in the middle."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def next_id(table: Table) -> int | None:
    """The id the next row will get; None where the rows bring their own. Numbers once given are not given again."""
    if not table.numbers_itself:
        return None
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT last_value + is_called::int FROM {_sequence(table)}")  # noqa: S608
        else:
            cursor.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = %s", [table.model._meta.db_table])
        found = cursor.fetchone()
    return int(found[0]) if found else 1


def set_next_id(table: Table, wanted: int) -> None:
    """Go on counting at `wanted`, or after the greatest id there is. Like all else, undone with its transaction."""
    name, key = table.model._meta.db_table, str(table.model._meta.pk.column)
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max({quote(key)}), 0) + 1 FROM {quote(name)}")  # noqa: S608
        following = max(wanted, int(cursor.fetchone()[0]))
        if connection.vendor == "postgresql":
            # setval() would stay when the rest is rolled back.
            cursor.execute(f"ALTER SEQUENCE {_sequence(table)} RESTART WITH {following}")
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [name])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [name, following - 1])


def _sequence(table: Table) -> str:
    """The quoted name of the sequence that numbers a table's rows, on PostgreSQL."""
    name, key = connection.ops.quote_name(table.model._meta.db_table), table.model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [name, key])
        return str(cursor.fetchone()[0])
