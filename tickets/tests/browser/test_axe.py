"""No barrier that axe can find, on any of the desk's screens."""

import uuid
from base64 import b32decode
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP

from conftest import PASSWORD, wrote
from tickets import operations
from tickets.links import password_link
from tickets.models import Delivery, DeliveryState, Topic, User
from tickets.operations import Incoming, IncomingFile

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db]

AXE = (Path(__file__).parent.parent / "vendor" / "axe-core" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})"

LOOKS = [(width, theme) for width in (1440, 390) for theme in ("light", "dark")]


def barriers(page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate(RUN, TAGS)["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.fixture(params=LOOKS, ids=[f"{width}-{theme}" for width, theme in LOOKS])
def look(request):
    return {"width": request.param[0], "theme": request.param[1]}


@pytest.fixture
def busy(ticket, timur, aigerim, bolat, answer):
    """A ticket with something of everything a conversation shows."""
    operations.set_customer_phone(customer=timur, phone="+77071234567", verified=True)
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    Topic.objects.create(name="Ремонт")
    for content, kind in ((b"\x89PNG\r\n\x1a\n", "photo"), (b"OggS" + bytes(64), "voice"), (b"%PDF-", "document")):
        incoming = Incoming(
            sent_at=timezone.now(), content_type=kind, text=f"{kind} и слова", files=[IncomingFile(kind=kind)]
        )
        message = operations.receive(customer=timur, incoming=incoming, ticket=ticket).message
        operations.attach_file(attachment_id=message.attachments.get().pk, file=ContentFile(content, name="x"))
    operations.note(ticket_id=ticket.pk, actor=bolat, text="Запчасть есть", client_id=uuid.uuid4())
    for state in (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED):
        reply = answer(ticket, aigerim, f"Ответ, {state}", quote_id=ticket.opened_by_id)
        Delivery.objects.filter(pk=reply.pk).update(state=DeliveryState.SENDING)
        operations.settle(delivery_id=reply.pk, state=state, parts_sent=0)
    answer(ticket, aigerim, "Ждёт отправки")
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=ticket.messages.order_by("-pk").first().pk)
    wrote(timur, "Вы ещё тут?", ticket=ticket)
    wrote(timur, "Другой вопрос")
    return ticket


def test_login(open_page, look):
    assert barriers(open_page(reverse("tickets:login"), **look)) == []


def test_queue(open_page, aigerim, busy, look):
    assert barriers(open_page(reverse("tickets:queue"), aigerim, **look)) == []


def test_empty_queue(open_page, aigerim, look):
    assert barriers(open_page(reverse("tickets:queue"), aigerim, **look)) == []


def test_ticket(open_page, aigerim, busy, look):
    assert barriers(open_page(reverse("tickets:ticket", args=[busy.pk]), aigerim, **look)) == []


@pytest.mark.parametrize(
    "opener",
    [
        "[popovertarget=more-menu]",
        "[popovertarget=send-menu]",
        "[popovertarget=snooze-menu]",
        ".me",
        ".rail [data-opens=keys]",
    ],
)
def test_what_opens_over_the_ticket(open_page, aigerim, busy, opener):
    page = open_page(reverse("tickets:ticket", args=[busy.pk]), aigerim)
    page.click(f"{opener} >> visible=true")
    page.wait_for_selector(":popover-open, dialog[open]")
    assert barriers(page) == []


@pytest.mark.parametrize("choice", ["assignees", "topics", "tags"])
def test_lists_to_choose_from(open_page, aigerim, busy, choice):
    page = open_page(reverse("tickets:ticket", args=[busy.pk]), aigerim)
    page.click(f"#panel-ticket [data-opens={choice}]")
    page.wait_for_selector("#chooser:popover-open button")
    assert barriers(page) == []
    assert barriers(open_page(reverse(f"tickets:{choice}", args=[busy.pk]), aigerim)) == []


def test_note_mode(open_page, aigerim, busy, look):
    page = open_page(reverse("tickets:ticket", args=[busy.pk]), aigerim, **look)
    page.check("#reply [value=note]")
    assert barriers(page) == []


def test_a_colleagues_and_a_solved_ticket(open_page, aigerim, bolat, busy, look):
    address = reverse("tickets:ticket", args=[busy.pk])
    assert barriers(open_page(address, bolat, **look)) == []
    operations.resolve(ticket_id=busy.pk, actor=aigerim)
    assert barriers(open_page(address, aigerim, **look)) == []


def test_a_page_that_is_not_there(open_page, aigerim, look):
    assert barriers(open_page("/desk/нет/", aigerim, status=404, **look)) == []


def test_ones_own_account(open_page, aigerim, look):
    operations.start_api_session(user=aigerim, address="198.51.100.7", agent="crm-sync/2.1")
    page = open_page(reverse("tickets:account"), aigerim, **look)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_second_factor_by_picture_and_by_recovery_codes(open_page, aigerim, look):
    page = open_page(reverse("tickets:second-factor"), aigerim, **look)
    assert page.evaluate("document.querySelector('.qr').naturalWidth") > 100
    assert barriers(page) == []
    totp = TOTP(b32decode(page.inner_text(".meta code").replace(" ", "")))
    page.fill("#password", PASSWORD)
    page.fill("#code", f"{totp.token():06d}")
    page.click("button.primary")
    page.wait_for_selector(".recovery")
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    door = open_page(reverse("tickets:login"), **look)
    door.fill("#username", "aigerim")
    door.fill("#password", PASSWORD)
    door.click("button.primary")
    door.fill("#code", "000000")
    door.click("button.primary")
    door.wait_for_selector(".alert")
    assert barriers(door) == []


def test_a_forgotten_password(open_page, aigerim, look, settings):
    settings.EMAIL_URL = "smtp://mail.example:25"
    assert barriers(open_page(reverse("tickets:forgotten"), **look)) == []
    link = password_link(User.objects.get(pk=aigerim.pk)).removeprefix(settings.PUBLIC_URL)
    page = open_page(link, **look)
    page.wait_for_selector("#new_password2")
    assert barriers(page) == []
