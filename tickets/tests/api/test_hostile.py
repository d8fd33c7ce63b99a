"""Input nobody well-meaning sends: it is refused in words, and nothing is half done."""

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from tickets import operations
from tickets.models import Message, Ticket, User
from tickets.tests.api.conftest import V1, Call

HUGE = 10**30
TICKETS = f"{V1}/tickets"

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["user_id", "team", "topic", "assignee", "cursor", "offset"])
def test_a_number_no_row_can_have_in_a_filter(called_by: Call, aigerim: User, ticket: Ticket, name: str) -> None:
    answer = called_by(aigerim).get(TICKETS, {name: HUGE})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


def test_a_number_no_ticket_can_have_is_searched_for_as_words(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    answer = called_by(aigerim).get(TICKETS, {"search": HUGE})
    assert (answer.status_code, answer.json()["tickets"]) == (200, [])


@pytest.mark.parametrize("name", ["assignee", "topic", "seenMessageId"])
def test_a_number_no_row_can_have_in_a_change(called_by: Call, aigerim: User, ticket: Ticket, name: str) -> None:
    answer = called_by(aigerim).patch(f"{TICKETS}/{ticket.pk}", {name: HUGE}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


@pytest.mark.parametrize("name", ["replyTo", "seenMessageId"])
def test_a_number_no_row_can_have_in_a_message(called_by: Call, aigerim: User, ticket: Ticket, name: str) -> None:
    body = {"text": "Да", name: HUGE}
    answer = called_by(aigerim).post(f"{TICKETS}/{ticket.pk}/messages", body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


@pytest.mark.parametrize("letter", ["\x00", "\ud800"])
@pytest.mark.parametrize("name", ["text", "clientId"])
def test_letters_no_database_keeps(called_by: Call, aigerim: User, ticket: Ticket, name: str, letter: str) -> None:
    body = json.dumps({"text": "Да", name: f"a{letter}b"})  # in ASCII, as such letters can travel at all
    answer = called_by(aigerim).post(f"{TICKETS}/{ticket.pk}/messages", body, content_type="application/json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "Да", "\ud800": 1}, "\ufffd"),
        ({"text": "Да", "senderType": "\ud800"}, "senderType"),
        ({"text": "Да", "entities": [{"type": "\udfff", "offset": 0, "length": 1}]}, "entities.0.type"),
    ],
)
def test_half_a_letter_in_a_name_or_a_choice_can_be_named_in_the_answer(
    called_by: Call, aigerim: User, ticket: Ticket, body: dict[str, object], field: str
) -> None:
    where = f"{TICKETS}/{ticket.pk}/messages"
    answer = called_by(aigerim).post(where, json.dumps(body), content_type="application/json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


@pytest.mark.parametrize("address", [TICKETS, f"{V1}/auth/login"])
@pytest.mark.parametrize("opening", ["[", '{"text":'])
def test_json_nested_without_end_is_a_problem_in_words(
    called_by: Call, saule: User, address: str, opening: str
) -> None:
    answer = called_by(saule).post(address, opening * 100_000, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("name", ["text", "clientId"])
def test_a_number_is_no_text(called_by: Call, aigerim: User, ticket: Ticket, name: str) -> None:
    answer = called_by(aigerim).post(f"{TICKETS}/{ticket.pk}/messages", {"text": "Да", name: 5}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


@pytest.mark.parametrize("name", ["user_id", "status", "search", "updated_since", "assignee", "cursor"])
def test_a_filter_without_a_value_is_no_filter_left_out(
    called_by: Call, aigerim: User, ticket: Ticket, name: str
) -> None:
    answer = called_by(aigerim).get(TICKETS, {name: ""})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])


def test_of_two_values_none_is_chosen(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    client = called_by(aigerim)
    asked = client.get(f"{TICKETS}?limit=1&limit=2&colour=red&colour=blue")
    assert (asked.status_code, list(asked.json()["errors"])) == (422, ["limit"])
    told = client.post(f"{TICKETS}/{ticket.pk}/messages", {"text": ["Да", "Нет"]}, format="multipart")
    assert (told.status_code, list(told.json()["errors"])) == (422, ["text"])


@pytest.mark.parametrize(
    "body",
    ['{"text": "Да", "text": "Нет"}', '{"text": "Да", "entities": [{"type": "bold", "offset": 0, "offset": 1}]}'],
)
def test_nor_of_two_in_json(called_by: Call, aigerim: User, ticket: Ticket, body: str) -> None:
    answer = called_by(aigerim).post(f"{TICKETS}/{ticket.pk}/messages", body, content_type="application/json")
    assert (answer.status_code, "дважды" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("body", [b'{"text": "\xd0"}', b'{"text": NaN}', b'{"text": "\xef\xbb\xbf'])
def test_what_is_no_json_is_a_problem_in_words(called_by: Call, aigerim: User, ticket: Ticket, body: bytes) -> None:
    answer = called_by(aigerim).post(f"{TICKETS}/{ticket.pk}/messages", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("charset", ["bz2_codec", "no-such", "utf-16"])
def test_a_charset_it_is_not_in_is_a_problem_in_words(called_by: Call, saule: User, charset: str) -> None:
    answer = called_by(saule).post(TICKETS, b'{"a": 1}x', content_type=f"application/json; charset={charset}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_of_files_there_may_be_several(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    files = [SimpleUploadedFile(f"{number}.txt", b"x") for number in range(2)]
    answer = called_by(aigerim).post(
        f"{TICKETS}/{ticket.pk}/messages", {"text": "Вот", "files": files}, format="multipart"
    )
    assert (answer.status_code, len(answer.json()["files"])) == (201, 2)


@pytest.mark.parametrize("name", ["file", "text", "replyTo"])
def test_a_file_in_a_field_that_takes_none_is_not_left_behind(
    called_by: Call, aigerim: User, ticket: Ticket, name: str
) -> None:
    form = {"text": "Вот", "files": SimpleUploadedFile("1.txt", b"x"), name: SimpleUploadedFile("2.txt", b"x")}
    answer = called_by(aigerim).post(f"{TICKETS}/{ticket.pk}/messages", form, format="multipart")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])
    assert not Message.objects.filter(sender="manager").exists()


A_PART = b'--part\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xd0\x92\xd0\xbe\xd1\x82\r\n'
THE_END = b"--part--\r\n"


def a_file(disposition: bytes) -> bytes:
    return b"--part\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + b"x" * 500 + b"\r\n"


@pytest.mark.parametrize(
    "disposition",
    [
        'name="files"; filename="счёт.pdf"'.encode("cp1251"),
        b'name="files"; filename=".."',
        b'filename="1.pdf"',
    ],
)
def test_a_part_of_a_form_that_cannot_be_read_is_not_left_behind(
    called_by: Call, aigerim: User, ticket: Ticket, disposition: bytes
) -> None:
    form = A_PART + a_file(b'name="files"; filename="0.pdf"') + a_file(disposition) + THE_END
    where = f"{TICKETS}/{ticket.pk}/messages"
    answer = called_by(aigerim).post(where, form, content_type="multipart/form-data; boundary=part")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not Message.objects.filter(sender="manager").exists()


@pytest.mark.parametrize("charset", ["idna", "zlib", "utf-16"])
def test_a_form_in_a_charset_it_is_not_in_is_a_problem_in_words(
    called_by: Call, aigerim: User, ticket: Ticket, charset: str
) -> None:
    where = f"{TICKETS}/{ticket.pk}/messages"
    kind = f"multipart/form-data; boundary=part; charset={charset}"
    answer = called_by(aigerim).post(where, A_PART + THE_END, content_type=kind)
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"] == "application/problem+json"


def test_a_file_no_row_can_be_is_not_there(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    assert called_by(aigerim).get(f"{TICKETS}/{ticket.pk}/files/{2**63}").status_code == 404


def test_all_that_is_wrong_is_named_at_once(called_by: Call, saule: User) -> None:
    answer = called_by(saule).post(TICKETS, {"telegramUserId": 0, "text": "", "colour": "red"}, format="json")
    assert set(answer.json()["errors"]) == {"telegramUserId", "text", "colour"}


def test_more_files_than_a_message_takes_are_a_problem_in_words(called_by: Call, aigerim: User, ticket: Ticket) -> None:
    files = [SimpleUploadedFile(f"{number}.txt", b"x") for number in range(11)]
    answer = called_by(aigerim).post(
        f"{TICKETS}/{ticket.pk}/messages", {"text": "Вот", "files": files}, format="multipart"
    )
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_words_for_a_ticket_long_closed_open_a_new_one_and_say_which(
    called_by: Call, saule: User, ticket: Ticket
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=saule)
    long_ago = timezone.now() - timedelta(days=8)
    Ticket.objects.filter(pk=ticket.pk).update(status="closed", resolved_at=long_ago, closed_at=long_ago)
    body = {"senderType": "client", "text": "Снова не включается"}
    answer = called_by(saule).post(f"{TICKETS}/{ticket.pk}/messages", body, format="json")
    assert answer.status_code == 201
    message = Message.objects.get(text="Снова не включается")
    assert answer.json()["ticketId"] == message.ticket_id != ticket.pk
