"""How a message joins a ticket, whoever wrote it."""

from datetime import datetime

from tickets.models import PREVIEW_LENGTH, ContentType, Delivery, DeliveryState, Message, Sender, Status, Ticket
from tickets.text import is_bare_thanks


def show_last(ticket: Ticket, message: Message) -> None:
    """Carry the message into the ticket's row of the queue. The caller saves."""
    ticket.last_message = message
    ticket.last_sender = message.sender
    ticket.last_content_type = message.content_type
    ticket.last_text = message.text[:PREVIEW_LENGTH]
    ticket.last_message_at = message.sent_at


def show_last_left(ticket: Ticket) -> None:
    """Carry into the row what was said last of what the customer still has. The caller saves."""
    said = ticket.messages.filter(sender__in=[Sender.CLIENT, Sender.MANAGER], deleted_at__isnull=True)
    last = said.order_by("-pk").first()
    if last is not None:
        show_last(ticket, last)


def is_thanks(content_type: str, text: str) -> bool:
    """Whether a message asks for nothing, so that a solved ticket stays solved."""
    if content_type == ContentType.STICKER:
        return True
    return content_type == ContentType.TEXT and is_bare_thanks(text)


def wake(ticket: Ticket) -> None:
    ticket.snoozed_until = None


def put_back_to_work(ticket: Ticket) -> None:
    """Make a solved ticket active again; a responsible person who has left does not get it back."""
    if ticket.assignee is not None and not ticket.assignee.is_active:
        ticket.assignee = None
    ticket.status = Status.OPEN if ticket.assignee else Status.NEW
    ticket.resolved_at = None
    ticket.closed_at = None


def unanswered_since(ticket: Ticket) -> datetime | None:
    """When the customer began to wait: the first message after our last reply that is not held, failed, withdrawn or
    deleted again.
    """
    not_said = [DeliveryState.HELD, DeliveryState.FAILED, DeliveryState.CANCELLED]
    lost = Delivery.objects.filter(message__ticket=ticket, state__in=not_said).values("message_id")
    replies = ticket.messages.filter(sender=Sender.MANAGER, deleted_at__isnull=True)
    answered = replies.exclude(pk__in=lost).order_by("-pk").first()
    unanswered = ticket.messages.filter(sender=Sender.CLIENT, pk__gt=answered.pk if answered else 0)
    first = unanswered.order_by("pk").first()
    return first.sent_at if first else None


def recount_waiting(ticket: Ticket) -> None:
    """After one of our replies was lost or goes again: whether the customer waits for us. The caller saves.

    One who is muted calls nobody anew; it is counted again when they are heard again.
    """
    if not ticket.is_active:
        return
    since = unanswered_since(ticket)
    if ticket.customer.is_muted and since != ticket.waiting_since:
        since = None
    ticket.waiting_since = since
    if ticket.waiting_since is not None and ticket.status == Status.WAITING:
        ticket.status = Status.OPEN
