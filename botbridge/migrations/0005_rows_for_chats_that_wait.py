from django.db import migrations


def make_rows(apps, _schema_editor):
    """The inbox takes a chat's updates in turn by its row, which is made with the update only from now on."""
    update, chat_session = apps.get_model("botbridge", "Update"), apps.get_model("botbridge", "ChatSession")
    waiting = update.objects.filter(state="stored").order_by("bot_id", "chat_id").values_list("bot_id", "chat_id")
    sessions = (chat_session(bot_id=bot_id, chat_id=chat_id) for bot_id, chat_id in waiting.distinct().iterator())
    chat_session.objects.bulk_create(sessions, ignore_conflicts=True, batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [
        ("botbridge", "0004_how_much_was_said_lately"),
    ]

    operations = [
        migrations.RunPython(make_rows, migrations.RunPython.noop),
    ]
