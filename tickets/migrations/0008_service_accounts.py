import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0007_jobs"),
    ]

    operations = [
        migrations.CreateModel(
            name="ServiceAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True, verbose_name="название")),
                ("scopes", models.JSONField(default=list, verbose_name="права")),
                ("key_id", models.CharField(editable=False, max_length=16, unique=True, verbose_name="номер ключа")),
                ("secret_hash", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "last_used_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="последний вызов"),
                ),
                (
                    "key_issued_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ключ выдан"),
                ),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="отозвана")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="добавлена"),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="кто добавил",
                    ),
                ),
            ],
            options={
                "verbose_name": "программа",
                "verbose_name_plural": "программы",
            },
        ),
        # Kept answers live a week, so this table is small: changed in place. Going back drops those of programs.
        migrations.AlterField(
            model_name="apianswer",
            name="caller",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="кто",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, "DELETE FROM tickets_apianswer WHERE caller_id IS NULL"),
        migrations.AddField(
            model_name="apianswer",
            name="service_account",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tickets.serviceaccount",
                verbose_name="программа",
            ),
        ),
        migrations.AddConstraint(
            model_name="apianswer",
            constraint=models.UniqueConstraint(fields=("service_account", "key"), name="api_answer_once_per_program"),
        ),
        migrations.AddConstraint(
            model_name="apianswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("caller__isnull", True), ("service_account__isnull", True), _connector="XOR"),
                name="api_answer_has_one_caller",
            ),
        ),
    ]
