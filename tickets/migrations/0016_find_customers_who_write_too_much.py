from django.db import migrations, models

from tickets.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tickets", "0015_customers_who_write_too_much"),
    ]

    operations = [
        AddIndexOnline(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("flooded_at__isnull", False)), fields=["-id"], name="customer_flooded"
            ),
        ),
        AddIndexOnline(
            model_name="customer",
            index=models.Index(condition=models.Q(("muted_at__isnull", False)), fields=["-id"], name="customer_muted"),
        ),
    ]
