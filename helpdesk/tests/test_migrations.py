"""Changes of the schema leave a busy desk at work."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations import AddConstraint, AddIndex, CreateModel, Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import CheckConstraint

from tickets import operations
from tickets.models import ApiAnswer, Event, Scope, Ticket, User
from tickets.online import AddCheckOnline, AddIndexOnline

OWN = {"tickets", "botbridge"}
INDEX = "delivery_to_decide"
#: Pruned after a week: whole, it is read in a moment.
SMALL = {"apianswer"}


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


@pytest.fixture
def latest(transactional_db: None) -> Iterator[None]:
    """Leaves the schema as it was found, whatever became of it meanwhile."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("tickets", name)])


def test_such_an_index_comes_and_goes(latest: None) -> None:
    migrate("0005_when_a_person_was_shut_out")
    assert INDEX not in indexes()
    migrate("0006_replies_to_decide_about")
    assert INDEX in indexes()


def test_a_check_on_a_table_in_use_asks_new_rows_first_and_old_ones_later() -> None:
    asking = [
        f"{migration}: {operation.describe()}"
        for migration in later_migrations()
        for operation in migration.operations
        if isinstance(operation, AddConstraint) and isinstance(operation.constraint, CheckConstraint)
        if not isinstance(operation, AddCheckOnline)
        if operation.model_name_lower not in SMALL
    ]
    assert asking == []


def test_checks_are_valid_in_the_end(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite asks all rows at once")
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE NOT convalidated")
        assert cursor.fetchall() == []


def refuse_changes_of(event: Event) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind=Event.Kind.CLOSED)


def test_history_is_append_only_before_and_after_programs_came(latest: None, ticket: Ticket, saule: User) -> None:
    portal = operations.create_service_account(actor=saule, name="Портал", scopes=Scope.values)
    ApiAnswer.objects.create(service_account=portal, key="a-1", digest="")
    event = ticket.events.order_by("pk")[0]
    refuse_changes_of(event)
    migrate("0006_replies_to_decide_about")
    refuse_changes_of(event)
    migrate("0012_events_in_order")
    refuse_changes_of(event)
    assert ticket.events.filter(pk=event.pk, service_account=None).exists()
