from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("botbridge", "0002_an_update_settled_by_hand"),
    ]

    operations = [
        AddIndexOnline(
            model_name="update",
            index=models.Index(
                condition=models.Q(("settled_at__isnull", True), ("state", "parked")),
                fields=["-id"],
                name="update_parked_unsettled",
            ),
        ),
    ]
