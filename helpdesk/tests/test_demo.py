"""The demo: a lifelike working day for an empty development database, and for no other."""

import re
import zlib
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings
from pytest_django.fixtures import Settings

from helpdesk.demo.files import photo_of_a_broken_screen, replacement_act
from tickets import access
from tickets.files import PDF, sniff
from tickets.models import (
    ACTIVE,
    Attachment,
    AttachmentState,
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Language,
    Message,
    MessageRevision,
    Sender,
    Status,
    Team,
    Ticket,
    User,
)

pytestmark = pytest.mark.django_db


class TestAnEmptyDatabase(TestCase):
    """The demo is made once for all of these."""

    printed: str

    @classmethod
    def setUpTestData(cls) -> None:
        out = StringIO()
        with override_settings(DEBUG=True):
            call_command("demo", stdout=out)
        cls.printed = out.getvalue()

    def test_passwords_are_printed_once_and_work(self) -> None:
        shown = re.findall(r"^\s+(\w+)\s+(\S+)$", self.printed, re.MULTILINE)
        assert len(shown) == 3
        for login, password in shown:
            assert User.objects.get(username=login).check_password(password)

    def test_every_run_makes_other_passwords(self) -> None:
        hashes = set(User.objects.values_list("password", flat=True))
        assert len(hashes) == 3
        assert not any(name in self.printed for name in ("argon2", "pbkdf2"))

    def test_a_supervisor_and_two_managers_are_at_work(self) -> None:
        people = list(User.objects.all())
        assert sum(access.is_supervisor(person) for person in people) == 1
        assert sum(access.is_manager(person) for person in people) == 2
        assert not any(person.is_superuser or person.is_staff for person in people)
        assert Team.objects.filter(is_strict=True).exists()

    def test_nothing_is_left_to_send(self) -> None:
        assert not Delivery.objects.filter(state__in=[DeliveryState.QUEUED, DeliveryState.SENDING]).exists()
        assert Delivery.objects.filter(state=DeliveryState.UNKNOWN).count() == 1
        assert not Attachment.objects.exclude(state=AttachmentState.READY).exists()

    def test_conversations_show_what_the_desk_can_hold(self) -> None:
        assert set(Customer.objects.values_list("language", flat=True)) == set(Language.values)
        assert set(Ticket.objects.values_list("status", flat=True)) >= {
            Status.NEW,
            Status.OPEN,
            Status.WAITING,
            Status.RESOLVED,
        }
        assert Ticket.objects.filter(assignee__isnull=True).exists()
        assert Ticket.objects.filter(snoozed_until__isnull=False).exists()
        assert Message.objects.filter(sender=Sender.NOTE).exists()
        assert MessageRevision.objects.exists()
        assert set(Attachment.objects.values_list("sniffed_type", flat=True)) == {"image/png", PDF}

    def test_each_story_happened_when_it_says(self) -> None:
        """Messages and history lines of a ticket stand in one order by number and by time, none in the future."""
        for ticket in Ticket.objects.all():
            for rows in (ticket.messages.order_by("pk"), ticket.events.order_by("pk")):
                times = list(rows.values_list("created_at", flat=True))
                assert times == sorted(times)
            assert ticket.created_at == ticket.messages.earliest("pk").created_at
            assert ticket.last_message_at == ticket.messages.latest("pk").sent_at

    def test_unsorted_tickets_belong_to_the_default_team(self) -> None:
        unsorted = Ticket.objects.filter(topic__isnull=True, status__in=ACTIVE, assignee__isnull=True)
        assert unsorted.exists()
        assert all(ticket.team.is_default for ticket in unsorted)

    def test_every_ticket_has_its_history(self) -> None:
        assert Event.objects.filter(kind=Event.Kind.OPENED).count() == Ticket.objects.count()


def test_production_is_refused() -> None:
    with pytest.raises(CommandError, match="DEBUG=1"):
        call_command("demo")
    assert not User.objects.exists()


def test_a_database_with_people_is_refused(saule: User, settings: Settings) -> None:
    settings.DEBUG = True
    with pytest.raises(CommandError, match="empty database"):
        call_command("demo")
    assert not Ticket.objects.exists()


def test_the_made_files_are_what_their_bytes_say() -> None:
    photo, document = photo_of_a_broken_screen(), replacement_act()
    assert sniff(photo[:64]) == "image/png"
    assert sniff(document[:64]) == PDF
    data = photo[photo.index(b"IDAT") + 4 : photo.index(b"IEND") - 8]
    assert len(zlib.decompress(data)) == 420 * (1 + 640 * 3)
    table_at = int(re.search(rb"startxref\n(\d+)", document)[1])
    assert document[table_at:].startswith(b"xref")
