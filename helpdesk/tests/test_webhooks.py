"""A webhook hears every event, in order, also of those that happened while it was away."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from helpdesk.jobs.lines import Line
from helpdesk.jobs.worker import Worker
from helpdesk.tests.receivers import Receiver, receiving
from helpdesk.webhooks.sending import signature
from tickets import operations
from tickets.models import Event, Job, JobState, Ticket, User, Webhook, WebhookCall, WebhookOff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("short_connections")]

WEBHOOKS = reverse("admin:tickets_webhook_changelist")
CALLS = reverse("admin:tickets_webhookcall_changelist")


@pytest.fixture(autouse=True)
def own_network(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def webhook(receiver: Receiver, saule: User, ticket: Ticket) -> Webhook:
    return operations.add_webhook(actor=saule, name="Склад", address=receiver.url)


@pytest.fixture
def room(client: Client, saule: User) -> Client:
    client.force_login(saule)
    return client


def tell() -> Job:
    """The webhooks' jobs are due, and done."""
    Job.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))
    worker = Worker()
    while (job := worker.claim([Line.LONG])) is not None:
        worker.do(job)
        Job.objects.filter(pk=job.pk, due_at__isnull=False).update(due_at=timezone.now() + timedelta(hours=1))
    return Job.objects.get(kind=operations.TELL_WEBHOOK)


def happen(ticket: Ticket, actor: User, times: int = 1) -> list[int]:
    """Notes are written; the ids of their events."""
    before = Event.objects.last_given_id()
    for _ in range(times):
        operations.note(ticket_id=ticket.pk, actor=actor, text="Позвонить в сервис.", client_id=uuid.uuid4())
    return list(Event.objects.filter(pk__gt=before).order_by("pk").values_list("pk", flat=True))


def ids(receiver: Receiver) -> list[int]:
    return [event["data"]["id"] for event in receiver.events]


def test_it_hears_what_happens_from_now_on_once_and_signed(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User
) -> None:
    happened = happen(ticket, aigerim, times=3)

    job = tell()
    tell()

    assert ids(receiver) == happened
    headers, body = receiver.told[0]
    stamp = int(headers["webhook-timestamp"])
    assert headers["webhook-id"].startswith(f"event-{happened[0]}-")
    assert headers["webhook-signature"] == signature(
        secret=webhook.secret, message_id=headers["webhook-id"], timestamp=stamp, body=body
    )
    assert (job.state, job.error) == (JobState.WAITING, "")


def test_it_hears_ids_and_never_words(webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User) -> None:
    happen(ticket, aigerim)

    tell()

    (event,) = receiver.events
    assert event["type"] == "ticket.noted"
    assert event["data"]["ticketId"] == ticket.pk
    assert event["data"]["actor"] == aigerim.pk
    told = json.dumps(event, ensure_ascii=False)
    assert "Позвонить" not in told
    assert aigerim.last_name not in told


def test_it_hears_only_of_the_kinds_it_is_to_hear_of(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    operations.change_webhook(
        actor=saule, webhook=webhook, name=webhook.name, address=webhook.address, kinds=["resolved"]
    )
    happen(ticket, aigerim)
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    happen(ticket, aigerim)

    tell()

    assert [event["type"] for event in receiver.events] == ["ticket.resolved"]
    webhook.refresh_from_db()
    assert webhook.reached == Event.objects.last_given_id(), "what it is not told of is passed over"


def test_after_an_outage_it_hears_everything_once_in_order(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User
) -> None:
    happened = happen(ticket, aigerim, times=2)
    receiver.status = 503
    for _ in range(3):
        job = tell()
    assert (job.state, job.error, job.attempts) == (JobState.WAITING, "answered 503", 3)
    webhook.refresh_from_db()
    assert webhook.failing_since is not None
    assert ids(receiver) == happened[:1] * 3, "the second waits behind the first"

    receiver.told.clear()
    receiver.status = 200
    happened += happen(ticket, aigerim)
    tell()

    assert ids(receiver) == happened
    assert len({headers["webhook-id"] for headers, _body in receiver.told}) == 3
    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_nobody_listening_is_an_outage_too(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    address = receiver.url.replace("127.0.0.1", "127.0.0.9")
    operations.change_webhook(actor=saule, webhook=webhook, name=webhook.name, address=address)
    happened = happen(ticket, aigerim)
    assert tell().error == "ClientConnectorError"

    operations.change_webhook(actor=saule, webhook=webhook, name=webhook.name, address=receiver.url)
    tell()

    assert ids(receiver) == happened


def test_a_private_address_is_never_called(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = []
    happen(ticket, aigerim)

    assert tell().error.startswith("127.0.0.1 is not of a network of ours")
    assert receiver.told == []


def test_after_three_days_it_is_given_up_and_may_be_turned_on_again(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    happened = happen(ticket, aigerim)
    receiver.status = 500
    tell()
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=3))

    tell()
    job = tell()

    webhook.refresh_from_db()
    assert webhook.off == WebhookOff.FAILING
    assert job.state == JobState.DONE, "nobody tries any more"
    receiver.told.clear()
    receiver.status = 200
    operations.turn_webhook_on(actor=saule, webhook=webhook)
    tell()
    assert ids(receiver) == happened


def test_a_failed_repetition_is_no_outage(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    happen(ticket, aigerim)
    tell()
    receiver.status = 500

    operations.repeat_webhook_call(actor=saule, call=WebhookCall.objects.get())
    tell()

    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_what_it_is_no_longer_told_of_is_no_outage(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    happen(ticket, aigerim)
    receiver.status = 500
    tell()

    operations.change_webhook(
        actor=saule, webhook=webhook, name=webhook.name, address=webhook.address, kinds=["resolved"]
    )
    tell()

    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_one_that_wants_to_hear_no_more_is_left_alone(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User
) -> None:
    happen(ticket, aigerim)
    receiver.status = 410

    tell()
    tell()

    webhook.refresh_from_db()
    assert webhook.off == WebhookOff.UNWANTED
    assert len(receiver.told) == 1


def test_one_that_is_turned_off_hears_nothing_until_it_is_on(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    operations.turn_webhook_off(actor=saule, webhook=webhook)
    with pytest.raises(operations.WrongState):
        operations.turn_webhook_off(actor=saule, webhook=webhook)
    happened = happen(ticket, aigerim)
    assert tell().state == JobState.DONE
    assert receiver.told == []

    operations.turn_webhook_on(actor=saule, webhook=webhook)
    tell()

    assert ids(receiver) == happened


def test_one_whose_job_was_lost_is_told_all_the_same(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User
) -> None:
    Job.objects.all().delete()
    happened = happen(ticket, aigerim)

    assert operations.start_webhooks() == 1
    assert operations.start_webhooks() == 0
    tell()

    assert ids(receiver) == happened


def test_one_whose_job_has_ended_is_told_again(webhook: Webhook) -> None:
    Job.objects.update(state=JobState.DONE, due_at=None)
    assert operations.start_webhooks() == 1


def test_a_renewed_secret_signs_from_then_on(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User, saule: User
) -> None:
    former = webhook.secret
    operations.renew_webhook_secret(actor=saule, webhook=webhook)
    happen(ticket, aigerim)

    tell()

    ((headers, body),) = receiver.told
    about = {
        "message_id": headers["webhook-id"],
        "timestamp": int(headers["webhook-timestamp"]),
        "body": body,
    }
    assert headers["webhook-signature"] == signature(secret=webhook.secret, **about)
    assert headers["webhook-signature"] != signature(secret=former, **about)


def test_each_attempt_is_written_down_for_a_month(
    webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User
) -> None:
    happen(ticket, aigerim)
    receiver.status = 500
    tell()
    receiver.status = 200
    tell()

    failed, arrived = WebhookCall.objects.order_by("pk")
    assert (failed.status, failed.error, failed.arrived) == (500, "answered 500", False)
    assert (arrived.status, arrived.answer, arrived.arrived) == (200, "ok", True)
    WebhookCall.objects.filter(pk=failed.pk).update(made_at=timezone.now() - timedelta(days=31))
    assert operations.prune_webhook_calls() == 1


@pytest.mark.parametrize(
    "address",
    ["http://example.com/", "ftp://example.com/", "https://", "https://user:secret@example.com/", "example.com"],
)
def test_an_address_of_the_wrong_form_is_refused(saule: User, settings: Settings, address: str) -> None:
    settings.WEBHOOK_NETWORKS = []

    with pytest.raises(operations.Invalid):
        operations.add_webhook(actor=saule, name="Склад", address=address)

    assert not Webhook.objects.exists()


def test_only_supervisors_set_webhooks_up(webhook: Webhook, aigerim: User) -> None:
    for act in (
        lambda: operations.add_webhook(actor=aigerim, name="Мой", address="https://example.com/"),
        lambda: operations.change_webhook(actor=aigerim, webhook=webhook, name="Мой", address="https://example.com/"),
        lambda: operations.renew_webhook_secret(actor=aigerim, webhook=webhook),
        lambda: operations.turn_webhook_off(actor=aigerim, webhook=webhook),
        lambda: operations.turn_webhook_on(actor=aigerim, webhook=webhook),
    ):
        with pytest.raises(operations.NotAllowed):
            act()


class TestAdmin:
    def test_a_supervisor_adds_one_and_sees_its_secret_once(self, room: Client, receiver: Receiver) -> None:
        form = {"name": "Склад", "address": receiver.url, "kinds": ["received", "resolved"]}

        page = room.post(reverse("admin:tickets_webhook_add"), form).content.decode()

        webhook = Webhook.objects.get()
        assert webhook.kinds == ["received", "resolved"]
        assert webhook.secret in page
        again = room.get(reverse("admin:tickets_webhook_change", args=[webhook.pk])).content.decode()
        assert webhook.secret not in again

    def test_a_wrong_address_is_said_at_its_field(self, room: Client, settings: Settings) -> None:
        settings.WEBHOOK_NETWORKS = []

        page = room.post(reverse("admin:tickets_webhook_add"), {"name": "Склад", "address": "http://example.com/"})

        assert "начинается с https://" in page.content.decode()
        assert not Webhook.objects.exists()

    def test_changing_it_keeps_where_it_is(self, room: Client, webhook: Webhook, ticket: Ticket, aigerim: User) -> None:
        happen(ticket, aigerim)
        reached = webhook.reached
        form = {"name": "Учёт", "address": webhook.address}

        answer = room.post(reverse("admin:tickets_webhook_change", args=[webhook.pk]), form)

        assert answer.status_code == 302
        webhook.refresh_from_db()
        assert (webhook.name, webhook.reached) == ("Учёт", reached)

    def test_it_is_turned_off_and_on_and_given_a_new_secret(self, room: Client, webhook: Webhook) -> None:
        def act(action: str) -> str:
            data = {"action": action, "_selected_action": [webhook.pk]}
            return room.post(WEBHOOKS, data, follow=True).content.decode()

        assert "Выключено: 1" in act("turn_off")
        assert "Уже выключен" in act("turn_off")
        assert "Включено: 1" in act("turn_on")
        former = webhook.secret
        page = act("renew_secret")
        webhook.refresh_from_db()
        assert webhook.secret in page
        assert webhook.secret != former

    def test_a_call_is_repeated_by_hand(
        self, room: Client, webhook: Webhook, receiver: Receiver, ticket: Ticket, aigerim: User
    ) -> None:
        happened = happen(ticket, aigerim)
        tell()
        call = WebhookCall.objects.get()

        page = room.post(CALLS, {"action": "repeat", "_selected_action": [call.pk]}, follow=True).content.decode()
        tell()

        assert "Будет повторено: 1" in page
        assert ids(receiver) == happened * 2
        assert WebhookCall.objects.filter(is_repeat=True).count() == 1
