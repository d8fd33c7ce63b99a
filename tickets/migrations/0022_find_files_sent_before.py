from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tickets", "0021_albums_and_files_sent_before"),
    ]

    operations = [
        AddIndexOnline(
            model_name="attachment",
            index=models.Index(fields=["digest"], name="attachment_same_bytes"),
        ),
    ]
