from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("botbridge", "0005_rows_for_chats_that_wait"),
    ]

    operations = [
        migrations.AddField(
            model_name="botstatus",
            name="door",
            field=models.CharField(
                choices=[("polling", "бот спрашивает Telegram"), ("webhook", "Telegram приносит на сайт")],
                db_default="polling",
                default="polling",
                max_length=7,
                verbose_name="как приходят сообщения",
            ),
        ),
        migrations.AddField(
            model_name="botstatus",
            name="webhook_error",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=500, verbose_name="ошибка вебхука"
            ),
        ),
        migrations.AddField(
            model_name="botstatus",
            name="webhook_error_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="ошибка вебхука была"),
        ),
        migrations.AddField(
            model_name="botstatus",
            name="webhook_pending",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="ждёт в Telegram"),
        ),
        migrations.AddField(
            model_name="botstatus",
            name="webhook_pending_since",
            field=models.DateTimeField(blank=True, null=True, verbose_name="ждёт в Telegram с"),
        ),
    ]
