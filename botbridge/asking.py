"""After an outage longer than Telegram keeps what is written: asking customers to write once more, as a job."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from botbridge.models import KEPT_BY_TELEGRAM, Outage
from botbridge.outages import concerned, in_clock_time
from tickets import operations
from tickets.models import Lane, Notice, Ticket

#: Customers asked before the job gives its worker back.
ASKED_AT_ONCE = 100


def repeat_please(since: datetime, until: datetime, zone: ZoneInfo) -> str:
    """What customers are asked; what was written between these moments may be lost."""
    # Here and not with the bot's other words: the desk's processes read the schedule and do without aiogram.
    return _(
        "Бот долго не работал, часть сообщений могла не дойти. Если вы писали с {since} до {until}, отправьте, "
        "пожалуйста, ещё раз."
    ).format(**in_clock_time(since, until, zone))


def ask_to_repeat() -> int:
    """Ask some more of the customers a supervisor has said to ask, each once however often a worker dies."""
    return sum(_ask_some(outage_id) for outage_id in _being_asked())


def _being_asked() -> list[int]:
    asked = Outage.objects.filter(asked_at__isnull=False, told_at__isnull=True)
    return list(asked.order_by("pk").values_list("pk", flat=True))


def _ask_some(outage_id: int) -> int:
    for number in range(ASKED_AT_ONCE):
        if not _ask_next(outage_id):
            return number
    return ASKED_AT_ONCE


@transaction.atomic
def _ask_next(outage_id: int) -> bool:
    """Ask one; False where all have been."""
    outage = Outage.objects.select_for_update().get(pk=outage_id)
    if outage.told_at is not None or outage.lost_until is None:
        return False
    customer = concerned(outage).filter(pk__gt=outage.told_up_to).order_by("pk").first()
    if customer is None:
        outage.told_at = timezone.now()
        outage.save(update_fields=["told_at"])
        return False
    ticket = Ticket.objects.active().filter(customer=customer).select_related("team").latest("pk")
    with translation.override(customer.language):
        text = repeat_please(outage.began_at, outage.lost_until, ZoneInfo(ticket.team.time_zone))
    operations.say(
        customer=customer, notice=Notice.REPEAT, text=text, ticket=ticket, lane=Lane.MASS, expires_in=KEPT_BY_TELEGRAM
    )
    outage.told_up_to, outage.told = customer.pk, outage.told + 1
    outage.save(update_fields=["told_up_to", "told"])
    return True
