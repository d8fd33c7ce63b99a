"""One act on a reply of ours: its ticket locked, then its delivery, rights and state asked again inside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.models import Delivery, Message, Sender, User
from tickets.operations.acts import Act, begin, lock_ticket, refuse_unseen
from tickets.operations.errors import NotAllowed, NotVisible, WrongState
from tickets.operations.seen import Seen


@contextmanager
def deciding(
    message_id: int, actor: User, seen: Seen | None, may: Callable[[User, Message], bool] = access.can_decide
) -> Iterator[tuple[Act, Delivery]]:
    """One act on a reply's delivery: the ticket's row locked, then the delivery's, so that no worker claims it now."""
    with transaction.atomic():
        placed = Message.objects.filter(pk=message_id, ticket__isnull=False).values_list("ticket_id", "sender").first()
        if placed is None:
            raise NotVisible
        ticket_id, sender = placed
        ticket = lock_ticket(ticket_id)
        if not access.can_see(actor, ticket):
            raise NotVisible
        if sender != Sender.MANAGER:
            raise WrongState(_("Это не ответ клиенту: изменить и отозвать можно только ответ."))
        # Read inside the lock: somebody else may have changed it while this waited.
        deliveries = Delivery.objects.select_for_update(of=("self",)).select_related("message__alteration")
        delivery = deliveries.filter(pk=message_id).first()
        if delivery is None:
            raise WrongState(_("Этот ответ перенесён из прежней системы: в Telegram его отсюда не изменить."))
        delivery.message.ticket, delivery.message.customer = ticket, ticket.customer
        if not may(actor, delivery.message):
            raise NotAllowed
        refuse_unseen(ticket, actor, seen)
        yield begin(ticket, actor), delivery
