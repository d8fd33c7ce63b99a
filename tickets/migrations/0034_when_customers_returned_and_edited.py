from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tickets", "0033_live_locations")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="returned_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="last_edit_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
