"""What customers said elsewhere, by phone or at the counter, taken down by a supervisor."""

from dataclasses import replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.models import Customer, Message, Ticket, Topic, User
from tickets.operations.acts import lock_ticket
from tickets.operations.errors import Invalid, NotAllowed, NotVisible
from tickets.operations.incoming import Incoming, receive
from tickets.operations.replies import quoted


@transaction.atomic
def open_by_hand(
    *, actor: User, telegram_user_id: int, text: str, subject: str = "", topic_id: int | None = None
) -> Ticket:
    """Open a ticket in a customer's name; a customer the bot has not met yet is made, still without a name.

    :raises NotAllowed: the actor may not speak for customers.
    :raises Invalid: there is no such topic in use, or no words.
    """
    if not access.may_enter_by_hand(actor):
        raise NotAllowed
    topic = topic_in_use(topic_id)
    customer, _created = Customer.objects.get_or_create(telegram_user_id=telegram_user_id)
    return receive(customer=customer, incoming=_said(actor, text, subject), topic=topic).ticket


@transaction.atomic
def enter_by_hand(*, ticket_id: int, actor: User, text: str, quote_id: int | None = None) -> Message:
    """Add what the customer said to a ticket, as its customer's message; `quote_id`: which message they spoke of.

    :raises NotVisible: the actor does not see the ticket.
    :raises NotAllowed: the actor may not speak for customers.
    :raises Invalid: no words, or a quote that is not of this conversation.
    """
    ticket = lock_ticket(ticket_id)
    if not access.can_see(actor, ticket):
        raise NotVisible
    if not access.may_enter_by_hand(actor):
        raise NotAllowed
    incoming = replace(_said(actor, text), quote=quoted(ticket, quote_id))
    return receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message


def topic_in_use(topic_id: int | None) -> Topic | None:
    """The topic a new ticket is to be about, where one is named.

    :raises Invalid: there is no such topic in use.
    """
    topic = Topic.objects.filter(pk=topic_id, retired_at__isnull=True).first() if topic_id is not None else None
    if topic_id is not None and topic is None:
        raise Invalid("topic", _("Такой темы нет."))
    return topic


def _said(actor: User, text: str, subject: str = "") -> Incoming:
    if not text.strip():
        raise Invalid("text", _("Запишите слова клиента."))
    return Incoming(text=text.strip(), subject=subject.strip(), sent_at=timezone.now(), entered_by=actor)
