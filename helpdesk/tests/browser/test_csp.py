"""The strict policy holds on every page, and no page asks for more than it allows."""

import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib import admin
from django.core.files.base import ContentFile
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page

from conftest import wrote
from helpdesk.tests.browser.conftest import Desk
from helpdesk.tests.browser.pictures import png
from helpdesk.tests.test_supervisor import eventually
from tickets import operations
from tickets.models import DeliveryState, Message, Ticket, TicketReader, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def rich_ticket(ticket: Ticket, aigerim: User, answer: Callable[..., Message]) -> Ticket:
    """A ticket with something of everything a page shows."""
    photo = operations.Incoming(
        content_type="photo",
        text="Вот она",
        sent_at=timezone.now(),
        entities=[{"type": "bold", "offset": 0, "length": 3}],
        files=[operations.IncomingFile(kind="photo", width=60, height=40)],
    )
    shown = operations.receive(customer=ticket.customer, incoming=photo, ticket=ticket).message
    operations.attach_file(attachment_id=shown.attachments.get().pk, file=ContentFile(png(60, 40), name="photo.png"))
    operations.note(ticket_id=ticket.pk, actor=aigerim, text="Проверить гарантию", client_id=uuid.uuid4())
    reply = answer(ticket, aigerim, "Ответ", quote_id=shown.pk)
    operations.start_sending(delivery_id=reply.pk)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    return ticket


def visit(page: Page, path: str) -> None:
    answer = page.goto(path)
    assert answer is not None
    assert answer.status < 500, path
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy, path
    assert "unsafe" not in policy, path
    page.wait_for_load_state("load")


def desk_paths(ticket: Ticket) -> Iterator[str]:
    yield from (f"/desk/?view={view}" for view in ("mine", "free", "all", "later"))
    yield from (reverse(f"tickets:{name}", args=[ticket.pk]) for name in ("ticket", "assignees", "topics", "tags"))


def admin_paths() -> Iterator[str]:
    yield reverse("admin:index")
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"admin:{name}_changelist")
        yield reverse(f"admin:{name}_add")
        yield from change_path(model, name)


def change_path(model: type[Model], name: str) -> Iterator[str]:
    row = model._default_manager.first()
    if row is not None:
        yield reverse(f"admin:{name}_change", args=[row.pk])
        yield reverse(f"admin:{name}_history", args=[row.pk])


def walk(context: BrowserContext, paths: Iterator[str]) -> None:
    """Pages that complain fail the test when the context closes."""
    page = context.new_page()
    for path in paths:
        visit(page, path)


def test_the_desk(desk: Desk, rich_ticket: Ticket, aigerim: User) -> None:
    walk(desk.open(aigerim), desk_paths(rich_ticket))


def test_the_desk_at_work(desk: Desk, rich_ticket: Ticket, aigerim: User) -> None:
    """What scripts and htmx put in obeys the policy too."""
    page = desk.page(aigerim, reverse("tickets:ticket", args=[rich_ticket.pk]))
    message = wrote(rich_ticket.customer, "Ещё вопрос", ticket=rich_ticket).message
    # Shown is not yet seen: what arrives under somebody's hands holds the answer back for a moment.
    assert eventually(TicketReader.objects.filter(user=aigerim, seen_message=message).exists)
    page.locator("#reply-text").fill("Сейчас проверю")
    page.keyboard.press("Control+Enter")
    page.locator("#log-list .msg.out", has_text="Сейчас проверю").last.wait_for()
    page.locator("#reply-text").blur()
    page.keyboard.press("Alt+KeyE")
    page.locator(".toast").wait_for()


def test_the_door(desk: Desk) -> None:
    context = desk.open()
    walk(context, iter([reverse(settings.LOGIN_URL), "/desk/"]))


def test_the_admin(desk: Desk, rich_ticket: Ticket, saule: User) -> None:
    walk(desk.open(saule), admin_paths())


def test_no_page_asks_another_host(desk: Desk, rich_ticket: Ticket, saule: User) -> None:
    context = desk.open(saule)
    hosts: set[str] = set()
    context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    walk(context, iter([*desk_paths(rich_ticket), reverse("admin:index")]))
    assert hosts == {urlsplit(desk.url).netloc}
