"""The supervisors' room: who enters, what is read there, and that every act goes through the operations."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conftest import PASSWORD, wrote
from tickets import operations
from tickets.admin.people import PersonAdmin
from tickets.models import (
    MANAGERS,
    SUPERVISORS,
    Change,
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Message,
    Scope,
    ServiceAccount,
    Status,
    Tag,
    Team,
    Ticket,
    Topic,
    User,
)

pytestmark = pytest.mark.django_db

TICKETS = reverse("admin:tickets_ticket_changelist")
CUSTOMERS = reverse("admin:tickets_customer_changelist")
PEOPLE = reverse("admin:tickets_user_changelist")
TEAMS = reverse("admin:tickets_team_changelist")
TOPICS = reverse("admin:tickets_topic_changelist")
TAGS = reverse("admin:tickets_tag_changelist")
DELIVERIES = reverse("admin:tickets_delivery_changelist")
PROGRAMS = reverse("admin:tickets_serviceaccount_changelist")


@pytest.fixture
def room(client: Client, saule: User) -> Client:
    """Saule's browser."""
    client.force_login(saule)
    return client


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD, first_name="Корней")


def act(browser: Client, page: str, action: str, *rows: object, **more: object) -> str:
    """Choose rows on a list, run an action and read the page that comes of it."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}  # type: ignore[attr-defined]
    response = browser.post(page, data, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def said(page: str) -> list[str]:
    """The messages above a list."""
    return re.findall(r'<li class="(?:success|warning)">(.+?)</li>', page)


# Who enters.


def test_a_stranger_signs_in_at_the_desk_and_comes_back(client: Client) -> None:
    response = client.get(TICKETS, follow=True)
    assert response.redirect_chain[-1][0].startswith(reverse("tickets:login"))
    assert "next=%2Fadmin%2Ftickets" in response.redirect_chain[-1][0].replace("/", "%2F")


def test_the_admin_has_no_login_form_of_its_own(client: Client, saule: User) -> None:
    response = client.post(reverse("admin:login"), {"username": "saule", "password": PASSWORD})
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("tickets:login"))
    assert "_auth_user_id" not in client.session


def test_a_manager_is_refused_and_not_asked_to_sign_in(client: Client, aigerim: User) -> None:
    client.force_login(aigerim)
    assert client.get(reverse("admin:index")).status_code == 403
    assert client.get(TICKETS).status_code == 403


def test_staff_and_model_permissions_open_nothing(client: Client, aigerim: User) -> None:
    aigerim.is_staff = True
    aigerim.save()
    client.force_login(aigerim)
    assert client.get(TICKETS).status_code == 403


@pytest.mark.parametrize("page", [TICKETS, CUSTOMERS, PEOPLE, TEAMS, TOPICS, TAGS, DELIVERIES, PROGRAMS])
def test_a_supervisor_who_is_no_superuser_reads_every_list(room: Client, ticket: Ticket, page: str) -> None:
    assert room.get(page).status_code == 200


def test_the_index_names_every_room(room: Client) -> None:
    page = room.get(reverse("admin:index")).content.decode()
    for address in (TICKETS, CUSTOMERS, PEOPLE, TEAMS, TOPICS, TAGS, DELIVERIES, PROGRAMS):
        assert f'href="{address}"' in page
    assert settings.BRAND_NAME in page


# Tickets.


def test_a_ticket_is_found_by_number_by_telegram_id_and_by_name(room: Client, ticket: Ticket) -> None:
    dina = Customer.objects.create(telegram_user_id=700_002, name="Дина Юсупова")
    other = wrote(dina, "Где мой заказ?").ticket
    for wanted in (str(ticket.pk), f"№{ticket.pk}", "700001", "Тимур", "ахметов", "timur_a", "@timur_a"):
        page = room.get(TICKETS, {"q": wanted}).content.decode()
        assert f">{ticket}<" in page, wanted
        assert f">{other}<" not in page, wanted


def test_tickets_are_filtered_by_responsible_person(
    room: Client, ticket: Ticket, aigerim: User, timur: Customer
) -> None:
    free = wrote(timur, "Ещё вопрос.").ticket
    assert f">{free}<" not in room.get(TICKETS, {"assignee": aigerim.pk}).content.decode()
    page = room.get(TICKETS, {"assignee": "none"}).content.decode()
    assert f">{free}<" in page
    assert f">{ticket}<" not in page


def test_a_ticket_cannot_be_edited_added_or_deleted_here(room: Client, ticket: Ticket) -> None:
    change = reverse("admin:tickets_ticket_change", args=[ticket.pk])
    page = room.get(change).content.decode()
    assert 'name="_save"' not in page
    assert room.post(change, {"subject": "Другое"}).status_code == 403
    assert room.get(reverse("admin:tickets_ticket_add")).status_code == 403
    assert room.post(reverse("admin:tickets_ticket_delete", args=[ticket.pk])).status_code == 403


def test_history_is_the_tickets_events(room: Client, ticket: Ticket) -> None:
    page = room.get(reverse("admin:tickets_ticket_history", args=[ticket.pk])).content.decode()
    assert "Обращение создано" in page
    assert "Взято в работу" in page
    assert "Айгерим Сатпаева" in page


def test_acting_first_shows_the_last_words(room: Client, ticket: Ticket) -> None:
    page = act(room, TICKETS, "resolve", ticket)
    assert "Не включается ноутбук" in page
    assert f'name="seen-{ticket.pk}" value="{ticket.last_message_id}.' in page
    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN


def asked(browser: Client, page: str, action: str, *rows: object) -> dict[str, str]:
    """What the page that asks before acting says it has shown."""
    return dict(re.findall(r'name="(seen-\d+)" value="([\d.]+)"', act(browser, page, action, *rows)))


def confirm(browser: Client, action: str, *rows: object, page: str = TICKETS, **more: object) -> list[str]:
    """Ask for an action and confirm it at once."""
    shown = asked(browser, page, action, *rows)
    return said(act(browser, page, action, *rows, confirmed="1", **shown, **more))


def test_tickets_are_solved_one_by_one_and_refusals_told(
    room: Client, ticket: Ticket, timur: Customer, saule: User
) -> None:
    solved = wrote(timur, "Второй вопрос.").ticket
    operations.resolve(ticket_id=solved.pk, actor=saule)
    told = confirm(room, "resolve", ticket, solved)
    assert told == ["Решено 1", f"{solved}: Обращение уже решено."]
    ticket.refresh_from_db()
    assert ticket.status == Status.RESOLVED
    assert ticket.events.get(kind=Event.Kind.RESOLVED).actor == saule


def test_nothing_is_solved_over_a_message_nobody_saw(room: Client, ticket: Ticket, timur: Customer) -> None:
    shown = asked(room, TICKETS, "resolve", ticket)
    wrote(timur, "Подождите, ещё не всё!", ticket=ticket)
    (told,) = said(act(room, TICKETS, "resolve", ticket, confirmed="1", **shown))
    assert "появились новые сообщения" in told
    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN


def test_nothing_is_solved_over_an_edit_nobody_saw(room: Client, ticket: Ticket) -> None:
    shown = asked(room, TICKETS, "resolve", ticket)
    operations.revise(message=ticket.messages.get(), text="Не надо чинить", entities=[], edited_at=timezone.now())
    (told,) = said(act(room, TICKETS, "resolve", ticket, confirmed="1", **shown))
    assert "появились новые сообщения" in told


def test_a_colleagues_note_is_shown_and_then_stops_nothing(room: Client, ticket: Ticket, aigerim: User) -> None:
    operations.note(ticket_id=ticket.pk, actor=aigerim, text="Позвонить на склад", client_id=uuid.uuid4())
    assert "Заметка: Позвонить на склад" in act(room, TICKETS, "resolve", ticket)
    assert confirm(room, "resolve", ticket) == ["Решено 1"]


def test_a_confirmation_that_names_no_message_acts_on_nothing(room: Client, ticket: Ticket) -> None:
    page = act(room, TICKETS, "resolve", ticket, confirmed="1")
    assert "появились новые сообщения" in said(page)[0]


def test_tickets_are_handed_to_a_member_of_their_team(room: Client, ticket: Ticket, bolat: User) -> None:
    assert confirm(room, "assign", ticket, assignee=bolat.pk) == ["Передано 1"]
    ticket.refresh_from_db()
    assert ticket.assignee == bolat


def test_nobody_outside_the_team_is_made_responsible(room: Client, ticket: Ticket, dana: User, aigerim: User) -> None:
    (told,) = confirm(room, "assign", ticket, assignee=dana.pk)
    assert told.startswith(str(ticket))
    ticket.refresh_from_db()
    assert ticket.assignee == aigerim


def test_assigning_without_a_person_asks_again(room: Client, ticket: Ticket) -> None:
    page = act(room, TICKETS, "assign", ticket, confirmed="1", assignee="")
    assert "Обязательное поле" in page


def test_tickets_return_to_the_queue(room: Client, ticket: Ticket) -> None:
    assert confirm(room, "return_to_queue", ticket) == ["Возвращено 1"]
    ticket.refresh_from_db()
    assert ticket.assignee is None


def test_tickets_move_to_another_team(room: Client, ticket: Ticket, other_team: Team) -> None:
    assert confirm(room, "move_to_team", ticket, team=other_team.pk) == ["Передано 1"]
    ticket.refresh_from_db()
    assert (ticket.team, ticket.assignee) == (other_team, None)


def test_all_tickets_at_once_are_never_meant(room: Client, ticket: Ticket, timur: Customer) -> None:
    other = wrote(timur, "Не выбрано.").ticket
    confirm(room, "resolve", ticket, select_across="1")
    other.refresh_from_db()
    assert other.status == Status.NEW


def test_a_list_asks_the_same_number_of_queries_however_long(room: Client, timur: Customer, team: Team) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert room.get(TICKETS).status_code == 200
        return len(captured)

    wrote(timur, "Первый вопрос.")
    first = queries()
    for number in range(40):
        wrote(timur, f"Вопрос {number}.")
    assert queries() == first
    assert first <= 14


def test_counts_stop_at_a_cap(room: Client, timur: Customer, team: Team) -> None:
    Ticket.objects.bulk_create(Ticket(customer=timur, team=team) for _ in range(1005))
    with CaptureQueriesContext(connection) as captured:
        page = room.get(TICKETS).content.decode()
    assert "Показаны первые 1000" in page
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"].upper()]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


# Customers.


@pytest.fixture
def with_phone(timur: Customer) -> Customer:
    return operations.set_customer_phone(customer=timur, phone="+77070004183", verified=True)


def test_a_phone_is_masked_everywhere(room: Client, with_phone: Customer, ticket: Ticket) -> None:
    for page in (CUSTOMERS, reverse("admin:tickets_customer_change", args=[with_phone.pk])):
        text = room.get(page).content.decode()
        assert "+7 707 ••• 41 83" in text
        assert "77070004183" not in text


def test_showing_a_phone_is_written_into_history(
    room: Client, with_phone: Customer, ticket: Ticket, saule: User
) -> None:
    change = room.get(reverse("admin:tickets_customer_change", args=[with_phone.pk])).content.decode()
    show = reverse("admin:tickets_customer_phone", args=[with_phone.pk])
    assert f'action="{show}"' in change
    assert room.get(show).status_code == 405
    assert "+77070004183" in room.post(show).content.decode()
    assert ticket.events.get(kind=Event.Kind.PHONE_SHOWN).actor == saule


def test_who_floods_is_found_and_muted_and_heard_again(room: Client, timur: Customer, ticket: Ticket) -> None:
    quiet = Customer.objects.create(telegram_user_id=700_002, name="Лена Пак")
    operations.note_flood(customer=timur)
    flooding = room.get(CUSTOMERS, {"flooded_at__isempty": "0"}).content.decode()
    assert timur.name in flooding
    assert quiet.name not in flooding
    assert said(act(room, CUSTOMERS, "mute", timur, quiet)) == ["Заглушено 2"]
    assert said(act(room, CUSTOMERS, "mute", timur)) == [f"{timur}: Клиент уже заглушён."]
    timur.refresh_from_db()
    assert timur.is_muted
    assert said(act(room, CUSTOMERS, "unmute", timur)) == ["Снова слышно 1"]
    timur.refresh_from_db()
    assert not timur.is_muted


def test_a_phone_cannot_be_found_by_searching(room: Client, with_phone: Customer) -> None:
    assert str(with_phone.telegram_user_id) not in room.get(CUSTOMERS, {"q": "4183"}).content.decode()
    assert "0 " in room.get(CUSTOMERS, {"q": "77070004183"}).content.decode()


# People.


def new_person(**more: object) -> dict[str, object]:
    groups = [Group.objects.get(name=MANAGERS).pk]
    return {"username": "asel", "first_name": "Асель", "last_name": "Нурова", "groups": groups, **more}


def test_a_new_person_gets_a_password_shown_once(room: Client, team: Team) -> None:
    response = room.post(reverse("admin:tickets_user_add"), new_person(teams=[team.pk]))
    person = User.objects.get(username="asel")
    (password,) = re.findall(r"<strong>([a-z2-9]{4}(?:-[a-z2-9]{4}){3})</strong>", response.content.decode())
    assert person.check_password(password)
    assert person.team_ids == {team.pk}
    assert person.group_names == {MANAGERS}
    assert not response.cookies.get("messages")
    change = room.get(reverse("admin:tickets_user_change", args=[person.pk])).content.decode()
    assert password not in change


def test_a_supervisor_cannot_make_superusers(room: Client, team: Team) -> None:
    room.post(reverse("admin:tickets_user_add"), new_person(is_superuser="on", is_staff="on"))
    person = User.objects.get(username="asel")
    assert not person.is_superuser
    change = reverse("admin:tickets_user_change", args=[person.pk])
    room.post(change, new_person(is_superuser="on", is_staff="on", user_permissions=["1"], is_active="on"))
    person.refresh_from_db()
    assert (person.is_superuser, person.is_staff) == (False, False)
    assert not person.user_permissions.exists()


def test_a_superuser_can(client: Client, superuser: User, bolat: User) -> None:
    client.force_login(superuser)
    change = reverse("admin:tickets_user_change", args=[bolat.pk])
    client.post(change, new_person(username="bolat", is_superuser="on"))
    bolat.refresh_from_db()
    assert bolat.is_superuser


def test_a_superuser_is_out_of_a_supervisors_reach(room: Client, superuser: User) -> None:
    change = reverse("admin:tickets_user_change", args=[superuser.pk])
    page = room.get(change).content.decode()
    assert 'name="_save"' not in page
    assert superuser.password not in page
    assert room.post(change, new_person(username="root")).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[superuser.pk])
    assert room.get(password).status_code == 403
    assert room.post(password, {"password1": "k7mq-x2fd-9wpe", "password2": "k7mq-x2fd-9wpe"}).status_code == 403
    act(room, PEOPLE, "disable", superuser)
    superuser.refresh_from_db()
    assert superuser.is_active
    assert superuser.check_password(PASSWORD)


def test_only_the_two_groups_can_be_given(room: Client, bolat: User) -> None:
    strange = Group.objects.create(name="Other")
    change = reverse("admin:tickets_user_change", args=[bolat.pk])
    assert "Выберите корректный вариант" in room.post(change, new_person(groups=[strange.pk])).content.decode()
    assert "Обязательное поле" in room.post(change, new_person(groups=[])).content.decode()


def test_people_do_not_change_their_own_rights(room: Client, saule: User) -> None:
    change = reverse("admin:tickets_user_change", args=[saule.pk])
    assert room.post(change, new_person(username="saule")).status_code == 302
    saule = User.objects.get(pk=saule.pk)
    assert saule.group_names == {SUPERVISORS}
    assert saule.first_name == "Асель"


def test_a_change_of_rights_closes_the_persons_streams(room: Client, bolat: User, other_team: Team) -> None:
    change = reverse("admin:tickets_user_change", args=[bolat.pk])
    room.post(change, new_person(username="bolat", teams=[other_team.pk]))
    assert revocations() == [[f"user:{bolat.pk}"]]


def as_opened(room: Client, page: str) -> dict[str, Any]:
    """What a page's form sends when nothing was changed on it: its fields, and how they were when it was opened."""
    form = room.get(page).context["adminform"].form
    values = {field: field.field.prepare_value(field.value()) for field in form}
    names = {(field, name) for field in form for name in (field.html_name, field.html_initial_name)}
    return {name: values[field] for field, name in names if values[field] not in (None, False)}


def test_a_page_opened_before_a_persons_rights_were_taken_does_not_give_them_back(
    room: Client, bolat: User, team: Team
) -> None:
    bolat.groups.add(Group.objects.get(name=SUPERVISORS))
    page = reverse("admin:tickets_user_change", args=[bolat.pk])
    form = as_opened(room, page)
    team.members.remove(bolat)
    bolat.groups.remove(Group.objects.get(name=SUPERVISORS))
    User.objects.filter(pk=bolat.pk).update(first_name="Болатбек")
    assert room.post(page, {**form, "language": "en"}).status_code == 302
    bolat = User.objects.get(pk=bolat.pk)
    assert (bolat.language, bolat.first_name) == ("en", "Болатбек")
    assert bolat.group_names == {MANAGERS}
    assert not bolat.team_ids
    assert revocations() == []


def test_a_page_opened_before_a_team_became_strict_does_not_open_it_again(
    room: Client, other_team: Team, dana: User, bolat: User
) -> None:
    page = reverse("admin:tickets_team_change", args=[other_team.pk])
    form = as_opened(room, page)
    Team.objects.filter(pk=other_team.pk).update(is_strict=True)
    other_team.members.set([bolat])
    assert room.post(page, {**form, "name": "Возвраты и обмен"}).status_code == 302
    other_team = Team.objects.get(pk=other_team.pk)
    assert (other_team.name, other_team.is_strict) == ("Возвраты и обмен", True)
    assert list(other_team.members.all()) == [bolat]


def revocations() -> list[list[str]]:
    return list(Change.objects.filter(kind=Change.Kind.REVOKED).values_list("audience", flat=True))


def test_who_leaves_is_disabled_and_their_tickets_are_free(room: Client, ticket: Ticket, aigerim: User) -> None:
    assert said(act(room, PEOPLE, "disable", aigerim)) == ["Отключено: 1"]
    aigerim.refresh_from_db()
    ticket.refresh_from_db()
    assert not aigerim.is_active
    assert ticket.assignee is None
    act(room, PEOPLE, "enable", aigerim)
    aigerim.refresh_from_db()
    assert aigerim.is_active


def test_nobody_disables_themselves(room: Client, saule: User) -> None:
    (told,) = said(act(room, PEOPLE, "disable", saule))
    assert "Себя отключить нельзя" in told
    saule.refresh_from_db()
    assert saule.is_active


def test_a_forgotten_password_is_replaced(room: Client, bolat: User) -> None:
    page = reverse("admin:auth_user_password_change", args=[bolat.pk])
    change = room.get(reverse("admin:tickets_user_change", args=[bolat.pk])).content.decode()
    assert f'href="{page}"' in change
    fresh = "k7mq-x2fd-9wpe-rt4n"
    form = {"password1": fresh, "password2": fresh, "usable_password": "true", "set-password": "1"}
    assert room.post(page, form).status_code == 302
    bolat.refresh_from_db()
    assert bolat.check_password(fresh)


def during(monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], object]) -> None:
    """Let `act` commit after the form has been read and before it is written."""
    original = getattr(PersonAdmin, step)

    def after(*args: Any, **kwargs: Any) -> Any:
        act()
        return original(*args, **kwargs)

    monkeypatch.setattr(PersonAdmin, step, staticmethod(after) if isinstance(original, type) else after)


def test_a_disabling_in_the_midst_of_editing_a_person_stands(
    room: Client, bolat: User, superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    during(monkeypatch, "save_model", lambda: operations.disable_user(actor=superuser, user=User(pk=bolat.pk)))
    room.post(reverse("admin:tickets_user_change", args=[bolat.pk]), new_person(username="bolat", first_name="Боря"))
    bolat.refresh_from_db()
    assert (bolat.is_active, bolat.first_name) == (False, "Боря")
    assert bolat.shut_out_at is not None


def test_a_disabling_in_the_midst_of_a_password_change_stands(
    room: Client, bolat: User, superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    during(
        monkeypatch, "change_password_form", lambda: operations.disable_user(actor=superuser, user=User(pk=bolat.pk))
    )
    fresh = "k7mq-x2fd-9wpe-rt4n"
    form = {"password1": fresh, "password2": fresh, "usable_password": "true", "set-password": "1"}
    room.post(reverse("admin:auth_user_password_change", args=[bolat.pk]), form)
    bolat.refresh_from_db()
    assert not bolat.is_active
    assert bolat.check_password(fresh)


def test_ones_own_new_password_ends_the_other_sign_ins(room: Client, saule: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(saule)
    fresh = "k7mq-x2fd-9wpe-rt4n"
    form = {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert room.post(reverse("admin:password_change"), form).status_code == 302
    assert room.get(TICKETS).status_code == 200
    assert elsewhere.get(TICKETS).status_code == 302
    assert revocations() == [[f"user:{saule.pk}"]]


def test_the_admins_log_holds_no_password(room: Client, team: Team) -> None:
    room.post(reverse("admin:tickets_user_add"), new_person())
    (entry,) = LogEntry.objects.all()
    assert "password" not in entry.change_message


# Programs.

KEY = re.compile(r"<code>(hdsk_[0-9a-f]{16}_[\w-]{43})</code>")


def new_program(room: Client, **more: object) -> str:
    """The page that comes of adding a program."""
    wish = {"name": "Портал", "scopes": [Scope.TICKETS_READ.value], **more}
    return str(room.post(reverse("admin:tickets_serviceaccount_add"), wish).content.decode())


def test_a_new_program_gets_a_key_shown_once(room: Client, saule: User) -> None:
    (key,) = KEY.findall(new_program(room))
    account = ServiceAccount.objects.get()
    assert (account.name, account.scopes, account.created_by) == ("Портал", ["tickets:read"], saule)
    assert operations.account_by_key(key) == account
    secret = key.rpartition(account.key_id)[2]
    for address in (PROGRAMS, reverse("admin:tickets_serviceaccount_change", args=[account.pk])):
        page = room.get(address).content.decode()
        assert account.key_id in page
        assert secret not in page
        assert account.secret_hash not in page
    assert secret not in str(LogEntry.objects.values())


@pytest.mark.parametrize("wrong", [{"scopes": []}, {"scopes": ["tickets:delete"]}, {"name": ""}])
def test_a_program_without_a_name_or_a_right_is_not_made(room: Client, wrong: dict[str, object]) -> None:
    assert not KEY.findall(new_program(room, **wrong))
    assert not ServiceAccount.objects.exists()


def test_two_programs_of_one_name_are_not_made(room: Client) -> None:
    new_program(room)
    assert not KEY.findall(new_program(room))
    assert ServiceAccount.objects.count() == 1


def test_a_programs_rights_are_changed(room: Client) -> None:
    (key,) = KEY.findall(new_program(room))
    account = ServiceAccount.objects.get()
    wish = {"name": "Сайт", "scopes": ["messages:read", "messages:write"]}
    room.post(reverse("admin:tickets_serviceaccount_change", args=[account.pk]), wish)
    found = operations.account_by_key(key)
    assert (found.name, found.scopes) == ("Сайт", wish["scopes"])


def test_a_new_key_ends_the_former(room: Client) -> None:
    (former,) = KEY.findall(new_program(room))
    account = ServiceAccount.objects.get()
    (key,) = KEY.findall(act(room, PROGRAMS, "issue_key", account))
    assert operations.account_by_key(former) is None
    assert operations.account_by_key(key) == account
    assert "новый ключ" in LogEntry.objects.latest("pk").change_message


def test_a_revoked_program_is_shut_out_for_good(room: Client) -> None:
    (key,) = KEY.findall(new_program(room))
    account = ServiceAccount.objects.get()
    assert said(act(room, PROGRAMS, "revoke", account)) == ["Отозвано: 1"]
    assert operations.account_by_key(key) is None
    assert said(act(room, PROGRAMS, "revoke", account)) == ["Портал: Программа уже отозвана."]
    assert not KEY.findall(act(room, PROGRAMS, "issue_key", account))


# Teams, topics, tags.


def test_nothing_is_deleted(room: Client, team: Team) -> None:
    for name, row in (("team", team), ("tag", Tag.objects.create(name="замена"))):
        assert room.post(reverse(f"admin:tickets_{name}_delete", args=[row.pk])).status_code == 403
        assert "delete_selected" not in room.get(reverse(f"admin:tickets_{name}_changelist")).content.decode()


def test_a_topic_is_added_retired_and_brought_back(room: Client, team: Team) -> None:
    room.post(reverse("admin:tickets_topic_add"), {"name": "Гарантия", "name_en": "Warranty", "position": "1"})
    topic = Topic.objects.get(name="Гарантия")
    assert said(act(room, TOPICS, "retire", topic))[-1] == "Выведено из работы: 1"
    topic.refresh_from_db()
    assert topic.retired_at is not None
    act(room, TOPICS, "bring_back", topic)
    topic.refresh_from_db()
    assert topic.retired_at is None


def test_a_team_still_needed_is_not_retired(
    room: Client, team: Team, other_team: Team, strict_team: Team, timur: Customer
) -> None:
    Topic.objects.create(name="Возврат", team=other_team)
    ticket = wrote(timur, "Вопрос.").ticket
    Ticket.objects.filter(pk=ticket.pk).update(team=strict_team)
    told = said(act(room, TEAMS, "retire", team, other_team, strict_team))
    assert len(told) == 3
    assert not Team.objects.filter(retired_at__isnull=False).exists()


def test_exactly_one_team_takes_what_has_no_topic(room: Client, team: Team, other_team: Team, timur: Customer) -> None:
    change = reverse("admin:tickets_team_change", args=[other_team.pk])
    room.post(change, {"name": "Возвраты", "time_zone": "Asia/Almaty", "is_default": "on"})
    assert Team.objects.get(is_default=True) == team
    act(room, TEAMS, "make_default", other_team)
    assert Team.objects.get(is_default=True) == other_team
    assert wrote(timur, "Без темы.").ticket.team == other_team


def test_a_retired_team_cannot_become_the_default(room: Client, team: Team, other_team: Team) -> None:
    act(room, TEAMS, "retire", other_team)
    (told,) = said(act(room, TEAMS, "make_default", other_team))
    assert "выведена из работы" in told
    assert Team.objects.get(is_default=True) == team


def test_new_members_of_a_team_see_its_tickets(room: Client, ticket: Ticket, team: Team, dana: User) -> None:
    change = reverse("admin:tickets_team_change", args=[team.pk])
    form = {"name": team.name, "time_zone": "Asia/Almaty", "members": [dana.pk, ticket.assignee_id]}
    assert room.post(change, form).status_code == 302
    dana = User.objects.get(pk=dana.pk)
    assert Ticket.objects.visible_to(dana).filter(pk=ticket.pk).exists()
    assert f"user:{dana.pk}" in [audience[0] for audience in revocations()]


# Deliveries in trouble.


@pytest.fixture
def in_trouble(ticket: Ticket, aigerim: User) -> Callable[..., Delivery]:
    """A reply of Aigerim's whose delivery came to `state`."""

    def make(state: DeliveryState) -> Delivery:
        message = operations.reply(ticket_id=ticket.pk, actor=aigerim, text=f"Ответ: {state}", client_id=uuid.uuid4())
        return operations.settle(delivery_id=message.pk, state=state, parts_sent=0)

    return make


def test_only_what_waits_for_a_person_is_listed(room: Client, in_trouble: Callable[..., Delivery]) -> None:
    for state in (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED):
        in_trouble(state)
    page = room.get(DELIVERIES).content.decode()
    assert "Ответ: sent" not in page
    assert all(f"Ответ: {state}" in page for state in ("unknown", "held", "failed"))


def test_a_held_reply_is_sent_after_all(room: Client, in_trouble: Callable[..., Delivery]) -> None:
    held, unknown = in_trouble(DeliveryState.HELD), in_trouble(DeliveryState.UNKNOWN)
    told = confirm(room, "release", held, unknown, page=DELIVERIES)
    assert told[0] == "Отправка продолжена: 1"
    assert len(told) == 2
    held.refresh_from_db()
    assert held.state == DeliveryState.QUEUED


def test_an_unsure_reply_is_marked_as_arrived(room: Client, in_trouble: Callable[..., Delivery], saule: User) -> None:
    unknown = in_trouble(DeliveryState.UNKNOWN)
    assert confirm(room, "mark_arrived", unknown, page=DELIVERIES) == ["Отмечено дошедшими: 1"]
    unknown.refresh_from_db()
    assert (unknown.state, unknown.decided_by) == (DeliveryState.UNKNOWN, saule)
    assert "Ответ: unknown" not in room.get(DELIVERIES).content.decode()


def test_an_unsure_reply_is_sent_again_as_a_new_message(room: Client, in_trouble: Callable[..., Delivery]) -> None:
    unknown = in_trouble(DeliveryState.UNKNOWN)
    assert confirm(room, "resend", unknown, page=DELIVERIES) == ["Отправлено ещё раз: 1"]
    repeat = Message.objects.latest("pk")
    assert repeat.resend_of_id == unknown.pk
    assert repeat.delivery.state == DeliveryState.QUEUED


def test_nothing_is_decided_over_a_message_nobody_saw(
    room: Client, in_trouble: Callable[..., Delivery], ticket: Ticket, timur: Customer
) -> None:
    unknown = in_trouble(DeliveryState.UNKNOWN)
    page = act(room, DELIVERIES, "resend", unknown)
    assert "Ответ: unknown" in page
    shown = asked(room, DELIVERIES, "resend", unknown)
    wrote(timur, "Всё пришло, спасибо за помощь", ticket=ticket)
    (told,) = said(act(room, DELIVERIES, "resend", unknown, confirmed="1", **shown))
    assert "появились новые сообщения" in told
    assert not Message.objects.filter(resend_of=unknown.pk).exists()


# Every page.


def test_pages_carry_the_strict_policy_and_nothing_inline(room: Client, ticket: Ticket, aigerim: User) -> None:
    pages = [
        reverse("admin:index"),
        TICKETS,
        reverse("admin:tickets_ticket_change", args=[ticket.pk]),
        reverse("admin:tickets_ticket_history", args=[ticket.pk]),
        reverse("admin:tickets_user_add"),
        reverse("admin:tickets_user_change", args=[aigerim.pk]),
        reverse("admin:auth_user_password_change", args=[aigerim.pk]),
        reverse("admin:tickets_team_change", args=[ticket.team_id]),
        PROGRAMS,
        reverse("admin:tickets_serviceaccount_add"),
        reverse("admin:password_change"),
        *(reverse(f"admin:tickets_user_{page}", args=[aigerim.pk]) for page in ("lock", "trail", "factor", "link")),
        reverse("tickets:account"),
        reverse("tickets:second-factor"),
    ]
    for address in pages:
        response = room.get(address)
        text = response.content.decode()
        assert response.status_code == 200, address
        assert "default-src 'self'" in response["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), (
            address
        )
        assert "no-store" in response["Cache-Control"]


def test_signing_out_needs_a_post_and_ends_the_session(room: Client) -> None:
    assert room.get(reverse("admin:logout")).status_code == 405
    response = room.post(reverse("admin:logout"))
    assert response["Location"] == reverse("tickets:login")
    assert room.get(TICKETS).status_code == 302
