"""Chat sessions over the API."""

import pytest
from rest_framework.test import APIClient

from botbridge.models import ChatSession
from botbridge.sessions import set_pending_media
from conftest import wrote
from tickets import operations
from tickets.access import Program
from tickets.api.authentication import tokens_for
from tickets.models import Customer, Scope, ServiceAccount, Ticket, User

SESSIONS = "/api/v1/sessions"
BOT_ID = 7_000_000_001

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bot(settings) -> None:
    settings.TELEGRAM_BOT_TOKEN = f"{BOT_ID}:{'a' * 35}"


def called_by(user: User) -> APIClient:
    client = APIClient()
    access = tokens_for(operations.start_api_session(user=user))["access"]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def albums(ticket: Ticket) -> list[dict[str, object]]:
    return [{"mediaGroupId": "13579", "ticketId": ticket.pk}]


def test_pending_media_is_kept_and_read_back(saule: User, ticket: Ticket, timur: Customer) -> None:
    client = called_by(saule)
    body = {"telegramUserId": timur.telegram_user_id, "pendingMedia": albums(ticket)}
    kept = client.post(SESSIONS, body, format="json")
    assert kept.status_code == 200
    shown = client.get(f"{SESSIONS}/{timur.telegram_user_id}").json()
    assert shown == kept.json()
    assert shown == {
        "telegramUserId": timur.telegram_user_id,
        "state": "",
        "currentTicket": None,
        "language": "ru",
        "pendingMedia": albums(ticket),
    }
    assert ChatSession.objects.get().pending_media == [{"media_group_id": "13579", "ticket": ticket.pk}]


def test_a_chat_of_the_bots_is_changed_not_doubled(saule: User, ticket: Ticket, timur: Customer) -> None:
    chat = ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur, state="asking")
    body = {"telegramUserId": timur.telegram_user_id, "pendingMedia": albums(ticket)}
    assert called_by(saule).post(SESSIONS, body, format="json").json()["state"] == "asking"
    assert list(ChatSession.objects.values_list("pk", flat=True)) == [chat.pk]


def test_a_manager_reads_and_only_a_supervisor_writes(
    aigerim: User, dana: User, ticket: Ticket, timur: Customer
) -> None:
    body: dict[str, object] = {"telegramUserId": timur.telegram_user_id, "pendingMedia": []}
    ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur)
    address = f"{SESSIONS}/{timur.telegram_user_id}"
    assert called_by(aigerim).get(address).status_code == 200
    assert called_by(dana).get(address).status_code == 404
    assert called_by(aigerim).post(SESSIONS, body, format="json").status_code == 403
    assert called_by(dana).post(SESSIONS, body, format="json").status_code == 404


def test_a_customer_the_bot_has_not_met_has_no_session(saule: User, ticket: Ticket, timur: Customer) -> None:
    assert called_by(saule).get(f"{SESSIONS}/{timur.telegram_user_id}").status_code == 404
    assert called_by(saule).get(f"{SESSIONS}/1").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"telegramUserId": 0}, "telegramUserId"),
        ({"pendingMedia": "x"}, "pendingMedia"),
        ({"pendingMedia": [{"mediaGroupId": "1"}]}, "pendingMedia.0.ticketId"),
        ({"pendingMedia": [{"mediaGroupId": "1", "ticketId": 1, "file": "x"}]}, "pendingMedia.0.file"),
        ({"pendingMedia": [{"mediaGroupId": str(n), "ticketId": 1} for n in range(4)]}, "pendingMedia"),
        ({"state": "x"}, "state"),
    ],
)
def test_what_is_wrong_is_named(
    saule: User, ticket: Ticket, timur: Customer, change: dict[str, object], field: str
) -> None:
    body = {"telegramUserId": timur.telegram_user_id, "pendingMedia": [], **change}
    answer = called_by(saule).post(SESSIONS, body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


def test_an_album_goes_to_the_customers_own_tickets_alone(saule: User, timur: Customer, ticket: Ticket) -> None:
    foreign = wrote(Customer.objects.create(telegram_user_id=700_002, name="Лена"), "Вопрос").ticket
    body = {"telegramUserId": timur.telegram_user_id, "pendingMedia": albums(foreign)}
    answer = called_by(saule).post(SESSIONS, body, format="json")
    assert list(answer.json()["errors"]) == ["pendingMedia"]
    assert not ChatSession.objects.exists()


def test_a_number_no_ticket_can_have_is_refused(saule: User, ticket: Ticket, timur: Customer) -> None:
    pending = [{"mediaGroupId": "1", "ticketId": 10**30}]
    body = {"telegramUserId": timur.telegram_user_id, "pendingMedia": pending}
    answer = called_by(saule).post(SESSIONS, body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["pendingMedia.0.ticketId"])


def program(saule: User, customer: int, *scopes: Scope) -> APIClient:
    """A service account with these scopes, on behalf of the customer with this Telegram user id."""
    account = operations.create_service_account(actor=saule, name=f"Портал {customer}", scopes=scopes)
    key = operations.issue_key(actor=saule, account=account)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}", HTTP_X_TELEGRAM_USER_ID=str(customer))
    return client


def test_a_program_sets_and_reads_its_customers_chat(saule: User, ticket: Ticket, timur: Customer) -> None:
    client = program(saule, 700_001, Scope.SESSIONS_READ, Scope.SESSIONS_WRITE)
    body = {"telegramUserId": 700_001, "pendingMedia": albums(ticket)}
    assert client.post(SESSIONS, body, format="json").status_code == 200
    assert client.get(f"{SESSIONS}/700001").json()["pendingMedia"] == albums(ticket)


def test_each_of_the_two_needs_its_scope(saule: User, ticket: Ticket) -> None:
    client = program(saule, 700_001, Scope.TICKETS_READ)
    body = {"telegramUserId": 700_001, "pendingMedia": albums(ticket)}
    assert client.post(SESSIONS, body, format="json").status_code == 403
    assert client.get(f"{SESSIONS}/700001").status_code == 403


def test_another_customers_chat_is_not_there(saule: User, ticket: Ticket, timur: Customer) -> None:
    ChatSession.objects.create(bot_id=BOT_ID, chat_id=timur.telegram_user_id, customer=timur)
    Customer.objects.create(telegram_user_id=700_002)
    client = program(saule, 700_002, Scope.SESSIONS_READ, Scope.SESSIONS_WRITE)
    assert client.get(f"{SESSIONS}/700001").status_code == 404
    assert client.post(SESSIONS, {"telegramUserId": 700_001, "pendingMedia": []}, format="json").status_code == 403
    foreign = {"telegramUserId": 700_002, "pendingMedia": albums(ticket)}
    assert client.post(SESSIONS, foreign, format="json").status_code == 422


def test_a_right_taken_away_during_the_call_stops_it(saule: User, timur: Customer) -> None:
    account = operations.create_service_account(actor=saule, name="Портал", scopes=[Scope.SESSIONS_WRITE])
    as_it_came_in = Program(ServiceAccount.objects.get(pk=account.pk), 700_001)
    operations.revoke_service_account(actor=saule, account=account)
    with pytest.raises(operations.NotAllowed):
        set_pending_media(actor=as_it_came_in, telegram_user_id=700_001, pending_media=[])
