"""What one person has read, follows, began to write or looked up. Nobody else's work changes by it."""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from tickets import access
from tickets.models import Change, Draft, Event, Message, Sender, Ticket, TicketReader, User
from tickets.operations.acts import acting, announce, lock_ticket, ring
from tickets.operations.errors import NotVisible, Outdated

#: Between the clocks of two browsers, each set by the server's over its own line; what comes no later is in time.
CLOCKS_DIFFER = timedelta(seconds=5)
#: Where a browser's clock begins (ECMA-262, "Time Values"). Years before the first are none to a database.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def mark_seen(*, ticket_id: int, user: User, message_id: int) -> None:
    """Remember that this person has read up to a message. Reading never goes backwards by itself."""
    message = Message.objects.select_related("ticket__team").filter(pk=message_id, ticket=ticket_id).first()
    if message is None or message.ticket is None:
        return
    if not access.can_see(user, message.ticket):
        raise NotVisible
    with transaction.atomic():
        reader, _created = TicketReader.objects.select_for_update().get_or_create(ticket_id=ticket_id, user=user)
        if reader.seen_message_id is not None and reader.seen_message_id >= message_id:
            return
        reader.seen_message = message
        reader.save(update_fields=["seen_message"])
        _tell_own_pages(ticket_id, user)


def mark_unread(*, ticket_id: int, user: User) -> None:
    """Make the customer's last message unread again, for this person only."""
    ticket = _visible(ticket_id, user)
    last = ticket.messages.filter(sender=Sender.CLIENT).order_by("-pk").first()
    if last is None:
        return
    before = ticket.messages.filter(pk__lt=last.pk).order_by("-pk").first()
    with transaction.atomic():
        TicketReader.objects.update_or_create(ticket=ticket, user=user, defaults={"seen_message": before})
        _tell_own_pages(ticket_id, user)


def follow(*, ticket_id: int, user: User, follows: bool) -> None:
    """Keep seeing a ticket, or stop."""
    ticket = _visible(ticket_id, user)
    TicketReader.objects.update_or_create(ticket=ticket, user=user, defaults={"follows": follows})


@transaction.atomic
def save_draft(
    *,
    ticket_id: int,
    user: User,
    text: str,
    is_note: bool = False,
    quote_id: int | None = None,
    written_at: datetime | None = None,
) -> None:
    """Keep what this person has begun to write; an empty text clears it. Colleagues learn that someone writes.

    `written_at`: when, where it comes late, as from a page that was cut off.

    :raises NotVisible: this person does not see the ticket.
    :raises Outdated: they have written or sent newer words there since.
    """
    now = timezone.now()
    # Locked, so that who learns of it are those who see the ticket now, whoever moves it at this moment.
    ticket = lock_ticket(ticket_id)
    if not access.can_see(user, ticket):
        raise NotVisible
    written_at = min(max(written_at or now, LONG_AGO), now)  # what a browser says can be from any time
    if now - written_at > CLOCKS_DIFFER:
        _refuse_outdated(ticket, user, written_at)
    if not text.strip():
        begun = Draft.objects.filter(ticket=ticket, user=user).exclude(text="")
        # The row stays: an older copy in another browser would not know that it was cleared.
        if begun.update(text="", is_note=False, quote=None, updated_at=written_at):
            announce(ticket, Change.Kind.PEER)
        return
    quote = Message.objects.filter(pk=quote_id, ticket=ticket).first() if quote_id is not None else None
    Draft.objects.update_or_create(
        ticket=ticket,
        user=user,
        defaults={"text": text, "is_note": is_note, "quote": quote, "updated_at": written_at},
    )
    announce(ticket, Change.Kind.PEER)


def _refuse_outdated(ticket: Ticket, user: User, written_at: datetime) -> None:
    surely_after = written_at + CLOCKS_DIFFER
    draft = Draft.objects.filter(ticket=ticket, user=user).first()
    is_older = draft is not None and draft.updated_at > surely_after
    if is_older or ticket.messages.filter(author=user, sent_at__gt=surely_after).exists():
        raise Outdated(draft)


def drop_draft(*, ticket_id: int, user: User) -> None:
    """What this person had begun is written, also where they have lost the ticket since.

    Most replies are typed at one go and leave no draft to drop.
    """
    drafts = Draft.objects.filter(ticket=ticket_id, user=user)
    if not drafts.exists():
        return
    with transaction.atomic():
        ticket = lock_ticket(ticket_id)
        drafts.delete()
        announce(ticket, Change.Kind.PEER)


def reveal_phone(*, ticket_id: int, actor: User) -> str:
    """The customer's whole phone number; who looked stands in the ticket's history."""
    with acting(ticket_id, actor=actor, may=access.can_note) as act:
        act.record(Event.Kind.PHONE_SHOWN)
        return act.ticket.customer.phone


def _visible(ticket_id: int, user: User) -> Ticket:
    ticket = Ticket.objects.select_related("team").filter(pk=ticket_id).first()
    if ticket is None or not access.can_see(user, ticket):
        raise NotVisible
    return ticket


def _tell_own_pages(ticket_id: int, user: User) -> None:
    ring(Change(ticket_id=ticket_id, kind=Change.Kind.READ, audience=[access.user_token(user.pk)]))
