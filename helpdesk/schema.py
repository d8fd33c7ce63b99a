"""The state of the database's tables, as migrations by app and name: what this code knows, and what was applied."""

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Migration = tuple[str, str]


@cache
def known() -> frozenset[Migration]:
    """Read once: the code's own migrations do not change while it runs."""
    return frozenset(MigrationLoader(None).graph.nodes)


def applied() -> frozenset[Migration]:
    """One query; an empty database has none."""
    return frozenset(MigrationRecorder(connection).applied_migrations())


def named(migrations: frozenset[Migration]) -> list[str]:
    """For people and archives: `app.name` of each, in order."""
    return sorted(f"{app}.{name}" for app, name in migrations)
