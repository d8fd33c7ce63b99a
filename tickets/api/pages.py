"""Lists by `limit` and `offset`, as the predecessor had them, and by a cursor for long walks."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from tickets.api.fields import MAX_ID

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
#: Counting further would cost more than the page; `total` then stands at this number.
TOTAL_CAP = 10_000
MAX_OFFSET = 100_000


class PageQuery(serializers.Serializer[Any]):
    """Which stretch of a list."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    offset = serializers.IntegerField(
        min_value=0, max_value=MAX_OFFSET, default=0, help_text="For a walk through everything use `cursor`."
    )


class CursorQuery(PageQuery):
    """A stretch of a list, or what follows the last one."""

    cursor = serializers.IntegerField(
        min_value=0, max_value=MAX_ID, required=False, help_text="`pagination.nextCursor` of the page before."
    )


class Pagination(serializers.Serializer[Any]):
    """Where this page stands. `total` counts up to 10,000."""

    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class CursorPagination(Pagination):
    """`nextCursor` is null on the last page."""

    nextCursor = serializers.IntegerField(allow_null=True)


def total_of(rows: "QuerySet[Any]") -> int:
    return rows.order_by()[:TOTAL_CAP].count()


def walk(found: "QuerySet[Any]", query: dict[str, Any]) -> tuple[list[Any], dict[str, int | None]]:
    """The rows a `CursorQuery` asks for, the newest first, and where they stand."""
    limit, offset = query["limit"], query["offset"]
    total = total_of(found)
    if "cursor" in query:
        found = found.filter(pk__lt=query["cursor"])
    rows = list(found.order_by("-pk")[offset : offset + limit + 1])
    next_cursor = rows[limit - 1].pk if len(rows) > limit else None
    return rows[:limit], {"total": total, "limit": limit, "offset": offset, "nextCursor": next_cursor}
