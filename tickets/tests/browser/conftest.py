"""A browser whose every request is answered by Django's test client: pages without a server, inside the test's own
transaction.
"""

import mimetypes
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
from django.contrib.staticfiles import finders
from django.db import connections
from django.test import Client
from playwright.sync_api import expect

from conftest import wrote
from tickets.models import Customer, Ticket, User

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ORIGIN = "http://testserver"

OpenPage = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: "Browser", desk: Callable[[User], Client]) -> Iterator[OpenPage]:
    """`open_page("/desk/", user, width=390, theme="dark")`: the page as this person's browser shows it."""
    contexts = []
    own = {connection.alias: connection for connection in connections.all()}

    def show(
        path: str,
        user: User | None = None,
        *,
        width: int = 1440,
        theme: Literal["light", "dark"] = "light",
        status: int = 200,
        scripts: bool = True,
        **options: bool,
    ) -> "Page":
        client = desk(user, **options) if user is not None else Client(**options)
        height = 844 if width < 760 else 900
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale="ru-RU",
            base_url=ORIGIN,
            java_script_enabled=scripts,
        )
        contexts.append(context)

        def handle(route: "Route") -> None:
            # Playwright calls this outside the test's own context, where Django would open another connection.
            for alias, connection in own.items():
                connections[alias] = connection
            answer(route, client)

        context.route("**/*", handle)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
        response = page.goto(path)
        assert response is not None
        assert response.status == status
        page.wait_for_function("document.fonts.status === 'loaded'")
        return page

    yield show
    for context in contexts:
        context.close()


def answer(route: "Route", client: Client) -> None:
    request = route.request
    path = request.url.removeprefix(ORIGIN)
    if path.startswith("/static/"):
        found = finders.find(path.removeprefix("/static/").partition("?")[0])
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        route.fulfill(path=found, content_type=kind) if found else route.fulfill(status=404)
        return
    if path == "/events":
        route.abort()
        return
    headers = {name: value for name, value in request.headers.items() if name not in ("cookie", "content-type")}
    body = request.post_data_buffer or b""
    content_type = request.headers.get("content-type", "text/html")
    answered: Any = client.generic(request.method, path, body, content_type, headers=headers)
    while answered.status_code == 302:  # what the browser follows by itself does not come here
        answered = client.get(answered.url, headers=headers)
    content = b"".join(answered.streaming_content) if answered.streaming else answered.content
    route.fulfill(status=answered.status_code, headers=dict(answered.headers), body=content)


@pytest.fixture
def other(timur: Customer, ticket: Ticket) -> Ticket:
    """A newer ticket of Timur's, which nobody has taken."""
    return wrote(timur, "Другой вопрос").ticket


def go_to(page: "Page", ticket: Ticket) -> None:
    page.click(f"#row-{ticket.pk} > a")
    expect(page.locator("#ticket-head")).to_contain_text(f"№{ticket.pk}")
