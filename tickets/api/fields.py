"""How the API writes what JSON has no type for."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

MAX_ID = 2**63 - 1  # of a 64-bit key
MAX_USER_ID = 2**52 - 1  # "at most 52 significant bits" (Bot API, "User")


class Id(serializers.IntegerField):
    """The number of a row; one that no row can have is refused before the database would be asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": MAX_ID, **options})


class Text(serializers.CharField):
    """Words; a number is none, though REST framework's own would write it out."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Moment(serializers.DateTimeField):
    """A moment in UTC, ISO 8601: "2026-03-24T10:15:00.123456Z"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)
