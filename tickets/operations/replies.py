"""What managers write: replies that must reach the customer, notes for the team, decisions about unsure replies."""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.models import (
    Change,
    Decision,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    Message,
    MessageRevision,
    Reason,
    Sender,
    Status,
    Ticket,
    TicketReader,
    User,
)
from tickets.operations.acts import OUTBOX_CHANNEL, Act, acting, begin, lock_ticket, notify, refuse_unseen
from tickets.operations.conversation import recount_waiting, show_last, wake
from tickets.operations.errors import AnotherText, Invalid, NotAllowed, NotVisible, WrongState
from tickets.operations.handling import check_snooze, mark_resolved, mark_taken
from tickets.operations.outgoing import (
    bring_back_unanswered,
    cancel_solved_notice,
    parts_of,
    queue,
    show_trouble,
)
from tickets.operations.seen import Seen
from tickets.operations.uploads import StoredFiles, Upload, check_uploads, digest_of, stored
from tickets.text import MAX_CAPTION, MAX_REPLY, pieces_of, storable, utf16_length

NOTHING_TO_DECIDE = _("Здесь уже нечего решать: состояние сообщения изменилось. Обновите страницу.")


class Then(models.TextChoices):
    """What happens to the ticket once the reply is on its way."""

    WAIT = "wait", _("Отправить и ждать клиента")
    RESOLVE = "resolve", _("Отправить и решить")
    OPEN = "open", _("Отправить, оставить в работе")
    SNOOZE = "snooze", _("Отправить и отложить")


def reply(
    *,
    ticket_id: int,
    actor: User,
    text: str,
    client_id: uuid.UUID,
    uploads: Sequence[Upload] = (),
    quote_id: int | None = None,
    seen: Seen | None = None,
    then: Then = Then.WAIT,
    snooze_until: datetime | None = None,
) -> Message:
    """Answer the customer: a message, its delivery and the ticket's new state, at once or not at all.

    Replying to an unassigned ticket takes it. The same `client_id` with the same content returns the first message.

    :raises Refused: not visible, not allowed, unseen messages, another text under this id, or a value that cannot be
        taken (`text`, `files`, `quote`, `snooze_until`).
    """
    text = _checked_text(text, uploads)
    check_uploads(uploads)
    if then == Then.SNOOZE:
        check_snooze(snooze_until)
    digest = digest_of(f"{Sender.MANAGER}:{ticket_id}:{then}", text, uploads, quote_id)

    def may(user: User, ticket: Ticket) -> bool:
        # Who has lost the ticket meanwhile must still hear that the reply was written, or it is written twice.
        return access.can_reply(user, ticket) or _already_written(user, client_id, digest) is not None

    with stored(uploads) as files, acting(ticket_id, actor=actor, may=may) as act:
        repeated = _already_written(actor, client_id, digest)
        if repeated is not None:
            return repeated
        refuse_unseen(act.ticket, actor, seen)
        if act.ticket.assignee_id is None:
            mark_taken(act)
        message = _write(
            act,
            sender=Sender.MANAGER,
            text=text,
            files=files,
            quote=_quoted(act.ticket, quote_id),
            client_id=client_id,
            digest=digest,
        )
        delivery = queue(message, lane=Lane.REPLY)
        _answered(act.ticket, message, then, snooze_until)
        if delivery.state == DeliveryState.HELD:
            show_trouble(act.ticket)
        act.record(Event.Kind.REPLIED, change=Change.Kind.MESSAGE, message=message, then=then.value)
        if then == Then.RESOLVE:
            mark_resolved(act)
        return message


def note(*, ticket_id: int, actor: User, text: str, client_id: uuid.UUID, uploads: Sequence[Upload] = ()) -> Message:
    """Write to the team; the customer never sees it. Colleagues named as @Имя Фамилия follow the ticket from now on.

    :raises Refused: not visible, another text under this id, or a value that cannot be taken.
    """
    text = _checked_text(text, uploads)
    check_uploads(uploads)
    digest = digest_of(f"{Sender.NOTE}:{ticket_id}", text, uploads, None)
    with stored(uploads) as files, acting(ticket_id, actor=actor, may=access.can_note) as act:
        repeated = _already_written(actor, client_id, digest)
        if repeated is not None:
            return repeated
        message = _write(act, sender=Sender.NOTE, text=text, files=files, client_id=client_id, digest=digest)
        for colleague in _mentioned(text):
            TicketReader.objects.update_or_create(ticket=act.ticket, user=colleague, defaults={"follows": True})
        act.record(Event.Kind.NOTED, change=Change.Kind.MESSAGE, message=message)
        return message


def _checked_text(text: str, uploads: Sequence[Upload]) -> str:
    text = storable(text).replace("\r\n", "\n").strip()
    if not text and not uploads:
        raise Invalid("text", _("Напишите текст или приложите файл."))
    limit = MAX_CAPTION if uploads else MAX_REPLY
    length = utf16_length(text)
    if length > limit:
        raise Invalid(
            "text",
            _("Слишком длинно: {length} из {limit} знаков. Сократите текст или отправьте его без файлов.").format(
                length=length, limit=limit
            ),
        )
    return text


def _already_written(actor: User, client_id: uuid.UUID, digest: str) -> Message | None:
    """The message this browser has already sent under this id; asked inside the ticket's lock."""
    message = Message.objects.filter(author=actor, client_id=client_id).first()
    if message is not None and message.digest != digest:
        raise AnotherText
    return message


def _quoted(ticket: Ticket, quote_id: int | None) -> Message | None:
    if quote_id is None:
        return None
    quote = ticket.messages.exclude(sender=Sender.NOTE).filter(pk=quote_id).first()
    if quote is None:
        raise Invalid("quote", _("Цитируемого сообщения в этом обращении нет."))
    return quote


def _write(
    act: Act,
    *,
    sender: Sender,
    text: str,
    files: StoredFiles,
    client_id: uuid.UUID,
    digest: str,
    quote: Message | None = None,
) -> Message:
    message = Message.objects.create(
        ticket=act.ticket,
        customer=act.ticket.customer,
        sender=sender,
        author=act.actor,
        content_type=files.content_type,
        text=text,
        quote=quote,
        client_id=client_id,
        digest=digest,
    )
    files.attach_to(message)
    return message


def _answered(ticket: Ticket, message: Message, then: Then, snooze_until: datetime | None) -> None:
    show_last(ticket, message)
    wake(ticket)
    ticket.waiting_since = None
    ticket.first_answered_at = ticket.first_answered_at or message.sent_at
    if not ticket.is_active:  # an answer to a solved question brings it back
        ticket.resolved_at = ticket.closed_at = None
        cancel_solved_notice(ticket)
    ticket.status = Status.OPEN if then == Then.OPEN else Status.WAITING
    if then == Then.SNOOZE:
        ticket.snoozed_until = snooze_until


def _mentioned(text: str) -> Iterator[User]:
    if "@" not in text:
        return
    people = sorted(access.people_at_work(), key=lambda person: len(person.display_name), reverse=True)
    for colleague in people:  # «@Айна Ким» names Айна Ким, not also her namesake «Айна»
        text, times = re.subn(rf"(?<!\w)@{re.escape(colleague.display_name)}(?!\w)", "", text)
        if times:
            yield colleague


@contextmanager
def _deciding(
    message_id: int, actor: User, seen: Seen | None, may: Callable[[User, Message], bool] = access.can_decide
) -> Iterator[tuple[Act, Delivery]]:
    """One act on a reply's delivery: the ticket's row locked, then the delivery's, so that no worker claims it now."""
    with transaction.atomic():
        message = Message.objects.filter(pk=message_id, sender=Sender.MANAGER).first()
        if message is None or message.ticket_id is None:
            raise NotVisible
        ticket = lock_ticket(message.ticket_id)
        if not access.can_see(actor, ticket):
            raise NotVisible
        message.ticket = ticket
        if not may(actor, message):
            raise NotAllowed
        refuse_unseen(ticket, actor, seen)
        delivery = Delivery.objects.select_for_update().get(pk=message_id)
        delivery.message = message
        yield begin(ticket, actor), delivery


def edit_reply(*, message_id: int, actor: User, text: str, seen: Seen | None = None) -> Message:
    """Change the words of a reply that has not left yet. What was held or refused goes on its way again.

    :raises WrongState: Telegram already has it.
    """
    with _deciding(message_id, actor, seen) as (act, delivery):
        _refuse_departed(delivery)
        message = delivery.message
        text = storable(text).replace("\r\n", "\n").strip()
        _check_edited(text, message)
        MessageRevision.objects.create(
            message=message, text=message.text, entities=message.entities, replaced_at=timezone.now()
        )
        message.text, message.entities, message.edited_at = text, [], timezone.now()
        message.save(update_fields=["text", "entities", "edited_at"])
        _requeue(delivery)
        recount_waiting(act.ticket)
        if act.ticket.last_message_id == message.pk:
            show_last(act.ticket, message)
        _record(act, Event.Kind.EDITED, message)
        return message


def _check_edited(text: str, message: Message) -> None:
    files = message.attachments.count()
    if not text and not files:
        raise Invalid("text", _("Напишите текст или отзовите сообщение."))
    limit = MAX_CAPTION if files else MAX_REPLY
    if utf16_length(text) > limit:
        raise Invalid("text", _("Слишком длинно: не больше {limit} знаков.").format(limit=limit))


def withdraw(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """Take back a reply that has not left yet. The customer waits again if nothing else answered.

    :raises WrongState: Telegram already has it.
    """
    with _deciding(message_id, actor, seen) as (act, delivery):
        _refuse_departed(delivery)
        delivery.state, delivery.reason = DeliveryState.CANCELLED, Reason.WITHDRAWN
        delivery.settled_at = timezone.now()
        delivery.save(update_fields=["state", "reason", "settled_at"])
        bring_back_unanswered(act.ticket)
        _record(act, Event.Kind.WITHDRAWN, delivery.message)
        return delivery.message


def release(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """Send a held reply after all.

    :raises WrongState: it is not held.
    """
    with _deciding(message_id, actor, seen) as (act, delivery):
        if delivery.state != DeliveryState.HELD:
            raise WrongState(_("Это сообщение уже не ждёт решения. Обновите страницу."))
        _requeue(delivery)
        recount_waiting(act.ticket)
        _record(act, Event.Kind.RELEASED, delivery.message)
        return delivery.message


def mark_arrived(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """«Дошло»: the manager knows the customer has it. No tick appears, only Telegram's word gives one.

    The parts of the message that waited behind the unsure one go on.

    :raises WrongState: there is nothing to decide.
    """
    with _deciding(message_id, actor, seen) as (act, delivery):
        if delivery.state != DeliveryState.UNKNOWN or delivery.decision:
            raise WrongState(NOTHING_TO_DECIDE)
        delivery.parts_sent += 1
        delivery.decision, delivery.decided_by = Decision.ARRIVED, actor
        if delivery.parts_sent < parts_of(delivery.message):
            delivery.state, delivery.settled_at = DeliveryState.QUEUED, None
            delivery.queued_at = timezone.now()
            notify(OUTBOX_CHANNEL)
        delivery.save()
        _record(act, Event.Kind.ARRIVED, delivery.message)
        return delivery.message


def resend(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """«Отправить ещё раз»: a new message with what may be missing, last in the conversation and marked as a repeat.

    :raises WrongState: there is nothing to decide.
    """
    with _deciding(message_id, actor, seen) as (act, delivery):
        if not delivery.can_be_resent:
            raise WrongState(NOTHING_TO_DECIDE)
        delivery.decision, delivery.decided_by = Decision.RESENT, actor
        delivery.save(update_fields=["decision", "decided_by"])
        repeat = _copy_unsent(delivery, actor)
        queue(repeat, lane=Lane.REPLY)
        show_last(act.ticket, repeat)
        show_trouble(act.ticket)
        act.record(Event.Kind.RESENT, change=Change.Kind.MESSAGE, message=repeat)
        return repeat


def _copy_unsent(delivery: Delivery, actor: User) -> Message:
    original = delivery.message
    files = list(original.attachments.order_by("position"))
    unsent = files[delivery.parts_sent :]
    # The words leave with the first file, or in pieces of their own.
    said = pieces_of(original.text)[:1] if files else pieces_of(original.text)
    repeat = Message.objects.create(
        ticket=original.ticket,
        customer=original.customer,
        sender=Sender.MANAGER,
        author=actor,
        content_type=unsent[0].kind if unsent else original.content_type,
        text=original.text if delivery.parts_sent == 0 else "\n".join(said[delivery.parts_sent :]),
        entities=original.entities if delivery.parts_sent == 0 else [],
        quote=original.quote,
        resend_of=original,
    )
    for attachment in unsent:
        attachment.pk = None
        attachment._state.adding = True
        attachment.message = repeat
        attachment.save(force_insert=True)
    return repeat


def _refuse_departed(delivery: Delivery) -> None:
    if not delivery.can_be_changed:
        raise WrongState(_("Сообщение уже ушло в Telegram, изменить его здесь нельзя."))


def _requeue(delivery: Delivery) -> None:
    delivery.state, delivery.reason, delivery.settled_at = DeliveryState.QUEUED, "", None
    delivery.queued_at = timezone.now()
    delivery.save(update_fields=["state", "reason", "settled_at", "queued_at"])
    notify(OUTBOX_CHANNEL)


def _record(act: Act, kind: Event.Kind, message: Message) -> None:
    show_trouble(act.ticket)
    act.record(kind, change=Change.Kind.MESSAGE_STATE, message=message)
