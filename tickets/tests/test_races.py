"""Two people, or one person's two clicks, at the very same moment."""

import uuid
from collections.abc import Callable

import pytest

from conftest import at_once, wrote
from tickets import access, operations
from tickets.models import Change, Customer, Delivery, DeliveryState, Message, Team, Ticket, User

AT_ONCE = 6


@pytest.mark.django_db(transaction=True)
def test_one_submit_sent_many_times_at_once_is_one_message(
    ticket: Ticket, aigerim: User, answer: Callable[..., Message]
) -> None:
    client_id = uuid.uuid4()

    sent = at_once(*[lambda: answer(ticket, aigerim, "Да", client_id=client_id)] * AT_ONCE)

    assert len({message.pk for message in sent}) == 1
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_asking_for_the_next_ticket_get_two(timur: Customer, team: Team, aigerim: User, bolat: User) -> None:
    for number in range(AT_ONCE):
        wrote(timur, f"Вопрос {number}")

    takers = [aigerim, bolat] * (AT_ONCE // 2)
    taken = at_once(*[lambda user=user: operations.take_next(actor=user) for user in takers])

    assert len({ticket.pk for ticket in taken}) == AT_ONCE


@pytest.mark.django_db(transaction=True)
def test_one_person_pressing_many_times_at_once_gets_one_ticket(timur: Customer, team: Team, bolat: User) -> None:
    for number in range(AT_ONCE):
        wrote(timur, f"Вопрос {number}")
    client_id = uuid.uuid4()

    taken = at_once(*[lambda: operations.take_next(actor=bolat, client_id=client_id)] * AT_ONCE)

    assert len({ticket.pk for ticket in taken}) == 1
    assert Ticket.objects.filter(assignee=bolat).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_free_ticket_taken_by_two_at_once_belongs_to_one(free_ticket: Ticket, aigerim: User, bolat: User) -> None:
    operations.mark_present(user=aigerim)
    operations.mark_present(user=bolat)
    User.objects.update(presence="online")

    outcomes = at_once(
        *[lambda user=user: operations.take(ticket_id=free_ticket.pk, actor=user) for user in (aigerim, bolat)]
    )

    refusals = [outcome for outcome in outcomes if isinstance(outcome, operations.NotAllowed)]
    assert len(refusals) == 1


@pytest.mark.django_db(transaction=True)
def test_a_reply_is_either_withdrawn_or_sent_never_both(
    ticket: Ticket, aigerim: User, answer: Callable[..., Message]
) -> None:
    for _round in range(5):
        message = answer(ticket, aigerim)

        withdrawn, claimed = at_once(
            lambda message=message: operations.withdraw(message_id=message.pk, actor=aigerim),
            lambda message=message: operations.start_sending(delivery_id=message.pk),
        )

        state = Delivery.objects.get(pk=message.pk).state
        if isinstance(withdrawn, operations.WrongState):
            assert claimed is not None
            assert state == DeliveryState.SENDING
            operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)
        else:
            assert claimed is None
            assert state == DeliveryState.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_draft_saved_while_the_ticket_goes_to_others_is_not_told_to_who_lost_it(
    ticket: Ticket, aigerim: User, saule: User, team: Team, other_team: Team
) -> None:
    for number in range(10):
        operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=team.pk)
        Change.objects.all().delete()

        at_once(
            lambda text=f"Черновик {number}": operations.save_draft(ticket_id=ticket.pk, user=aigerim, text=text),
            lambda: operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk),
        )

        gone = Change.objects.get(kind=Change.Kind.HEAD)
        later = Change.objects.filter(kind=Change.Kind.PEER, pk__gt=gone.pk)
        assert not [change for change in later if access.team_token(team) in change.audience]


@pytest.mark.django_db(transaction=True)
def test_messages_arriving_while_a_manager_replies_are_never_replied_over(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Callable[..., Message]
) -> None:
    seen = operations.Seen(ticket.last_message_id)

    received, replied = at_once(
        lambda: wrote(timur, "Уже не нужно", ticket=ticket),
        lambda: answer(ticket, aigerim, seen=seen),
    )

    if isinstance(replied, operations.Unseen):
        assert replied.missed == [received.message]
    else:
        assert replied.pk < received.message.pk


@pytest.mark.django_db(transaction=True)
def test_a_flood_that_comes_while_its_author_is_muted_and_heard_again_is_kept_whole(
    ticket: Ticket, timur: Customer, saule: User
) -> None:
    def write() -> None:
        for number in range(10):
            wrote(timur, f"Ау {number}", ticket=ticket)

    def mute_and_unmute() -> None:
        for _round in range(3):
            operations.mute_customer(customer_id=timur.pk, actor=saule)
            operations.unmute_customer(customer_id=timur.pk, actor=saule)

    assert at_once(write, write, mute_and_unmute) == [None, None, None]
    assert ticket.messages.filter(text__startswith="Ау").count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_customer_muted_by_two_at_once_is_told_once(ticket: Ticket, timur: Customer, saule: User) -> None:
    outcomes = at_once(*[lambda: operations.mute_customer(customer_id=timur.pk, actor=saule)] * 2)
    assert sum(isinstance(outcome, operations.WrongState) for outcome in outcomes) == 1
    assert Message.objects.filter(sender="system").count() == 1
