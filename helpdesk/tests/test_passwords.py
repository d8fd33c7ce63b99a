"""A forgotten password: by mail where there is mail, else by a supervisor's link."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conftest import PASSWORD
from helpdesk.jobs.schedule import WORK
from helpdesk.tests.test_account import is_in, signed_in
from helpdesk.tests.test_second_factor import with_factor
from tickets import operations
from tickets.links import password_link
from tickets.models import Change, Job, JobState, SecondFactor, SignIn, User

pytestmark = pytest.mark.django_db

FORGOTTEN = reverse("tickets:forgotten")
LOGIN = reverse("tickets:login")
FRESH = "seven-green-lamps"


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.example:25"


@pytest.fixture
def mailed(aigerim: User) -> User:
    User.objects.filter(pk=aigerim.pk).update(email="aigerim@example.kz", language="kk")
    return aigerim


def do_jobs() -> None:
    for job in Job.objects.due([operations.PASSWORD_LINK]):
        WORK[job.kind].run(job)
        Job.objects.filter(pk=job.pk).update(state=JobState.DONE, due_at=None, finished_at=timezone.now())


def follow(browser: Client, link: str, password: str = FRESH) -> Any:
    """Open a link and choose a password."""
    form = browser.get(urlsplit(link).path, follow=True)
    where = form.redirect_chain[-1][0] if form.redirect_chain else urlsplit(link).path
    return browser.post(where, {"new_password1": password, "new_password2": password})


def ask(browser: Client, email: str) -> Any:
    return browser.post(FORGOTTEN, {"email": email}, follow=True)


@pytest.mark.usefixtures("mailing")
def test_the_letter_brings_a_link_on_the_sites_own_address(client: Client, mailed: User) -> None:
    assert FORGOTTEN in client.get(LOGIN).text
    client.post(FORGOTTEN, {"email": "AIGERIM@example.kz"}, headers={"Host": "localhost"})
    do_jobs()
    (letter,) = mail.outbox
    assert letter.to == ["aigerim@example.kz"]
    (link,) = re.findall(r"https?://\S+", letter.body)
    assert link.startswith(f"{site.PUBLIC_URL}/desk/new-password/")
    assert follow(client, link)["Location"] == LOGIN
    assert is_in(signed_in_with(mailed, FRESH))


def signed_in_with(user: User, password: str) -> Client:
    browser = Client()
    browser.post(LOGIN, {"username": user.username, "password": password})
    return browser


@pytest.mark.usefixtures("mailing")
@pytest.mark.parametrize("email", ["nobody@example.kz", "", "bolat@example.kz", "\0", "x" * 5000])
def test_unknown_and_disabled_addresses_are_answered_alike(
    client: Client, mailed: User, bolat: User, email: str
) -> None:
    User.objects.filter(pk=bolat.pk).update(email="bolat@example.kz", is_active=False)
    with CaptureQueriesContext(connection) as of_known:
        known = ask(client, "aigerim@example.kz")
    with CaptureQueriesContext(connection) as of_unknown:
        unknown = ask(client, email)
    assert (known.status_code, known.redirect_chain) == (unknown.status_code, unknown.redirect_chain)
    assert "Если такой адрес есть" in known.text
    assert "Если такой адрес есть" in unknown.text
    assert len(of_known) == len(of_unknown)
    do_jobs()
    assert [letter.to for letter in mail.outbox] == [["aigerim@example.kz"]]


@pytest.mark.usefixtures("mailing")
def test_asking_again_and_again_sends_a_letter_every_five_minutes(client: Client, mailed: User) -> None:
    for _again in range(3):
        ask(client, "aigerim@example.kz")
        do_jobs()
    assert len(mail.outbox) == 1
    (waiting,) = Job.objects.all()
    assert waiting.due_at is not None
    assert waiting.due_at > timezone.now() + timedelta(minutes=4)
    Job.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    do_jobs()
    assert len(mail.outbox) == 2


@pytest.mark.usefixtures("mailing")
def test_the_second_time_costs_the_same_for_both_too(client: Client, mailed: User) -> None:
    def cost(email: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            client.post(FORGOTTEN, {"email": email})
        return len(asked)

    for email in ("aigerim@example.kz", "nobody@example.kz"):
        cost(email)
        do_jobs()
    assert cost("aigerim@example.kz") == cost("nobody@example.kz")


@pytest.mark.usefixtures("mailing")
def test_everybody_of_a_shared_address_gets_their_own_link(client: Client, mailed: User, bolat: User) -> None:
    User.objects.filter(pk=bolat.pk).update(email="aigerim@example.kz")
    ask(client, "aigerim@example.kz")
    do_jobs()
    assert len({letter.body for letter in mail.outbox}) == 2


def test_without_mail_the_page_is_not_there(client: Client) -> None:
    assert client.get(FORGOTTEN).status_code == 404
    assert FORGOTTEN not in client.get(LOGIN).text


def test_a_new_password_ends_all_that_was_open_and_keeps_the_second_factor(client: Client, aigerim: User) -> None:
    browser, program = signed_in(aigerim), operations.start_api_session(user=aigerim)
    with_factor(aigerim)
    link = password_link(User.objects.get(pk=aigerim.pk))
    follow(client, link)
    program.refresh_from_db()
    assert not program.is_good
    assert not SignIn.objects.filter(user=aigerim).exists()
    assert not is_in(browser)
    assert Change.objects.filter(kind=Change.Kind.REVOKED).latest("pk").audience == [f"user:{aigerim.pk}"]
    assert SecondFactor.objects.exists()
    assert not is_in(client)


def test_a_link_is_good_once(aigerim: User) -> None:
    link = password_link(aigerim)
    follow(Client(), link)
    page = Client().get(urlsplit(link).path, follow=True)
    assert "Ссылка больше не годится" in page.text
    follow(Client(), link, "another-fine-password")
    aigerim.refresh_from_db()
    assert aigerim.check_password(FRESH)


def test_a_link_ends_with_a_day_a_sign_in_and_a_disabling(aigerim: User, saule: User, settings: Any) -> None:
    def is_good(link: str) -> bool:
        return "new_password1" in Client().get(urlsplit(link).path, follow=True).text

    link = password_link(User.objects.get(pk=aigerim.pk))
    assert is_good(link)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert not is_good(link)
    settings.PASSWORD_RESET_TIMEOUT = 60
    operations.disable_user(actor=saule, user=aigerim)
    assert not is_good(link)
    operations.enable_user(actor=saule, user=aigerim)
    assert not is_good(link)
    link = password_link(User.objects.get(pk=aigerim.pk))
    signed_in(aigerim)
    assert not is_good(link)


@pytest.mark.parametrize("weak", ["short", "password1234"])
def test_weak_passwords_are_refused(client: Client, aigerim: User, weak: str) -> None:
    assert follow(client, password_link(aigerim), weak).status_code == 200
    aigerim.refresh_from_db()
    assert aigerim.check_password(PASSWORD)


@pytest.mark.parametrize("uidb64", ["x", "MQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "____"])
def test_garbage_is_a_link_that_is_good_no_more(client: Client, aigerim: User, uidb64: str) -> None:
    address = reverse("tickets:new-password", kwargs={"uidb64": uidb64, "token": "set-password"})
    assert "Ссылка больше не годится" in client.get(address).text


def test_a_supervisors_link_is_shown_once_and_works(client: Client, aigerim: User, saule: User) -> None:
    client.force_login(saule)
    page = reverse("admin:tickets_user_link", args=[aigerim.pk])
    assert "new-password/" not in client.get(page).text
    answer = client.post(page)
    (link,) = re.findall(r"<strong>(http\S+)</strong>", answer.text)
    assert "no-store" in answer["Cache-Control"]
    assert not answer.cookies.get("messages")
    follow(Client(), link)
    aigerim.refresh_from_db()
    assert aigerim.check_password(FRESH)


def test_no_link_for_oneself_the_disabled_or_a_superuser(client: Client, aigerim: User, saule: User) -> None:
    client.force_login(saule)
    root = User.objects.create_superuser("root", password=PASSWORD)
    operations.disable_user(actor=saule, user=aigerim)
    for person in (saule, aigerim):
        assert client.post(reverse("admin:tickets_user_link", args=[person.pk])).status_code == 302
    assert client.post(reverse("admin:tickets_user_link", args=[root.pk])).status_code == 403
