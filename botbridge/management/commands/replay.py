"""Updates once more through the inbox: parked ones after what was wrong has been mended, or a file of them."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from botbridge.models import Update
from botbridge.replays import Replayed, kind_of, replay, updates_in
from botbridge.storing import store

AGE = re.compile(r"(\d{1,4})([mhd])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def moment(text: str) -> datetime:
    """«2h», «3d», «2026-11-28» or «2026-11-28 10:00», by the site's clock."""
    if age := AGE.fullmatch(text):
        return timezone.now() - int(age[1]) * UNITS[age[2]]
    day = parse_date(text)
    found = parse_datetime(text) or (datetime.combine(day, time()) if day is not None else None)
    if found is None:
        raise ArgumentTypeError(f"{text}: write an age (30m, 2h, 3d) or a date (2026-11-28, 2026-11-28T10:00)")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


class Command(BaseCommand):
    help = (
        "Handles stored updates once more: parked ones after what was wrong has been mended, or those of a file. One "
        "attempt each, in the order they came; a running bot need not be stopped. Ends with 1 if any stays parked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--parked", action="store_true", help="only what is parked and nobody has dealt with")
        parser.add_argument("--id", type=int, nargs="+", metavar="N", help="by Telegram's numbers of the updates")
        parser.add_argument("--chat", type=int, help="of one chat")
        parser.add_argument("--kind", help="of one kind: message, edited_message, callback_query, ...")
        parser.add_argument("--reason", help="parked for a reason with these words in it")
        parser.add_argument("--since", type=moment, help="received since: 30m, 2h, 3d, 2026-11-28, 2026-11-28T10:00")
        parser.add_argument(
            "--file", type=Path, help="store these first: a JSON array of updates, or getUpdates' answer"
        )
        parser.add_argument(
            "--handled",
            action="store_true",
            help="also what was handled, where the desk lacks its message; commands and presses are never repeated",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._chosen(options)
        if options["kind"]:
            found = [update for update in found if kind_of(update) == options["kind"]]
        if not found:
            self.stdout.write("Nothing to replay.")
            return
        if not replay(found, tell=self._tell, dry_run=options["dry_run"]):
            raise CommandError("Not everything is handled: see above, and the log for the whole error.")

    def _tell(self, replayed: Replayed) -> None:
        self.stdout.write(str(replayed), self.style.ERROR if replayed.is_open else None)

    def _chosen(self, options: dict[str, Any]) -> list[Update]:
        if options["file"] is not None:
            return list(self._narrowed(_from_file(options["file"], options), options))
        names = ("parked", "id", "chat", "kind", "reason", "since")
        if not any(options[name] for name in names):
            raise CommandError(f"Say what to replay: {', '.join(f'--{name}' for name in (*names, 'file'))}.")
        return list(self._narrowed(Update.objects.all(), options))

    def _narrowed(self, updates: "QuerySet[Update]", options: dict[str, Any]) -> "QuerySet[Update]":
        wanted = Q()
        if options["parked"]:
            wanted &= Q(state=Update.State.PARKED, settled_at__isnull=True)
        elif not options["handled"]:
            wanted &= ~Q(state=Update.State.HANDLED)
        if options["id"]:
            wanted &= Q(update_id__in=options["id"])
        if options["chat"] is not None:
            wanted &= Q(chat_id=options["chat"])
        if options["reason"]:
            wanted &= Q(state=Update.State.PARKED, reason__contains=options["reason"])
        if options["since"] is not None:
            wanted &= Q(received_at__gte=options["since"])
        return updates.filter(wanted).order_by("pk")


def _from_file(path: Path, options: dict[str, Any]) -> "QuerySet[Update]":
    """Store a file's updates as if Telegram had just sent them; what is known already is not stored twice."""
    if options["dry_run"]:
        raise CommandError("A file's updates have to be stored before anything can be said of them: no --dry-run.")
    if not settings.TELEGRAM_BOT_TOKEN:
        raise CommandError("TELEGRAM_BOT_TOKEN is not set: it says which bot these updates are of.")
    bot_id = int(settings.TELEGRAM_BOT_TOKEN.partition(":")[0])
    try:
        updates = list(updates_in(path.read_text()))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from None
    store(bot_id, updates)
    return Update.objects.filter(bot_id=bot_id, update_id__in=[update.get("update_id") for update in updates])
