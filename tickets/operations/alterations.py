"""Changes of messages Telegram already has: other words, deletion, our reaction. The bridge carries them out.

The desk shows at once what the customer is to see; where that does not come about it shows again what they do see,
and says why.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tickets import access
from tickets.formatting import Entity, Formatted
from tickets.models import (
    DELETABLE_FOR,
    MAX_REACTIONS,
    Alteration,
    AlterationKind,
    AlterationState,
    Change,
    Decision,
    Delivery,
    DeliveryState,
    Event,
    Message,
    MessageRevision,
    Obstacle,
    Sender,
    Ticket,
    User,
)
from tickets.operations.acts import OUTBOX_CHANNEL, Act, acting, begin, lock_ticket, notify
from tickets.operations.conversation import show_last, show_last_left, unanswered_since
from tickets.operations.deciding import deciding
from tickets.operations.errors import Invalid, NotVisible, WrongState
from tickets.operations.outgoing import bring_back, bring_back_unanswered, show_trouble, tell_author
from tickets.operations.seen import Seen
from tickets.text import pieces_of, storable

#: As long as a reply may wait to leave by itself.
ALTERATION_LIVES = timedelta(minutes=30)

#: Of the emoji a bot may react with (Bot API, ReactionTypeEmoji) those an answer can be made of.
REACTIONS = ("👍", "❤", "🔥", "🙏", "👌", "🤝", "🎉", "👀")


# Asking.


def edit_sent(act: Act, delivery: Delivery, words: Formatted) -> None:
    """Change the words of a reply that Telegram has; they have been checked as a reply's.

    :raises WrongState: it is deleted there, or the customer cannot be reached.
    :raises Invalid: it would need more messages than the customer has of it.
    """
    message = delivery.message
    _refuse_out_of_reach(message)
    if words == (message.text, message.entities):
        return
    _check_pieces(delivery, words.text)
    alteration = _ask(message, AlterationKind.EDIT, text=words.text, entities=words.entities)
    message.text, message.entities = words.text, words.entities
    message.save(update_fields=["text", "entities", "edited_at", "alteration"])
    if act.ticket.last_message_id == message.pk:
        show_last(act.ticket, message)
    show_trouble(act.ticket)
    act.record(Event.Kind.EDITED, change=Change.Kind.MESSAGE_STATE, message=message, alteration=alteration.pk)


def delete_reply(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """Take a reply out of the customer's chat; the desk keeps its words, marked as deleted there.

    Asked for twice it is done once.

    :raises WrongState: Telegram does not have it, or has had it for 48 hours.
    """
    with deciding(message_id, actor, seen) as (act, delivery):
        message = delivery.message
        if message.deleted_at is not None or _is_being_deleted(message):
            return message
        _refuse_out_of_reach(message)
        if delivery.state != DeliveryState.SENT:
            raise WrongState(_("Удалить у клиента можно только то, что до него дошло."))
        if not is_deletable(delivery):
            raise WrongState(_("Прошло больше 48 часов: Telegram уже не даёт удалить это сообщение."))
        alteration = _ask(message, AlterationKind.DELETE)
        message.save(update_fields=["edited_at", "alteration"])
        show_trouble(act.ticket)
        act.record(Event.Kind.DELETED, change=Change.Kind.MESSAGE_STATE, message=message, alteration=alteration.pk)
        return message


def is_deletable(delivery: Delivery) -> bool:
    """Whether Telegram still deletes it; counted from before its first message left."""
    return timezone.now() - delivery.queued_at < DELETABLE_FOR


def react(*, message_id: int, actor: User, emoji: str) -> Message:
    """Put a reaction under what the customer wrote, in place of an earlier one; an empty `emoji` takes it away.

    :raises Invalid: not one of `REACTIONS`.
    :raises WrongState: the message did not come from Telegram, or the customer cannot be reached.
    """
    if emoji and emoji not in REACTIONS:
        raise Invalid("emoji", _("Такой реакции у бота нет."))
    message = Message.objects.filter(pk=message_id, sender=Sender.CLIENT).first()
    if message is None or message.ticket_id is None:
        raise NotVisible
    with acting(message.ticket_id, actor=actor, may=access.can_work_on) as act:
        message = Message.objects.select_related("alteration", "customer").get(pk=message_id)
        _refuse_out_of_reach(message)
        if message.author_id is not None or message.service_account_id is not None:
            raise WrongState(_("Этого сообщения нет в чате клиента: оно пришло не из Telegram."))
        if emoji == wanted_reaction(message):
            return message
        alteration = _ask(message, AlterationKind.REACTION, text=emoji)
        message.save(update_fields=["alteration"])
        act.record(Event.Kind.REACTED, change=Change.Kind.MESSAGE_STATE, message=message, alteration=alteration.pk)
        return message


def wanted_reaction(message: Message) -> str:
    """The emoji that stands under the message, or is on its way there; empty where none."""
    alteration = message.alteration
    if alteration is None or alteration.kind != AlterationKind.REACTION:
        return ""
    came_through = alteration.is_pending or alteration.state == AlterationState.DONE
    return alteration.text if came_through else alteration.former_text


def leave_as_is(*, message_id: int, actor: User, seen: Seen | None = None) -> Message:
    """So be it: what could not be changed there, or the rest of a reply that went in part, is no trouble any more.

    :raises WrongState: there is nothing to decide.
    """
    with deciding(message_id, actor, seen) as (act, delivery):
        message, alteration = delivery.message, delivery.message.alteration
        about: dict[str, Any] = {}
        if delivery.can_be_left:
            # Failed it is for good: held, it would leave when the customer comes back.
            delivery.state, delivery.settled_at = DeliveryState.FAILED, timezone.now()
            delivery.decision, delivery.decided_by = Decision.LEFT, actor
            delivery.save(update_fields=["state", "settled_at", "decision", "decided_by"])
        elif alteration is not None and alteration.needs_look:
            alteration.state = AlterationState.LEFT
            alteration.save(update_fields=["state"])
            about = {"alteration": alteration.pk}
        else:
            raise WrongState(_("Здесь уже нечего решать: состояние сообщения изменилось. Обновите страницу."))
        show_trouble(act.ticket)
        act.record(Event.Kind.LEFT, change=Change.Kind.MESSAGE_STATE, message=message, **about)
        return message


def _refuse_out_of_reach(message: Message) -> None:
    if message.deleted_at is not None or _is_being_deleted(message):
        raise WrongState(_("Это сообщение удалено у клиента."))
    if message.customer.stopped_bot_at is not None:
        raise WrongState(_("Клиент остановил бота: изменить что-либо в его чате сейчас нельзя."))


def _is_being_deleted(message: Message) -> bool:
    return message.pending is not None and message.pending.kind == AlterationKind.DELETE


def _check_pieces(delivery: Delivery, text: str) -> None:
    """An edit changes the messages the customer has, and deletes what it leaves over; a new one it never sends."""
    if delivery.message.attachments.exists():
        return
    pending = delivery.message.pending
    there = max(delivery.parts_sent, 1)
    if pending is not None:
        there = min(there, len(pieces_of(delivery.message.text)))
    needed = len(pieces_of(text))
    if needed > there:
        raise Invalid(
            "text",
            ngettext(
                "Ответ ушёл в {n} сообщении, а новый текст в него не помещается. Сократите его или дополните ответом.",
                "Ответ ушёл в {n} сообщениях, а новый текст в них не помещается. Сократите его или дополните ответом.",
                there,
            ).format(n=there),
        )
    if needed < delivery.parts_sent and not is_deletable(delivery):
        raise Invalid(
            "text",
            _("Новый текст короче, а лишние сообщения Telegram уже не удалит: прошло больше 48 часов."),
        )


def _ask(message: Message, kind: AlterationKind, *, text: str = "", entities: Sequence[Entity] = ()) -> Alteration:
    """Put a change on its way in place of one that has not begun. The caller locks the ticket and saves the message."""
    of_message = Alteration.objects.select_for_update().filter(message=message)
    of_message.filter(state=AlterationState.FAILED).update(state=AlterationState.REPLACED)
    before = of_message.filter(state__in=Alteration.UNSETTLED).order_by("-pk").first()
    former_text, former_entities = message.text, message.entities
    if kind == AlterationKind.REACTION:
        former_text, former_entities = wanted_reaction(message), []
    if before is not None:
        former_text, former_entities = seen_text(before), _seen_entities(before)
        if before.state == AlterationState.QUEUED and before.kind == AlterationKind.EDIT:
            _keep_seen(before, message)
    of_message.filter(state=AlterationState.QUEUED).update(state=AlterationState.REPLACED, settled_at=timezone.now())
    message.alteration = Alteration.objects.create(
        message=message,
        kind=kind,
        text=text,
        entities=list(entities),
        former_text=former_text,
        former_entities=former_entities,
        expires_at=timezone.now() + ALTERATION_LIVES,
    )
    notify(OUTBOX_CHANNEL)
    return message.alteration


# Carrying out.


@transaction.atomic
def start_alteration(*, alteration_id: int) -> Alteration | None:
    """Claim a change for the worker that is about to ask Telegram. None where it may not, or not yet."""
    now = timezone.now()
    due = Alteration.objects.filter(state=AlterationState.QUEUED, due_at__lte=now, expires_at__gt=now)
    alteration = due.select_for_update(skip_locked=True).filter(pk=alteration_id).first()
    if alteration is not None:
        alteration.state, alteration.attempts = AlterationState.SENDING, alteration.attempts + 1
        alteration.save(update_fields=["state", "attempts"])
    return alteration


@transaction.atomic
def settle_alteration(
    *,
    alteration_id: int,
    state: AlterationState,
    steps_done: int,
    obstacle: Obstacle | str = "",
    again_in: timedelta = timedelta(0),
) -> Alteration:
    """What became of a request: `DONE`, `FAILED` for good, or `QUEUED` for its next step or another attempt.

    One that was overtaken by a newer change gives way to it unless it is done.
    """
    ticket, alteration = _lock(alteration_id)
    if alteration.state != AlterationState.SENDING:
        return alteration
    alteration.steps_done = steps_done
    _conclude(ticket, alteration, state, obstacle, again_in)
    return alteration


def _conclude(
    ticket: Ticket,
    alteration: Alteration,
    state: AlterationState,
    obstacle: Obstacle | str,
    again_in: timedelta = timedelta(0),
) -> None:
    newer = alteration.message.alterations.filter(pk__gt=alteration.pk, state=AlterationState.QUEUED).first()
    if newer is not None:
        newer.former_text, newer.former_entities = seen_text(alteration), _seen_entities(alteration)
        if state == AlterationState.DONE:
            newer.former_text, newer.former_entities = alteration.text, alteration.entities
        newer.save(update_fields=["former_text", "former_entities"])
        if state != AlterationState.DONE:
            state, obstacle = AlterationState.REPLACED, ""
    if state == AlterationState.QUEUED:
        alteration.state, alteration.due_at = state, timezone.now() + again_in
        alteration.save(update_fields=["state", "steps_done", "due_at"])
    else:
        _settle(ticket, alteration, state, obstacle, is_last=newer is None)


def _lock(alteration_id: int) -> tuple[Ticket, Alteration]:
    """The ticket first, as every act locks, then the change."""
    ticket_id = Alteration.objects.values_list("message__ticket_id", flat=True).get(pk=alteration_id)
    assert ticket_id is not None, "only what stands on a ticket is changed"
    ticket = lock_ticket(ticket_id)
    alterations = Alteration.objects.select_for_update(of=("self",)).select_related("message")
    return ticket, alterations.get(pk=alteration_id)


def _settle(
    ticket: Ticket, alteration: Alteration, state: AlterationState, obstacle: Obstacle | str, *, is_last: bool
) -> None:
    alteration.state, alteration.obstacle, alteration.settled_at = state, obstacle, timezone.now()
    alteration.save(update_fields=["state", "obstacle", "steps_done", "settled_at"])
    act = begin(ticket)
    match alteration.kind:
        case AlterationKind.EDIT:
            _edited(ticket, alteration, is_last=is_last)
        case AlterationKind.DELETE:
            _deleted(ticket, alteration)
    if alteration.needs_look or ticket.trouble:
        show_trouble(ticket)
    if alteration.needs_look:
        bring_back(ticket)
        tell_author(ticket, alteration.message)
    if state != AlterationState.REPLACED:
        told: dict[str, Any] = {"alteration": alteration.pk, "altered": alteration.kind, "state": state.value}
        if obstacle:
            told["obstacle"] = str(obstacle)
        act.record(Event.Kind.ALTERED, change=Change.Kind.MESSAGE_STATE, message=alteration.message, **told)


def _edited(ticket: Ticket, alteration: Alteration, *, is_last: bool) -> None:
    """Keep what the customer saw before, and show what they see now unless a newer edit is on its way."""
    message = alteration.message
    _keep_seen(alteration, message)
    if is_last and alteration.state == AlterationState.FAILED:
        _show_again(ticket, alteration)
    message.save(update_fields=["text", "entities", "edited_at"])


def _keep_seen(alteration: Alteration, message: Message) -> None:
    """Keep what the customer saw before an edit's steps. The caller saves the message."""
    if not alteration.steps_done:
        return
    now = timezone.now()
    MessageRevision.objects.create(
        message=message, text=alteration.former_text, entities=alteration.former_entities, replaced_at=now
    )
    message.edited_at = now
    _count_left(alteration)


def _deleted(ticket: Ticket, alteration: Alteration) -> None:
    message = alteration.message
    if alteration.state == AlterationState.FAILED:
        if alteration.steps_done:
            _count_left(alteration)
        _show_again(ticket, alteration)
        message.save(update_fields=["text", "entities"])
    elif alteration.state == AlterationState.DONE:
        waited_since = unanswered_since(ticket)
        message.deleted_at = timezone.now()
        message.save(update_fields=["deleted_at"])
        if ticket.last_message_id == message.pk:
            show_last_left(ticket)
        # Words of thanks after another answer need none, and did not before.
        if unanswered_since(ticket) not in (None, waited_since):
            bring_back_unanswered(ticket)


def _show_again(ticket: Ticket, alteration: Alteration) -> None:
    message = alteration.message
    message.text = seen_text(alteration)
    message.entities = _seen_entities(alteration)
    if ticket.last_message_id == message.pk:
        show_last(ticket, message)


def _count_left(alteration: Alteration) -> None:
    """How many messages the customer still has of a reply that was in pieces."""
    if alteration.message.attachments.exists():
        return
    gone = alteration.steps_done - (len(pieces_of(alteration.text)) if alteration.kind == AlterationKind.EDIT else 0)
    if gone > 0:
        delivery = Delivery.objects.select_for_update().get(pk=alteration.message_id)
        delivery.parts_sent = max(delivery.parts_sent - gone, 0)
        delivery.save(update_fields=["parts_sent"])


def seen_text(alteration: Alteration) -> str:
    """What the customer sees after those steps of a change that were done: edits from the first message of a reply on,
    then deletions from the last on.
    """
    done, former = alteration.steps_done, alteration.former_text
    if not done or alteration.kind == AlterationKind.REACTION:
        return former
    if alteration.message.attachments.exists():
        return alteration.text if alteration.kind == AlterationKind.EDIT else former
    old = pieces_of(former)
    new = pieces_of(alteration.text) if alteration.kind == AlterationKind.EDIT else []
    deleted = max(done - len(new), 0)
    return "\n".join([*new[:done], *old[min(done, len(new)) : len(old) - deleted]])


def _seen_entities(alteration: Alteration) -> list[Entity]:
    """The formatting of `seen_text`; none where that is partly the new text."""
    return [] if alteration.steps_done else list(alteration.former_entities)


def give_up_alterations(*, now: datetime | None = None) -> int:
    """Say of changes that Telegram has not taken for half an hour that they did not come about. Returns how many."""
    expired = Alteration.objects.filter(state=AlterationState.QUEUED, expires_at__lte=now or timezone.now())
    return sum(_give_up(pk, Obstacle.STALE) for pk in list(expired.values_list("pk", flat=True)))


def doubt_alterations() -> int:
    """After a restore: what the backup holds as to be changed may have been since, and changed again. Returns how
    many.
    """
    unsettled = Alteration.objects.filter(state__in=Alteration.UNSETTLED).order_by("pk")
    return sum(_give_up(pk, Obstacle.RESTORED) for pk in list(unsettled.values_list("pk", flat=True)))


@transaction.atomic
def _give_up(alteration_id: int, obstacle: Obstacle) -> bool:
    """False where a worker has claimed it since it was listed."""
    ticket, alteration = _lock(alteration_id)
    is_free = alteration.state == AlterationState.QUEUED or obstacle == Obstacle.RESTORED
    if not is_free or not alteration.is_pending:
        return False
    _conclude(ticket, alteration, AlterationState.FAILED, obstacle)
    return True


# What the customer does.


@transaction.atomic
def take_reactions(*, message: Message, reactions: Sequence[str]) -> Message:
    """Keep the customer's reactions that stand under a message now, in place of the earlier ones.

    Each is an emoji, or the Bot API's name of a kind that is none (ReactionType). They are no words: nothing becomes
    unread by them, and no status changes.
    """
    ticket = lock_ticket(message.ticket_id) if message.ticket_id is not None else None
    message.refresh_from_db()
    taken = " ".join(storable(reaction).strip() for reaction in reactions)[:MAX_REACTIONS]
    if message.reactions == taken:
        return message
    message.reactions = taken
    message.save(update_fields=["reactions"])
    if ticket is not None:
        begin(ticket).record(Event.Kind.REACTION, change=Change.Kind.MESSAGE_STATE, message=message)
    return message
