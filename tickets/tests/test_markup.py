"""Rows and lines are drawn without a template: everything in them is escaped all the same."""

import uuid
from html.parser import HTMLParser

import pytest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from tickets import operations
from tickets.markup.pieces import fill
from tickets.models import Delivery, DeliveryState, Message, Reason, Ticket, Topic

EVIL = "\"'><script>alert(1)</script>&"


class Str(str):
    """Somebody's own kind of string."""

    def __str__(self) -> str:
        return self


@pytest.mark.parametrize("value", [EVIL, Str(EVIL), ValueError(EVIL)])
def test_a_value_is_escaped_whatever_it_is(value):
    drawn = fill('<a title="{value}">', value=value)
    assert drawn == '<a title="&quot;&#x27;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;">'
    assert isinstance(drawn, SafeString)


def test_what_is_safe_already_stays_as_it_is():
    assert fill("{b}{n}", b=fill("<b>{text}</b>", text="<"), n=1000) == "<b>&lt;</b>1000"


def test_braces_in_a_value_are_no_places_to_fill():
    assert fill("{a}{b}", a="{b}", b="2") == "{b}2"


def test_a_text_that_waits_for_its_language_is_said_in_it():
    with translation.override("en"):
        assert fill("{text}", text=gettext_lazy("Заметка")) == "Note"


@pytest.fixture
def hostile_ticket(ticket: Ticket, aigerim, bolat, answer) -> Ticket:
    """A ticket where everything a person can write is an attack."""
    ticket.customer.name = EVIL
    ticket.customer.save()
    bolat.first_name = aigerim.first_name = EVIL
    bolat.save()
    aigerim.save()
    topic = Topic.objects.create(name=EVIL, team=ticket.team)
    operations.set_topic(ticket_id=ticket.pk, actor=aigerim, topic_id=topic.pk)
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name=EVIL[:40])
    incoming = operations.Incoming(sent_at=timezone.now(), text=EVIL, media_group_id=EVIL, quote_text=EVIL)
    message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
    operations.revise(message=message, text=f"{EVIL} {EVIL}", entities=[], edited_at=timezone.now())
    unknown = operations.Incoming(sent_at=timezone.now(), content_type=EVIL, text="")
    operations.receive(customer=ticket.customer, incoming=unknown, ticket=ticket)
    failed = answer(ticket, aigerim, EVIL, quote_id=message.pk)
    Delivery.objects.filter(message=failed).update(state=DeliveryState.FAILED, reason=Reason.REFUSED)
    operations.note(ticket_id=ticket.pk, actor=bolat, text=EVIL, client_id=uuid.uuid4())
    operations.save_draft(ticket_id=ticket.pk, user=bolat, text=EVIL)
    return ticket


class Scripts(HTMLParser):
    """How many elements hold a script of their own, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += tag == "script" and "src" not in dict(attrs)


def test_a_page_that_lets_markup_through_is_noticed():
    assert Scripts(f'<a title="{EVIL}">').found == 1


def test_nothing_that_was_written_becomes_markup(desk, hostile_ticket, bolat, saule):
    for reader in (bolat, saule):
        page = desk(reader).get(reverse("tickets:ticket", args=[hostile_ticket.pk]), {"view": "all"}).text
        bubbles = Message.objects.filter(ticket=hostile_ticket).exclude(sender="note")
        assert page.count('<li class="msg') == bubbles.count()
        assert page.count("&lt;script&gt;alert(1)") > 10
        assert Scripts(page).found == 0


def test_a_part_that_is_the_same_on_every_page_is_said_in_the_readers_language(desk, aigerim):
    client = desk(aigerim)
    for language, words in (("ru", "Закрыть список клавиш"), ("en", "Close the list"), ("ru", "Закрыть список клавиш")):
        operations.set_preferences(user=aigerim, language=language)
        client.cookies["django_language"] = language
        page = client.get(reverse("tickets:queue")).text
        assert words in page, language
