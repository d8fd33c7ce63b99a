"""Figures for a monitor: true, right across workers, and for nobody else."""

import urllib.request
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from botbridge.models import BotStatus, Update
from helpdesk.metrics import may_read
from helpdesk.tests.servers import web_server
from tickets import operations
from tickets.models import Customer, Delivery, DeliveryState, Message, Notice, Reason, Ticket, User

TOKEN = "kX3vJ9q-a-monitor-of-ours"
MONITOR = {"Authorization": f"Bearer {TOKEN}"}

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Figures:
    """Each sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def figures(client: Client, settings: Settings) -> Callable[..., float | None]:
    """`figures("name", label="value")`: the figure as a monitor reads it now, None where there is none."""
    settings.METRICS_TOKEN = TOKEN

    def figure(name: str, **labels: str) -> float | None:
        answer = client.get("/metrics", headers=MONITOR)
        assert answer.status_code == 200
        return read(answer.content.decode()).get((name, tuple(sorted(labels.items()))))

    return figure


class TestWhoMayRead:
    def test_nobody_until_a_setting_says_who(self, client: Client, db: None) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 403
        assert "METRICS_TOKEN" in answer.content.decode()

    @pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer é"])
    def test_no_other_token_is_good(self, client: Client, settings: Settings, given: str) -> None:
        settings.METRICS_TOKEN = TOKEN
        assert client.get("/metrics", headers={"Authorization": given}).status_code == 403

    def test_an_empty_token_is_no_token(self, client: Client, settings: Settings) -> None:
        settings.METRICS_TOKEN = ""
        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403

    @pytest.mark.parametrize(("address", "status"), [("10.0.5.7", 200), ("10.0.6.7", 403), ("::1", 200)])
    def test_a_named_network_may(self, client: Client, settings: Settings, address: str, status: int, db: None) -> None:
        settings.METRICS_NETWORKS = ["10.0.5.0/24", "::1"]
        assert client.get("/metrics", REMOTE_ADDR=address).status_code == status

    def test_over_a_socket_file_only_the_token_opens(self, settings: Settings, rf: RequestFactory, db: None) -> None:
        settings.METRICS_NETWORKS, settings.METRICS_TOKEN = ["10.0.5.0/24"], TOKEN
        for headers, may in (({}, False), (MONITOR, True)):
            request = rf.get("/metrics", headers=headers)
            del request.META["REMOTE_ADDR"]
            assert may_read(request) is may

    def test_being_a_supervisor_is_not_enough(self, client: Client, saule: User) -> None:
        client.force_login(saule)
        assert client.get("/metrics").status_code == 403


class TestRequests:
    def test_are_counted_under_their_route_and_not_their_address(
        self, figures: Callable[..., float | None], client: Client, ticket: Ticket, aigerim: User
    ) -> None:
        counted = {"route": "desk/t/<int:ticket_id>/", "method": "GET", "status": "200"}
        before = figures("helpdesk_request_seconds_count", **counted) or 0
        client.force_login(aigerim)
        client.get(f"/desk/t/{ticket.pk}/")
        assert figures("helpdesk_request_seconds_count", **counted) == before + 1

    def test_what_a_stranger_makes_up_makes_no_series(
        self, figures: Callable[..., float | None], client: Client, db: None
    ) -> None:
        client.generic("BREW", "/a/made/up/address")
        client.generic("STEEP", "/another")
        assert (figures("helpdesk_request_seconds_count", route="", method="other", status="404") or 0) >= 2


class TestWhatTheDatabaseKnows:
    def test_waiting_customers(self, figures: Callable[..., float | None], free_ticket: Ticket) -> None:
        Ticket.objects.filter(pk=free_ticket.pk).update(waiting_since=timezone.now() - timedelta(minutes=10))
        assert figures("helpdesk_tickets_waiting") == 1
        assert figures("helpdesk_tickets_free") == 1
        assert 600 <= (figures("helpdesk_longest_wait_seconds") or 0) < 660

    def test_a_ticket_somebody_has_taken_is_not_free(
        self, figures: Callable[..., float | None], ticket: Ticket
    ) -> None:
        assert (figures("helpdesk_tickets_waiting"), figures("helpdesk_tickets_free")) == (1, 0)

    def test_replies_to_send_and_to_decide_about(
        self, figures: Callable[..., float | None], ticket: Ticket, aigerim: User, answer: Callable[..., Message]
    ) -> None:
        answer(ticket, aigerim)
        assert figures("helpdesk_deliveries_queued", lane="reply") == 1
        Delivery.objects.filter(lane=1).update(state=DeliveryState.UNKNOWN)
        assert figures("helpdesk_deliveries_queued", lane="reply") == 0
        assert figures("helpdesk_replies_undecided", state="unknown") == 1

    def test_how_long_a_reply_waits_for_a_decision(
        self, figures: Callable[..., float | None], ticket: Ticket, aigerim: User, answer: Callable[..., Message]
    ) -> None:
        message, since = answer(ticket, aigerim), timezone.now() - timedelta(hours=2)
        row = Delivery.objects.filter(pk=message.pk)
        row.update(state=DeliveryState.HELD, reason=Reason.BLOCKED, settled_at=since)
        assert figures("helpdesk_oldest_undecided_reply_age_seconds") == 0, "nobody can do anything about it"
        row.update(state=DeliveryState.FAILED, reason=Reason.TOO_BIG)
        assert 7200 <= (figures("helpdesk_oldest_undecided_reply_age_seconds") or 0) < 7260
        assert figures("helpdesk_replies_undecided", state="failed") == 1
        row.update(decision="resent")
        assert figures("helpdesk_oldest_undecided_reply_age_seconds") == 0
        assert figures("helpdesk_replies_undecided", state="failed") == 0

    def test_what_has_expired_waits_for_nobody(
        self, figures: Callable[..., float | None], ticket: Ticket, timur: Customer
    ) -> None:
        operations.say(customer=timur, notice=Notice.RECEIPT, text="Принято", ticket=ticket)
        past = timezone.now() - timedelta(minutes=10)
        Delivery.objects.update(due_at=past)
        assert (figures("helpdesk_oldest_unsent_message_age_seconds") or 0) >= 600
        Delivery.objects.update(expires_at=past)
        assert figures("helpdesk_oldest_unsent_message_age_seconds") == 0

    def test_the_bot(self, figures: Callable[..., float | None], db: None) -> None:
        assert figures("helpdesk_bot_last_poll_age_seconds") is None, "it has never polled"
        BotStatus.objects.create(bot_id=1, last_polled_at=timezone.now() - timedelta(seconds=40))
        received_at = timezone.now() - timedelta(seconds=70)
        Update.objects.create(bot_id=1, update_id=1, digest="a", raw="{}", chat_id=1, received_at=received_at)
        assert 40 <= (figures("helpdesk_bot_last_poll_age_seconds") or 0) < 60
        assert 70 <= (figures("helpdesk_oldest_unhandled_update_age_seconds") or 0) < 90
        assert figures("helpdesk_bot_stopped") == 0

    def test_the_webhook(self, figures: Callable[..., float | None], db: None) -> None:
        now = timezone.now()
        status = BotStatus.objects.create(bot_id=1, last_polled_at=now)
        assert figures("helpdesk_webhook_pending_updates") is None, "the bot polls"
        assert figures("helpdesk_webhook_undelivered_seconds") == 0
        status.webhook_pending, status.webhook_pending_since = 3, now - timedelta(seconds=90)
        status.webhook_error_at = now
        status.save()
        assert figures("helpdesk_webhook_pending_updates") == 3
        assert 90 <= (figures("helpdesk_webhook_undelivered_seconds") or 0) < 120

    def test_a_database_that_is_away_is_told_beside_what_was_counted(
        self, figures: Callable[..., float | None], client: Client, db: None
    ) -> None:
        client.get("/health/live")
        live = {"route": "health/live", "method": "GET", "status": "200"}

        def away(*call: object) -> None:
            raise OperationalError("the server is gone")

        with connection.execute_wrapper(away):
            assert figures("helpdesk_database_up") == 0
            assert (figures("helpdesk_request_seconds_count", **live) or 0) >= 1
        assert figures("helpdesk_database_up") == 1

    def test_connections(self, figures: Callable[..., float | None], db: None) -> None:
        active = figures("helpdesk_database_connections", state="active")
        assert (active or 0) >= 1 if connection.vendor == "postgresql" else active is None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_any_worker_tells_about_all_of_them() -> None:
    with web_server(workers=3, METRICS_TOKEN=TOKEN) as (_server, port):
        for _ in range(60):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5).close()
        counted = set()
        for _ in range(8):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=MONITOR)
            with urllib.request.urlopen(asked, timeout=5) as answer:
                found = read(answer.read().decode())
            ready = (("method", "GET"), ("route", "health/ready"), ("status", "200"))
            counted.add(found["helpdesk_request_seconds_count", ready])
    assert counted == {60.0}
