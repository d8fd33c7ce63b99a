"""Changes of the schema that let a busy desk go on."""

from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint, AddIndex


class AddIndexOnline(AddIndexConcurrently):
    """An index made beside the writers of its table on PostgreSQL; SQLite, with one writer anyway, makes it at once.

    Its migration says `atomic = False` (PostgreSQL, "CREATE INDEX CONCURRENTLY"). If it is interrupted, drop the index
    it left invalid and migrate again.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        way = AddIndexConcurrently if schema_editor.connection.vendor == "postgresql" else AddIndex
        way.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        way = AddIndexConcurrently if schema_editor.connection.vendor == "postgresql" else AddIndex
        way.database_backwards(self, app_label, schema_editor, from_state, to_state)


class AddCheckOnline(AddConstraintNotValid):
    """A check that rows written from now on must pass; a later migration's `ValidateCheckOnline` asks the older ones.

    PostgreSQL would else read the whole table while nobody may write to it ("ALTER TABLE", NOT VALID). SQLite makes
    the table anew, without its triggers.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        way = AddConstraintNotValid if schema_editor.connection.vendor == "postgresql" else AddConstraint
        way.database_forwards(self, app_label, schema_editor, from_state, to_state)


class ValidateCheckOnline(ValidateConstraint):
    """The rows from before a check, asked beside their table's writers; SQLite has asked them already."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
