from importlib import import_module

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tickets.online import AddCheckOnline


def keep_events_unchanging(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite has just made the table anew, without the trigger that refuses an UPDATE."""
    if schema_editor.connection.vendor == "sqlite":
        import_module("tickets.migrations.0002_first_rows").forbid_event_updates(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0009_messages_by_programs"),
    ]

    operations = [
        # Here for the way back, on which it comes last.
        migrations.RunPython(migrations.RunPython.noop, keep_events_unchanging),
        migrations.AddField(
            model_name="event",
            name="service_account",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tickets.serviceaccount",
                verbose_name="через программу",
            ),
        ),
        AddCheckOnline(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(("actor__isnull", True), ("service_account__isnull", True), _connector="OR"),
                name="event_has_one_actor",
            ),
        ),
        migrations.RunPython(keep_events_unchanging, migrations.RunPython.noop),
    ]
