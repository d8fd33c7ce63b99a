from django.db import migrations

from tickets.online import ValidateCheckOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tickets", "0010_events_by_programs"),
    ]

    operations = [
        ValidateCheckOnline("message", "message_by_program_is_clients"),
        ValidateCheckOnline("event", "event_has_one_actor"),
    ]
