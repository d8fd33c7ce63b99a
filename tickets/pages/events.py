"""Reading history by id, from where a reader left off, without ever skipping a line."""

from dataclasses import dataclass

from django.db.models import Max, QuerySet
from django.utils.translation import gettext_lazy as _

from tickets.access import Program
from tickets.models import Event, Ticket, User
from tickets.operations import WrongState

#: How many lines one page looks through: it costs the same, however few of them its reader may see.
LOOKED_THROUGH = 2000


@dataclass(frozen=True)
class Stretch:
    """A page of history in the order of ids. The next begins after `reached`, at once where `more` says so."""

    events: list[Event]
    reached: int
    more: bool


def events_after(caller: User | Program, after: int, limit: int) -> Stretch:
    """What this caller may know of what happened after event `after`, at most `limit` lines.

    Not for a transaction that keeps the view it had when it began: what is asked last must see the most.

    :raises WrongState: no event has borne the number `after` yet, as after an older copy was restored.
    """
    given = Event.objects.last_given_id()
    if after > given:
        raise WrongState(_("События с таким номером ещё не было. Начните читать события заново."))
    settled = max(after, Event.objects.settled_up_to(given))
    rest = Event.objects.filter(pk__gt=after, pk__lte=settled)
    if isinstance(caller, Program):
        # A customer's tickets are few: their lines are found by ticket, without looking through everybody's.
        end, rest = settled, rest.filter(ticket__in=list(_tickets_of(caller)))
    else:
        window = rest.order_by("pk").values("pk")[:LOOKED_THROUGH]
        end = Event.objects.filter(pk__in=window).aggregate(end=Max("pk"))["end"] or settled
        rest = rest.filter(pk__lte=end)
    found = list(rest.visible_to(caller).select_related("service_account").order_by("pk")[: limit + 1])
    if len(found) > limit:
        return Stretch(found[:limit], found[limit - 1].pk, more=True)
    return Stretch(found, end, more=end < settled)


def _tickets_of(program: Program) -> "QuerySet[Ticket, int]":
    return Ticket.objects.visible_to(program).values_list("pk", flat=True)
