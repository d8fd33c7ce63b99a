from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tickets", "0027_thumbnails"),
    ]

    operations = [
        AddIndexOnline(
            model_name="attachment",
            index=models.Index(
                condition=models.Q(("thumbnail_state__isnull", True)),
                fields=["state", "-id"],
                name="attachment_without_thumbnail",
            ),
        ),
    ]
