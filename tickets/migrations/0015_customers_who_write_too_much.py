from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0014_imported_and_restored"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="flooded_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="писал слишком часто"),
        ),
        migrations.AddField(
            model_name="customer",
            name="muted_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="заглушён"),
        ),
        migrations.AlterField(
            model_name="event",
            name="kind",
            field=models.CharField(
                choices=[
                    ("opened", "Обращение создано"),
                    ("imported", "Перенесено из прежней системы"),
                    ("received", "Сообщение клиента"),
                    ("revised", "Клиент изменил сообщение"),
                    ("replied", "Ответ"),
                    ("noted", "Заметка"),
                    ("said", "Сообщение бота"),
                    ("edited", "Ответ изменён до отправки"),
                    ("withdrawn", "Ответ отозван"),
                    ("released", "Отправка продолжена"),
                    ("arrived", "Отмечено дошедшим"),
                    ("resent", "Отправлено ещё раз"),
                    ("delivery", "Состояние доставки"),
                    ("taken", "Взято в работу"),
                    ("assigned", "Передано"),
                    ("unassigned", "Возвращено в очередь"),
                    ("moved", "Передано другой команде"),
                    ("resolved", "Решено"),
                    ("undone", "Решение отменено"),
                    ("reopened", "Снова в работе"),
                    ("closed", "Закрыто"),
                    ("snoozed", "Отложено"),
                    ("woken", "Снова в очереди"),
                    ("topic", "Тема"),
                    ("priority", "Приоритет"),
                    ("tagged", "Метка"),
                    ("untagged", "Метка снята"),
                    ("file", "Файл"),
                    ("phone_shown", "Телефон показан"),
                    ("stopped", "Клиент остановил бота"),
                    ("returned", "Клиент вернулся"),
                    ("muted", "Клиент заглушён"),
                    ("unmuted", "Клиент больше не заглушён"),
                ],
                max_length=12,
                verbose_name="что",
            ),
        ),
    ]
