"""Customers who write too much: who they are, and silencing them without losing a word."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.models import ACTIVE, Customer, Event, Notice, Ticket, User
from tickets.operations.acts import begin, lock_ticket
from tickets.operations.conversation import is_thanks, put_back_to_work, recount_waiting
from tickets.operations.errors import NotAllowed, NotVisible, WrongState
from tickets.operations.outgoing import cancel_solved_notice, say
from tickets.operations.reachability import lock_tickets_concerned

#: How long a flood counts as one, however often it swells.
ONE_FLOOD = timedelta(hours=1)


def note_flood(*, customer: Customer) -> bool:
    """Mark a customer who writes too often, for supervisors to see. True where this flood has only begun."""
    now = timezone.now()
    if customer.flooded_at is not None and now - customer.flooded_at < ONE_FLOOD:
        return False
    customer.flooded_at = now
    customer.save(update_fields=["flooded_at"])
    return True


@transaction.atomic
def mute_customer(*, customer_id: int, actor: User) -> Customer:
    """Keep what this customer writes without calling anybody to it: nothing counts as unread, waiting or new.

    The customer is told. Managers may still read and answer.

    :raises NotAllowed: only supervisors silence customers.
    :raises WrongState: the customer is muted already.
    """
    customer = _locked(customer_id, actor)
    if customer.is_muted:
        raise WrongState(_("Клиент уже заглушён."))
    customer.muted_at = timezone.now()
    customer.save(update_fields=["muted_at"])
    _record(customer, actor, Event.Kind.MUTED)
    _tell(customer, _("Переписка приостановлена. Сообщения сохраняются."))
    return customer


@transaction.atomic
def unmute_customer(*, customer_id: int, actor: User) -> Customer:
    """Hear this customer again; what they wrote meanwhile becomes unread and waits for an answer, also where its
    ticket was solved.

    :raises NotAllowed: only supervisors silence customers.
    :raises WrongState: the customer is not muted.
    """
    customer = _locked(customer_id, actor)
    if not customer.is_muted:
        raise WrongState(_("Клиент не заглушён."))
    unheard = _unheard(customer)
    customer.muted_at = None
    customer.save(update_fields=["muted_at"])
    for ticket in unheard:
        put_back_to_work(ticket)
        cancel_solved_notice(ticket)
        begin(ticket, actor).record(Event.Kind.REOPENED)
    _record(customer, actor, Event.Kind.UNMUTED)
    _tell(customer, _("Переписка возобновлена. Напишите, если вопрос остался."))
    return customer


def _unheard(customer: Customer) -> list[Ticket]:
    """The solved tickets, locked, on which this customer wrote more than thanks since they were muted."""
    since = Event.objects.filter(kind=Event.Kind.RECEIVED, created_at__gte=customer.muted_at)
    solved = since.filter(ticket__customer=customer).exclude(ticket__status__in=ACTIVE)
    # What was received is the last message then.
    said = solved.order_by("ticket").values_list("ticket_id", "after_message__content_type", "after_message__text")
    # One at a time: whoever is muted may have written a great deal.
    asked = [ticket_id for ticket_id, content_type, text in said.iterator() if not is_thanks(content_type, text)]
    locked = [lock_ticket(ticket_id) for ticket_id in dict.fromkeys(asked)]
    return [ticket for ticket in locked if not ticket.is_active]  # somebody may have brought it back meanwhile


def _locked(customer_id: int, actor: User) -> Customer:
    if not access.may_mute(actor):
        raise NotAllowed
    customer = Customer.objects.select_for_update(no_key=True).filter(pk=customer_id).first()
    if customer is None:
        raise NotVisible
    return customer


def _record(customer: Customer, actor: User, kind: Event.Kind) -> None:
    """Into the history of the tickets at work, or of the last one where none is."""
    for ticket in lock_tickets_concerned(customer) or _newest(customer):
        if kind == Event.Kind.UNMUTED:
            recount_waiting(ticket)
        begin(ticket, actor).record(kind)


def _newest(customer: Customer) -> list[Ticket]:
    return [lock_ticket(ticket.pk) for ticket in customer.tickets.order_by("-pk")[:1]]


def _tell(customer: Customer, text: Promise) -> None:
    with translation.override(customer.language):
        say(customer=customer, notice=Notice.OTHER, text=str(text), ticket=customer.tickets.order_by("-pk").first())
