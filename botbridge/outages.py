"""Outages: what customers and the desk are told after a time in which nobody could write to us.

Measured by whoever lets updates in: from the last moment at which Telegram and the database had both answered until
they do again, whichever of them was away, or the bot itself. Noted before what had waited is stored, so that each
message written meanwhile is known as such when it is handled.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botbridge.clocks import SOON
from botbridge.models import KEPT_BY_TELEGRAM, BotStatus, ChatSession, Outage, Update
from tickets import access, operations
from tickets.models import Customer, Ticket, User
from tickets.operations import NotAllowed, WrongState

#: A silence customers have noticed.
NOTICED_AFTER = timedelta(minutes=15)


def reached(bot_id: int, *, last: datetime | None = None) -> Outage | None:
    """Telegram reaches us: note the outage that ends with this, if there was one. Harmless when repeated.

    `last` is when it had done so before; without it, when the bot last worked (`_worked_until`). Called before what
    came is stored.
    """
    now = timezone.now()
    if last is None:
        status = BotStatus.objects.filter(pk=bot_id).first()
        last = status.last_polled_at if status is not None else None
        if status is None or last is None or now - last <= NOTICED_AFTER:
            return None
        last = _worked_until(status, last, now)
    if now - last <= NOTICED_AFTER:
        return None
    # One that was noted by a process which then died has gone on until now.
    outage, _created = Outage.objects.update_or_create(bot_id=bot_id, began_at=last, defaults={"ended_at": now})
    _mark_gaps(outage)
    return outage


def _worked_until(status: BotStatus, last_polled_at: datetime, now: datetime) -> datetime:
    """When a poll last succeeded, or an update came by another door.

    What a webhook takes in while the bot's process is away nobody answers, so those do not count; but after a day they
    do: that nothing of them is lost matters more then.
    """
    if status.door == BotStatus.Door.WEBHOOK and now - last_polled_at <= KEPT_BY_TELEGRAM:
        return last_polled_at
    return max(last_polled_at, last_update(status.bot_id) or last_polled_at)


def _mark_gaps(outage: Outage) -> None:
    """In each ticket at work, above whatever comes now. Goes on where a process that died has left off."""
    if outage.lost_until is None:
        return
    at_work = Ticket.objects.active().filter(pk__gt=outage.marked_up_to).order_by("pk")
    for ticket_id in list(at_work.values_list("pk", flat=True)):
        with transaction.atomic():
            # The outage's row before the ticket's, as those lock who ask customers. Whoever comes to it at the same
            # time, by another request of the webhook, finds the mark made.
            own = Outage.objects.filter(pk=outage.pk, marked_up_to__lt=ticket_id)
            if not own.update(marked_up_to=ticket_id):
                continue
            operations.mark_gap(ticket_id=ticket_id, since=outage.began_at, until=outage.lost_until)


def last_update(bot_id: int) -> datetime | None:
    """When the last update came, by whatever door."""
    return Update.objects.filter(bot_id=bot_id).order_by("-pk").values_list("received_at", flat=True).first()


def outage_at(bot_id: int, moment: datetime) -> Outage | None:
    """The outage during which something was written; `moment` is Telegram's date, in whole seconds.

    One that a clock far ahead made longer than it was has no end anybody could be told until that is mended, and may
    then turn out too short for customers to notice.
    """
    over = Outage.objects.filter(bot_id=bot_id, ended_at__lte=Now() + SOON)
    noticed = over.filter(ended_at__gt=F("began_at") + NOTICED_AFTER)
    during = noticed.filter(began_at__lt=moment + timedelta(seconds=1), ended_at__gte=moment)
    return during.order_by("-began_at").first()


def in_clock_time(since: datetime, until: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Two moments as «10:00» and «18:00»; of different days, as «27.11 22:00» and «28.11 08:00»."""
    began, ended = since.astimezone(zone), until.astimezone(zone)
    form = "%H:%M" if began.date() == ended.date() else "%d.%m %H:%M"
    return {"since": began.strftime(form), "until": ended.strftime(form)}


def waiting_for_word() -> bool:
    """Whether something was lost within the last day and no supervisor has said yet to ask customers about it."""
    lately = timezone.now() - KEPT_BY_TELEGRAM
    unasked = Outage.objects.filter(asked_at__isnull=True, ended_at__gt=lately)
    return any(outage.lost_until is not None for outage in unasked)


@transaction.atomic
def approve_asking(*, outage_id: int, actor: User) -> Outage:
    """Have the customers with tickets at work asked to send once more what may be lost. Nobody is asked without this.

    :raises NotAllowed: only supervisors address many customers at once.
    :raises WrongState: nothing was lost, or they have been asked.
    """
    if not access.is_supervisor(actor):
        raise NotAllowed
    outage = Outage.objects.select_for_update().get(pk=outage_id)
    if outage.lost_until is None:
        raise WrongState(_("Перерыв был короче суток: Telegram всё сохранил."))
    if outage.asked_at is not None:
        raise WrongState(_("Клиентов уже попросили."))
    outage.asked_by, outage.asked_at = actor, timezone.now()
    outage.save(update_fields=["asked_by", "asked_at"])
    return outage


def concerned(outage: Outage) -> QuerySet[Customer]:
    """Whom to ask: those with a ticket at work that was there before the end, who may be written to by this bot."""
    at_work = Ticket.objects.active().filter(customer=OuterRef("pk"), created_at__lt=outage.ended_at)
    here = ChatSession.objects.filter(customer=OuterRef("pk"), bot_id=outage.bot_id)
    reachable = Customer.objects.filter(muted_at=None, stopped_bot_at=None, erased_at=None)
    return reachable.filter(Exists(at_work), Exists(here))
