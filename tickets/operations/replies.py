"""What managers write: replies that must reach the customer, notes for the team, decisions about unsure replies."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.formatting import Formatted, checked, joined, pieces_of, trimmed
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
from tickets.operations.acts import OUTBOX_CHANNEL, Act, acting, notify, refuse_unseen
from tickets.operations.alterations import edit_sent
from tickets.operations.conversation import recount_waiting, show_last, wake
from tickets.operations.deciding import deciding
from tickets.operations.errors import AnotherText, Invalid, WrongState
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
from tickets.text import MAX_CAPTION, MAX_REPLY, storable, utf16_length

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
    entities: Sequence[Mapping[str, Any]] = (),
    uploads: Sequence[Upload] = (),
    quote_id: int | None = None,
    seen: Seen | None = None,
    then: Then = Then.WAIT,
    snooze_until: datetime | None = None,
) -> Message:
    """Answer the customer: a message, its delivery and the ticket's new state, at once or not at all.

    `entities` are the Bot API's MessageEntity objects of the text as it is given here.
    Replying to an unassigned ticket takes it. The same `client_id` with the same content returns the first message,
    also where the actor does not see its ticket any more.

    :raises Refused: not visible, not allowed, unseen messages, another text under this id, or a value that cannot be
        taken (`text`, `entities`, `files`, `quote`, `snooze_until`).
    """
    words = _checked_words(text, entities, uploads)
    check_uploads(uploads)
    if then == Then.SNOOZE:
        check_snooze(snooze_until)
    digest = digest_of(f"{Sender.MANAGER}:{ticket_id}:{then}", words, uploads, quote_id)

    # Who has lost the ticket meanwhile must still hear that the reply was written, or it is written twice.
    def sees(user: User, ticket: Ticket) -> bool:
        return access.can_see(user, ticket) or _already_written(user, client_id, digest) is not None

    def may(user: User, ticket: Ticket) -> bool:
        return access.can_reply(user, ticket) or _already_written(user, client_id, digest) is not None

    with stored(uploads) as files, acting(ticket_id, actor=actor, may=may, sees=sees) as act:
        repeated = _already_written(actor, client_id, digest)
        if repeated is not None:
            return repeated
        refuse_unseen(act.ticket, actor, seen)
        if act.ticket.assignee_id is None:
            mark_taken(act)
        message = _write(
            act,
            sender=Sender.MANAGER,
            words=words,
            files=files,
            quote=quoted(act.ticket, quote_id),
            client_id=client_id,
            digest=digest,
        )
        delivery = queue(message, lane=Lane.REPLY)
        _answered(act.ticket, message, then, snooze_until)
        is_held = delivery.state == DeliveryState.HELD
        if is_held:
            show_trouble(act.ticket)
            bring_back_unanswered(act.ticket)  # words that lie here have answered nothing
        act.record(Event.Kind.REPLIED, change=Change.Kind.MESSAGE, message=message, then=then.value)
        if then == Then.RESOLVE and not is_held:
            mark_resolved(act)
        return message


def note(
    *,
    ticket_id: int,
    actor: User,
    text: str,
    client_id: uuid.UUID,
    entities: Sequence[Mapping[str, Any]] = (),
    uploads: Sequence[Upload] = (),
) -> Message:
    """Write to the team; the customer never sees it. Colleagues named as @Имя Фамилия follow the ticket from now on.

    The same `client_id` with the same content returns the first note, whoever sees its ticket by now.

    :raises Refused: not visible, another text under this id, or a value that cannot be taken.
    """
    words = _checked_words(text, entities, uploads)
    check_uploads(uploads)
    digest = digest_of(f"{Sender.NOTE}:{ticket_id}", words, uploads, None)

    def sees(user: User, ticket: Ticket) -> bool:
        return access.can_see(user, ticket) or _already_written(user, client_id, digest) is not None

    with stored(uploads) as files, acting(ticket_id, actor=actor, may=access.can_note, sees=sees) as act:
        repeated = _already_written(actor, client_id, digest)
        if repeated is not None:
            return repeated
        message = _write(act, sender=Sender.NOTE, words=words, files=files, client_id=client_id, digest=digest)
        for colleague in _mentioned(words.text):
            TicketReader.objects.update_or_create(ticket=act.ticket, user=colleague, defaults={"follows": True})
        act.record(Event.Kind.NOTED, change=Change.Kind.MESSAGE, message=message)
        return message


def _checked_words(text: str, entities: Sequence[Mapping[str, Any]], uploads: Sequence[Upload]) -> Formatted:
    words = _formatted(text, entities)
    if not words.text and not uploads:
        raise Invalid("text", _("Напишите текст или приложите файл."))
    limit = MAX_CAPTION if uploads else MAX_REPLY
    length = utf16_length(words.text)
    if length > limit:
        raise Invalid(
            "text",
            _("Слишком длинно: {length} из {limit} знаков. Сократите текст или отправьте его без файлов.").format(
                length=length, limit=limit
            ),
        )
    return words


def _formatted(text: str, entities: Sequence[Mapping[str, Any]]) -> Formatted:
    """What a person wrote as it is kept: storable, without space around it."""
    text = storable(text)
    try:
        return trimmed(text, checked(text, entities))
    except ValueError as error:
        raise Invalid("entities", _("Разметку такого текста Telegram не примет: {why}.").format(why=error)) from error


def _already_written(actor: User, client_id: uuid.UUID, digest: str) -> Message | None:
    """The message this browser has already sent under this id; asked inside the ticket's lock."""
    message = Message.objects.filter(author=actor, client_id=client_id).first()
    if message is not None and message.digest != digest:
        raise AnotherText
    return message


def quoted(ticket: Ticket, quote_id: int | None) -> Message | None:
    """The message of this conversation that is quoted, where one is.

    :raises Invalid: it is a note, which no customer sees, or of another ticket.
    """
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
    words: Formatted,
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
        text=words.text,
        entities=words.entities,
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
    was_solved = not ticket.is_active
    ticket.status = Status.OPEN if then == Then.OPEN else Status.WAITING
    if then == Then.SNOOZE:
        ticket.snoozed_until = snooze_until
    if was_solved:  # an answer to a solved question brings it back
        ticket.resolved_at = ticket.closed_at = None
        cancel_solved_notice(ticket)


def _mentioned(text: str) -> Iterator[User]:
    if "@" not in text:
        return
    people = sorted(access.people_at_work(), key=lambda person: len(person.display_name), reverse=True)
    for colleague in people:  # «@Айна Ким» names Айна Ким, not also her namesake «Айна»
        text, times = re.subn(rf"(?<!\w)@{re.escape(colleague.display_name)}(?!\w)", "", text)
        if times:
            yield colleague


def edit_reply(
    *,
    message_id: int,
    actor: User,
    text: str,
    entities: Sequence[Mapping[str, Any]] = (),
    seen: Seen | None = None,
) -> Message:
    """Change the words of a reply. What was held or refused goes on its way again, unless the customer has stopped the
    bot; where Telegram has it already, they change there too. The same words again are no edit.

    :raises WrongState: it is leaving just now, or did not simply arrive.
    """
    with deciding(message_id, actor, seen) as (act, delivery):
        message = delivery.message
        words = _formatted(text, entities)
        _check_edited(words.text, message)
        if delivery.state == DeliveryState.SENT:
            edit_sent(act, delivery, words)
            return message
        _refuse_departed(delivery)
        is_changed = words != (message.text, message.entities)
        if delivery.state == DeliveryState.QUEUED and not is_changed:
            return message
        if is_changed:
            _rewrite(message, words)
        if delivery.state == DeliveryState.HELD and message.customer.stopped_bot_at is not None:
            _wait_for_return(delivery)
        else:
            _requeue(delivery)
        recount_waiting(act.ticket)
        if act.ticket.last_message_id == message.pk:
            show_last(act.ticket, message)
        _record(act, Event.Kind.EDITED if is_changed else Event.Kind.RELEASED, message)
        return message


def _rewrite(message: Message, words: Formatted) -> None:
    MessageRevision.objects.create(
        message=message, text=message.text, entities=message.entities, replaced_at=timezone.now()
    )
    message.text, message.entities, message.edited_at = words.text, words.entities, timezone.now()
    message.save(update_fields=["text", "entities", "edited_at"])


def _check_edited(text: str, message: Message) -> None:
    files = message.attachments.count()
    if not text and not files:
        raise Invalid("text", _("Напишите текст или отзовите сообщение."))
    limit = MAX_CAPTION if files else MAX_REPLY
    if utf16_length(text) > limit:
        raise Invalid("text", _("Слишком длинно: не больше {limit} знаков.").format(limit=limit))


def withdraw(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """Take back a reply that has not left yet. The customer waits again if nothing else answered.

    Asked for twice it is done once.

    :raises WrongState: Telegram already has it.
    """
    with deciding(message_id, actor, seen) as (act, delivery):
        if (delivery.state, delivery.reason) == (DeliveryState.CANCELLED, Reason.WITHDRAWN):
            return delivery.message
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
    with deciding(message_id, actor, seen) as (act, delivery):
        if delivery.state != DeliveryState.HELD:
            raise WrongState(_("Это сообщение уже не ждёт решения. Обновите страницу."))
        _requeue(delivery)
        recount_waiting(act.ticket)
        _record(act, Event.Kind.RELEASED, delivery.message)
        return delivery.message


def mark_arrived(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """«Дошло»: the manager knows the customer has it. No tick appears, only Telegram's word gives one.

    The parts of the message that waited behind the unsure one go on; of one from a backup none waited, all may have
    left since.

    :raises WrongState: there is nothing to decide.
    """
    with deciding(message_id, actor, seen) as (act, delivery):
        if delivery.state != DeliveryState.UNKNOWN or delivery.decision:
            raise WrongState(NOTHING_TO_DECIDE)
        parts, restored = parts_of(delivery.message), delivery.reason == Reason.RESTORED
        delivery.parts_sent = parts if restored else delivery.parts_sent + delivery.parts_tried
        delivery.decision, delivery.decided_by = Decision.ARRIVED, actor
        if delivery.parts_sent < parts:
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
    with deciding(message_id, actor, seen) as (act, delivery):
        if not delivery.can_be_resent:
            raise WrongState(NOTHING_TO_DECIDE)
        delivery.decision, delivery.decided_by = Decision.RESENT, actor
        delivery.save(update_fields=["decision", "decided_by"])
        repeat = _copy_unsent(delivery, actor)
        queue(repeat, lane=Lane.REPLY)
        recount_waiting(act.ticket)
        show_last(act.ticket, repeat)
        show_trouble(act.ticket)
        act.record(Event.Kind.RESENT, change=Change.Kind.MESSAGE, message=repeat)
        return repeat


def _copy_unsent(delivery: Delivery, actor: User) -> Message:
    original = delivery.message
    files = list(original.attachments.order_by("position"))
    unsent = files[delivery.parts_sent :]
    # The words leave with the first file, which has room for one piece, or in pieces of their own.
    unsaid = pieces_of(original.text, original.entities)[delivery.parts_sent :]
    words = joined(unsaid, "\n") if delivery.parts_sent else Formatted(original.text, original.entities)
    repeat = Message.objects.create(
        ticket=original.ticket,
        customer=original.customer,
        sender=Sender.MANAGER,
        author=actor,
        content_type=unsent[0].kind if unsent else original.content_type,
        text=words.text,
        entities=words.entities,
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
    if delivery.state == DeliveryState.CANCELLED:
        raise WrongState(_("Сообщение отозвано и не ушло."))
    if delivery.can_be_left:
        raise WrongState(_("Часть этого сообщения уже у клиента: решите, отправлять ли остальное."))
    if not delivery.can_be_changed:
        raise WrongState(_("Сообщение уже уходит в Telegram, и ответа о нём ещё нет. Подождите его."))


def _requeue(delivery: Delivery) -> None:
    delivery.state, delivery.reason, delivery.settled_at = DeliveryState.QUEUED, "", None
    delivery.queued_at = timezone.now()
    delivery.save(update_fields=["state", "reason", "settled_at", "queued_at"])
    notify(OUTBOX_CHANNEL)


def _wait_for_return(delivery: Delivery) -> None:
    """As a new reply to a customer who has stopped the bot: it goes when they are back, at once it would be refused."""
    delivery.reason, delivery.queued_at = Reason.BLOCKED, timezone.now()
    delivery.save(update_fields=["reason", "queued_at"])


def _record(act: Act, kind: Event.Kind, message: Message) -> None:
    show_trouble(act.ticket)
    act.record(kind, change=Change.Kind.MESSAGE_STATE, message=message)
