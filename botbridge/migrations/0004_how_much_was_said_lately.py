from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("botbridge", "0003_parked_and_unsettled"),
    ]

    operations = [
        migrations.AddField(
            model_name="chatsession",
            name="heard",
            field=models.IntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="minute_since",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="said",
            field=models.IntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="told_joined_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
