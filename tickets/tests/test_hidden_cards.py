"""A card number a customer writes is masked wherever anybody reads, and shown to who asks, with a line for it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Event, HiddenCard, Message
from tickets.operations import Incoming, IncomingFile, NotVisible

pytestmark = pytest.mark.django_db

CARD = "4111111111111111"
WRITTEN = "Оплатил картой 4111 1111 1111 1111, а чека нет"
SHOWN = "Оплатил картой •••• •••• •••• 1111, а чека нет"


def rows_with(*needles: str) -> dict[str, int]:
    """In how many rows of which table any of these stands."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            hits = sum(any(needle in str(row) for needle in needles) for row in cursor.fetchall())
            if hits:
                found[table] = hits
    return found


@pytest.fixture
def with_card(ticket, timur) -> Message:
    return wrote(timur, WRITTEN, ticket=ticket).message


def test_the_number_stands_in_one_row_of_one_table(with_card):
    assert with_card.text == SHOWN
    assert rows_with(CARD, "4111 1111 1111 1111") == {"tickets_hiddencard": 1}


def test_a_new_tickets_subject_and_preview_are_masked_too(timur, team):
    ticket = wrote(timur, WRITTEN).ticket
    ticket.refresh_from_db()
    assert (ticket.subject, ticket.last_text) == (SHOWN, SHOWN)
    assert rows_with("4111 1111 1111 1111") == {}


def test_formatting_still_points_at_the_same_words(timur, ticket):
    entities = [{"type": "bold", "offset": WRITTEN.index("а чека"), "length": 6}]
    incoming = Incoming(text=WRITTEN, entities=entities, sent_at=timezone.now())
    message = operations.receive(customer=timur, incoming=incoming, ticket=ticket).message
    offset, length = message.entities[0]["offset"], message.entities[0]["length"]
    assert message.text[offset : offset + length] == "а чека"


def test_captions_quotes_and_names_of_files_are_masked_too(timur, ticket):
    photo = IncomingFile(kind="document", file_name="4111 1111 1111 1111.pdf")
    incoming = Incoming(
        content_type="document", text=WRITTEN, quote_text=f"Ваша карта {CARD}?", files=[photo], sent_at=timezone.now()
    )
    message = operations.receive(customer=timur, incoming=incoming, ticket=ticket).message
    assert (message.text, message.quote_text) == (SHOWN, "Ваша карта ••••••••••••1111?")
    assert message.attachments.get().file_name == "•••• •••• •••• 1111.pdf"
    assert rows_with(CARD, "4111 1111 1111 1111") == {"tickets_hiddencard": 1}


def test_an_edit_hides_the_new_number_and_what_it_replaced_stays_masked(with_card, aigerim):
    edited_at = timezone.now() + timedelta(minutes=1)
    operations.revise(message=with_card, text="5555555555554444", entities=[], edited_at=edited_at)
    with_card.refresh_from_db()
    assert with_card.text == "••••••••••••4444"
    assert with_card.revisions.get().text == SHOWN
    assert operations.reveal_cards(message_id=with_card.pk, actor=aigerim) == [CARD, "5555555555554444"]


def test_an_edit_that_brings_another_number_of_the_same_look_keeps_it(with_card, aigerim):
    other = WRITTEN.replace("4111 1111 1111", "4012 8888 8888").replace("1111,", "1881,")
    operations.revise(message=with_card, text=other, entities=[], edited_at=timezone.now())
    assert operations.reveal_cards(message_id=with_card.pk, actor=aigerim) == [CARD, "4012888888881881"]


def test_what_is_taken_down_by_hand_is_masked(saule, ticket):
    message = operations.enter_by_hand(ticket_id=ticket.pk, actor=saule, text=WRITTEN)
    assert (message.text, HiddenCard.objects.get().number) == (SHOWN, CARD)


def test_who_sees_the_message_may_see_the_number_and_stands_in_history(with_card, bolat):
    assert operations.reveal_cards(message_id=with_card.pk, actor=bolat) == [CARD]
    event = Event.objects.get(kind=Event.Kind.CARD_SHOWN)
    assert (event.actor, event.data["message"]) == (bolat, with_card.pk)
    assert CARD not in str(event.data)


def test_a_stranger_learns_nothing_and_leaves_no_line(with_card, dana):
    with pytest.raises(NotVisible):
        operations.reveal_cards(message_id=with_card.pk, actor=dana)
    assert not Event.objects.filter(kind=Event.Kind.CARD_SHOWN).exists()


def test_where_nothing_is_hidden_nothing_is_shown(ticket, aigerim):
    with pytest.raises(NotVisible):
        operations.reveal_cards(message_id=ticket.opened_by_id, actor=aigerim)


def address(message: Message) -> str:
    return reverse("tickets:cards", args=[message.ticket_id, message.pk])


def test_the_page_offers_the_number_and_holds_it_only_in_the_answer(desk, htmx, aigerim, ticket, with_card):
    page = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    assert SHOWN in page
    assert page.count("Номер карты скрыт") == 1
    assert address(with_card) in page
    assert "4111 1111 1111 1111" in htmx(aigerim).post(address(with_card)).text
    assert "Вернуться к обращению" in desk(aigerim).post(address(with_card)).text
    for name in ("ticket", "messages", "row"):
        text = htmx(aigerim).get(reverse(f"tickets:{name}", args=[ticket.pk]), {"after": 0}).text
        assert "4111 1111" not in text


def test_the_queue_and_the_admin_show_it_masked(desk, aigerim, saule, with_card, ticket):
    assert "•••• 1111" in desk(aigerim).get(reverse("tickets:queue")).text
    room = desk(saule)
    pages = [reverse("admin:tickets_ticket_changelist"), reverse("admin:tickets_ticket_change", args=[ticket.pk])]
    pages.append(reverse("admin:tickets_ticket_history", args=[ticket.pk]))
    for page in pages:
        assert "4111 1111" not in room.get(page).text


def test_a_message_of_another_ticket_is_not_there(desk, saule, timur, with_card):
    other = wrote(timur, "Другой вопрос").ticket
    assert desk(saule).post(reverse("tickets:cards", args=[other.pk, with_card.pk])).status_code == 404


def test_the_api_tells_it_masked(desk, aigerim, ticket, with_card):
    answer = desk(aigerim).get(f"/api/v1/tickets/{ticket.pk}/messages")
    assert answer.json()["messages"][-1]["text"] == SHOWN
