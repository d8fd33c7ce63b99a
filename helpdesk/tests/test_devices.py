"""People see where they are signed in, end what is not theirs, and are signed out when they have been away too long."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conftest import PASSWORD
from helpdesk.live.viewers import Refusal, identify
from tickets import operations
from tickets.models import ApiSession, Change, DeskSession, User
from tickets.sessions import name_of
from tickets.tests.conftest import HTMX

pytestmark = pytest.mark.django_db
#: A stream asks who is listening on a connection of its own.
streams = pytest.mark.django_db(transaction=True)

DEVICES, END, QUEUE = reverse("tickets:devices"), reverse("tickets:end-devices"), reverse("tickets:queue")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)

SignIn = Callable[..., Client]


def desk(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture
def signed_in(aigerim: User) -> SignIn:
    """Aigerim signs in with her password in a browser of her own."""

    def sign_in(user_agent: str = FIREFOX, address: str = "10.1.2.3") -> Client:
        browser = Client(headers={"User-Agent": user_agent}, REMOTE_ADDR=address)
        form = {"username": aigerim.username, "password": PASSWORD}
        assert browser.post(reverse("tickets:login"), form).status_code == 302
        return browser

    return sign_in


def key(browser: Client) -> str:
    return browser.cookies["sessionid"].value


def is_in(browser: Client) -> bool:
    return browser.get(QUEUE).status_code == 200


def test_each_sign_in_is_shown_with_its_browser_and_address(signed_in: SignIn) -> None:
    browser = signed_in()
    signed_in(IPHONE, "10.9.8.7")

    page = browser.get(DEVICES).text

    assert "Firefox, Windows" in page
    assert "Safari, iPhone" in page
    assert "10.1.2.3" in page
    assert "10.9.8.7" in page
    assert page.count("это устройство") == 1
    assert key(browser) not in page


def test_nobody_sees_a_colleagues(signed_in: SignIn, bolat: User) -> None:
    signed_in(IPHONE)

    assert "iPhone" not in desk(bolat).get(DEVICES).text


@streams
def test_one_is_ended_for_pages_and_streams_at_once(signed_in: SignIn, aigerim: User) -> None:
    here, elsewhere = signed_in(), signed_in(IPHONE)
    assert identify(key(elsewhere)).user_id == aigerim.pk
    (device,) = re.findall(r'name="device" value="(\w+)"', here.get(DEVICES).text)

    here.post(END, {"device": device})

    assert not is_in(elsewhere)
    with pytest.raises(Refusal):
        identify(key(elsewhere))
    assert Change.objects.filter(kind=Change.Kind.REVOKED, audience=[f"user:{aigerim.pk}"]).exists()
    assert is_in(here)


def test_a_colleagues_device_is_not_ended(signed_in: SignIn, bolat: User) -> None:
    elsewhere = signed_in()
    device = DeskSession.objects.get(user__username="aigerim").device

    desk(bolat).post(END, {"device": device})

    assert is_in(elsewhere)


def test_all_others_are_ended_programs_too(signed_in: SignIn, aigerim: User) -> None:
    here, elsewhere = signed_in(), signed_in(IPHONE)
    program = operations.start_api_session(user=aigerim)

    here.post(END, {"others": "on"})

    assert is_in(here)
    assert not is_in(elsewhere)
    assert not ApiSession.objects.get(pk=program.pk).is_good


def test_a_program_is_signed_out(signed_in: SignIn, aigerim: User, bolat: User) -> None:
    here = signed_in()
    own, foreign = operations.start_api_session(user=aigerim), operations.start_api_session(user=bolat)
    assert "Программа через API" in here.get(DEVICES).text

    for session in (own, foreign):
        here.post(END, {"program": session.pk})

    assert not ApiSession.objects.get(pk=own.pk).is_good
    assert ApiSession.objects.get(pk=foreign.pk).is_good


def test_disabling_a_person_leaves_no_session(signed_in: SignIn, aigerim: User, saule: User) -> None:
    signed_in()

    operations.disable_user(actor=saule, user=aigerim)

    assert not DeskSession.objects.filter(user=aigerim).exists()


@streams
@pytest.mark.parametrize(
    ("field", "ago"), [("signed_in_at", timedelta(days=14)), ("seen_at", timedelta(hours=72))], ids=["old", "idle"]
)
def test_a_sign_in_that_is_too_old_or_too_idle_is_over(signed_in: SignIn, field: str, ago: timedelta) -> None:
    browser = signed_in()
    DeskSession.objects.update(**{field: timezone.now() - ago})

    with pytest.raises(Refusal):
        identify(key(browser))
    assert browser.get(QUEUE, headers=HTMX).status_code == 302
    assert not is_in(browser)
    assert operations.prune_desk_sessions() == 1


@streams
@pytest.mark.parametrize(
    ("act", "counts"),
    [
        (lambda browser: browser.get(QUEUE), True),
        (lambda browser: browser.post(reverse("tickets:profile"), {"theme": "dark"}), True),
        (lambda browser: browser.get(QUEUE, headers=HTMX), False),
        (lambda browser: identify(key(browser)), False),
    ],
    ids=["page", "act", "fragment", "stream"],
)
def test_what_a_person_does_keeps_them_signed_in_and_an_open_page_does_not(
    signed_in: SignIn, act: Callable[[Client], object], counts: bool
) -> None:
    browser = signed_in()
    then = timezone.now() - timedelta(hours=5)
    DeskSession.objects.update(seen_at=then)

    act(browser)

    assert (DeskSession.objects.get().seen_at > then) is counts


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox, Windows"),
        (IPHONE, "Safari, iPhone"),
        (f"{FIREFOX} Chrome/126.0 Safari/537.36 Edg/126.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8.5", ""),
        ("", ""),
    ],
)
def test_browsers_are_named(user_agent: str, name: str) -> None:
    assert name_of(user_agent) == name
