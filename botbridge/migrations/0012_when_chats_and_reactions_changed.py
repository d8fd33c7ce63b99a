from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("botbridge", "0011_asking_to_repeat")]

    operations = [
        migrations.AddField(
            model_name="chatsession",
            name="current_since",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="telegrammessage",
            name="reacted_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
