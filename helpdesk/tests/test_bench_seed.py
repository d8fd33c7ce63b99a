"""The speed tool's rows are such as the product writes."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Count, ForeignKey
from django.urls import reverse

from helpdesk.bench import seed
from tickets.models import Customer, Delivery, Event, Message, Sender, Ticket, User, View

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="the seed is PostgreSQL's SQL")

NUMBER = 50


@pytest.fixture
def reader(db) -> User:
    return seed.seed(NUMBER, lambda done, of: None)


def test_every_reference_leads_somewhere(reader):
    """Loading skips the foreign keys' checks."""
    assert Ticket.objects.count() == NUMBER
    for app in ("tickets", "botbridge"):
        for model in apps.get_app_config(app).get_models():
            for field in (field for field in model._meta.get_fields() if isinstance(field, ForeignKey)):
                known = field.related_model._base_manager.values("pk")
                set_ones = model._base_manager.exclude(**{f"{field.name}__isnull": True})
                assert not set_ones.exclude(**{f"{field.name}__in": known}).exists(), field


def test_every_row_is_valid_to_the_models(reader):
    for model in (Ticket, Message, Delivery, Event):
        for row in model._base_manager.all():
            row.full_clean(validate_unique=False)


def test_what_is_denormalised_agrees_with_the_messages(reader):
    for ticket in Ticket.objects.select_related("last_message", "opened_by"):
        messages = list(ticket.messages.order_by("pk"))
        assert (ticket.opened_by, ticket.last_message) == (messages[0], messages[-1])
        assert (ticket.last_sender, ticket.last_message_at) == (messages[-1].sender, messages[-1].created_at)
        assert messages[0].sender == Sender.CLIENT
        if ticket.is_active:
            assert (ticket.waiting_since is not None) == (messages[-1].sender == Sender.CLIENT)


def test_most_tickets_are_closed_and_customers_differ(reader):
    assert Ticket.objects.active().count() == NUMBER // 10
    of_customers = Ticket.objects.values("customer").annotate(n=Count("pk")).values_list("n", flat=True)
    assert max(of_customers) > 4 * min(of_customers)


def test_new_rows_get_numbers_of_their_own(reader, team):
    customer = Customer.objects.create(telegram_user_id=1)
    assert Ticket.objects.create(customer=customer, team=team).pk > NUMBER


def test_the_queue_shows_them(client, reader):
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("tickets:queue"), {"view": View.ALL})
    assert page.text.count('class="row"') == NUMBER // 10


def test_the_ticket_page_shows_fifty_messages(client, reader):
    ticket = Ticket.objects.alias(n=Count("messages")).filter(n=seed.PAGE).first()
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("tickets:ticket", args=[ticket.pk]))
    assert page.text.count(' data-message="') == seed.PAGE
