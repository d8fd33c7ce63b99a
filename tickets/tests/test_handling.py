"""Who answers, and how a question ends."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from conftest import wrote
from tickets import access, operations
from tickets.models import (
    AppendOnlyError,
    Change,
    Customer,
    Delivery,
    DeliveryState,
    Draft,
    Event,
    Language,
    Message,
    Notice,
    Presence,
    Priority,
    Status,
    Tag,
    Team,
    Theme,
    Ticket,
    TicketReader,
    Topic,
    User,
)


def test_taking_makes_a_new_ticket_open(free_ticket: Ticket, bolat: User) -> None:
    operations.take(ticket_id=free_ticket.pk, actor=bolat)

    free_ticket.refresh_from_db()
    assert (free_ticket.assignee, free_ticket.status) == (bolat, Status.OPEN)


def test_a_colleagues_ticket_is_taken_only_while_the_colleague_is_away(
    ticket: Ticket, aigerim: User, bolat: User
) -> None:
    operations.set_presence(user=aigerim, presence=Presence.ONLINE)
    with pytest.raises(operations.NotAllowed):
        operations.take(ticket_id=ticket.pk, actor=bolat)

    operations.set_presence(user=aigerim, presence=Presence.OFFLINE)
    operations.take(ticket_id=ticket.pk, actor=bolat)

    event = Event.objects.filter(kind=Event.Kind.TAKEN).latest("pk")
    assert (event.actor, event.data["was"]) == (bolat, aigerim.pk)


def test_take_next_gives_the_longest_waiting_of_own_teams(
    timur: Customer, team: Team, other_team: Team, bolat: User
) -> None:
    now = timezone.now()
    late = wrote(timur, "Второй", sent_at=now - timedelta(minutes=5)).ticket
    first = wrote(timur, "Первый", sent_at=now - timedelta(minutes=50)).ticket
    foreign = wrote(timur, "Чужой", sent_at=now - timedelta(hours=5)).ticket
    Ticket.objects.filter(pk=foreign.pk).update(team=other_team)

    assert operations.take_next(actor=bolat) == first
    assert operations.take_next(actor=bolat) == late
    assert operations.take_next(actor=bolat) is None


def test_take_next_gives_what_is_free_though_nobody_waits(
    timur: Customer, ticket: Ticket, aigerim: User, bolat: User, answer: Callable[..., Message]
) -> None:
    answer(ticket, aigerim)
    operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=None)
    waiting = wrote(timur, "А ещё вот что").ticket

    assert operations.take_next(actor=bolat) == waiting
    assert operations.take_next(actor=bolat) == ticket


def test_a_ticket_is_handed_to_a_team_mate_or_the_queue_but_to_no_stranger(
    ticket: Ticket, aigerim: User, bolat: User, dana: User
) -> None:
    with pytest.raises(operations.Invalid):
        operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=dana.pk)

    operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=bolat.pk)
    with pytest.raises(operations.NotAllowed):
        operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=None)

    operations.assign(ticket_id=ticket.pk, actor=bolat, assignee_id=None)
    ticket.refresh_from_db()
    assert ticket.assignee is None


def test_a_supervisor_is_made_responsible_for_any_teams_ticket(ticket: Ticket, aigerim: User, saule: User) -> None:
    assert ticket.team_id not in saule.team_ids

    operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=saule.pk)

    ticket.refresh_from_db()
    assert ticket.assignee == saule


def test_a_new_ticket_a_supervisor_hands_out_is_at_work(free_ticket: Ticket, saule: User, bolat: User) -> None:
    operations.assign(ticket_id=free_ticket.pk, actor=saule, assignee_id=bolat.pk)

    free_ticket.refresh_from_db()
    assert (free_ticket.assignee, free_ticket.status) == (bolat, Status.OPEN)
    event = free_ticket.events.get(kind=Event.Kind.ASSIGNED)
    assert (event.actor, event.data["was"], event.data["to"]) == (saule, None, bolat.pk)


def test_the_loser_of_a_strict_teams_ticket_is_told_it_is_gone(
    ticket: Ticket, strict_team: Team, aigerim: User, bolat: User, saule: User
) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(team=strict_team)
    strict_team.members.add(aigerim, bolat)
    colleague = User.objects.get(pk=bolat.pk)

    operations.assign(ticket_id=ticket.pk, actor=saule, assignee_id=colleague.pk)

    change = Change.objects.latest("pk")
    assert change.lost == [access.user_token(aigerim.pk)]
    assert access.user_token(bolat.pk) in change.audience
    assert access.team_token(strict_team) not in change.audience


def test_moving_to_another_team_is_the_supervisors_and_frees_the_ticket(
    ticket: Ticket, other_team: Team, aigerim: User, saule: User
) -> None:
    with pytest.raises(operations.NotAllowed):
        operations.move_to_team(ticket_id=ticket.pk, actor=aigerim, team_id=other_team.pk)

    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)

    ticket.refresh_from_db()
    assert (ticket.team, ticket.assignee) == (other_team, None)


def test_a_ticket_goes_to_no_team_that_is_not_at_work(ticket: Ticket, other_team: Team, saule: User) -> None:
    other_team.retired_at = timezone.now()
    other_team.save()

    with pytest.raises(operations.Invalid) as refused:
        operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)

    assert refused.value.field == "team"


def test_what_is_solved_is_neither_solved_again_nor_put_away(ticket: Ticket, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    with pytest.raises(operations.WrongState):
        operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    with pytest.raises(operations.WrongState):
        operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=timezone.now() + timedelta(hours=1))

    assert Delivery.objects.filter(message__notice=Notice.SOLVED).count() == 1


def test_solving_can_be_undone_before_the_customer_hears_of_it(ticket: Ticket, aigerim: User) -> None:
    before = (ticket.status, ticket.waiting_since)
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since) == before
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED


def test_solving_can_be_undone_too_where_the_customer_was_never_told(
    ticket: Ticket, timur: Customer, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    operations.customer_stopped_bot(customer=timur)

    operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)

    ticket.refresh_from_db()
    assert ticket.is_active


def test_what_was_closed_for_good_is_not_undone_though_the_customer_was_never_told(
    ticket: Ticket, timur: Customer, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    operations.customer_stopped_bot(customer=timur)
    operations.close_resolved(now=timezone.now() + timedelta(days=8))

    with pytest.raises(operations.WrongState):
        operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)


def test_programs_hear_that_the_news_of_solving_was_taken_back(ticket: Ticket, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)

    notice = Delivery.objects.get(message__notice=Notice.SOLVED)
    told = ticket.events.get(kind=Event.Kind.DELIVERY).data
    assert (told["message"], told["state"]) == (notice.pk, DeliveryState.CANCELLED)


def test_the_customer_hears_of_it_in_their_own_language(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.set_customer_language(customer=timur, language=Language.EN)

    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    assert Message.objects.get(notice=Notice.SOLVED).text == f"The agent marked №{ticket.pk} as solved."


def test_solving_cannot_be_undone_once_the_message_has_left(ticket: Ticket, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    notice = Delivery.objects.get(message__notice=Notice.SOLVED)
    assert operations.start_sending(delivery_id=notice.pk) is None
    Delivery.objects.filter(pk=notice.pk).update(due_at=timezone.now())
    assert operations.start_sending(delivery_id=notice.pk) is not None

    with pytest.raises(operations.WrongState):
        operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)

    operations.reopen(ticket_id=ticket.pk, actor=aigerim)
    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN


def test_undoing_what_the_customer_has_undone_says_so(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    wrote(timur, "Не работает", ticket=ticket)

    with pytest.raises(operations.WrongState, match="уже снова в работе"):
        operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)


def test_solving_over_unread_messages_is_refused(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    seen = operations.Seen(ticket.last_message_id)
    wrote(timur, "Ещё не всё", ticket=ticket)

    with pytest.raises(operations.Unseen):
        operations.resolve(ticket_id=ticket.pk, actor=aigerim, seen=seen)


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (operations.take, {}),
        (operations.assign, {"assignee_id": None}),
        (operations.move_to_team, {"team_id": 0}),
        (operations.resolve, {}),
        (operations.undo_resolve, {}),
        (operations.reopen, {}),
        (operations.snooze, {"until": timezone.now() + timedelta(days=1)}),
        (operations.unsnooze, {}),
        (operations.set_topic, {"topic_id": None}),
        (operations.set_priority, {"priority": Priority.HIGH}),
        (operations.add_tag, {"name": "оплата"}),
        (operations.remove_tag, {"tag_id": 0}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_act_is_done_over_messages_nobody_has_read(
    act: Callable[..., object], what: dict[str, object], ticket: Ticket, timur: Customer, saule: User
) -> None:
    seen = operations.Seen(ticket.last_message_id)
    wrote(timur, "Ещё не всё", ticket=ticket)
    version = Ticket.objects.get(pk=ticket.pk).version

    with pytest.raises(operations.Unseen):
        act(ticket_id=ticket.pk, actor=saule, seen=seen, **what)

    assert Ticket.objects.get(pk=ticket.pk).version == version


def test_the_customer_says_it_is_not_solved(ticket: Ticket, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    operations.reopen_by_customer(ticket=ticket)

    ticket.refresh_from_db()
    assert ticket.is_active
    assert ticket.waiting_since is not None
    with pytest.raises(operations.WrongState):
        operations.reopen_by_customer(ticket=ticket)


def test_a_snoozed_ticket_comes_back_when_its_time_has_come(ticket: Ticket, aigerim: User) -> None:
    until = timezone.now() + timedelta(hours=1)
    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=until)

    assert operations.wake_snoozed(now=until - timedelta(seconds=1)) == 0
    assert operations.wake_snoozed(now=until) == 1

    ticket.refresh_from_db()
    assert ticket.snoozed_until is None


@pytest.mark.parametrize("away", [timedelta(seconds=-1), timedelta(days=400)])
def test_a_ticket_is_not_snoozed_into_the_past_or_for_years(away: timedelta, ticket: Ticket, aigerim: User) -> None:
    with pytest.raises(operations.Invalid) as refused:
        operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=timezone.now() + away)
    assert refused.value.field == "snooze_until"


def test_a_ticket_solved_for_seven_days_is_closed(ticket: Ticket, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    assert operations.close_resolved() == 0
    assert operations.close_resolved(now=timezone.now() + timedelta(days=7, seconds=1)) == 1

    ticket.refresh_from_db()
    assert ticket.status == Status.CLOSED
    with pytest.raises(operations.WrongState):
        operations.reopen(ticket_id=ticket.pk, actor=aigerim)


def test_topic_priority_and_tags_are_the_assignees_to_set(ticket: Ticket, aigerim: User, bolat: User) -> None:
    topic = Topic.objects.create(name="Гарантия")
    operations.set_topic(ticket_id=ticket.pk, actor=aigerim, topic_id=topic.pk)
    operations.set_priority(ticket_id=ticket.pk, actor=aigerim, priority=Priority.URGENT)
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="  Замена ")
    tag = operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")

    ticket.refresh_from_db()
    assert (ticket.topic, ticket.priority) == (topic, Priority.URGENT)
    assert [tag.name for tag in ticket.tags.all()] == ["замена"]
    assert Tag.objects.count() == 1
    operations.remove_tag(ticket_id=ticket.pk, actor=aigerim, tag_id=tag.pk)
    assert not ticket.tags.exists()
    with pytest.raises(operations.NotAllowed):
        operations.set_priority(ticket_id=ticket.pk, actor=bolat, priority=Priority.LOW)


def test_a_topic_no_longer_in_use_is_refused(ticket: Ticket, aigerim: User) -> None:
    topic = Topic.objects.create(name="Гарантия", retired_at=timezone.now())

    with pytest.raises(operations.Invalid) as refused:
        operations.set_topic(ticket_id=ticket.pk, actor=aigerim, topic_id=topic.pk)

    assert refused.value.field == "topic"


def test_what_is_so_already_leaves_no_line_in_history(ticket: Ticket, aigerim: User) -> None:
    operations.set_priority(ticket_id=ticket.pk, actor=aigerim, priority=Priority.URGENT)
    tag = operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    lines = Event.objects.count()

    operations.set_priority(ticket_id=ticket.pk, actor=aigerim, priority=Priority.URGENT)
    operations.set_topic(ticket_id=ticket.pk, actor=aigerim, topic_id=None)
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="Замена")
    operations.remove_tag(ticket_id=ticket.pk, actor=aigerim, tag_id=tag.pk + 1)
    operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=aigerim.pk)

    assert Event.objects.count() == lines


def test_disabling_a_person_frees_their_tickets_and_ends_their_streams(
    ticket: Ticket, aigerim: User, bolat: User, saule: User
) -> None:
    with pytest.raises(operations.NotAllowed):
        operations.disable_user(actor=bolat, user=aigerim)
    with pytest.raises(operations.WrongState):
        operations.disable_user(actor=saule, user=saule)

    assert operations.disable_user(actor=saule, user=aigerim) == 1

    ticket.refresh_from_db()
    revoked = Change.objects.get(kind=Change.Kind.REVOKED)
    assert ticket.assignee is None
    assert revoked.audience == [access.user_token(aigerim.pk)]
    assert not Ticket.objects.visible_to(aigerim).exists()


def test_a_ticket_taken_while_its_taker_was_disabled_is_freed(ticket: Ticket, aigerim: User) -> None:
    assert operations.free_tickets_of_the_gone() == 0
    User.objects.filter(pk=aigerim.pk).update(is_active=False)

    assert operations.free_tickets_of_the_gone() == 1

    ticket.refresh_from_db()
    assert ticket.assignee is None


def test_reading_moves_forward_and_can_be_taken_back(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    first = ticket.last_message_id
    second = wrote(timur, "И ещё", ticket=ticket).message
    assert first is not None

    def unread() -> int:
        return Ticket.objects.for_rows(aigerim).get(pk=ticket.pk).unread

    assert unread() == 2
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=second.pk)
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=first)
    assert unread() == 0
    operations.mark_unread(ticket_id=ticket.pk, user=aigerim)
    assert unread() == 1
    own_pages = Change.objects.filter(kind=Change.Kind.READ, ticket=ticket)
    assert [change.audience for change in own_pages] == [[access.user_token(aigerim.pk)]] * 2


def test_a_stranger_leaves_no_mark_of_having_read(ticket: Ticket, dana: User) -> None:
    assert ticket.last_message_id is not None

    with pytest.raises(operations.NotVisible):
        operations.mark_seen(ticket_id=ticket.pk, user=dana, message_id=ticket.last_message_id)
    with pytest.raises(operations.NotVisible):
        operations.mark_unread(ticket_id=ticket.pk, user=dana)

    assert not TicketReader.objects.filter(user=dana).exists()


def test_a_message_of_another_ticket_marks_nothing_as_read(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    elsewhere = wrote(timur, "Другой вопрос").message

    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=elsewhere.pk)

    assert not TicketReader.objects.filter(ticket=ticket, user=aigerim, seen_message=elsewhere).exists()


def test_a_draft_survives_until_it_is_empty(ticket: Ticket, aigerim: User, bolat: User, dana: User) -> None:
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Сейчас узн")
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Сейчас узнаю")

    def draft(user: User) -> str | None:
        return Ticket.objects.for_rows(user).get(pk=ticket.pk).draft_text

    assert draft(aigerim) == "Сейчас узнаю"
    assert draft(bolat) is None
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text=" ")
    assert not draft(aigerim)
    with pytest.raises(operations.NotVisible):
        operations.save_draft(ticket_id=ticket.pk, user=dana, text="…")


def test_words_that_come_late_give_way_to_newer_ones(ticket: Ticket, aigerim: User, bolat: User) -> None:
    now = timezone.now()

    def came(text: str, seconds_ago: int, user: User = aigerim) -> str:
        written_at = now - timedelta(seconds=seconds_ago)
        operations.save_draft(ticket_id=ticket.pk, user=user, text=text, written_at=written_at)
        return Draft.objects.get(ticket=ticket, user=user).text

    assert came("без связи, но одни", 300) == "без связи, но одни"
    assert came("новее", 200) == "новее"
    assert came("чужие", 100, bolat) == "чужие"
    assert came("в тот же миг", 203) == "в тот же миг"
    for late in ("старое", ""):
        with pytest.raises(operations.Outdated) as refused:
            came(late, 250)
        assert refused.value.draft is not None
        assert refused.value.draft.text == "в тот же миг"
    assert came("из будущего", -300) == "из будущего"
    assert came("теперь", 0) == "теперь"


def test_words_that_come_late_give_way_to_a_cleared_draft_too(ticket: Ticket, aigerim: User) -> None:
    a_minute_ago = timezone.now() - timedelta(minutes=1)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="новое", quote_id=ticket.last_message_id)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
    with pytest.raises(operations.Outdated):
        operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="старое", written_at=a_minute_ago)
    left = Draft.objects.get()
    assert (left.text, left.quote) == ("", None)


def test_clearing_tells_colleagues_once_and_leaves_nothing_where_nothing_was(ticket: Ticket, aigerim: User) -> None:
    def told() -> int:
        return Change.objects.filter(ticket=ticket, kind=Change.Kind.PEER).count()

    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
    assert told() == 0
    assert not Draft.objects.exists()
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Начало")
    for _time in range(2):
        operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
        assert told() == 2


def test_words_that_come_late_give_way_to_what_has_been_sent(
    ticket: Ticket, aigerim: User, saule: User, answer: Callable[..., Message]
) -> None:
    a_minute_ago = timezone.now() - timedelta(minutes=1)
    answer(ticket, saule)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="одни", written_at=a_minute_ago)
    operations.drop_draft(ticket_id=ticket.pk, user=aigerim)
    answer(ticket, aigerim)
    with pytest.raises(operations.Outdated) as refused:
        operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="старое", written_at=a_minute_ago)
    assert refused.value.draft is None
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="уже следующее")


def test_a_draft_keeps_no_quote_from_another_ticket(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    here, elsewhere = ticket.last_message_id, wrote(timur, "Другой вопрос").message.pk

    def quote_kept(quote_id: int | None) -> int | None:
        operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Отвечаю", quote_id=quote_id)
        return Draft.objects.get(ticket=ticket, user=aigerim).quote_id

    assert quote_kept(here) == here
    assert quote_kept(elsewhere) is None


def test_who_looked_at_the_phone_stands_in_history(ticket: Ticket, timur: Customer, bolat: User, dana: User) -> None:
    operations.set_customer_phone(customer=timur, phone="+77075554183", verified=True)

    assert operations.reveal_phone(ticket_id=ticket.pk, actor=bolat) == "+77075554183"

    assert Event.objects.get(kind=Event.Kind.PHONE_SHOWN).actor == bolat
    with pytest.raises(operations.NotVisible):
        operations.reveal_phone(ticket_id=ticket.pk, actor=dana)


def test_history_cannot_be_rewritten(ticket: Ticket) -> None:
    event = Event.objects.latest("pk")

    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        event.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind=Event.Kind.CLOSED)


def test_history_never_keeps_the_customers_words(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Callable[..., Message]
) -> None:
    wrote(timur, "секретное слово", ticket=ticket)
    answer(ticket, aigerim, "секретное слово")
    operations.note(ticket_id=ticket.pk, actor=aigerim, text="секретное слово", client_id=uuid.uuid4())
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    for event in Event.objects.all():
        assert "секретное" not in str(event.data)
    for change in Change.objects.all():
        assert "секретное" not in str(change.audience)


def test_a_manager_sees_past_tickets_of_a_customer_of_theirs_but_not_a_strict_teams(
    ticket: Ticket, timur: Customer, aigerim: User, dana: User, strict_team: Team, other_team: Team
) -> None:
    past = wrote(timur, "Прошлое").ticket
    secret = wrote(timur, "Прошлое закрытой команды").ticket
    Ticket.objects.filter(pk=past.pk).update(team=other_team, status=Status.RESOLVED, resolved_at=timezone.now())
    Ticket.objects.filter(pk=secret.pk).update(
        team=strict_team, status=Status.RESOLVED, resolved_at=timezone.now(), assignee=dana
    )

    visible = set(Ticket.objects.visible_to(aigerim).values_list("pk", flat=True))

    assert visible == {ticket.pk, past.pk}


def test_following_keeps_a_ticket_visible_after_it_was_handed_over(
    ticket: Ticket, other_team: Team, aigerim: User, saule: User
) -> None:
    operations.follow(ticket_id=ticket.pk, user=aigerim, follows=True)
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)

    assert Ticket.objects.visible_to(aigerim).filter(pk=ticket.pk).exists()
    ticket.refresh_from_db()
    assert access.user_token(aigerim.pk) in access.audience(ticket), "and its changes are heard"
    operations.follow(ticket_id=ticket.pk, user=aigerim, follows=False)
    assert access.user_token(aigerim.pk) not in access.audience(ticket)
    assert not Ticket.objects.visible_to(aigerim).filter(pk=ticket.pk).exists()
    assert TicketReader.objects.get(user=aigerim).follows is False


def test_choosing_a_theme_undoes_nothing_that_others_did_meanwhile(aigerim: User, saule: User) -> None:
    stale = User.objects.get(pk=aigerim.pk)
    operations.disable_user(user=aigerim, actor=saule)

    operations.set_preferences(user=stale, theme=Theme.DARK)

    aigerim.refresh_from_db()
    assert (aigerim.theme, aigerim.is_active) == (Theme.DARK, False)
