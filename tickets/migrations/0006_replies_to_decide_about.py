from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tickets", "0005_when_a_person_was_shut_out"),
    ]

    operations = [
        AddIndexOnline(
            model_name="delivery",
            index=models.Index(
                fields=["state"],
                condition=models.Q(("decision", ""), ("lane", 1), ("state__in", ["unknown", "failed"])),
                name="delivery_to_decide",
            ),
        ),
    ]
