from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tickets", "0034_when_customers_returned_and_edited")]

    operations = [
        AddIndexOnline(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("parts_sent__gt", 0), ("state", "queued")),
                fields=["customer", "queued_at", "message"],
                name="delivery_begun",
            ),
        ),
        AddIndexOnline(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("decision", "arrived"), ("state", "unknown")),
                fields=["customer", "message"],
                name="delivery_marked_arrived",
            ),
        ),
    ]
