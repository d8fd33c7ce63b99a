"""The site as it runs in production: DEBUG off, static files under their hashed names, error pages of its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from conftest import PASSWORD, wrote
from helpdesk.tests.browser.conftest import Desk, serving
from helpdesk.tests.browser.test_csp import visit
from helpdesk.tests.servers import process
from tickets.models import Ticket, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

COLLECTS_WITHIN = 120


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("static")
    secret = f"{uuid.uuid4()}{uuid.uuid4()}"
    chosen = {"DEBUG": "0", "SECRET_KEY": secret, "ENV_FILE": "", "STATIC_ROOT": str(folder)}
    with process("manage.py", "collectstatic", "--no-input", "--verbosity", "0", **chosen) as collecting:
        assert collecting.wait(timeout=COLLECTS_WITHIN) == 0
    return chosen


@pytest.fixture
def production(transactional_db: None, environment: dict[str, str], browser: Browser) -> Iterator[Desk]:
    with serving(browser, **environment) as running:
        yield running


def sign_in(desk: Desk, user: User) -> Page:
    page = desk.open().new_page()
    visit(page, "/desk/login/")
    page.get_by_label("Логин").fill(user.username)
    page.get_by_label("Пароль", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Войти").click()
    page.wait_for_selector("html[data-live=on]", state="attached")
    return page


def test_the_desk_is_live_under_the_policy(production: Desk, ticket: Ticket, aigerim: User) -> None:
    page = sign_in(production, aigerim)
    visit(page, f"/desk/t/{ticket.pk}/")
    page.wait_for_selector("html[data-live=on]", state="attached")
    wrote(ticket.customer, "Уже включился", ticket=ticket)
    expect(page.locator("#log-list")).to_contain_text("Уже включился")


def test_the_apis_reading_room_shows_its_operations(production: Desk) -> None:
    page = production.open().new_page()
    visit(page, "/api/v1/docs/")
    expect(page.get_by_text("/api/v1/tickets/{ticket_id}/messages").first).to_be_visible()


@pytest.mark.parametrize("path", ["/desk/t/1/", "/nowhere/", "/desk/nowhere/", "/admin/"])
def test_pages_that_are_not_there_obey_the_policy_too(
    production: Desk, ticket: Ticket, aigerim: User, path: str
) -> None:
    page = sign_in(production, aigerim)
    visit(page, path)
    expect(page.locator("h1").first).to_be_visible()


def test_a_page_that_fails_obeys_the_policy_and_says_what_to_do(
    environment: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    nowhere = {"DATABASE_URL": f"sqlite:///{tmp_path}/no-such-folder/helpdesk.sqlite3"}
    with serving(browser, **environment, **nowhere) as desk:
        context = desk.open()
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": "a" * 32, "url": desk.url}])
        page = context.new_page()
        answer = page.goto("/desk/")
        assert answer is not None
        assert answer.status == 500
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        expect(page.locator("h1")).to_contain_text("Не получилось открыть страницу")


def test_a_form_that_has_gone_stale_is_refused_in_words(production: Desk, ticket: Ticket, aigerim: User) -> None:
    page = sign_in(production, aigerim)
    page.evaluate("for (const field of document.querySelectorAll('[name=csrfmiddlewaretoken]')) field.value = 'stale'")
    with page.expect_response(lambda answer: answer.request.method == "POST") as refusal:
        page.evaluate("document.querySelector('#take-next').form.submit()")
    assert refusal.value.status == 403
    assert "default-src 'self'" in refusal.value.headers["content-security-policy"]
    expect(page.locator("h1")).to_contain_text("Страница")
