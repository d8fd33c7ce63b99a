"""Programs with service accounts: each speaks for one customer at a time, and reaches what is that customer's."""

import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from conftest import at_once, wrote
from tickets import operations
from tickets.access import Program
from tickets.api.throttles import PerPerson, PerServiceAccount
from tickets.models import (
    ApiAnswer,
    Customer,
    DeliveryState,
    Event,
    Message,
    Scope,
    Sender,
    ServiceAccount,
    Tag,
    Ticket,
    Topic,
    User,
)
from tickets.tests.api.conftest import V1, Call, ProgramClient, SpeakFor

# By its name: what is asked here is the whole API, and the domain's own tests import nothing of the bridge.
ChatSession = apps.get_model("botbridge", "ChatSession")

TICKETS = f"{V1}/tickets"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena(db: None) -> Customer:
    """Another customer."""
    return Customer.objects.create(telegram_user_id=700_002, name="Лена Пак")


@pytest.fixture
def program(speaking_for: SpeakFor, timur: Customer) -> ProgramClient:
    """The portal, on behalf of Timur."""
    return speaking_for(timur)


def arrived(message: Message) -> Message:
    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)
    return message


def replied(ticket: Ticket, actor: User, text: str = "Проверьте зарядку.") -> Message:
    return operations.reply(ticket_id=ticket.pk, actor=actor, text=text, client_id=uuid.uuid4())


class TestKey:
    def test_it_opens_the_api_for_the_customer_named(self, program: ProgramClient, ticket: Ticket) -> None:
        assert [each["id"] for each in program.get(TICKETS).json()["tickets"]] == [ticket.pk]

    def test_only_its_hash_is_kept(self, portal: ServiceAccount, saule: User) -> None:
        key = operations.issue_key(actor=saule, account=portal)
        secret = key.rpartition(portal.key_id + "_")[2]
        assert len(secret) >= 43, "256 bits"
        kept = ServiceAccount.objects.filter(pk=portal.pk).values().get()
        assert not [name for name, value in kept.items() if secret in str(value)]

    @pytest.mark.parametrize(
        "key",
        [
            "hdsk_",
            "hdsk__",
            "hdsk_{key_id}_",
            "hdsk_{key_id}_wrong",
            "hdsk_{key_id}_{another}",
            "hdsk_0000000000000000_{secret}",
            "hdsk_{key_id}_{secret}\x00",
            "hdsk_\xff_\xff",
        ],
    )
    def test_another_one_opens_nothing(self, api: APIClient, portal: ServiceAccount, saule: User, key: str) -> None:
        another = operations.create_service_account(actor=saule, name="Магазин", scopes=Scope.values)
        keys = [operations.issue_key(actor=saule, account=account) for account in (portal, another)]
        secrets = [each.removeprefix("hdsk_").partition("_")[2] for each in keys]
        wrong = key.format(key_id=portal.key_id, secret=secrets[0], another=secrets[1])
        answer = api.get(TICKETS, headers={"Authorization": f"Bearer {wrong}", "X-Telegram-User-Id": "1"})
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Bearer realm="api"'

    def test_head_asks_as_get_does(self, program: ProgramClient, ticket: Ticket) -> None:
        assert program.head(f"{TICKETS}/{ticket.pk}").status_code == 200

    def test_an_account_without_a_key_is_opened_by_none(self, api: APIClient, portal: ServiceAccount) -> None:
        headers = {"Authorization": f"Bearer hdsk_{portal.key_id}_", "X-Telegram-User-Id": "1"}
        assert api.get(TICKETS, headers=headers).status_code == 401

    def test_it_is_good_no_more_once_revoked(self, program: ProgramClient, portal: ServiceAccount, saule: User) -> None:
        operations.revoke_service_account(actor=saule, account=portal)
        assert program.get(TICKETS).status_code == 401
        with pytest.raises(operations.WrongState):
            operations.issue_key(actor=saule, account=portal)

    def test_a_new_one_ends_the_former_at_once(
        self, program: ProgramClient, portal: ServiceAccount, saule: User
    ) -> None:
        operations.issue_key(actor=saule, account=portal)
        assert program.get(TICKETS).status_code == 401

    @pytest.mark.parametrize("named", [None, "", "0", "-5", "x", "1.5", "٣", "9" * 17, str(2**52)])
    def test_a_call_that_names_no_customer_is_refused(self, program: ProgramClient, named: str | None) -> None:
        program.name(named)
        answer = program.get(TICKETS)
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["X-Telegram-User-Id"])

    def test_a_key_is_no_token_and_a_token_no_key(self, called_by: Call, aigerim: User, program: ProgramClient) -> None:
        client = called_by(aigerim)
        assert client.get(f"{V1}/auth/me", headers={"X-Telegram-User-Id": "700001"}).json()["username"] == "aigerim"
        assert program.get(f"{V1}/auth/me").status_code == 403

    def test_its_use_is_written_once_a_minute(
        self, program: ProgramClient, portal: ServiceAccount, django_assert_num_queries
    ) -> None:
        program.get(TICKETS)
        portal.refresh_from_db()
        used = portal.last_used_at
        assert used is not None
        with django_assert_num_queries(1):
            operations.account_by_key(program.key)
        ServiceAccount.objects.update(last_used_at=used - timedelta(minutes=2))
        program.get(TICKETS)
        portal.refresh_from_db()
        assert portal.last_used_at is not None
        assert portal.last_used_at > used

    def test_managers_neither_make_nor_change_nor_revoke_accounts(self, portal: ServiceAccount, aigerim: User) -> None:
        for act in (
            lambda: operations.create_service_account(actor=aigerim, name="Моя", scopes=Scope.values),
            lambda: operations.change_service_account(actor=aigerim, account=portal, name="Моя", scopes=Scope.values),
            lambda: operations.issue_key(actor=aigerim, account=portal),
            lambda: operations.revoke_service_account(actor=aigerim, account=portal),
        ):
            with pytest.raises(operations.NotAllowed):
                act()

    @pytest.mark.parametrize("scopes", [[], ["admin"], ["tickets:read", "tickets:delete"]])
    def test_scopes_are_of_the_closed_set(self, saule: User, scopes: list[str]) -> None:
        with pytest.raises(operations.Invalid):
            operations.create_service_account(actor=saule, name="Портал 2", scopes=scopes)


class TestOwnerCheck:
    """Everything of another customer's is answered as if it were not there."""

    @pytest.fixture
    def foreign(self, speaking_for: SpeakFor, lena: Customer) -> ProgramClient:
        return speaking_for(lena)

    def test_lists_hold_nothing_of_others(self, foreign: ProgramClient, ticket: Ticket, lena: Customer) -> None:
        for query in ({}, {"user_id": 700_001}, {"search": ticket.pk}, {"search": "ноутбук"}):
            assert foreign.get(TICKETS, query).json()["tickets"] == []
        assert [each["id"] for each in foreign.get(f"{V1}/customers").json()["customers"]] == [lena.pk]
        assert foreign.get(f"{V1}/customers", {"user_id": 700_001}).json()["customers"] == []
        assert foreign.get(f"{V1}/events").json()["events"] == []

    def test_nothing_of_others_is_read_by_its_number(
        self, foreign: ProgramClient, ticket: Ticket, timur: Customer, aigerim: User
    ) -> None:
        reply = arrived(replied(ticket, aigerim))
        for path in (
            f"tickets/{ticket.pk}",
            f"tickets/{ticket.pk}/messages",
            f"tickets/{ticket.pk}/messages/{reply.pk}",
            f"tickets/{ticket.pk}/files/1",
            f"customers/{timur.pk}",
        ):
            assert foreign.get(f"{V1}/{path}").status_code == 404, path

    def test_nothing_is_written_to_others(self, foreign: ProgramClient, ticket: Ticket, timur: Customer) -> None:
        before = Message.objects.count()
        assert foreign.post(f"{TICKETS}/{ticket.pk}/messages", {"text": "Я"}, format="json").status_code == 404
        opened = foreign.post(TICKETS, {"telegramUserId": 700_001, "text": "Я"}, format="json")
        assert opened.status_code == 403
        session: dict[str, object] = {"telegramUserId": timur.telegram_user_id, "pendingMedia": []}
        assert foreign.post(f"{V1}/sessions", session, format="json").status_code == 403
        assert Message.objects.count() == before

    def test_operations_ask_again(self, portal: ServiceAccount, ticket: Ticket, lena: Customer) -> None:
        with pytest.raises(operations.NotVisible):
            operations.write_by_program(
                program=Program(portal, lena.telegram_user_id), ticket_id=ticket.pk, text="Чужое"
            )

    def test_a_message_of_anothers_ticket_is_not_quoted(
        self, foreign: ProgramClient, ticket: Ticket, lena: Customer, aigerim: User
    ) -> None:
        own, reply = wrote(lena, "Моё").ticket, arrived(replied(ticket, aigerim))
        body = {"text": "Да", "replyTo": reply.pk}
        answer = foreign.post(f"{TICKETS}/{own.pk}/messages", body, format="json")
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["replyTo"])

    def test_an_album_is_not_led_to_anothers_ticket(
        self, foreign: ProgramClient, ticket: Ticket, lena: Customer, settings
    ) -> None:
        settings.TELEGRAM_BOT_TOKEN = f"7000000001:{'a' * 35}"
        albums = [{"mediaGroupId": "1", "ticketId": ticket.pk}]
        body = {"telegramUserId": lena.telegram_user_id, "pendingMedia": albums}
        assert foreign.post(f"{V1}/sessions", body, format="json").status_code == 422

    def test_an_erased_customer_is_nobodys(self, program: ProgramClient, timur: Customer, ticket: Ticket) -> None:
        Customer.objects.filter(pk=timur.pk).update(telegram_user_id=None, erased_at=timezone.now())
        assert program.get(f"{TICKETS}/{ticket.pk}").status_code == 404


class TestScopes:
    CALLS = {
        Scope.TICKETS_READ: [("get", "tickets"), ("get", "tickets/{ticket}"), ("get", "topics")],
        Scope.TICKETS_WRITE: [("post", "tickets")],
        Scope.MESSAGES_READ: [
            ("get", "tickets/{ticket}/messages"),
            ("get", "tickets/{ticket}/messages/{message}"),
            ("get", "tickets/{ticket}/files/{file}"),
        ],
        Scope.MESSAGES_WRITE: [("post", "tickets/{ticket}/messages")],
        Scope.CUSTOMERS_READ: [("get", "customers"), ("get", "customers/{customer}")],
        Scope.EVENTS_READ: [("get", "events")],
    }
    PEOPLES = [
        ("get", "auth/me"),
        ("post", "auth/logout"),
        ("get", "teams"),
        ("get", "tags"),
        ("patch", "tickets/{ticket}"),
    ]

    @pytest.mark.parametrize("left_out", [*Scope, None])
    def test_each_call_needs_its_own(
        self, speaking_for: SpeakFor, timur: Customer, ticket: Ticket, left_out: Scope | None
    ) -> None:
        client = speaking_for(timur, scopes=[scope for scope in Scope if scope != left_out])
        message = Message.objects.get(ticket=ticket, sender="client")
        file = self.attach(ticket)
        bodies = {
            "tickets": {"telegramUserId": 700_001, "text": "Ещё вопрос"},
            "tickets/{ticket}/messages": {"text": "Жду"},
        }
        for scope, calls in self.CALLS.items():
            for method, path in calls:
                where = path.format(ticket=ticket.pk, message=message.pk, file=file, customer=timur.pk)
                body = bodies[path] if method == "post" else None
                status = getattr(client, method)(f"{V1}/{where}", body, format="json").status_code
                assert (status == 403) is (scope == left_out), (scope, method, path, status)
                assert status in (200, 201, 403), (scope, method, path, status)

    def attach(self, ticket: Ticket) -> int:
        photo = operations.IncomingFile(kind="photo")
        incoming = operations.Incoming(sent_at=timezone.now(), content_type="photo", files=[photo])
        message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
        attachment = message.attachments.get()
        operations.attach_file(attachment_id=attachment.pk, file=SimpleUploadedFile("a.png", PNG))
        return attachment.pk

    @pytest.mark.parametrize(("method", "path"), PEOPLES)
    def test_what_is_peoples_is_closed_whatever_the_scopes(
        self, program: ProgramClient, ticket: Ticket, method: str, path: str
    ) -> None:
        where = f"{V1}/{path.format(ticket=ticket.pk)}"
        body = None if method == "get" else {"assignee": None}
        assert getattr(program, method)(where, body, format="json").status_code == 403

    def test_the_admin_and_the_desk_are_closed(self, program: ProgramClient, ticket: Ticket) -> None:
        assert program.get("/admin/").status_code == 302
        assert program.get(f"/desk/t/{ticket.pk}/").status_code == 302

    def test_a_right_taken_away_during_the_call_stops_it(
        self, portal: ServiceAccount, saule: User, ticket: Ticket
    ) -> None:
        as_it_came_in = Program(ServiceAccount.objects.get(pk=portal.pk), 700_001)
        operations.change_service_account(actor=saule, account=portal, name="Портал", scopes=[Scope.TICKETS_READ])
        with pytest.raises(operations.NotAllowed):
            operations.write_by_program(program=as_it_came_in, ticket_id=ticket.pk, text="Жду")
        with pytest.raises(operations.NotAllowed):
            operations.open_by_program(program=as_it_came_in, text="Жду")

    def test_a_card_number_in_a_files_name_is_masked_as_from_the_chat(
        self, program: ProgramClient, ticket: Ticket, aigerim: User
    ) -> None:
        file = SimpleUploadedFile("4111 1111 1111 1111.png", PNG)
        body = program.post(f"{TICKETS}/{ticket.pk}/messages", {"text": "Чек", "files": [file]}).json()
        assert [each["name"] for each in body["files"]] == ["•••• •••• •••• 1111.png"]
        assert operations.reveal_cards(message_id=body["id"], actor=aigerim) == ["4111111111111111"]

    def test_a_note_is_not_quoted(self, portal: ServiceAccount, timur: Customer, ticket: Ticket, aigerim: User) -> None:
        note = operations.note(ticket_id=ticket.pk, actor=aigerim, text="Между нами", client_id=uuid.uuid4())
        with pytest.raises(operations.Invalid) as refused:
            operations.write_by_program(
                program=Program(portal, timur.telegram_user_id), ticket_id=ticket.pk, text="Это?", quote_id=note.pk
            )
        assert refused.value.field == "quote"

    def test_it_writes_nothing_without_words_or_files(
        self, portal: ServiceAccount, timur: Customer, ticket: Ticket
    ) -> None:
        with pytest.raises(operations.Invalid) as refused:
            operations.write_by_program(program=Program(portal, timur.telegram_user_id), ticket_id=ticket.pk, text=" ")
        assert refused.value.field == "text"

    def test_it_opens_no_ticket_without_words(self, portal: ServiceAccount, timur: Customer) -> None:
        with pytest.raises(operations.Invalid) as refused:
            operations.open_by_program(program=Program(portal, timur.telegram_user_id), text=" \n")
        assert refused.value.field == "text"
        assert not Ticket.objects.exists()


class TestReading:
    def test_a_ticket_says_nothing_of_how_we_work(self, program: ProgramClient, ticket: Ticket, aigerim: User) -> None:
        operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="скандалист")
        shown = program.get(f"{TICKETS}/{ticket.pk}").json()
        assert (shown["priority"], shown["assignee"], shown["team"], shown["tags"]) == (None, None, None, [])
        assert (shown["status"], shown["customerName"]) == ("open", "Тимур Ахметов")
        assert program.get(TICKETS).json()["tickets"] == [shown]

    @pytest.mark.parametrize("query", [{"assignee": "none"}, {"team": 1}, {"tag": "скандалист"}])
    def test_nor_do_filters(self, program: ProgramClient, ticket: Ticket, query: dict[str, object]) -> None:
        Tag.objects.create(name="скандалист")
        assert program.get(TICKETS, query).status_code == 403

    def test_the_conversation_is_what_the_customer_sees(
        self, program: ProgramClient, called_by: Call, ticket: Ticket, aigerim: User, bolat: User
    ) -> None:
        operations.note(ticket_id=ticket.pk, actor=bolat, text="Проверь, не врёт ли", client_id=uuid.uuid4())
        seen = arrived(replied(ticket, aigerim))
        for state in (DeliveryState.HELD, DeliveryState.FAILED):
            operations.settle(delivery_id=replied(ticket, aigerim, "Ещё").pk, state=state, parts_sent=0)
        operations.withdraw(message_id=replied(ticket, aigerim, "Не то").pk, actor=aigerim)
        replied(ticket, aigerim, "Ещё в пути")
        page = program.get(f"{TICKETS}/{ticket.pk}/messages").json()
        spoken = [(each["senderType"], each["text"], each["authorName"]) for each in page["messages"]]
        assert spoken == [
            ("client", "Здравствуйте! Не включается ноутбук.", None),
            ("manager", "Проверьте зарядку.", "Айгерим"),
        ]
        assert page["pagination"]["total"] == 2
        assert page["messages"][1]["author"] is None
        theirs = called_by(aigerim).get(f"{TICKETS}/{ticket.pk}/messages/{seen.pk}").json()
        assert theirs["authorName"] == "Айгерим Сатпаева"

    def test_so_is_one_brought_along_from_an_earlier_system(
        self, program: ProgramClient, ticket: Ticket, timur: Customer, aigerim: User
    ) -> None:
        moment = timezone.now()
        reply = ticket.messages.create(
            customer=timur, sender=Sender.MANAGER, author=aigerim, text="Меняем", sent_at=moment
        )
        said = [each["text"] for each in program.get(f"{TICKETS}/{ticket.pk}/messages").json()["messages"]]
        assert said == ["Здравствуйте! Не включается ноутбук.", reply.text]

    def test_neither_a_note_nor_its_file_is_reached_by_number(
        self, program: ProgramClient, ticket: Ticket, aigerim: User
    ) -> None:
        upload = operations.Upload(name="a.png", file=SimpleUploadedFile("a.png", PNG))
        note = operations.note(
            ticket_id=ticket.pk, actor=aigerim, text="Для нас", client_id=uuid.uuid4(), uploads=[upload]
        )
        assert program.get(f"{TICKETS}/{ticket.pk}/messages/{note.pk}").status_code == 404
        assert program.get(f"{TICKETS}/{ticket.pk}/files/{note.attachments.get().pk}").status_code == 404
        body = {"text": "Да", "replyTo": note.pk}
        assert program.post(f"{TICKETS}/{ticket.pk}/messages", body, format="json").status_code == 422

    def test_who_took_words_down_stays_among_us(self, program: ProgramClient, ticket: Ticket, saule: User) -> None:
        operations.enter_by_hand(ticket_id=ticket.pk, actor=saule, text="По телефону")
        shown = program.get(f"{TICKETS}/{ticket.pk}/messages").json()["messages"][-1]
        assert (shown["text"], shown["author"], shown["authorName"]) == ("По телефону", None, None)


class TestWriting:
    def test_a_ticket_of_a_customer_nobody_knew(self, speaking_for: SpeakFor, portal: ServiceAccount, team) -> None:
        topic = Topic.objects.create(name="Гарантия")
        client = speaking_for(Customer(telegram_user_id=555))
        body = {"telegramUserId": 555, "subject": "Чек", "text": "Где чек?", "topic": topic.pk}
        answer = client.post(TICKETS, body, format="json")
        assert answer.status_code == 201, answer.json()
        ticket = Ticket.objects.get(pk=answer.json()["id"])
        assert (ticket.customer.telegram_user_id, ticket.subject, ticket.topic) == (555, "Чек", topic)
        opened = ticket.events.get(kind=Event.Kind.OPENED)
        assert (opened.actor, opened.service_account) == (None, portal)

    def test_a_message_is_the_customers_and_bears_the_programs_name(
        self, program: ProgramClient, portal: ServiceAccount, ticket: Ticket, aigerim: User
    ) -> None:
        answer = program.post(f"{TICKETS}/{ticket.pk}/messages", {"text": " Жду "}, format="json")
        assert answer.status_code == 201, answer.json()
        message = Message.objects.get(pk=answer.json()["id"])
        assert (message.sender, message.author, message.service_account) == ("client", None, portal)
        assert message.text == "Жду"
        assert ticket.events.latest("pk").service_account == portal
        browser = Client()
        browser.force_login(aigerim)
        assert "Через «Портал»" in browser.get(f"/desk/t/{ticket.pk}/").content.decode()

    @pytest.mark.parametrize("sender", ["manager", "note"])
    def test_never_as_one_of_us(self, program: ProgramClient, ticket: Ticket, sender: str) -> None:
        body = {"senderType": sender, "text": "Мы решили"}
        assert program.post(f"{TICKETS}/{ticket.pk}/messages", body, format="json").status_code == 403

    def test_files_come_with_it(self, program: ProgramClient, ticket: Ticket) -> None:
        body = {"text": "Вот", "mediaType": "photo", "files": [SimpleUploadedFile("чек.png", PNG)]}
        answer = program.post(f"{TICKETS}/{ticket.pk}/messages", body, format="multipart")
        assert answer.status_code == 201, answer.json()
        assert answer.json()["mediaType"] == "photo"
        (file,) = answer.json()["files"]
        assert program.get(file["url"]).getvalue() == PNG

    def test_a_customer_who_stopped_the_bot_has_not_come_back_by_it(
        self, program: ProgramClient, ticket: Ticket, timur: Customer
    ) -> None:
        operations.customer_stopped_bot(customer=timur)
        program.post(f"{TICKETS}/{ticket.pk}/messages", {"text": "Жду"}, format="json")
        timur.refresh_from_db()
        assert timur.stopped_bot_at is not None

    def test_a_repeat_under_one_client_id_is_written_once(self, program: ProgramClient, ticket: Ticket) -> None:
        body = {"text": "Жду", "clientId": "a-1"}
        first, second = (program.post(f"{TICKETS}/{ticket.pk}/messages", body, format="json") for _ in range(2))
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert Message.objects.filter(text="Жду").count() == 1
        assert ApiAnswer.objects.get().caller is None

    def test_one_customers_repeat_is_not_anothers_answer(self, program: ProgramClient, lena: Customer, team) -> None:
        body = {"telegramUserId": 700_001, "text": "Жду", "clientId": "a-1"}
        assert program.post(TICKETS, body, format="json").status_code == 201
        program.name(lena.telegram_user_id)
        answer = program.post(TICKETS, body | {"telegramUserId": lena.telegram_user_id}, format="json")
        assert answer.status_code == 409

    @pytest.mark.django_db(transaction=True)
    def test_a_repeat_at_the_same_moment_is_written_once(self, program: ProgramClient, ticket: Ticket) -> None:
        def write() -> dict[str, object]:
            client = ProgramClient(program.key, 700_001)
            answer = client.post(f"{TICKETS}/{ticket.pk}/messages", {"text": "Жду", "clientId": "a-1"}, format="json")
            assert answer.status_code == 201, answer.content
            found: dict[str, object] = answer.json()
            return found

        answers = at_once(*[write] * 5)
        assert Message.objects.filter(text="Жду").count() == 1
        assert all(answer == answers[0] for answer in answers)

    def test_on_a_ticket_long_closed_a_new_one_is_opened(
        self, program: ProgramClient, ticket: Ticket, saule: User
    ) -> None:
        long_ago = timezone.now() - timedelta(days=8)
        Ticket.objects.filter(pk=ticket.pk).update(status="closed", resolved_at=long_ago, closed_at=long_ago)
        answer = program.post(f"{TICKETS}/{ticket.pk}/messages", {"text": "Снова"}, format="json")
        assert answer.status_code == 201
        assert answer.json()["ticketId"] != ticket.pk


class TestLimits:
    def test_each_account_has_its_own(
        self, program: ProgramClient, called_by: Call, aigerim: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(PerServiceAccount, "rate", "2/min", raising=False)
        monkeypatch.setattr(PerPerson, "rate", "1/min", raising=False)
        statuses = [program.get(TICKETS) for _ in range(3)]
        assert [answer.status_code for answer in statuses] == [200, 200, 429]
        assert 0 < int(statuses[-1]["Retry-After"]) <= 61
        assert called_by(aigerim).get(TICKETS).status_code == 200

    def test_naming_another_customer_does_not_go_around_it(
        self, program: ProgramClient, lena: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(PerServiceAccount, "rate", "1/min", raising=False)
        program.get(TICKETS)
        program.name(lena.telegram_user_id)
        assert program.get(TICKETS).status_code == 429
