"""Changes of the schema leave a busy desk at work."""

import pytest
from django.db import connection
from django.db.migrations import AddIndex, CreateModel, Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from tickets.online import AddIndexOnline

OWN = {"tickets", "botbridge"}
INDEX = "delivery_to_decide"


def later_migrations() -> list[Migration]:
    """Those of our own that meet tables already in use: they add to what earlier ones made."""
    loader = MigrationLoader(None)
    return [migration for key, migration in loader.disk_migrations.items() if key[0] in OWN and not migration.initial]


def creates(migration: Migration) -> set[str]:
    return {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}


def test_an_index_on_a_table_in_use_is_made_beside_its_writers() -> None:
    stopping = [
        f"{migration}: {operation.describe()}"
        for migration in later_migrations()
        for operation in migration.operations
        if isinstance(operation, AddIndex) and not isinstance(operation, AddIndexOnline)
        if operation.model_name_lower not in creates(migration)
    ]
    assert stopping == []


def test_such_a_migration_runs_outside_a_transaction() -> None:
    online = [
        migration
        for migration in later_migrations()
        if any(isinstance(operation, AddIndexOnline) for operation in migration.operations)
    ]
    assert [str(migration) for migration in online if migration.atomic] == []


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, "tickets_delivery"))


@pytest.mark.django_db(transaction=True)
def test_such_an_index_comes_and_goes() -> None:
    try:
        MigrationExecutor(connection).migrate([("tickets", "0005_when_a_person_was_shut_out")])
        assert INDEX not in indexes()
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    assert INDEX in indexes()
