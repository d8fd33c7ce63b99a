"""What lets a reader walk the events by id and skip none: each writer says how far ids had come when it began.

Ids are given out when rows are written and seen when their transactions commit, in another order. So before an INSERT
asks the sequence for its first id, this trigger takes a shared advisory lock that bears the last id given out so far
and lives as long as the transaction. Whoever reads finds in `pg_locks`, where locks show before the commit, the
smallest of them: all that is still to come has a greater id (`Event.objects.settled_up_to`). It holds for every writer,
and, other than a stored transaction id, in a restored copy too. SQLite has one writer at a time, and needs none of it.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# "HD" in the upper 16 bits of the lock's 64, the id in the lower 48.
KEY = 0x4844 << 48


def announce_writers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(
        f"""
        CREATE FUNCTION tickets_event_announces_itself() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared({KEY} + last_value - (NOT is_called)::int)
                FROM tickets_event_id_seq;
            RETURN NULL;
        END $$
        """
    )
    schema_editor.execute(
        "CREATE TRIGGER tickets_event_announced BEFORE INSERT ON tickets_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION tickets_event_announces_itself()"
    )


def announce_no_more(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER tickets_event_announced ON tickets_event")
        schema_editor.execute("DROP FUNCTION tickets_event_announces_itself()")


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0011_rows_before_programs_checked"),
    ]

    operations = [
        migrations.RunPython(announce_writers, announce_no_more),
    ]
