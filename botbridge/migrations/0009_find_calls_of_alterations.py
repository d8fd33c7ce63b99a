from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("botbridge", "0008_calls_of_alterations")]

    operations = [
        AddIndexOnline(
            model_name="outboundcall",
            index=models.Index(
                condition=models.Q(("alteration__isnull", False)),
                fields=["alteration", "part"],
                name="call_of_alteration",
            ),
        ),
    ]
