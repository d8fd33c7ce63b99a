"""How the API writes what JSON has no type for."""

from datetime import UTC
from typing import Any

from rest_framework import serializers


class Moment(serializers.DateTimeField):
    """A moment in UTC, ISO 8601: "2026-03-24T10:15:00.123456Z"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)
