"""Thousands of broken updates: each is handled or parked, none stays, and none takes a customer's words with it."""

import itertools
import json
import logging
import os
import random
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from botbridge import pace
from botbridge.models import ChatSession, OutboundCall, Update
from botbridge.parts import part_of
from botbridge.requests import METHODS
from botbridge.storing import store
from botbridge.tests.conftest import BOT_ID, Json, Line, Phone
from botbridge.tests.mutations import Mutants, words_in
from tickets import operations
from tickets.models import Delivery, DeliveryState, Message, MessageRevision, Sender, Ticket, User
from tickets.text import MAX_TEXT, storable, utf16_length

pytestmark = pytest.mark.django_db

BATCH = 100
HEALTHY = 12
#: Among so many broken updates one of a healthy customer's.
ONE_HEALTHY_IN = 5


@pytest.fixture(autouse=True)
def no_flood() -> Iterator[None]:
    """Who has flooded is remembered by the process, and a healthy customer here writes without rest."""
    yield
    pace._flooding.clear()


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Each refusal of thousands has its line and its traceback."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def test_a_few_hundred_broken_updates(line: Line, client: Client, saule: User) -> None:
    fuzz(line, client, saule, seed=20_261_127, updates=250, pages=5)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # in one transaction PostgreSQL could tidy nothing up, and would crawl
@pytest.mark.parametrize("_quarter", range(4))
def test_ten_thousand_broken_updates(line: Line, client: Client, saule: User, _quarter: int) -> None:
    """In four parts, which workers share. FUZZ_SEED plays one part again."""
    seed = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(10**9)))
    fuzz(line, client, saule, seed=seed, updates=2_500, pages=25)


def fuzz(line: Line, client: Client, saule: User, *, seed: int, updates: int, pages: int) -> None:
    print(f"FUZZ_SEED={seed}")  # noqa: T201 - plays it again
    broken = list(itertools.islice(Mutants(seed), updates))
    phones = [Phone(line, id=900_000_000 + number) for number in range(HEALTHY)]
    said: dict[int, list[str]] = {phone.id: [] for phone in phones}
    for batch in in_batches(broken, phones, said):
        store(BOT_ID, batch)
        handle_all(line)
    assert not Update.objects.filter(state=Update.State.STORED).exists()
    for phone in phones:
        assert phone.written == said[phone.id]
    assert unseen_words(broken) == []
    assert not Update.objects.filter(state=Update.State.PARKED, reason="").exists()
    check_queue(line)
    check_pages(client, saule, random.Random(seed), pages)


def in_batches(broken: list[Json], phones: list[Phone], said: dict[int, list[str]]) -> Iterator[list[Json]]:
    """The broken updates as Telegram would hand them over, with healthy customers' messages between them."""
    numbers = itertools.count(1)
    batch: list[Json] = []
    for update in broken:
        batch.append(update)
        number = next(numbers)
        if number % ONE_HEALTHY_IN == 0:
            phone = phones[number // ONE_HEALTHY_IN % len(phones)]
            words = f"здоровое {number}"
            said[phone.id].append(words)
            batch.append({"update_id": 700_000_000 + number, **phone.message(text=words)})
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def handle_all(line: Line) -> None:
    """Until nothing waits any more, with time passing between the attempts."""
    for _attempt in range(100):
        line.handle_all()
        if not Update.objects.filter(state=Update.State.STORED).exists():
            return
        line.skip_waiting()
    raise AssertionError("updates stay stored")


def unseen_words(broken: list[Json]) -> list[Json]:
    """The updates that were not kept, or whose words stand neither on the desk nor, parked, before a supervisor."""
    states = dict(Update.objects.values_list("raw", "state"))
    said = Message.objects.filter(sender=Sender.CLIENT).values_list("text", flat=True)
    on_desk = "\n".join([*said, *MessageRevision.objects.values_list("text", flat=True)])
    unseen = []
    for update in broken:
        state = states.get(json.dumps(update, ensure_ascii=True, sort_keys=True))
        if state == Update.State.HANDLED and any(storable(words).strip() not in on_desk for words in words_in(update)):
            unseen.append(update)
        if state is None:
            unseen.append({"never stored": update})
    return unseen


def check_queue(line: Line) -> None:
    """Whatever waits to be sent is a request Telegram's own types take, with words within their limits."""
    for call in OutboundCall.objects.filter(state=DeliveryState.QUEUED):
        METHODS[call.method](**call.payload)
    waiting = Delivery.objects.filter(state=DeliveryState.QUEUED).select_related("message__customer", "message__ticket")
    for delivery in waiting:
        session = ChatSession(bot_id=BOT_ID, chat_id=delivery.message.customer.telegram_user_id)
        for number in range(operations.parts_of(delivery.message)):
            part = part_of(delivery.message, number, session)
            request = METHODS[part.method](**part.payload)
            assert 0 < utf16_length(request.text) <= MAX_TEXT
            buttons = itertools.chain.from_iterable(
                request.reply_markup.inline_keyboard if request.reply_markup else ()
            )
            assert all(0 < len(button.callback_data.encode()) <= 64 for button in buttons)


def check_pages(client: Client, saule: User, dice: random.Random, most: int) -> None:
    """A sample of everything a supervisor may open answers, whatever stands in the rows."""
    client.force_login(saule, backend="django.contrib.auth.backends.ModelBackend")
    tickets = list(Ticket.objects.values_list("pk", flat=True))
    for pk in dice.sample(tickets, min(most, len(tickets))):
        desk = [reverse(f"tickets:{name}", args=[pk]) for name in ("ticket", "row", "panel-rest", "peer")]
        api = [f"/api/v1/tickets/{pk}", f"/api/v1/tickets/{pk}/messages"]
        admin = [reverse("admin:tickets_ticket_change", args=[pk]), reverse("admin:tickets_ticket_history", args=[pk])]
        for address in (*desk, *api, *admin):
            assert client.get(address).status_code == HTTPStatus.OK, address
    for state in Update.State:
        rows = list(Update.objects.filter(state=state).values_list("pk", flat=True))
        for pk in dice.sample(rows, min(most, len(rows))):
            address = reverse("admin:botbridge_update_change", args=[pk])
            assert client.get(address).status_code == HTTPStatus.OK, address
    lists = ("tickets_ticket", "tickets_customer", "tickets_delivery", "botbridge_update", "botbridge_outboundcall")
    for address in (
        *(reverse(f"admin:{name}_changelist") for name in lists),
        *(f"/desk/?view={view}" for view in ("mine", "free", "all")),
        "/desk/?q=слово",
        "/api/v1/tickets",
        "/api/v1/customers",
        "/admin/",
    ):
        assert client.get(address).status_code == HTTPStatus.OK, address
