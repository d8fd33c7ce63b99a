from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0020_message_origin_edits_and_longer_kinds"),
    ]

    operations = [
        migrations.AddField(
            model_name="attachment",
            name="digest",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="SHA-256 файла от менеджера.",
                max_length=64,
                verbose_name="отпечаток содержимого",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="parts_tried",
            field=models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name="частей в последней попытке"),
        ),
    ]
