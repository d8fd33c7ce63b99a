"""Messages over the API: reading, replying, notes, files, and what a customer said elsewhere."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from conftest import wrote
from tickets import operations
from tickets.api import messages as api_messages
from tickets.models import (
    AlterationState,
    ContentType,
    Customer,
    Delivery,
    DeliveryState,
    Message,
    Sender,
    Team,
    Ticket,
    User,
)
from tickets.tests.api.conftest import V1, Call
from tickets.tests.api.test_tickets import errors

PICTURE = (Path(settings.BASE_DIR) / "static" / "sandbox" / "samples" / "box.jpg").read_bytes()

pytestmark = pytest.mark.django_db


def address(ticket: Ticket) -> str:
    return f"{V1}/tickets/{ticket.pk}/messages"


def write(client: APIClient, ticket: Ticket, **body: object):
    return client.post(address(ticket), body, format="json")


def picture(name: str = "box.jpg", content: bytes = PICTURE) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/jpeg")


def test_without_parameters_the_whole_conversation_in_order(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    for number in range(60):
        wrote(ticket.customer, f"Слово {number}", ticket=ticket)
    page = called_by(aigerim).get(address(ticket)).json()
    ids = [message["id"] for message in page["messages"]]
    assert len(ids) == 61
    assert ids == sorted(ids)
    assert page["pagination"] == {"total": 61, "limit": api_messages.WHOLE, "offset": 0, "next": None}


def test_a_very_long_one_leads_to_the_rest(
    called_by: Call, aigerim: User, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_messages, "WHOLE", 4)
    for number in range(9):
        wrote(ticket.customer, f"Слово {number}", ticket=ticket)
    client, found, link = called_by(aigerim), [], address(ticket)
    while link:
        page = client.get(link).json()
        found += [message["id"] for message in page["messages"]]
        link = page["pagination"]["next"]
    assert found == list(ticket.messages.order_by("pk").values_list("pk", flat=True))


def test_a_page_of_messages(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    for number in range(5):
        wrote(ticket.customer, f"Слово {number}", ticket=ticket)
    page = called_by(aigerim).get(address(ticket), {"limit": 2, "offset": 1}).json()
    assert [message["text"] for message in page["messages"]] == ["Слово 0", "Слово 1"]
    assert page["pagination"]["total"] == 6


def test_a_reply_is_queued_for_the_customer(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    question = ticket.messages.get()
    answer = write(called_by(aigerim), ticket, senderType="manager", text="Проверьте зарядку", replyTo=question.pk)
    assert answer.status_code == 201
    shown = answer.json()
    message = Message.objects.get(pk=shown["id"])
    assert shown == {
        "id": message.pk,
        "ticketId": ticket.pk,
        "senderType": "manager",
        "author": aigerim.pk,
        "authorName": "Айгерим Сатпаева",
        "serviceAccount": None,
        "text": "Проверьте зарядку",
        "mediaType": "text",
        "files": [],
        "replyTo": question.pk,
        "quotedText": "",
        "forwardedFrom": "",
        "createdAt": shown["createdAt"],
        "editedAt": None,
        "deletedAt": None,
        "deliveryState": "queued",
        "alteration": None,
        "reactions": [],
        "ourReaction": "",
    }


def test_how_far_a_reply_has_come(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    client = called_by(aigerim)
    reply = write(client, ticket, text="Да").json()
    operations.settle(delivery_id=reply["id"], state=DeliveryState.UNKNOWN, parts_sent=0)
    assert client.get(f"{address(ticket)}/{reply['id']}").json()["deliveryState"] == "unknown"


def test_a_note_stays_in_the_team(called_by: Call, bolat: User, ticket: Ticket) -> None:
    shown = write(called_by(bolat), ticket, senderType="note", text="Склад закрыт").json()
    assert (shown["senderType"], shown["deliveryState"]) == ("note", None)
    assert not Delivery.objects.exists()


def test_a_manager_does_not_speak_for_customers_and_a_supervisor_is_named(
    called_by: Call, aigerim: User, saule: User, ticket: Ticket
) -> None:
    assert write(called_by(aigerim), ticket, senderType="client", text="Я клиент").status_code == 403
    shown = write(called_by(saule), ticket, senderType="client", text="Звонил, ждёт").json()
    assert (shown["senderType"], shown["author"]) == ("client", saule.pk)
    ticket.refresh_from_db()
    assert ticket.last_text == "Звонил, ждёт"


def test_a_colleagues_ticket_is_not_answered(called_by: Call, bolat: User, dana: User, ticket: Ticket) -> None:
    assert write(called_by(bolat), ticket, text="Отвечу я").status_code == 403
    assert write(called_by(dana), ticket, text="Отвечу я").status_code == 404


def test_what_a_customer_said_of_a_message_is_entered_with_it(
    called_by: Call, saule: User, ticket: Ticket, answer: Callable[..., Message]
) -> None:
    reply = answer(ticket, saule)
    note = operations.note(ticket_id=ticket.pk, actor=saule, text="Между нами", client_id=uuid.uuid4())
    client = called_by(saule)
    told = write(client, ticket, senderType="client", text="Так и сделал", replyTo=reply.pk)
    assert (told.status_code, told.json()["replyTo"]) == (201, reply.pk)
    for unknown in (note.pk, 999_999):
        refused = write(client, ticket, senderType="client", text="Так и сделал", replyTo=unknown)
        assert list(errors(refused)) == ["replyTo"]


def test_a_note_quotes_nothing(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    question = ticket.messages.get()
    refused = write(called_by(aigerim), ticket, senderType="note", text="Проверю", replyTo=question.pk)
    assert list(errors(refused)) == ["replyTo"]
    assert write(called_by(aigerim), ticket, senderType="note", text="Проверю", replyTo=None).status_code == 201


@pytest.mark.parametrize("sender", ["note", "client"])
def test_only_a_reply_waits_for_what_is_unread(called_by: Call, saule: User, ticket: Ticket, sender: str) -> None:
    answer = write(called_by(saule), ticket, text="Слово", senderType=sender, seenMessageId=ticket.last_message_id)
    assert list(errors(answer)) == ["seenMessageId"]


def test_a_message_of_another_ticket_cannot_be_quoted(
    called_by: Call, aigerim: User, ticket: Ticket, timur: Customer
) -> None:
    foreign = wrote(timur, "Другой вопрос").message
    assert list(errors(write(called_by(aigerim), ticket, text="Да", replyTo=foreign.pk))) == ["replyTo"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "   "}, "text"),
        ({"text": "я" * 20_001}, "text"),
        ({"text": "Да", "senderType": "system"}, "senderType"),
        ({"text": "Да", "replyTo": "x"}, "replyTo"),
        ({"text": "Да", "mediaType": "sticker"}, "mediaType"),
        ({"text": "Да", "clientId": "x" * 65}, "clientId"),
        ({"text": "Да", "seen": 1}, "seen"),
    ],
)
def test_what_is_wrong_is_named(
    called_by: Call, aigerim: User, ticket: Ticket, body: dict[str, object], field: str
) -> None:
    assert list(errors(write(called_by(aigerim), ticket, **body))) == [field]
    assert not ticket.messages.filter(sender=Sender.MANAGER).exists()


def test_a_reply_over_unknown_messages_waits(called_by: Call, aigerim: User, ticket: Ticket, timur: Customer) -> None:
    known = ticket.last_message_id
    missed = wrote(timur, "Уже не нужно", ticket=ticket).message
    answer = write(called_by(aigerim), ticket, text="Да", seenMessageId=known)
    assert (answer.status_code, answer.json()["missed"]) == (409, [missed.pk])


def test_sent_twice_it_is_one_message(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    client = called_by(aigerim)
    first, second = (write(client, ticket, text="Да", clientId="m-1") for _ in range(2))
    assert first.json() == second.json()
    assert Delivery.objects.count() == 1
    assert write(client, ticket, text="Нет", clientId="m-1").status_code == 409


def test_sent_again_when_the_ticket_is_lost_it_is_answered_as_before(
    called_by: Call, aigerim: User, bolat: User, ticket: Ticket, strict_team: Team
) -> None:
    client = called_by(aigerim)
    first = write(client, ticket, text="Да", clientId="m-1")
    strict_team.members.add(bolat)
    Ticket.objects.filter(pk=ticket.pk).update(team=strict_team, assignee=bolat)
    again = write(client, ticket, text="Да", clientId="m-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert write(client, ticket, text="Да", clientId="m-2").status_code == 404
    assert Delivery.objects.count() == 1


def test_sent_under_another_id_it_is_another_message(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    client = called_by(aigerim)
    first, second = (write(client, ticket, text="Да", clientId=key) for key in ("m-1", "m-2"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


class TestFiles:
    def send(self, client: APIClient, ticket: Ticket, *files: SimpleUploadedFile, **fields: str):
        return client.post(address(ticket), {"text": "Вот", "files": list(files), **fields}, format="multipart")

    def test_they_go_with_a_reply_and_come_back_the_same(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        client = called_by(aigerim)
        answer = self.send(client, ticket, picture(), mediaType="photo")
        assert answer.status_code == 201
        (file,) = answer.json()["files"]
        assert (file["name"], file["mediaType"], file["contentType"]) == ("box.jpg", "photo", "image/jpeg")
        assert client.get(file["url"]).getvalue() == PICTURE

    def test_a_picture_may_travel_as_a_document(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        answer = self.send(called_by(aigerim), ticket, picture(), mediaType="document")
        assert answer.json()["files"][0]["mediaType"] == "document"
        assert Message.objects.latest("pk").content_type == ContentType.DOCUMENT

    @pytest.mark.parametrize("kind", ["photo", "video", "voice", "audio"])
    def test_the_bytes_decide_what_a_file_is(self, called_by: Call, aigerim: User, ticket: Ticket, kind: str) -> None:
        answer = self.send(called_by(aigerim), ticket, picture(content=b"MZ" + b"x" * 100), mediaType=kind)
        assert list(errors(answer)) == ["mediaType"]
        assert not ticket.messages.filter(sender=Sender.MANAGER).exists()

    def test_the_same_files_again_are_the_same_message(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        client = called_by(aigerim)
        first, second = (self.send(client, ticket, picture(), clientId="f-1") for _ in range(2))
        assert first.json() == second.json()
        other = self.send(client, ticket, picture(content=PICTURE + b"\0"), clientId="f-1")
        assert other.status_code == 409

    def test_an_empty_one_is_refused(self, called_by: Call, aigerim: User, ticket: Ticket) -> None:
        answer = self.send(called_by(aigerim), ticket, picture(content=b""))
        assert list(errors(answer)) == ["files"]

    def test_a_stranger_gets_none(self, called_by: Call, aigerim: User, dana: User, ticket: Ticket) -> None:
        url = self.send(called_by(aigerim), ticket, picture()).json()["files"][0]["url"]
        assert called_by(dana).get(url).status_code == 404
        assert APIClient().get(url).status_code == 401


def test_whose_words_a_customer_passed_on_and_what_they_quoted_is_told(
    called_by: Call, aigerim: User, ticket: Ticket
) -> None:
    incoming = operations.Incoming(
        sent_at=timezone.now(), text="Это как?", quote_text="Доставим завтра", forwarded_from="Сосед"
    )
    operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket)
    last = called_by(aigerim).get(f"{V1}/tickets/{ticket.pk}/messages").json()["messages"][-1]
    assert (last["quotedText"], last["forwardedFrom"]) == ("Доставим завтра", "Сосед")


def one(ticket: Ticket, message: Message) -> str:
    return f"/api/v1/tickets/{ticket.pk}/messages/{message.pk}"


def arrived(ticket: Ticket, actor: User, text: str) -> Message:
    message = operations.reply(ticket_id=ticket.pk, actor=actor, text=text, client_id=uuid.uuid4())
    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)
    return message


def test_a_reply_that_has_left_is_changed_and_deleted_there(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    message, client = arrived(ticket, aigerim, "Раз."), called_by(aigerim)
    changed = client.patch(one(ticket, message), {"text": "Два."}, format="json")
    again = client.patch(one(ticket, message), {"text": "Два."}, format="json")
    assert (changed.status_code, again.status_code) == (200, 200)
    edit = {"kind": "edit", "state": "queued", "obstacle": "", "text": "Два."}
    assert (changed.json()["text"], changed.json()["alteration"]) == ("Два.", edit)
    deleted = client.delete(one(ticket, message))
    assert (deleted.status_code, deleted.json()["alteration"]["kind"]) == (200, "delete")
    assert client.delete(one(ticket, message)).status_code == 200
    refused = client.patch(one(ticket, message), {"text": "Три."}, format="json")
    assert refused.status_code == 409
    assert [each.state for each in message.alterations.order_by("pk")] == ["replaced", "queued"]


def test_the_new_words_of_a_reply_may_be_formatted(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    message, client = arrived(ticket, aigerim, "Раз."), called_by(aigerim)
    bold = [{"type": "bold", "offset": 0, "length": 3}]
    assert client.patch(one(ticket, message), {"text": "Два.", "entities": bold}, format="json").status_code == 200
    assert message.alterations.get().entities == bold
    assert client.patch(one(ticket, message), {"text": "Два.", "entities": ["bold"]}, format="json").status_code == 422


def test_a_reply_that_has_not_left_is_withdrawn(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    message = operations.reply(ticket_id=ticket.pk, actor=aigerim, text="Раз.", client_id=uuid.uuid4())
    answer = called_by(aigerim).delete(one(ticket, message))
    assert (answer.status_code, answer.json()["deliveryState"]) == (200, "cancelled")
    assert not message.alterations.exists()


def test_a_change_and_a_deletion_of_what_has_not_left_may_be_sent_twice(
    called_by: Call, aigerim: User, ticket: Ticket
) -> None:
    message = operations.reply(ticket_id=ticket.pk, actor=aigerim, text="Раз.", client_id=uuid.uuid4())
    client, before = called_by(aigerim), ticket.events.count()
    first, second = [client.patch(one(ticket, message), {"text": "Два."}, format="json") for _ in range(2)]
    assert (second.status_code, second.json()) == (200, first.json())
    assert (message.revisions.count(), ticket.events.count()) == (1, before + 1)
    first, second = [client.delete(one(ticket, message)) for _ in range(2)]
    assert (second.status_code, second.json()) == (200, first.json())
    assert ticket.events.count() == before + 2


def test_what_is_no_reply_is_not_changed_and_says_so(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    client = called_by(aigerim)
    note = ticket.messages.get(pk=write(client, ticket, text="Позвонить", senderType="note").json()["id"])
    for message in (ticket.messages.earliest("pk"), note):
        answers = [
            client.patch(one(ticket, message), {"text": "Два."}, format="json"),
            client.delete(one(ticket, message)),
        ]
        assert [(answer.status_code, "ответ" in answer.json()["detail"]) for answer in answers] == [(409, True)] * 2


def test_what_was_imported_has_nothing_in_telegram_to_change(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    message = arrived(ticket, aigerim, "Раз.")
    message.delivery.delete()
    for answer in (
        called_by(aigerim).delete(one(ticket, message)),
        called_by(aigerim).patch(one(ticket, message), {"text": "Два."}, format="json"),
    ):
        assert (answer.status_code, "прежней системы" in answer.text) == (409, True)


def test_what_became_of_a_change_is_told_among_the_events(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    message = arrived(ticket, aigerim, "Раз.")
    operations.edit_reply(message_id=message.pk, actor=aigerim, text="Два.")
    alteration = operations.start_alteration(alteration_id=message.alterations.get().pk)
    assert alteration is not None
    operations.settle_alteration(alteration_id=alteration.pk, state=AlterationState.DONE, steps_done=1)
    told = called_by(aigerim).get(f"{V1}/events?after=0").json()["events"][-2:]
    assert [(event["kind"], event["message"], event["state"]) for event in told] == [
        ("edited", message.pk, None),
        ("altered", message.pk, "done"),
    ]


def test_marks_in_a_text_are_words_and_formatting_comes_beside_it(
    called_by: Call, aigerim: User, ticket: Ticket
) -> None:
    client = called_by(aigerim)
    entities = [{"type": "text_link", "offset": 2, "length": 5, "url": "https://a.kz"}]
    assert write(client, ticket, text="**Важно** __да__").json()["text"] == "**Важно** __да__"
    assert write(client, ticket, text="на сайте", entities=[{**entities[0], "offset": 3}]).status_code == 201
    assert write(client, ticket, text="\r\nсайте", entities=entities, senderType="note").status_code == 201
    plain, link, note = ticket.messages.filter(author=aigerim).order_by("pk")
    assert plain.entities == []
    assert link.entities == [{**entities[0], "offset": 3}]
    assert (note.text, note.entities) == ("сайте", [{**entities[0], "offset": 0}])


@pytest.mark.parametrize(
    "entities",
    [
        [{"type": "bold", "offset": 0}],
        [{"type": "custom_emoji", "offset": 0, "length": 1}],
        [{"type": "bold", "offset": 0, "length": 9}],
        [{"type": "bold", "offset": 0, "length": 1}],  # half of the emoji
        [{"type": "bold", "offset": 0, "length": 2, "user": 1}],
        [{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 2, "length": 3}],
        [{"type": "text_link", "offset": 0, "length": 2, "url": "javascript:alert(1)"}],
        [{"type": "text_link", "offset": 0, "length": 2}],
        ["bold"],
        {"type": "bold"},
        [{"type": "bold", "offset": 0, "length": 2}] * 101,
    ],
)
def test_formatting_telegram_would_not_take_is_told(
    called_by: Call, aigerim: User, ticket: Ticket, entities: object
) -> None:
    answer = write(called_by(aigerim), ticket, text="👍 да", entities=entities)
    assert answer.status_code == 422
    assert "entities" in str(errors(answer))
    assert not ticket.messages.filter(author=aigerim).exists()


def test_what_a_customer_said_has_no_formatting(called_by: Call, saule: User, ticket: Ticket) -> None:
    bold = [{"type": "bold", "offset": 0, "length": 2}]
    answer = write(called_by(saule), ticket, text="Да", entities=bold, senderType="client")
    assert "entities" in str(errors(answer))
