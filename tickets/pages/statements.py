"""Queries that many pages ask alike, worded once.

Django takes several times as long to put the queue's conditions into SQL as the database takes to answer them.
"""

from dataclasses import dataclass
from typing import Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

#: How many persons' queries are kept: some kilobytes each.
WORDED = 256


@dataclass(frozen=True)
class Statement:
    """A query in the database's words, with its values. One that cannot find anything has no words."""

    sql: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, query: "QuerySet[Any, Any]") -> Self:
        try:
            return cls(*query.query.sql_with_params())
        except EmptyResultSet:
            return cls("", ())

    @property
    def ids(self) -> RawSQL | list[int]:
        """The ids it finds, for `pk__in`: part of the query around it, so that both see the same moment."""
        return RawSQL(self.sql, self.values) if self.sql else []  # noqa: S611  # Django's own words

    def row(self) -> tuple[Any, ...]:
        """Its one row."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.values)
            return tuple(cursor.fetchone())
