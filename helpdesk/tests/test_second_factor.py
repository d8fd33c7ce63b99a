"""A second factor: turned on, asked at every door, never good twice, taken away."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection, connections
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from conftest import PASSWORD
from helpdesk.live.viewers import Refusal, identify
from helpdesk.tests.test_account import is_in, signed_in
from tickets import operations
from tickets.models import RecoveryCode, SecondFactor, Ticket, User

pytestmark = pytest.mark.django_db

LOGIN, FACTOR, OFF = (reverse(f"tickets:{name}") for name in ("login", "second-factor", "second-factor-off"))
QUEUE = reverse("tickets:queue")
KEY = "31" * 20


def code(key: str = KEY, step: int = 0) -> str:
    """The app's code of now, or so many steps later."""
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time() + 30 * step
    return f"{totp.token():06d}"


def with_factor(user: User) -> list[str]:
    """Turned on some time ago: a code of now is still good. Returns the recovery codes."""
    recovery = operations.turn_on_second_factor(user=user, key=KEY, code=code(), keep="")
    SecondFactor.objects.filter(user=user).update(last_step=0)
    return recovery


def give_password(browser: Client, user: User, **more: str) -> HttpResponse:
    answer: HttpResponse = browser.post(LOGIN, {"username": user.username, "password": PASSWORD, **more})  # type: ignore[assignment]
    return answer


def give_code(browser: Client, page: HttpResponse, given: str, **more: str) -> HttpResponse:
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.content.decode()))
    answer: HttpResponse = browser.post(LOGIN, {**hidden, "code": given}, **more)  # type: ignore[assignment]
    return answer


@pytest.fixture
def enrolled(aigerim: User) -> list[str]:
    """Aigerim's recovery codes."""
    return with_factor(aigerim)


# Turned on and off.


def test_turning_it_on_takes_the_password_and_a_code_and_shows_recovery_codes_once(aigerim: User) -> None:
    browser, elsewhere = signed_in(aigerim), signed_in(aigerim)
    page = browser.get(FACTOR)
    assert 'src="data:image/svg+xml' in page.text
    key = browser.session["new_factor_key"]
    right = {"password": PASSWORD, "code": code(key)}
    for wrong in ({"password": "wrong"}, {"code": "000000"}, {"code": ""}, {"code": "²²²²²²"}):
        assert browser.post(FACTOR, {**right, **wrong}).status_code == 422
    assert not SecondFactor.objects.exists()
    shown = re.findall(r"<code>([a-z2-9-]{19})</code>", browser.post(FACTOR, right).text)
    assert len(set(shown)) == 10
    assert not any(text in browser.get(FACTOR).text for text in shown)
    assert not RecoveryCode.objects.filter(digest__in=shown).exists()
    assert is_in(browser)
    assert not is_in(elsewhere)


def test_the_code_that_turned_it_on_signs_nobody_in(aigerim: User) -> None:
    browser = signed_in(aigerim)
    browser.get(FACTOR)
    key = browser.session["new_factor_key"]
    used = code(key)
    browser.post(FACTOR, {"password": PASSWORD, "code": used})
    assert not operations.use_code(user=aigerim, code=used)


def test_turning_it_off_takes_both_too(aigerim: User) -> None:
    browser = signed_in(aigerim)
    with_factor(aigerim)
    browser = Client()
    give_code(browser, give_password(browser, aigerim), code())
    fresh = code(step=1)
    assert browser.post(OFF, {"password": "wrong", "code": fresh}).status_code == 422
    assert browser.post(OFF, {"password": PASSWORD, "code": "000000"}).status_code == 422
    assert SecondFactor.objects.exists()
    assert browser.post(OFF, {"password": PASSWORD, "code": fresh}).status_code == 302
    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()


# At the desk's door.


def test_a_password_alone_opens_nothing(client: Client, aigerim: User, enrolled: list[str]) -> None:
    page = give_password(client, aigerim)
    assert page.status_code == 200
    assert "Код из приложения" in page.content.decode()
    assert not is_in(client)


def test_the_code_opens_the_desk_where_the_person_was_going(
    client: Client, aigerim: User, enrolled: list[str], ticket: Ticket
) -> None:
    target = reverse("tickets:ticket", args=[ticket.pk])
    answer = give_code(client, give_password(client, aigerim, next=target, remember="on"), code())
    assert answer["Location"] == target
    assert client.cookies[settings.SESSION_COOKIE_NAME]["max-age"]
    assert is_in(client)


def test_what_was_being_sent_comes_through_the_code_too(
    client: Client, aigerim: User, enrolled: list[str], ticket: Ticket
) -> None:
    page = give_password(client, aigerim, ticket=str(ticket.pk), text='Начал "писать"', quote="")
    hidden = {"text": 'Начал "писать"', "ticket": str(ticket.pk)}
    assert "Начал &quot;писать&quot;" in page.content.decode()
    step = re.search(r'name="step" value="([^"]+)"', page.content.decode()).group(1)
    client.post(LOGIN, {"step": step, "code": code(), **hidden})
    assert ticket.drafts.get().text == 'Начал "писать"'


def test_no_code_is_good_twice(aigerim: User, enrolled: list[str]) -> None:
    now = code()
    for expected in (302, 422):
        browser = Client()
        assert give_code(browser, give_password(browser, aigerim), now).status_code == expected
    for expected in (302, 422):
        browser = Client()
        assert give_code(browser, give_password(browser, aigerim), f" {enrolled[0].upper()} ").status_code == expected
    assert RecoveryCode.objects.count() == 9


@pytest.mark.parametrize("step", [-3, 3])
def test_codes_far_from_now_are_wrong(aigerim: User, enrolled: list[str], step: int) -> None:
    assert not operations.use_code(user=aigerim, code=code(step=step))


@pytest.mark.parametrize("given", ["", "0", "abcdef", "²²²²²²", "\0", "\ud800", "9" * 5000])
def test_garbage_is_a_wrong_code(aigerim: User, enrolled: list[str], given: str) -> None:
    assert not operations.use_code(user=aigerim, code=given)


@pytest.mark.parametrize("step", ["", "x", "WzEsIngiXQ:1abc:def"])
def test_a_forged_first_step_asks_for_the_password(client: Client, enrolled: list[str], step: str) -> None:
    answer = client.post(LOGIN, {"step": step, "code": code()})
    assert 'id="password"' in answer.text
    assert not is_in(client)


def test_a_first_step_ends_with_its_password(client: Client, aigerim: User, enrolled: list[str]) -> None:
    page = give_password(client, aigerim)
    operations.change_password(user=aigerim, password="another-password-1")
    assert give_code(client, page, code()).status_code == 200
    assert not is_in(client)


def test_guessing_codes_is_locked_like_guessing_passwords(aigerim: User, enrolled: list[str]) -> None:
    guesser = Client(REMOTE_ADDR="203.0.113.9")
    page = give_password(guesser, aigerim)
    answers = [give_code(guesser, page, "000000").status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers == [422] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    assert give_code(guesser, page, code()).status_code == 429
    owner = Client(REMOTE_ADDR="198.51.100.1")
    assert give_code(owner, give_password(owner, aigerim), code()).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_one_code_brought_many_times_at_once_is_good_once(aigerim: User) -> None:
    recovery = with_factor(aigerim)

    barrier = Barrier(6)

    def use(given: str) -> bool:
        connection.ensure_connection()
        barrier.wait()
        try:
            return operations.use_code(user=aigerim, code=given)
        finally:
            connections.close_all()

    for given in (code(), recovery[0]):
        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(use, [given] * 6)) == 1


# Over the API.


@pytest.fixture
def api_login(client: Client, aigerim: User) -> Callable[..., Any]:
    def send(**more: str) -> Any:
        body = {"username": "aigerim", "password": PASSWORD, **more}
        return client.post(reverse("api:login"), body, content_type="application/json")

    return send


def test_the_api_asks_for_it_too(api_login: Callable[..., Any], enrolled: list[str]) -> None:
    now = code()
    needed, wrong, right, again = api_login(), api_login(otp="000000"), api_login(otp=now), api_login(otp=now)
    assert [answer.status_code for answer in (needed, wrong, right, again)] == [401, 401, 200, 401]
    assert [answer.json().get("otp") for answer in (needed, wrong, again)] == ["required", "wrong", "wrong"]


def test_guessing_over_the_api_is_locked(api_login: Callable[..., Any], enrolled: list[str]) -> None:
    statuses = [api_login(otp="000000").status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert statuses[-1] == 429
    assert api_login(otp=code()).status_code == 429


def test_a_wrong_password_does_not_say_whether_there_is_a_factor(
    api_login: Callable[..., Any], enrolled: list[str]
) -> None:
    assert "otp" not in api_login(password="wrong", otp="000000").json()


# Required of supervisors.


@pytest.fixture
def required(settings: Any) -> None:
    settings.SUPERVISORS_NEED_SECOND_FACTOR = True


@pytest.mark.usefixtures("required")
def test_a_supervisor_without_one_goes_nowhere_else(saule: User, ticket: Ticket) -> None:
    browser = signed_in(saule)
    for address in (
        QUEUE,
        reverse("admin:index"),
        reverse("tickets:ticket", args=[ticket.pk]),
        reverse("tickets:account"),
    ):
        assert browser.get(address)["Location"] == FACTOR
    refused = browser.get(reverse("api:me"))
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    assert "второй фактор" in refused.json()["detail"]
    act = reverse("tickets:take", args=[ticket.pk])
    assert browser.post(act, headers={"HX-Request": "true"}).status_code == 403
    assert browser.get(FACTOR).status_code == 200


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("door", ["tickets:logout", "api:logout"])
def test_but_out(saule: User, door: str) -> None:
    browser = signed_in(saule)
    browser.post(reverse(door))
    assert browser.get(reverse("api:me")).status_code == 401


@pytest.mark.usefixtures("required")
def test_a_form_sent_without_script_is_answered_with_the_way_to_one(saule: User, ticket: Ticket) -> None:
    answer = signed_in(saule).post(reverse("tickets:take", args=[ticket.pk]))
    assert answer.status_code == 403
    assert f'href="{FACTOR}"' in answer.content.decode()


@pytest.mark.usefixtures("required")
def test_nor_listens_and_the_api_lets_nobody_around_it(
    saule: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpdesk.live.viewers.connections.close_all", lambda: None)
    browser = signed_in(saule)
    with pytest.raises(Refusal):
        identify(browser.cookies[settings.SESSION_COOKIE_NAME].value)
    body = {"username": "saule", "password": PASSWORD}
    assert client.post(reverse("api:login"), body, content_type="application/json").status_code == 403
    assert browser.get(reverse("admin:index"), headers={"Authorization": "Bearer x"}).status_code == 302


def test_a_token_from_before_it_was_required_is_good_no_more(client: Client, saule: User, settings: Any) -> None:
    body = {"username": "saule", "password": PASSWORD}
    token = client.post(reverse("api:login"), body, content_type="application/json").json()["access"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(reverse("api:me"), headers=headers).status_code == 200
    settings.SUPERVISORS_NEED_SECOND_FACTOR = True
    assert client.get(reverse("api:me"), headers=headers).status_code == 401


def test_a_form_sent_before_a_key_was_shown_turns_nothing_on(aigerim: User) -> None:
    browser = signed_in(aigerim)
    browser.post(FACTOR, {"password": PASSWORD, "code": code("")})
    assert not SecondFactor.objects.exists()


@pytest.mark.usefixtures("required")
def test_having_made_one_everything_opens(saule: User) -> None:
    browser = signed_in(saule)
    browser.get(FACTOR)
    browser.post(FACTOR, {"password": PASSWORD, "code": code(browser.session["new_factor_key"])})
    assert is_in(browser)
    assert browser.get(reverse("admin:index")).status_code == 200


@pytest.mark.usefixtures("required")
def test_managers_are_not_asked(aigerim: User) -> None:
    assert is_in(signed_in(aigerim))


# Reset by a supervisor.


def test_a_supervisor_resets_anothers_and_it_is_recorded(client: Client, aigerim: User, saule: User) -> None:
    client.force_login(saule)
    browser = Client()
    with_factor(aigerim)
    give_code(browser, give_password(browser, aigerim), code())
    page = reverse("admin:tickets_user_factor", args=[aigerim.pk])
    assert client.get(page).status_code == 200
    assert SecondFactor.objects.exists()
    client.post(page)
    assert not SecondFactor.objects.exists()
    assert not is_in(browser)
    assert LogEntry.objects.get().object_id == str(aigerim.pk)
    assert is_in(signed_in(aigerim))


def test_nobody_resets_their_own_or_a_superusers(saule: User, aigerim: User) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    for person in (saule, root):
        with_factor(person)
    with pytest.raises(operations.WrongState):
        operations.reset_second_factor(actor=saule, user=saule)
    with pytest.raises(operations.NotAllowed):
        operations.reset_second_factor(actor=saule, user=root)
    with pytest.raises(operations.NotAllowed):
        operations.reset_second_factor(actor=aigerim, user=saule)
    assert SecondFactor.objects.count() == 2
