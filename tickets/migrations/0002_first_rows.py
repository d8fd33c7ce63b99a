"""What an empty desk needs: the two groups, the default team, ticket numbers from 1000, and a history no one edits."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FIRST_TICKET = 1000
GROUPS = ("Managers", "Supervisors")
DEFAULT_TEAM = "Поддержка"


def make_groups_and_default_team(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group_model = apps.get_model("auth", "Group")
    for name in GROUPS:
        group_model.objects.get_or_create(name=name)
    apps.get_model("tickets", "Team").objects.get_or_create(is_default=True, defaults={"name": DEFAULT_TEAM})


def start_ticket_numbers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            f"ALTER TABLE tickets_ticket ALTER COLUMN id SET START WITH {FIRST_TICKET} RESTART WITH {FIRST_TICKET}"
        )
    else:
        schema_editor.execute("DELETE FROM sqlite_sequence WHERE name = 'tickets_ticket'")
        schema_editor.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('tickets_ticket', %s)", [FIRST_TICKET - 1]
        )


def forbid_event_updates(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            """
            CREATE FUNCTION tickets_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'tickets_event is append-only'; END $$
            """
        )
        schema_editor.execute(
            "CREATE TRIGGER tickets_event_append_only BEFORE UPDATE ON tickets_event "
            "FOR EACH ROW EXECUTE FUNCTION tickets_event_is_append_only()"
        )
    else:
        schema_editor.execute(
            "CREATE TRIGGER tickets_event_append_only BEFORE UPDATE ON tickets_event "
            "BEGIN SELECT RAISE(ABORT, 'tickets_event is append-only'); END"
        )


def allow_event_updates(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER tickets_event_append_only ON tickets_event")
        schema_editor.execute("DROP FUNCTION tickets_event_is_append_only()")
    else:
        schema_editor.execute("DROP TRIGGER tickets_event_append_only")


class Migration(migrations.Migration):
    dependencies = [("tickets", "0001_initial")]

    operations = [
        # Going back leaves these rows: the tables they are in go with 0001.
        migrations.RunPython(make_groups_and_default_team, migrations.RunPython.noop),
        migrations.RunPython(start_ticket_numbers, migrations.RunPython.noop),
        migrations.RunPython(forbid_event_updates, allow_event_updates),
    ]
