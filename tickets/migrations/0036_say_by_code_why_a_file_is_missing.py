"""Why a file is missing is a code, told in the language of whoever reads. Words that stand there already stay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0035_find_begun_and_marked_arrived"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attachment",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("too_big", "Файл слишком большой: Telegram не даёт ботам такие скачивать."),
                    ("not_given", "Telegram больше не отдаёт этот файл."),
                    ("other_bot", "Файл получал другой бот, этому Telegram его не отдаст."),
                    ("too_many", "Telegram просит подождать."),
                    ("no_answer", "Не получилось скачать файл из Telegram."),
                    ("not_read", "Файл не прочитать с диска сервера Bot API: проверьте TELEGRAM_LOCAL_FILES."),
                    ("not_written", "Не получилось сохранить файл: нет места на диске или прав."),
                    ("broken", "Файл не удалось обработать."),
                    ("no_backup", "Файла не было в резервной копии."),
                    ("left_behind", "Файл остался в прежней системе."),
                ],
                max_length=200,
                verbose_name="причина",
            ),
        ),
    ]
