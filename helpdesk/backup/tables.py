"""Which tables a backup holds, and their rows as lines that are the same whichever database they come from.

A line is a JSON array in ASCII, one value a column: times in UTC with microseconds, decimals and UUIDs as text, bytes
as base64. Rows come in the order of their ids, so that equal content has equal lines and an equal SHA-256.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection
from django.db.models import AutoField, Field, FileField, JSONField, Model
from django.db.models.fields import AutoFieldMixin
from django.utils.duration import duration_iso_string

from helpdesk.backup.errors import DamagedError
from tickets.text import storable

#: What must not come back: sign-ins and tokens, failed sign-ins, knocks on the doors of pages long closed, who wrote
#: to whom at that moment; and jobs, which make themselves anew, while what was asked for before the backup is not done
#: a second time.
APPS_LEFT_OUT = frozenset({"sessions", "axes"})
MODELS_LEFT_OUT = frozenset({"tickets.ApiSession", "tickets.Change", "tickets.Job", "tickets.SignIn", "tickets.Typing"})

#: Filled by the migrations themselves: rows there do not make a database one in use.
FILLED_BY_MIGRATIONS = frozenset({"auth.Group", "auth.Permission", "contenttypes.ContentType", "tickets.Team"})

ROWS_AT_ONCE = 2000
#: From here on Python writes whole floats with an exponent and PostgreSQL's jsonb without one.
EXPONENT_FROM = 1e16


@dataclass(frozen=True)
class Table:
    """One table of the backup."""

    model: type[Model]

    @property
    def label(self) -> str:
        return self.model._meta.label

    @cached_property
    def fields(self) -> "list[Field[Any, Any]]":
        return list(self.model._meta.concrete_fields)

    @property
    def columns(self) -> list[str]:
        return [str(column.column) for column in self.fields]

    @property
    def file_fields(self) -> list[str]:
        return [column.attname for column in self.fields if isinstance(column, FileField)]

    @property
    def numbers_itself(self) -> bool:
        """Whether the database gives the next id."""
        return isinstance(self.model._meta.pk, AutoField | AutoFieldMixin)

    def lines(self) -> Iterator[bytes]:
        """Every row as it stands in the database."""
        in_json = [isinstance(column, JSONField) for column in self.fields]
        rows = self.model._base_manager.order_by("pk").values_list(*(column.attname for column in self.fields))
        for row in rows.iterator(chunk_size=ROWS_AT_ONCE):
            plain = (plain_json(value) if is_json else value for value, is_json in zip(row, in_json, strict=True))
            yield line_of(list(plain))

    def file_names(self) -> Iterator[str]:
        """The files this table's rows name."""
        for name in self.file_fields:
            rows = self.model._base_manager.exclude(**{name: ""}).exclude(**{name: None})
            yield from rows.order_by("pk").values_list(name, flat=True).iterator(chunk_size=ROWS_AT_ONCE)

    def values(self, line: bytes) -> list[Any]:
        """A line's values as the fields know them.

        :raises DamagedError: the line does not hold this table's columns.
        """
        try:
            values = json.loads(line)
        except ValueError as error:
            raise DamagedError(f"{self.label}: a row is not JSON") from error
        if not isinstance(values, list) or len(values) != len(self.fields):
            raise DamagedError(f"{self.label}: a row has other columns than the table")
        return [column.to_python(value) for column, value in zip(self.fields, values, strict=True)]

    def insert(self, rows: Iterable[list[Any]]) -> None:
        """Write rows with the ids they had."""
        prepared = (
            [column.get_db_prep_save(value, connection) for column, value in zip(self.fields, row, strict=True)]
            for row in rows
        )
        quote = connection.ops.quote_name
        into = f"{quote(self.model._meta.db_table)} ({', '.join(map(quote, self.columns))})"
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # Django turns the driver's errors into its own for execute alone.
                with connection.wrap_database_errors, cursor.copy(f"COPY {into} FROM STDIN") as copy:
                    for row in prepared:
                        copy.write_row(row)
            else:
                places = ", ".join(["%s"] * len(self.columns))
                cursor.executemany(f"INSERT INTO {into} VALUES ({places})", list(prepared))  # noqa: S608


@dataclass
class Checksum:
    """How many lines went by, and their SHA-256."""

    rows: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, line: bytes) -> bytes:
        self.rows += 1
        self._digest.update(line)
        return line

    @property
    def sha256(self) -> str:
        return str(self._digest.hexdigest())


def tables() -> list[Table]:
    """The tables of a backup, in the same order on every machine."""
    models = apps.get_models(include_auto_created=True)
    return sorted((Table(model) for model in models if is_kept(model)), key=lambda table: table.label)


def is_kept(model: type[Model]) -> bool:
    meta = model._meta
    is_table = meta.managed and not meta.proxy
    return is_table and meta.app_label not in APPS_LEFT_OUT and meta.label not in MODELS_LEFT_OUT


def all_models() -> list[type[Model]]:
    """Those left out of a backup too: a restore empties their tables."""
    models = apps.get_models(include_auto_created=True)
    return [model for model in models if model._meta.managed and not model._meta.proxy]


def line_of(values: list[Any]) -> bytes:
    return json.dumps(values, default=as_text, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def as_text(value: Any) -> str:
    """A value JSON has no type for, as its field's `to_python` reads it."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return duration_iso_string(value)
        case Decimal() | UUID():
            return str(value)
        case bytes() | memoryview() | bytearray():
            return base64.b64encode(value).decode()
    raise TypeError(f"no line can hold a {type(value).__name__}")


def plain_json(value: Any) -> Any:
    """JSON in the one form both databases give back: a float that is a whole number beyond 1e16 is an integer,
    and zero has no sign.
    """
    match value:
        case float():
            is_long = abs(value) >= EXPONENT_FROM and value.is_integer()
            return int(value) if is_long else value + 0.0
        case list():
            return [plain_json(item) for item in value]
        case dict():
            return {key: plain_json(item) for key, item in value.items()}
    return value


def without_nul(value: Any) -> Any:
    """`value` with NUL and lone surrogates replaced by U+FFFD, as in every text: PostgreSQL takes neither."""
    match value:
        case str():
            return storable(value)
        case list():
            return [without_nul(item) for item in value]
        case dict():
            return {storable(key): without_nul(item) for key, item in value.items()}
    return value
