"""A customer who writes, presses or asks without end: everything is kept, little of it answered."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from botbridge import pace
from botbridge.models import ChatSession, OutboundCall
from botbridge.tests.conftest import Line, Phone, parked
from tickets import operations
from tickets.models import Customer, Event, Status, Ticket, Topic, User

pytestmark = pytest.mark.django_db

FLOOD = "Сообщений очень много. Все сохранены, менеджер прочитает их по порядку."
MANY = pace.HEARD_MOST + 30


@pytest.fixture(autouse=True)
def nobody_floods_yet() -> None:
    pace._flooding.clear()


def a_minute_passes() -> None:
    ChatSession.objects.update(minute_since=timezone.now() - pace.WINDOW)


def test_of_a_flood_every_message_is_kept_and_one_receipt_and_one_word_said(line: Line, phone: Phone) -> None:
    line.take(*(phone.message(text=f"Сообщение {number}") for number in range(MANY)))
    assert phone.written == [f"Сообщение {number}" for number in range(MANY)]
    (ticket,) = phone.tickets
    assert phone.heard == [f"Обращение №{ticket.pk} принято. Дописывайте сюда же, менеджер увидит всё.", FLOOD]
    assert not parked()


@pytest.mark.slow
def test_the_word_is_said_once_an_hour_however_long_it_goes_on(line: Line, phone: Phone) -> None:
    for _minute in range(3):
        line.take(*(phone.message(text="Ау") for _ in range(MANY)))
        a_minute_passes()
    assert phone.heard.count(FLOOD) == 1
    Customer.objects.update(flooded_at=timezone.now() - timedelta(hours=1))
    line.take(*(phone.message(text="Ау") for _ in range(MANY)))
    assert phone.heard.count(FLOOD) == 2


def test_a_supervisor_sees_who_floods(line: Line, phone: Phone) -> None:
    other = Phone(line, id=700_002, first_name="Лена")
    other.write("Один вопрос")
    line.take(*(phone.message(text="Ау") for _ in range(MANY)))
    assert [c.telegram_user_id for c in Customer.objects.filter(flooded_at__isnull=False)] == [phone.id]


@pytest.mark.parametrize("command", ["/start", "/help", "/my", "/lang", "/new"])
def test_commands_without_end_are_answered_a_few_times_a_minute(line: Line, phone: Phone, command: str) -> None:
    line.take(*(phone.message(text=command) for _ in range(50)))
    assert len(phone.heard) == pace.SAID_MOST + 1
    assert phone.heard[-1] == FLOOD
    a_minute_passes()
    phone.write(command)
    assert len(phone.heard) == pace.SAID_MOST + 2, "the next minute begins anew"


def test_files_nobody_can_open_are_warned_of_a_few_times_a_minute(line: Line, phone: Phone) -> None:
    line.take(*(phone.message(giveaway={"chats": []}) for _ in range(50)))
    assert len(phone.written) == 50
    assert len(phone.heard) == pace.SAID_MOST + 1


def test_presses_without_end_are_answered_a_few_times_a_minute(phone: Phone, topics: list[Topic]) -> None:
    phone.write("Не включается")
    data, under = phone.find("Гарантия и ремонт")
    for _ in range(50):
        phone.press_data(data, under)
    assert len(phone.toasts) == pace.SAID_MOST - 1, "the receipt was one"
    assert OutboundCall.objects.count() == 2 * len(phone.toasts)
    (ticket,) = phone.tickets
    assert ticket.topic == topics[1]
    assert ticket.events.filter(kind=Event.Kind.TOPIC).count() == len(phone.toasts)


def test_one_customers_flood_takes_no_answer_from_another(line: Line, phone: Phone) -> None:
    line.take(*(phone.message(text="/help") for _ in range(50)))
    other = Phone(line, id=700_002, first_name="Лена")
    other.write("/help")
    assert len(other.heard) == 1


@pytest.mark.slow
def test_a_flood_stored_before_keeps_nobody_elses_message_waiting(line: Line, phone: Phone) -> None:
    line.store(*(phone.message(text=f"Ау {number}") for number in range(MANY)))
    for _ in range(pace.HEARD_MOST + 1):
        line.handle_next()
    other = Phone(line, id=700_002, first_name="Лена")
    line.store(other.message(text="Один вопрос"))
    line.handle_next()
    assert other.written == ["Один вопрос"]
    assert len(phone.written) == pace.HEARD_MOST + 1
    line.handle_all()
    assert phone.written == [f"Ау {number}" for number in range(MANY)]


def test_who_floods_waits_for_others_no_longer_than_a_window(phone: Phone) -> None:
    pace._flooding[phone.id] = time.monotonic() + 1
    assert pace.flooding_chats() == [phone.id]
    pace._flooding[phone.id] = time.monotonic()
    assert pace.flooding_chats() == []


# New tickets.


def test_questions_beyond_the_hours_number_join_the_newest_ticket_and_it_is_said_once(phone: Phone) -> None:
    for number in range(pace.OPENED_MOST + 5):
        phone.write(f"/new Вопрос {number}")
        a_minute_passes()
    assert len(phone.tickets) == pace.OPENED_MOST
    newest = phone.tickets[-1]
    assert phone.written == [f"Вопрос {number}" for number in range(pace.OPENED_MOST + 5)]
    assert newest.messages.filter(sender="client").count() == 6
    joined = f"Новых обращений уже много. Мы дописали это в обращение №{newest.pk}, менеджер увидит всё."
    assert phone.heard.count(joined) == 1


def test_an_hour_later_a_new_ticket_is_opened_again(phone: Phone) -> None:
    for number in range(pace.OPENED_MOST):
        phone.write(f"/new Вопрос {number}")
        a_minute_passes()
    Ticket.objects.update(created_at=timezone.now() - timedelta(hours=2))
    phone.write("/new Ещё один")
    assert len(phone.tickets) == pace.OPENED_MOST + 1


def test_what_joins_a_solved_ticket_brings_it_back_to_work(phone: Phone) -> None:
    for number in range(pace.OPENED_MOST):
        phone.write(f"/new Вопрос {number}")
        a_minute_passes()
    Ticket.objects.update(status=Status.RESOLVED, resolved_at=timezone.now(), waiting_since=None)
    phone.write("/new Не помогло")
    assert len(phone.tickets) == pace.OPENED_MOST
    assert phone.tickets[-1].status == Status.NEW
    assert phone.tickets[-1].waiting_since is not None


# Muted.


def mute(phone: Phone, actor: User) -> None:
    operations.mute_customer(customer_id=phone.customer.pk, actor=actor)


def test_a_muted_customer_is_told_so_and_then_answered_no_more(phone: Phone, saule: User, topics: list[Topic]) -> None:
    phone.write("Вопрос")
    mute(phone, saule)
    assert phone.heard[-1] == "Переписка приостановлена. Сообщения сохраняются."
    said = len(phone.heard)
    for text in ("Ещё", "/new Другой", "/help", "/start"):
        phone.write(text)
    phone.press("Гарантия и ремонт")
    assert len(phone.heard) == said
    assert not OutboundCall.objects.exists()
    assert phone.written == ["Вопрос", "Ещё", "Другой"]
    assert len(phone.tickets) == 1


@pytest.mark.slow
def test_a_muted_flood_is_kept_without_a_word(line: Line, phone: Phone, saule: User) -> None:
    phone.write("Вопрос")
    mute(phone, saule)
    said = len(phone.heard)
    line.take(*(phone.message(text="Ау") for _ in range(MANY)))
    assert len(phone.written) == MANY + 1
    assert len(phone.heard) == said


def test_who_is_heard_again_is_told_so_and_answered(phone: Phone, saule: User) -> None:
    phone.write("Вопрос")
    mute(phone, saule)
    operations.unmute_customer(customer_id=phone.customer.pk, actor=saule)
    assert phone.heard[-1] == "Переписка возобновлена. Напишите, если вопрос остался."
    phone.write("/help")
    assert phone.heard[-1].startswith("Это поддержка")
