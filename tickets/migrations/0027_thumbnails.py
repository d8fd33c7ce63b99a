from django.db import migrations, models

import tickets.models.messages


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0026_who_is_written_to"),
    ]

    operations = [
        migrations.AddField(
            model_name="attachment",
            name="thumbnail",
            field=models.FileField(
                blank=True,
                db_default="",
                max_length=200,
                upload_to=tickets.models.messages.thumbnail_path,
                verbose_name="уменьшенная картинка",
            ),
        ),
        migrations.AddField(
            model_name="attachment",
            name="thumbnail_state",
            field=models.CharField(
                blank=True,
                choices=[("made", "Есть"), ("needless", "Не нужна"), ("refused", "Картинка не читается")],
                max_length=8,
                null=True,
                verbose_name="что с уменьшенной картинкой",
            ),
        ),
    ]
