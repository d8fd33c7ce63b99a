"""A person's sign-ins: listed, ended by hand, and over by themselves."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conftest import PASSWORD
from helpdesk.live import viewers
from helpdesk.live.viewers import Refusal, identify
from tickets import operations
from tickets.models import ApiSession, Change, SignIn, Ticket, User
from tickets.pages.account import browser_name, program_name
from tickets.sessions import caller, row_key

pytestmark = pytest.mark.django_db

ACCOUNT = reverse("tickets:account")
QUEUE = reverse("tickets:queue")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
CHROME = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1"


def signed_in(user: User, agent: str = FIREFOX, address: str = "198.51.100.1", **more: str) -> Client:
    """A browser this person has just signed in with."""
    browser = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    sent = {"username": user.username, "password": PASSWORD, **more}
    assert browser.post(reverse("tickets:login"), sent).status_code == 302
    return browser


@pytest.fixture(autouse=True)
def kept_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's look at the database ends its thread's connection; here that is the test's own."""
    monkeypatch.setattr(viewers, "connections", SimpleNamespace(close_all=lambda: None))


def key_of(browser: Client) -> str:
    return row_key(browser.cookies[settings.SESSION_COOKIE_NAME].value)


def is_in(browser: Client) -> bool:
    return browser.get(QUEUE).status_code == 200


def may_listen(browser: Client) -> bool:
    """Whether the live stream opens, and stays open at the next look."""
    try:
        identify(browser.cookies[settings.SESSION_COOKIE_NAME].value)
    except Refusal:
        return False
    return True


@pytest.fixture
def here(aigerim: User) -> Client:
    return signed_in(aigerim)


@pytest.fixture
def phone(aigerim: User) -> Client:
    return signed_in(aigerim, SAFARI, "203.0.113.9")


def test_each_sign_in_is_listed_with_its_browser_and_address(here: Client, phone: Client) -> None:
    page = here.get(ACCOUNT).text
    assert "Firefox, Windows" in page
    assert "Safari, iPhone" in page
    assert "203.0.113.9" in page
    assert page.count("этот браузер") == 1
    assert page.index("этот браузер") < page.index("Safari, iPhone")


def test_the_page_costs_the_same_however_many_there_are(here: Client, aigerim: User) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert here.get(ACCOUNT).status_code == 200
        return len(asked)

    operations.start_api_session(user=aigerim)
    few = cost()
    for _number in range(3):
        signed_in(aigerim)
        operations.start_api_session(user=aigerim)
    assert cost() == few <= 6


def test_nobody_sees_or_ends_anothers(here: Client, bolat: User) -> None:
    his = signed_in(bolat, CHROME)
    assert "Chrome, Android" not in here.get(ACCOUNT).text
    here.post(reverse("tickets:end-sign-in"), {"key": key_of(his)})
    here.post(reverse("tickets:end-others"))
    assert is_in(his)


def test_one_is_ended_pages_and_stream(here: Client, phone: Client, aigerim: User) -> None:
    here.post(reverse("tickets:end-sign-in"), {"key": key_of(phone)})
    assert not is_in(phone)
    assert not may_listen(phone)
    assert is_in(here)
    assert may_listen(here)
    assert Change.objects.get(kind=Change.Kind.REVOKED).audience == [f"user:{aigerim.pk}"]


def test_all_others_are_ended_and_programs_too(here: Client, phone: Client, aigerim: User) -> None:
    program = operations.start_api_session(user=aigerim, agent="bot/1.0")
    here.post(reverse("tickets:end-others"))
    assert not is_in(phone)
    assert is_in(here)
    program.refresh_from_db()
    assert not program.is_good


def test_a_program_is_listed_and_ended(here: Client, aigerim: User, client: Client) -> None:
    sent = {"username": "aigerim", "password": PASSWORD}
    login = reverse("api:login")
    client.post(login, sent, content_type="application/json", headers={"User-Agent": "crm-sync/2.1 python"})
    session = ApiSession.objects.get()
    assert "crm-sync/2.1" in here.get(ACCOUNT).text
    here.post(reverse("tickets:end-program"), {"key": session.pk})
    session.refresh_from_db()
    assert not session.is_good
    assert "crm-sync/2.1" not in here.get(ACCOUNT).text


@pytest.mark.parametrize("address", ["", "unknown", "198.51.100.1:4711", "/run/web.sock"])
def test_an_address_that_is_none_is_not_kept(rf: RequestFactory, address: str) -> None:
    assert caller(rf.get("/", REMOTE_ADDR=address))["address"] is None


def test_a_server_that_tells_no_address_keeps_nobody_out(aigerim: User) -> None:
    assert is_in(signed_in(aigerim, address=""))
    assert SignIn.objects.get().address is None


@pytest.mark.parametrize("key", ["", "x", "9" * 40, "\0", "²"])
def test_garbage_ends_nothing(here: Client, phone: Client, key: str) -> None:
    for name in ("end-sign-in", "end-program"):
        assert here.post(reverse(f"tickets:{name}"), {"key": key}).status_code == 302
    assert is_in(phone)


def test_the_database_holds_no_key_a_browser_could_use(here: Client) -> None:
    key = here.cookies[settings.SESSION_COOKIE_NAME].value
    row = SignIn.objects.get()
    assert key not in (row.session_key, row.session_data)
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = row.session_key
    assert not is_in(thief)


def test_signing_out_and_being_shut_out_leave_no_row(here: Client, phone: Client, aigerim: User, saule: User) -> None:
    phone.post(reverse("tickets:logout"))
    assert SignIn.objects.get().pk == key_of(here)
    operations.disable_user(actor=saule, user=aigerim)
    assert not SignIn.objects.exists()


def aged(browser: Client, **ages: timedelta) -> None:
    SignIn.objects.filter(pk=key_of(browser)).update(**{name: timezone.now() - age for name, age in ages.items()})


@pytest.mark.parametrize("remember", ["", "on"])
def test_a_session_unused_for_too_long_is_over(aigerim: User, remember: str) -> None:
    browser = signed_in(aigerim, remember=remember)
    limit = settings.SESSION_REMEMBERED_IDLE if remember else settings.SESSION_IDLE
    aged(browser, seen_at=limit - timedelta(minutes=1))
    assert may_listen(browser)
    aged(browser, seen_at=limit)
    assert not may_listen(browser)
    assert not is_in(browser)


@pytest.mark.parametrize("remember", ["", "on"])
def test_no_session_outlives_its_lifetime_however_much_it_is_used(aigerim: User, remember: str) -> None:
    browser = signed_in(aigerim, remember=remember)
    aged(browser, created_at=settings.SESSION_LIFETIME)
    assert not may_listen(browser)
    assert not is_in(browser)


def test_writing_to_a_session_begins_no_new_lifetime(here: Client) -> None:
    began = SignIn.objects.get().created_at
    session = here.session
    session["anything"] = 1
    session.save()
    assert SignIn.objects.get().created_at == began


def test_a_fragment_asked_for_after_the_end_leaves_the_text_in_its_field(here: Client, ticket: Ticket) -> None:
    aged(here, seen_at=settings.SESSION_IDLE)
    sent = {"text": "Недописанное", "kind": "reply"}
    reply = reverse("tickets:reply", args=[ticket.pk])
    fragment = here.post(reply, sent, headers={"HX-Request": "true"}, follow=True)
    assert fragment.status_code == 401
    assert fragment["HX-Retarget"] == "#guard"


def test_use_is_noted_once_a_minute_and_a_page_left_open_is_no_use(here: Client, ticket: Ticket) -> None:
    long_ago = timedelta(hours=1)
    seen, banner = reverse("tickets:seen", args=[ticket.pk]), reverse("telegram-banner")
    for visit in (
        lambda: here.get(banner, headers={"HX-Request": "true"}),
        lambda: here.post(seen, {"seen": ticket.last_message_id}),
        lambda: here.get(QUEUE, headers={"HX-Request": "true", "X-Unattended": "1"}),
    ):
        aged(here, seen_at=long_ago)
        visit()
        assert timezone.now() - SignIn.objects.get().seen_at >= long_ago
    here.get(QUEUE)
    noted = SignIn.objects.get().seen_at
    assert timezone.now() - noted < timedelta(minutes=1)
    here.get(QUEUE)
    assert SignIn.objects.get().seen_at == noted


def test_what_is_over_is_dropped(here: Client, phone: Client, aigerim: User) -> None:
    remembered = signed_in(aigerim, remember="on")
    old = signed_in(aigerim)
    aged(phone, seen_at=settings.SESSION_REMEMBERED_IDLE)
    aged(old, created_at=settings.SESSION_LIFETIME)
    assert operations.prune_sign_ins() == 2
    assert set(SignIn.objects.values_list("pk", flat=True)) == {key_of(here), key_of(remembered)}


def test_who_is_not_signed_in_yet_is_not_idle(here: Client) -> None:
    aged(here, seen_at=settings.SESSION_REMEMBERED_IDLE)
    SignIn.objects.update(user=None)
    assert operations.prune_sign_ins() == 0


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Windows"),
        (CHROME, "Chrome, Android"),
        (SAFARI, "Safari, iPhone"),
        ("", "Неизвестный браузер"),
    ],
)
def test_browsers_are_named(agent: str, name: str) -> None:
    assert browser_name(agent) == name


@pytest.mark.parametrize(
    ("agent", "name"), [("crm/2 x", "crm/2"), (FIREFOX, "Firefox, Windows"), ("", "Неизвестная программа")]
)
def test_programs_are_named(agent: str, name: str) -> None:
    assert program_name(agent) == name


class TestOwnPassword:
    PAGE = reverse("tickets:password")
    NEW = "verbena-tramway-42"

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

        assert "Пароль сменён" in here.post(self.PAGE, self.form(), follow=True).text

        aigerim.refresh_from_db()
        assert aigerim.check_password(self.NEW)
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
