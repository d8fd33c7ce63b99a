"""Changes of what Telegram has, as the domain keeps them: begun when they are due, in order, and told to open pages."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tickets import operations
from tickets.models import (
    Alteration,
    AlterationState,
    Change,
    Delivery,
    DeliveryState,
    Event,
    Message,
    Notice,
    Obstacle,
    Status,
    Ticket,
    Trouble,
    User,
)

LONG = "Пункт договора. " * 300
Answer = Callable[..., Message]


@pytest.fixture
def reply(ticket: Ticket, aigerim: User, answer: Answer) -> Message:
    """A reply that Telegram has."""
    message = answer(ticket, aigerim, "до 18:00")
    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)
    return message


def edit(message: Message, actor: User, text: str) -> Alteration:
    operations.edit_reply(message_id=message.pk, actor=actor, text=text)
    return Alteration.objects.filter(message=message).latest("pk")


def begun(alteration: Alteration) -> Alteration:
    started = operations.start_alteration(alteration_id=alteration.pk)
    assert started is not None
    return started


def settle(
    alteration: Alteration,
    state: AlterationState,
    *,
    obstacle: str = "",
    again_in: timedelta = timedelta(0),
) -> None:
    done = int(state == AlterationState.DONE)
    operations.settle_alteration(
        alteration_id=alteration.pk, state=state, steps_done=done, obstacle=obstacle, again_in=again_in
    )


def test_one_that_waits_for_another_attempt_is_not_begun_before(reply: Message, aigerim: User) -> None:
    alteration = begun(edit(reply, aigerim, "до 19:00"))
    settle(alteration, AlterationState.QUEUED, again_in=timedelta(minutes=5))

    assert operations.start_alteration(alteration_id=alteration.pk) is None

    Alteration.objects.update(due_at=timezone.now())
    assert begun(alteration).attempts == 2


def test_of_several_edits_the_last_knows_what_the_one_under_way_has_left(reply: Message, aigerim: User) -> None:
    under_way = begun(edit(reply, aigerim, "до 19:00"))
    edit(reply, aigerim, "до 20:00")
    last = edit(reply, aigerim, "до 21:00")
    settle(under_way, AlterationState.DONE)

    settle(begun(last), AlterationState.FAILED, obstacle=Obstacle.REFUSED)

    reply.refresh_from_db()
    assert reply.text == "до 19:00"


def test_a_change_overtaken_between_its_steps_leaves_what_the_customer_had_read_in_the_history_of_the_reply(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    pieces = [f"{number}. {LONG[:3800]}" for number in range(3)]
    message = answer(ticket, aigerim, "\n\n".join(pieces))
    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=3)
    first = begun(edit(message, aigerim, "Коротко"))
    operations.settle_alteration(alteration_id=first.pk, state=AlterationState.QUEUED, steps_done=2)

    second = begun(edit(message, aigerim, "Ещё короче"))
    operations.settle_alteration(alteration_id=second.pk, state=AlterationState.DONE, steps_done=2)

    said = [revision.text for revision in message.revisions.order_by("pk")]
    assert len(said) == 2
    assert all(piece.strip() in said[0] for piece in pieces)
    assert said[1].startswith("Коротко")
    assert "1. " in said[1]
    assert Delivery.objects.get(pk=message.pk).parts_sent == 1


def test_a_change_that_did_not_come_about_brings_its_solved_ticket_back(
    ticket: Ticket, reply: Message, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    settle(begun(edit(reply, aigerim, "до 19:00")), AlterationState.FAILED, obstacle=Obstacle.REFUSED)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since, ticket.trouble) == (Status.OPEN, None, Trouble.UNALTERED)
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED


def test_a_change_that_did_not_come_about_wakes_its_ticket(ticket: Ticket, reply: Message, aigerim: User) -> None:
    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=timezone.now() + timedelta(days=30))
    settle(begun(edit(reply, aigerim, "до 19:00")), AlterationState.FAILED, obstacle=Obstacle.REFUSED)

    ticket.refresh_from_db()
    assert (ticket.snoozed_until, ticket.trouble) == (None, Trouble.UNALTERED)


def test_a_text_for_more_messages_than_the_customer_has_is_refused_as_the_texts_fault(
    reply: Message, aigerim: User
) -> None:
    with pytest.raises(operations.Invalid, match="Ответ ушёл в 1 сообщении") as refusal:
        edit(reply, aigerim, LONG)
    assert refusal.value.field == "text"


def test_a_text_that_leaves_messages_over_nobody_can_delete_is_refused_as_the_texts_fault(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    long = answer(ticket, aigerim, LONG)
    operations.settle(delivery_id=long.pk, state=DeliveryState.SENT, parts_sent=2)
    Delivery.objects.filter(pk=long.pk).update(queued_at=timezone.now() - timedelta(hours=49))

    with pytest.raises(operations.Invalid, match="больше 48 часов") as refusal:
        edit(long, aigerim, "до 18:00")

    assert refusal.value.field == "text"


def test_a_reply_that_was_taken_back_is_said_to_have_been(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "до 18:00")
    operations.withdraw(message_id=message.pk, actor=aigerim)

    with pytest.raises(operations.WrongState, match="Сообщение отозвано и не ушло"):
        edit(message, aigerim, "до 19:00")


def edits(question: Message, reply: Message, actor: User) -> Message:
    edit(reply, actor, "до 19:00")
    return reply


def deletes(question: Message, reply: Message, actor: User) -> Message:
    return operations.delete_reply(message_id=reply.pk, actor=actor)


def reacts(question: Message, reply: Message, actor: User) -> Message:
    return operations.react(message_id=question.pk, actor=actor, emoji="👍")


def leaves(question: Message, reply: Message, actor: User) -> Message:
    settle(begun(edit(reply, actor, "до 19:00")), AlterationState.FAILED, obstacle=Obstacle.REFUSED)
    return operations.leave_as_is(message_id=reply.pk, actor=actor)


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (edits, Event.Kind.EDITED),
        (deletes, Event.Kind.DELETED),
        (reacts, Event.Kind.REACTED),
        (leaves, Event.Kind.LEFT),
    ],
)
def test_history_names_the_change_and_open_pages_the_message(
    ticket: Ticket,
    aigerim: User,
    reply: Message,
    act: Callable[[Message, Message, User], Message],
    kind: Event.Kind,
) -> None:
    message = act(ticket.messages.get(sender="client"), reply, aigerim)

    event = ticket.events.latest("pk")
    assert (event.kind, event.actor, event.data["message"]) == (kind, aigerim, message.pk)
    assert event.data["alteration"] == Alteration.objects.get(message=message).pk
    change = Change.objects.latest("pk")
    assert (change.kind, change.message_id) == (Change.Kind.MESSAGE_STATE, message.pk)
