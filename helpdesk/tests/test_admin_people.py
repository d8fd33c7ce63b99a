"""What supervisors do to accounts: forms that write no more than they show, new passwords, and letting somebody go."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from conftest import PASSWORD, wrote
from tickets import operations
from tickets.models import ApiSession, Change, Customer, Message, Ticket, User

pytestmark = pytest.mark.django_db

NEW = "verbena-tramway-42"


@pytest.fixture
def room(client: Client, saule: User) -> Client:
    client.force_login(saule)
    return client


def change_page(person: User) -> str:
    return reverse("admin:tickets_user_change", args=[person.pk])


def password_page(person: User) -> str:
    return reverse("admin:auth_user_password_change", args=[person.pk])


def activity_page(person: User) -> str:
    return reverse("admin:tickets_user_activity", args=[person.pk])


def disabled_meanwhile(monkeypatch: pytest.MonkeyPatch, person: User, supervisor: User) -> None:
    """Another supervisor disables the person after this request has read the row and before it writes."""
    clean = User.full_clean

    def act_and_clean(self: User, *args: object, **options: object) -> None:
        if User.objects.get(pk=person.pk).is_active:
            operations.disable_user(actor=supervisor, user=User.objects.get(pk=person.pk))
        clean(self, *args, **options)

    monkeypatch.setattr(User, "full_clean", act_and_clean)


def test_a_form_undoes_nothing_that_happened_meanwhile(
    room: Client, bolat: User, saule: User, team: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    disabled_meanwhile(monkeypatch, bolat, saule)
    form = {"username": "bolat", "first_name": "Булат", "groups": [group.pk for group in bolat.groups.all()]}

    assert room.post(change_page(bolat), form).status_code == 302

    bolat.refresh_from_db()
    assert bolat.first_name == "Булат"
    assert not bolat.is_active
    assert bolat.shut_out_at is not None


def test_a_new_password_undoes_nothing_that_happened_meanwhile(
    room: Client, bolat: User, saule: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_password = User.set_password

    def act_and_set(self: User, raw: str | None) -> None:
        operations.disable_user(actor=saule, user=User.objects.get(pk=bolat.pk))
        set_password(self, raw)

    monkeypatch.setattr(User, "set_password", act_and_set)

    room.post(password_page(bolat), {"password1": NEW, "password2": NEW, "usable_password": "true"})

    bolat.refresh_from_db()
    assert bolat.check_password(NEW)
    assert not bolat.is_active


def test_a_password_taken_away_lets_nobody_in(room: Client, bolat: User) -> None:
    room.post(password_page(bolat), {"usable_password": "false", "unset-password": "1"})

    bolat.refresh_from_db()
    assert not bolat.has_usable_password()


def test_a_new_password_ends_whatever_was_open(room: Client, bolat: User) -> None:
    browser = Client()
    browser.force_login(bolat)
    program = operations.start_api_session(user=bolat)

    room.post(password_page(bolat), {"password1": NEW, "password2": NEW, "usable_password": "true"})

    assert browser.get(reverse("tickets:queue")).status_code == 302
    assert not ApiSession.objects.get(pk=program.pk).is_good
    assert Change.objects.filter(kind=Change.Kind.REVOKED, audience=[f"user:{bolat.pk}"]).exists()


class TestOwnPassword:
    PAGE = reverse("tickets:password")

    def form(self, old: str = PASSWORD, new: str = NEW) -> dict[str, str]:
        return {"old_password": old, "new_password1": new, "new_password2": new}

    @pytest.fixture
    def browsers(self, aigerim: User) -> tuple[Client, Client]:
        here, elsewhere = Client(), Client()
        for browser in (here, elsewhere):
            browser.force_login(aigerim)
        return here, elsewhere

    def test_it_is_changed_and_ends_every_other_sign_in(self, browsers: tuple[Client, Client], aigerim: User) -> None:
        here, elsewhere = browsers

        assert here.post(self.PAGE, self.form()).status_code == 302

        aigerim.refresh_from_db()
        assert aigerim.check_password(NEW)
        assert here.get(reverse("tickets:queue")).status_code == 200
        assert elsewhere.get(reverse("tickets:queue")).status_code == 302

    @pytest.mark.parametrize("form", [{"old": "wrong"}, {"new": "short"}, {"new": "password1234"}])
    def test_a_wrong_or_weak_one_is_refused_at_its_field(
        self, browsers: tuple[Client, Client], aigerim: User, form: dict[str, str]
    ) -> None:
        answer = browsers[0].post(self.PAGE, self.form(**form))

        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        aigerim.refresh_from_db()
        assert aigerim.check_password(PASSWORD)


class TestLettingSomebodyGo:
    def test_one_button_shuts_out_and_hands_over(
        self, room: Client, ticket: Ticket, aigerim: User, answer: Callable[..., Message]
    ) -> None:
        assert "Отключить и вернуть" in room.get(activity_page(aigerim)).text

        page = room.post(activity_page(aigerim), follow=True).text

        assert "Обращения вернулись в очередь" in page
        assert "Отключён: войти нельзя" in page
        assert "Отключить и вернуть" not in page
        ticket.refresh_from_db()
        aigerim.refresh_from_db()
        assert ticket.assignee is None
        assert not aigerim.is_active

    def test_what_they_did_is_listed(
        self, room: Client, ticket: Ticket, aigerim: User, timur: Customer, answer: Callable[..., Message]
    ) -> None:
        operations.set_customer_phone(customer=timur, phone="+77070004183", verified=True)
        answer(ticket, aigerim)
        operations.reveal_phone(ticket_id=ticket.pk, actor=aigerim)
        operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Недописанное", is_note=False, quote_id=None)
        foreign = wrote(Customer.objects.create(telegram_user_id=700_002, name="Лена"), "Чужое").ticket

        page = room.get(activity_page(aigerim)).text

        for told in ("Показанные телефоны: 1", "Недописанное", "Обращения в работе: 1", f"/desk/t/{ticket.pk}/"):
            assert told in page
        assert f"/desk/t/{foreign.pk}/" not in page
        assert "Не записывается" in page

    def test_nobody_lets_themselves_go(self, room: Client, saule: User) -> None:
        assert "Отключить и вернуть" not in room.get(activity_page(saule)).text

        assert "Себя отключить нельзя" in room.post(activity_page(saule), follow=True).text

        saule.refresh_from_db()
        assert saule.is_active

    def test_a_superuser_is_out_of_a_supervisors_reach(self, room: Client, bolat: User) -> None:
        User.objects.filter(pk=bolat.pk).update(is_superuser=True)

        room.post(activity_page(bolat))

        bolat.refresh_from_db()
        assert bolat.is_active

    def test_it_costs_the_same_for_the_busy(
        self,
        room: Client,
        ticket: Ticket,
        aigerim: User,
        answer: Callable[..., Message],
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _ in range(20):
            answer(ticket, aigerim)

        with django_assert_max_num_queries(16):
            room.get(activity_page(aigerim))
