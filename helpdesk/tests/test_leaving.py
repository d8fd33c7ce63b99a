"""The one act for a leaver or a leaked password, and what it leaves to read."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conftest import PASSWORD, wrote
from helpdesk.tests.test_account import is_in, signed_in
from tickets import operations
from tickets.models import Change, Customer, Draft, Message, Sender, SignIn, Ticket, User

pytestmark = pytest.mark.django_db


def page(name: str, person: User) -> str:
    return reverse(f"admin:tickets_user_{name}", args=[person.pk])


@pytest.fixture
def room(client: Client, saule: User) -> Client:
    client.force_login(saule)
    return client


@pytest.fixture
def busy(ticket: Ticket, timur: Customer, aigerim: User) -> User:
    """Aigerim at work: one ticket open with a reply begun, one put away."""
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Пришлём курьера в")
    later = operations.take(ticket_id=wrote(timur, "Позже").ticket.pk, actor=aigerim)
    until = timezone.now() + timedelta(days=1)
    operations.snooze(ticket_id=later.pk, actor=aigerim, until=until)
    return aigerim


def test_the_page_says_what_it_would_do_and_does_nothing_yet(room: Client, busy: User) -> None:
    signed_in(busy)
    text = room.get(page("lock", busy)).text
    assert "в работе: 2, из них отложенных 1" in text
    assert "на столе 1, через API 0" in text
    busy.refresh_from_db()
    assert busy.is_active


def test_one_act_ends_and_hands_over_everything(room: Client, busy: User, ticket: Ticket, saule: User) -> None:
    browser, program = signed_in(busy), operations.start_api_session(user=busy)
    answer = room.post(page("lock", busy), follow=True)
    assert answer.redirect_chain[-1][0] == page("trail", busy)
    assert "Обращений возвращено: 2, черновиков стало заметками: 1." in answer.text
    busy.refresh_from_db()
    assert (busy.is_active, busy.has_usable_password()) == (False, False)
    assert not is_in(browser)
    program.refresh_from_db()
    assert not program.is_good
    assert not SignIn.objects.filter(user=busy).exists()
    assert f"user:{busy.pk}" in Change.objects.filter(kind=Change.Kind.REVOKED).latest("pk").audience
    assert not Ticket.objects.filter(assignee=busy).exists()
    assert Ticket.objects.filter(snoozed_until__isnull=False).count() == 1
    note = ticket.messages.get(sender=Sender.NOTE)
    assert note.author == saule
    assert note.text.endswith("Пришлём курьера в")
    assert not Draft.objects.exists()
    assert LogEntry.objects.get(object_id=str(busy.pk)).user == saule


def test_pressed_twice_it_does_nothing_more(room: Client, busy: User) -> None:
    room.post(page("lock", busy))
    assert "возвращено: 0, черновиков стало заметками: 0." in room.post(page("lock", busy), follow=True).text
    assert Message.objects.filter(sender=Sender.NOTE).count() == 1


def test_the_leaked_password_is_good_no_more_once_the_person_is_let_in_again(
    room: Client, busy: User, saule: User
) -> None:
    room.post(page("lock", busy))
    operations.enable_user(actor=saule, user=busy)
    answer = Client().post(reverse("tickets:login"), {"username": busy.username, "password": PASSWORD})
    assert answer.status_code == 422


def test_a_long_draft_is_left_whole(busy: User, ticket: Ticket, saule: User) -> None:
    words = "".join(f"{number:06d} 🙂 " for number in range(600))
    operations.save_draft(ticket_id=ticket.pk, user=busy, text=words)
    operations.lock_account(actor=saule, user=busy)
    left = "".join(note.text for note in ticket.messages.filter(sender=Sender.NOTE).order_by("pk"))
    assert all(f"{number:06d}" in left.replace(" ", "").replace("🙂", "") for number in (0, 299, 599))


@pytest.mark.parametrize("text", ["а" * 1_900 + "\n", "а" * 1_900 + " " * 1_900 + "б", " " * 1_900 + "в"])
def test_a_draft_with_nothing_but_space_in_a_piece_keeps_no_account_open(
    busy: User, ticket: Ticket, saule: User, text: str
) -> None:
    operations.save_draft(ticket_id=ticket.pk, user=busy, text=text)

    operations.lock_account(actor=saule, user=busy)

    assert not User.objects.get(pk=busy.pk).is_active
    left = "".join(Message.objects.filter(ticket=ticket, sender=Sender.NOTE).values_list("text", flat=True))
    assert all(left.count(letter) >= text.count(letter) for letter in "абв")


def test_nobody_locks_themselves_or_a_superuser(room: Client, saule: User) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    assert "Себя отключить нельзя" in room.post(page("lock", saule), follow=True).text
    assert room.get(page("lock", root)).status_code == 403
    assert room.post(page("lock", root)).status_code == 403
    assert User.objects.filter(is_active=True).count() == 2


def test_what_the_account_did_is_listed(room: Client, busy: User, ticket: Ticket, timur: Customer, bolat: User) -> None:
    signed_in(busy, address="203.0.113.77")
    operations.set_customer_phone(customer=timur, phone="+77070004183", verified=True)
    operations.reveal_phone(ticket_id=ticket.pk, actor=busy)
    operations.mark_seen(ticket_id=ticket.pk, user=busy, message_id=ticket.last_message_id)
    operations.reply(ticket_id=ticket.pk, actor=busy, text="Ответ вора", client_id=uuid.uuid4())
    others = operations.note(ticket_id=ticket.pk, actor=bolat, text="Чужая заметка", client_id=uuid.uuid4())
    answer = room.get(page("trail", busy))
    trail = answer.context["trail"]
    assert [event.ticket_id for event in trail.revealed] == [ticket.pk]
    assert [line.ticket_id for line in trail.opened] == [ticket.pk]
    assert [line.ip_address for line in trail.sign_ins] == ["203.0.113.77"]
    assert "Ответ вора" in answer.text
    assert others.text not in answer.text
    assert "+77070004183" not in answer.text
    assert "Не записывается" in answer.text


def test_the_keys_an_account_was_given_are_said_to_stay_good_and_named(room: Client, saule: User) -> None:
    room.post(reverse("admin:tickets_serviceaccount_add"), {"name": "Портал", "scopes": ["tickets:read"]})

    text = room.get(page("trail", saule)).text

    assert "секреты вебхуков, которые она получила, действуют и дальше" in text
    assert "Портал" in text[text.index("Изменено в управлении</caption>") :]


def test_the_lists_cost_the_same_however_long(
    room: Client, busy: User, ticket: Ticket, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for number in range(5):
        operations.reply(ticket_id=ticket.pk, actor=busy, text=str(number), client_id=uuid.uuid4())
    with django_assert_max_num_queries(12):
        room.get(page("trail", busy))


@pytest.mark.django_db(transaction=True)
def test_two_accounts_sharing_tickets_are_locked_at_once(
    ticket: Ticket, timur: Customer, aigerim: User, bolat: User, saule: User
) -> None:
    other = operations.take(ticket_id=wrote(timur, "Второе").ticket.pk, actor=bolat)
    for one, begun in ((aigerim, other), (bolat, ticket)):
        operations.save_draft(ticket_id=begun.pk, user=one, text=f"Начал {one.username}")

    barrier = Barrier(2)

    def lock(person: User) -> operations.HandedOver:
        connection.ensure_connection()
        barrier.wait()
        try:
            return operations.lock_account(actor=saule, user=person)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lock, (aigerim, bolat)))
    assert [left.drafts for left in done] == [1, 1]
    assert not Ticket.objects.filter(assignee__isnull=False).exists()
