"""A customer's message: where it goes, and what it does to the ticket."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import (
    AttachmentState,
    Change,
    ContentType,
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Language,
    Message,
    Notice,
    Sender,
    Status,
    Team,
    Ticket,
    Topic,
    User,
)


def test_the_first_message_opens_a_ticket_of_the_default_team(timur: Customer, team: Team) -> None:
    sent_at = timezone.now() - timedelta(minutes=3)

    received = wrote(timur, "\n  Не включается ноутбук  \nчто делать?", sent_at=sent_at)

    ticket = Ticket.objects.get()
    assert received.opened
    assert ticket.team == team
    assert ticket.status == Status.NEW
    assert ticket.subject == "Не включается ноутбук"
    assert ticket.opened_by == received.message
    assert ticket.waiting_since == sent_at
    assert ticket.last_text.startswith("\n  Не включается")
    assert ticket.pk >= 1000


def test_a_topic_brings_the_ticket_to_its_team(timur: Customer, other_team: Team) -> None:
    topic = Topic.objects.create(name="Возврат и обмен", team=other_team)
    incoming = operations.Incoming(text="Хочу вернуть", sent_at=timezone.now())

    received = operations.receive(customer=timur, incoming=incoming, topic=topic)

    assert received.ticket.team == other_team


def test_choosing_a_topic_later_leaves_the_team(free_ticket: Ticket, other_team: Team, team: Team) -> None:
    topic = Topic.objects.create(name="Возврат и обмен", team=other_team)

    operations.choose_topic(ticket=free_ticket, topic=topic)

    free_ticket.refresh_from_db()
    assert free_ticket.topic == topic
    assert free_ticket.team == team


def test_waiting_is_counted_from_the_first_unanswered_message(ticket: Ticket, timur: Customer) -> None:
    waiting_since = ticket.waiting_since

    wrote(timur, "И ещё вопрос", ticket=ticket)

    ticket.refresh_from_db()
    assert ticket.waiting_since == waiting_since
    assert ticket.last_text == "И ещё вопрос"


def test_a_message_wakes_a_snoozed_ticket(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=timezone.now() + timedelta(days=1))

    wrote(timur, "Я всё-таки жду", ticket=ticket)

    ticket.refresh_from_db()
    assert ticket.snoozed_until is None


@pytest.mark.parametrize("text", ["Спасибо!", "ок, спасибо", "Көп рақмет", "👍🏼", "Спасибо большое 🙏"])
def test_bare_thanks_leave_a_solved_ticket_solved(text: str, ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    received = wrote(timur, text, ticket=ticket)

    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED
    assert ticket.waiting_since is None
    assert received.message in ticket.messages.all()


def test_only_a_supervisor_takes_words_down_in_a_customers_name(
    ticket: Ticket, aigerim: User, dana: User, saule: User
) -> None:
    with pytest.raises(operations.NotAllowed):
        operations.enter_by_hand(ticket_id=ticket.pk, actor=aigerim, text="Звонил, ждёт")
    with pytest.raises(operations.NotVisible):
        operations.enter_by_hand(ticket_id=ticket.pk, actor=dana, text="Звонил, ждёт")

    message = operations.enter_by_hand(ticket_id=ticket.pk, actor=saule, text=" Звонил, ждёт ")

    assert (message.text, message.author, message.sender) == ("Звонил, ждёт", saule, Sender.CLIENT)


def test_no_words_are_no_words_of_the_customers(ticket: Ticket, saule: User) -> None:
    with pytest.raises(operations.Invalid) as refused:
        operations.enter_by_hand(ticket_id=ticket.pk, actor=saule, text=" ")

    assert refused.value.field == "text"


def test_a_sticker_leaves_a_solved_ticket_solved(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    incoming = operations.Incoming(text="👍", content_type=ContentType.STICKER, sent_at=timezone.now())
    operations.receive(customer=timur, incoming=incoming, ticket=ticket)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since) == (Status.RESOLVED, None)


@pytest.mark.parametrize(
    "text", ["Не спасибо", "спасибо, но не работает", "рақмет, бірақ", "Спасибо?", "ок 719-204", "Снова сломался"]
)
def test_anything_else_brings_a_solved_ticket_back(text: str, ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    received = wrote(timur, text, ticket=ticket)

    ticket.refresh_from_db()
    assert received.reopened
    assert ticket.status == Status.OPEN
    assert ticket.assignee == aigerim
    assert ticket.waiting_since is not None
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED


def test_after_seven_days_a_linked_ticket_is_opened(ticket: Ticket, timur: Customer, aigerim: User) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    Ticket.objects.filter(pk=ticket.pk).update(resolved_at=timezone.now() - timedelta(days=7, seconds=1))

    received = wrote(timur, "Опять не включается", ticket=ticket)

    assert received.opened
    assert received.ticket.follows_up == ticket
    assert received.ticket.pk != ticket.pk


def test_a_reopened_ticket_of_a_person_who_left_is_free(
    ticket: Ticket, timur: Customer, aigerim: User, saule: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    operations.disable_user(actor=saule, user=aigerim)

    wrote(timur, "Снова сломался", ticket=ticket)

    ticket.refresh_from_db()
    assert ticket.assignee is None
    assert ticket.status == Status.NEW


def test_nul_and_lone_surrogates_are_stored_as_replacement_characters(timur: Customer, team: Team) -> None:
    received = wrote(timur, "до\x00после \ud83d конец")

    received.message.refresh_from_db()
    assert received.message.text == "до\ufffdпосле \ufffd конец"


def test_an_edit_keeps_what_it_replaced(ticket: Ticket, timur: Customer) -> None:
    message = wrote(timur, "Номер 719-20", ticket=ticket).message
    edited_at = timezone.now()

    operations.revise(message=message, text="Номер 719-204", entities=[], edited_at=edited_at)

    message.refresh_from_db()
    ticket.refresh_from_db()
    assert message.text == "Номер 719-204"
    assert message.edited_at == edited_at
    assert [revision.text for revision in message.revisions.all()] == ["Номер 719-20"]
    assert ticket.last_text == "Номер 719-204"


def test_an_edit_after_the_answer_is_told_from_one_before(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Callable[..., Message]
) -> None:
    before = wrote(timur, "Синяя", ticket=ticket).message
    operations.revise(message=before, text="Красная", entities=[], edited_at=timezone.now())
    answer(ticket, aigerim, "Красной нет")
    after = wrote(timur, "Тогда белую", ticket=ticket).message
    operations.revise(message=after, text="Тогда чёрную", entities=[], edited_at=timezone.now())
    operations.withdraw(message_id=answer(ticket, aigerim, "Белой тоже").pk, actor=aigerim)
    operations.revise(message=after, text="Тогда серую", entities=[], edited_at=timezone.now())
    assert not Message.objects.filter(edited_after_answer=True).exists()

    operations.revise(message=before, text="Зелёная", entities=[], edited_at=timezone.now())

    assert list(Message.objects.filter(edited_after_answer=True)) == [before]


def test_thanks_that_become_a_question_bring_a_solved_ticket_back(
    ticket: Ticket, timur: Customer, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    thanks = wrote(timur, "Спасибо", ticket=ticket).message
    edited_at = timezone.now()

    operations.revise(message=thanks, text="Спасибо, но он снова выключился", entities=[], edited_at=edited_at)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since) == (Status.OPEN, edited_at)
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED
    assert list(ticket.events.order_by("-pk").values_list("kind", flat=True)[:3]) == ["reopened", "delivery", "revised"]
    assert ticket.version == 1 + ticket.events.count()


def test_an_edit_that_asks_nothing_new_leaves_a_solved_ticket_solved(
    ticket: Ticket, timur: Customer, aigerim: User
) -> None:
    question = wrote(timur, "Номер 719-20", ticket=ticket).message
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    thanks = wrote(timur, "Спасибо", ticket=ticket).message

    operations.revise(message=question, text="Номер 719-204", entities=[], edited_at=timezone.now())
    operations.revise(message=thanks, text="Спасибо большое", entities=[], edited_at=timezone.now())

    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED


def test_a_muted_customers_thanks_that_become_a_question_call_nobody(
    ticket: Ticket, timur: Customer, aigerim: User, saule: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    thanks = wrote(timur, "Спасибо", ticket=ticket).message
    operations.mute_customer(customer_id=timur.pk, actor=saule)

    operations.revise(message=thanks, text="Спасибо, а деньги где?", entities=[], edited_at=timezone.now())

    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since) == (Status.RESOLVED, None)


def test_an_edit_that_changes_nothing_leaves_no_trace(ticket: Ticket, timur: Customer) -> None:
    message = wrote(timur, "Номер 719-204", ticket=ticket).message

    operations.revise(message=message, text="Номер 719-204", entities=[], edited_at=timezone.now())

    message.refresh_from_db()
    assert message.edited_at is None
    assert not message.revisions.exists()


def test_files_wait_to_be_fetched_and_refused_ones_say_so(timur: Customer, team: Team) -> None:
    photo = operations.IncomingFile(kind="photo", size=1000)
    film = operations.IncomingFile(kind="video", size=30_000_000, refused=AttachmentState.TOO_BIG)
    incoming = operations.Incoming(sent_at=timezone.now(), content_type="photo", files=[photo, film])

    message = operations.receive(customer=timur, incoming=incoming).message

    states = [attachment.state for attachment in message.attachments.order_by("position")]
    assert states == [AttachmentState.PENDING, AttachmentState.TOO_BIG]
    assert message.preview == "Фото"


def test_one_event_and_one_change_tell_of_the_message(ticket: Ticket, timur: Customer) -> None:
    events, changes, version = Event.objects.count(), Change.objects.count(), ticket.version

    message = wrote(timur, "Ещё раз здравствуйте", ticket=ticket).message

    ticket.refresh_from_db()
    assert Event.objects.count() == events + 1
    assert Change.objects.count() == changes + 1
    assert ticket.version == version + 1
    event = Event.objects.latest("pk")
    assert (event.kind, event.data) == (Event.Kind.RECEIVED, {"message": message.pk})
    assert Change.objects.latest("pk").message == message


def test_a_customer_who_writes_again_has_returned(ticket: Ticket, timur: Customer) -> None:
    operations.customer_stopped_bot(customer=timur)

    wrote(timur, "Я снова здесь", ticket=ticket)

    timur.refresh_from_db()
    assert timur.stopped_bot_at is None


def test_a_return_undoes_nothing_else_that_is_known_of_the_customer(ticket: Ticket, timur: Customer) -> None:
    operations.customer_stopped_bot(customer=timur)
    stale = Customer.objects.get(pk=timur.pk)
    operations.set_customer_language(customer=timur, language=Language.KK)

    operations.customer_returned(customer=stale)

    timur.refresh_from_db()
    assert (timur.stopped_bot_at, timur.language) == (None, Language.KK)


def test_who_was_taken_for_somebody_else_is_found_by_their_number(timur: Customer) -> None:
    found = operations.identify_customer(known=timur, telegram_user_id=5, name="Марат", username="", language_code="ru")
    timur.refresh_from_db()
    assert (found.telegram_user_id, found.name, timur.name) == (5, "Марат", "Тимур Ахметов")


def test_a_name_changed_in_telegram_is_taken_over_but_not_the_language(db: None) -> None:
    def meet(name: str, code: str) -> Customer:
        return operations.identify_customer(telegram_user_id=5, name=name, username="", language_code=code)

    meet("Нұрлан", "kk-KZ")
    customer = meet("Нұрлан Әбдіғаппаров", "en")

    assert customer.name == "Нұрлан Әбдіғаппаров"
    assert customer.language == "kk"
    assert Customer.objects.count() == 1


def test_a_muted_customer_calls_nobody_from_the_chat_and_does_by_telephone(
    timur: Customer, team: Team, saule: User
) -> None:
    operations.mute_customer(customer_id=timur.pk, actor=saule)
    timur.refresh_from_db()

    assert wrote(timur, "Ответьте же").ticket.waiting_since is None
    called = operations.open_by_hand(actor=saule, telegram_user_id=timur.telegram_user_id, text="Звонил, ждёт мастера")
    assert called.waiting_since is not None


def test_what_a_muted_customer_writes_on_a_question_at_work_stays_there(
    ticket: Ticket, timur: Customer, saule: User
) -> None:
    wrote(timur, "Ещё один вопрос")
    operations.mute_customer(customer_id=timur.pk, actor=saule)
    timur.refresh_from_db()

    received = wrote(timur, "О первом", ticket=ticket)

    assert (received.ticket, received.joined) == (ticket, False)
