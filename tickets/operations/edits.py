"""What customers change of what they wrote: edits of words, files and places, in whatever order they come.

Telegram tells of each edit once, and an update tried again tells late. The last edit by Telegram's own clock stands;
what any other said or held is kept as what was there before.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tickets.cards import masked, numbers_in
from tickets.models import Attachment, Change, DeliveryState, Event, Message, MessageRevision, Sender, Ticket
from tickets.operations.acts import announce, begin, lock_ticket
from tickets.operations.cards import keep_cards
from tickets.operations.conversation import is_thanks, put_back_to_work, show_last
from tickets.operations.errors import WrongState
from tickets.operations.incoming import IncomingFile, expect_file
from tickets.operations.outgoing import cancel_solved_notice
from tickets.text import storable


@transaction.atomic
def revise(*, message: Message, text: str, entities: Sequence[dict[str, Any]], edited_at: datetime) -> Message:
    """Take over a customer's edit and keep what it replaced. An edit that changes nothing visible leaves no trace.

    One that comes after a later one, as from an update tried again, takes nothing back: its words join the former ones.
    """
    if message.ticket_id is None:
        raise WrongState
    ticket = lock_ticket(message.ticket_id)
    message.refresh_from_db()
    keep_cards(message, numbers_in(text))
    text = masked(storable(text))
    if _comes_late(edited_at, message):
        _remember_former(ticket, message, text, entities)
        return message
    message.last_edit_at = edited_at
    if (message.text, message.entities) == (text, list(entities)):
        message.save(update_fields=["last_edit_at"])
        return message
    asks_anew = not ticket.customer.is_muted and _asks_anew(ticket, message, text)
    _remember_edit(message, edited_at)
    message.text, message.entities = text, list(entities)
    message.edited_after_answer = _is_answered(ticket, message)
    message.save(update_fields=["text", "entities", "edited_at", "last_edit_at", "edited_after_answer"])
    if ticket.last_message_id == message.pk:
        show_last(ticket, message)
    begin(ticket).record(Event.Kind.REVISED, change=Change.Kind.MESSAGE_STATE, message=message)
    if asks_anew:
        put_back_to_work(ticket)
        cancel_solved_notice(ticket)
        ticket.waiting_since = edited_at
        begin(ticket).record(Event.Kind.REOPENED)
    return message


def _asks_anew(ticket: Ticket, message: Message, text: str) -> bool:
    """Whether thanks, which left a solved ticket solved, become words which would have brought it back."""
    if not ticket.can_reopen(timezone.now()):
        return False
    return is_thanks(message.content_type, message.text) and not is_thanks(message.content_type, text)


@transaction.atomic
def move_place(*, message: Message, text: str, live_until: datetime, placed_at: datetime) -> Message:
    """Take over where the customer is now, as a live location tells every few seconds until `live_until`.

    Nobody has edited anything, so the places it left behind are not kept, and history has a line a minute at most. What
    is told late, or twice, moves nothing.
    """
    if message.ticket_id is None:
        raise WrongState
    ticket = lock_ticket(message.ticket_id)
    message.refresh_from_db()
    was_placed_at, was_until = message.placed_at or message.sent_at, message.live_until
    told = (text, live_until, placed_at)
    if placed_at < was_placed_at or told == (message.text, was_until, message.placed_at):
        return message
    message.text, message.live_until, message.placed_at = told
    message.save(update_fields=["text", "live_until", "placed_at"])
    if ticket.last_message_id == message.pk:
        show_last(ticket, message)
    if live_until != was_until or placed_at.replace(second=0) > was_placed_at:
        begin(ticket).record(Event.Kind.PLACE, change=Change.Kind.MESSAGE_STATE, message=message)
    else:
        ticket.save()
        announce(ticket, Change.Kind.MESSAGE_STATE, message=message)
    return message


def _comes_late(edited_at: datetime, message: Message) -> bool:
    """Whether an edit was made before another that has come already, visible or not."""
    last = message.last_edit_at or message.edited_at
    return last is not None and edited_at < last


def _remember_former(ticket: Ticket, message: Message, text: str, entities: Sequence[dict[str, Any]]) -> None:
    """Keep words that were replaced before we heard of them, unless we have."""
    if text in ("", message.text) or message.revisions.filter(text=text).exists():
        return
    replaced_at = _mark_edited(message)
    MessageRevision.objects.create(message=message, text=text, entities=list(entities), replaced_at=replaced_at)
    begin(ticket).record(Event.Kind.REVISED, change=Change.Kind.MESSAGE_STATE, message=message)


def _mark_edited(message: Message) -> datetime:
    """What was edited before it came is shown as such once something of before is there to show. Returns since when."""
    if message.edited_at is None:
        message.edited_at = message.last_edit_at or timezone.now()
        message.save(update_fields=["edited_at"])
    return message.edited_at


@transaction.atomic
def keep_former(*, message: Message, text: str, entities: Sequence[dict[str, Any]]) -> None:
    """Keep what a message said before its edit, where that comes only afterwards: its update was parked for a while.

    Words that are known, as with an update that comes twice, change nothing.
    """
    numbers, text = numbers_in(text), masked(storable(text))
    if message.ticket_id is None or message.sender != Sender.CLIENT:
        return
    ticket = lock_ticket(message.ticket_id)
    message.refresh_from_db()
    keep_cards(message, numbers)
    _remember_former(ticket, message, text, entities)


def _is_answered(ticket: Ticket, message: Message) -> bool:
    """Whether a manager has replied since: what was answered may then be another question.

    A reply taken back, refused, held or deleted has told the customer nothing.
    """
    silent = [DeliveryState.CANCELLED, DeliveryState.FAILED, DeliveryState.HELD]
    replies = ticket.messages.filter(sender=Sender.MANAGER, pk__gt=message.pk, deleted_at__isnull=True)
    return replies.exclude(delivery__state__in=silent, delivery__parts_sent=0).exists()


@transaction.atomic
def replace_files(*, message: Message, files: Sequence[IncomingFile], edited_at: datetime) -> list[Attachment | None]:
    """Take over the files, two of a live photo, that a customer's edit put in others' place. The replaced ones stay:
    somebody may have seen them.

    Where the same edit changed the words too, `revise` comes first and has kept them. Returns for each file what to
    fetch, None for one that is known, as all are after an edit of the words alone. One that comes after a later edit,
    as from an update tried again, takes nothing back: its files join the replaced ones.
    """
    if message.ticket_id is None:
        raise WrongState
    ticket = lock_ticket(message.ticket_id)
    message.refresh_from_db()
    kept = list(message.attachments.order_by("position", "pk"))
    if _comes_late(edited_at, message):
        last = kept[-1].position if kept else 0
        return [_keep_replaced(ticket, message, file, position=last + n) for n, file in enumerate(files)]
    message.last_edit_at = edited_at
    message.save(update_fields=["last_edit_at"])
    if [file.file_unique_id for file in kept[-len(files) :]] == [file.file_unique_id for file in files]:
        return [None for _file in files]
    if message.edited_at != edited_at:
        _remember_edit(message, edited_at)
        message.edited_after_answer = _is_answered(ticket, message)
        message.save(update_fields=["edited_at", "edited_after_answer"])
    end = kept[-1].position + 1 if kept else 0
    attachments = [expect_file(message, file, position) for position, file in enumerate(files, start=end)]
    _note_files(ticket, message, files)
    return list(attachments)


@transaction.atomic
def keep_former_file(*, message: Message, file: IncomingFile) -> Attachment | None:
    """Keep the file a message came with before an edit put another in its place, where it comes only afterwards.

    Where its words were others too, `keep_former` comes first. Returns the file to fetch, None where it is known.
    """
    if message.ticket_id is None or message.sender != Sender.CLIENT:
        return None
    ticket = lock_ticket(message.ticket_id)
    message.refresh_from_db()
    attachment = _keep_replaced(ticket, message, file, position=0)
    if attachment is not None and not message.revisions.exists():
        replaced_at = _mark_edited(message)
        message.revisions.create(text=message.text, entities=message.entities, replaced_at=replaced_at)
    return attachment


def _keep_replaced(ticket: Ticket, message: Message, file: IncomingFile, *, position: int) -> Attachment | None:
    """Put a file that was replaced before it came where it belongs, unless it is known."""
    if message.attachments.filter(file_unique_id=file.file_unique_id).exists():
        return None
    message.attachments.filter(position__gte=position).update(position=F("position") + 1)
    attachment = expect_file(message, file, position)
    _note_files(ticket, message, [file])
    return attachment


def _remember_edit(message: Message, edited_at: datetime) -> None:
    MessageRevision.objects.create(message=message, text=message.text, entities=message.entities, replaced_at=edited_at)
    message.edited_at = edited_at


def _note_files(ticket: Ticket, message: Message, files: Sequence[IncomingFile]) -> None:
    for file in files:
        keep_cards(message, numbers_in(file.file_name))
    begin(ticket).record(Event.Kind.REVISED, change=Change.Kind.MESSAGE_STATE, message=message)
