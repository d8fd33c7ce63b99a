import django.db.models.deletion
from django.db import migrations, models

from tickets.online import AddCheckOnline


class Migration(migrations.Migration):
    """A table a migration: each is locked for a moment, never two at once against the order in which acts write."""

    dependencies = [
        ("tickets", "0008_service_accounts"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
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
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("service_account__isnull", True),
                    models.Q(("author__isnull", True), ("sender", "client")),
                    _connector="OR",
                ),
                name="message_by_program_is_clients",
            ),
        ),
    ]
