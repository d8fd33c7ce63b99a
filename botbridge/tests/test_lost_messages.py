"""After an outage longer than Telegram keeps updates: a mark in tickets at work, and a question to customers."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from botbridge import asking, outages
from botbridge.asking import ask_to_repeat
from botbridge.models import Outage
from botbridge.tests.conftest import BOT_ID, Line, Phone
from botbridge.tests.test_outages import HOUR, ago, back_after
from tickets import operations
from tickets.models import Delivery, Event, Lane, Message, Notice, Status, Ticket, User
from tickets.operations import NotAllowed, WrongState

pytestmark = pytest.mark.django_db

DAYS = timedelta(days=2)
PLEASE = "Бот долго не работал, часть сообщений могла не дойти. Если вы писали с "


def gaps(ticket: Ticket) -> list[Event]:
    return list(ticket.events.filter(kind=Event.Kind.GAP))


def asked(phone: Phone) -> list[Message]:
    return list(Message.objects.filter(notice=Notice.REPEAT, customer__telegram_user_id=phone.id))


@pytest.fixture
def outage(phone: Phone) -> Outage:
    """Of two days, with a ticket of Timur's at work from before."""
    phone.write("Вопрос")
    Ticket.objects.update(created_at=timezone.now() - 2 * DAYS)
    found = back_after(DAYS)
    assert found is not None
    return found


# The mark.


def test_a_ticket_at_work_is_marked_with_the_time_that_may_be_missing(phone: Phone, outage: Outage) -> None:
    (gap,) = gaps(phone.tickets[0])
    assert outage.lost_until == outage.ended_at - timedelta(hours=24)
    assert gap.data == {"since": outage.began_at.isoformat(), "until": outage.lost_until.isoformat()}


def test_the_mark_stands_above_what_came_afterwards(
    line: Line, phone: Phone, outage: Outage, desk_of_aigerim, aigerim: User
) -> None:
    line.take(phone.message(text="Ау?", date=ago(HOUR)))
    page = desk_of_aigerim.get(reverse("tickets:ticket", args=[phone.tickets[0].pk])).text
    mark = page.index("Бот не работал, часть сообщений могла пропасть")
    assert page.index(">Вопрос") < mark < page.index(">Ау?")


@pytest.fixture
def desk_of_aigerim(client, aigerim: User):
    client.force_login(aigerim, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_of_a_shorter_outage_nothing_was_lost(phone: Phone) -> None:
    phone.write("Вопрос")
    outage = back_after(23 * HOUR)
    assert outage is not None
    assert outage.lost_until is None
    assert gaps(phone.tickets[0]) == []


def test_two_requests_of_the_webhook_that_find_it_at_once_mark_it_once(phone: Phone, outage: Outage) -> None:
    found_before_the_mark = Outage.objects.get()
    found_before_the_mark.marked_up_to = 0
    outages._mark_gaps(found_before_the_mark)
    assert len(gaps(phone.tickets[0])) == 1


def test_solved_tickets_are_left_alone(phone: Phone) -> None:
    phone.write("Вопрос")
    Ticket.objects.update(status=Status.RESOLVED, resolved_at=timezone.now(), waiting_since=None)
    back_after(DAYS)
    assert gaps(phone.tickets[0]) == []


def test_a_marking_that_broke_off_goes_on_and_marks_none_twice(
    line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("/new Раз", "/new Два", "/new Три"):
        phone.write(text)
    mark, done = operations.mark_gap, []

    def mark_two(**ticket: object) -> None:
        done.append(ticket)
        if len(done) > 2:
            raise ConnectionError
        mark(**ticket)

    with monkeypatch.context() as patch:
        patch.setattr(operations, "mark_gap", mark_two)
        with pytest.raises(ConnectionError):
            back_after(DAYS)
    assert [len(gaps(ticket)) for ticket in phone.tickets] == [1, 1, 0]
    outages.reached(BOT_ID)
    assert [len(gaps(ticket)) for ticket in phone.tickets] == [1, 1, 1]


# The question.


def test_without_a_supervisors_word_nobody_is_asked(phone: Phone, outage: Outage) -> None:
    assert ask_to_repeat() == 0
    assert asked(phone) == []


def test_with_it_each_customer_with_a_ticket_at_work_is_asked_once(
    line: Line, phone: Phone, outage: Outage, saule: User
) -> None:
    phone.write("/new Другой вопрос")
    Ticket.objects.update(created_at=timezone.now() - 2 * DAYS)
    outages.approve_asking(outage_id=outage.pk, actor=saule)
    assert ask_to_repeat() == 1
    assert ask_to_repeat() == 0
    (message,) = asked(phone)
    assert message.text.startswith(PLEASE)
    assert message.text.endswith(", отправьте, пожалуйста, ещё раз.")
    assert (message.ticket, message.delivery.lane) == (phone.tickets[-1], Lane.MASS)
    outage.refresh_from_db()
    assert (outage.asked_by, outage.told) == (saule, 1)
    assert outage.told_at is not None


def test_who_cannot_be_written_to_or_has_nothing_at_work_is_not_asked(
    line: Line, phone: Phone, outage: Outage, saule: User
) -> None:
    muted, gone, solved, later = (Phone(line, id=700_010 + number) for number in range(4))
    for one in (muted, gone, solved):
        one.write("Вопрос")
    Ticket.objects.update(created_at=timezone.now() - 2 * DAYS)
    later.write("Вопрос")
    operations.mute_customer(customer_id=muted.customer.pk, actor=saule)
    gone.stop_bot()
    Ticket.objects.filter(customer=solved.customer).update(
        status=Status.RESOLVED, resolved_at=timezone.now(), waiting_since=None
    )
    assert list(outages.concerned(outage)) == [phone.customer]


def test_a_worker_that_dies_between_two_customers_asks_none_twice(
    line: Line, phone: Phone, outage: Outage, saule: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Phone(line, id=700_010)
    other.write("Вопрос")
    Ticket.objects.update(created_at=timezone.now() - 2 * DAYS)
    outages.approve_asking(outage_id=outage.pk, actor=saule)
    monkeypatch.setattr(asking, "ASKED_AT_ONCE", 1)
    assert [ask_to_repeat() for _ in range(3)] == [1, 1, 0]
    assert (len(asked(phone)), len(asked(other))) == (1, 1)


def test_a_manager_may_not_have_customers_asked(outage: Outage, aigerim: User) -> None:
    with pytest.raises(NotAllowed):
        outages.approve_asking(outage_id=outage.pk, actor=aigerim)


def test_once_is_enough_and_only_where_something_was_lost(phone: Phone, outage: Outage, saule: User) -> None:
    outages.approve_asking(outage_id=outage.pk, actor=saule)
    with pytest.raises(WrongState):
        outages.approve_asking(outage_id=outage.pk, actor=saule)
    short = Outage.objects.create(bot_id=BOT_ID, began_at=timezone.now() - HOUR, ended_at=timezone.now())
    with pytest.raises(WrongState):
        outages.approve_asking(outage_id=short.pk, actor=saule)


def test_the_admin_says_how_many_and_asks(client, phone: Phone, outage: Outage, saule: User) -> None:
    client.force_login(saule)
    rooms = reverse("admin:botbridge_outage_changelist")
    assert '<td class="field-to_be_asked">1</td>' in client.get(rooms).text
    choice = {"action": "ask", "_selected_action": [outage.pk], "select_across": "0"}
    assert "уйдёт просьба повторить" in client.post(rooms, choice, follow=True).text
    assert "Клиентов уже попросили" in client.post(rooms, choice, follow=True).text
    assert ask_to_repeat() == 1
    assert Delivery.objects.filter(message__notice=Notice.REPEAT).count() == 1


def test_a_supervisor_is_told_of_it_until_something_is_decided_or_a_day_has_passed(
    client, phone: Phone, outage: Outage, saule: User, aigerim: User
) -> None:
    banner, words = reverse("telegram-banner"), "часть сообщений клиентов могла пропасть"
    client.force_login(aigerim)
    assert words not in client.get(banner).text
    client.force_login(saule)
    assert words in client.get(banner).text
    Outage.objects.update(ended_at=timezone.now() - timedelta(hours=25), began_at=timezone.now() - 3 * DAYS)
    assert words not in client.get(banner).text
    Outage.objects.update(ended_at=timezone.now())
    outages.approve_asking(outage_id=outage.pk, actor=saule)
    assert words not in client.get(banner).text
