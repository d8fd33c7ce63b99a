"""Updates are kept as they came, whatever they hold."""

import json

import pytest
from django.db import IntegrityError, OperationalError, transaction

from botbridge import storing
from botbridge.models import Update
from botbridge.storing import chat_of, retry_update, store
from botbridge.tests.conftest import BOT_ID, Json, Line, Phone

pytestmark = pytest.mark.django_db


def message(update_id: int, text: str = "Здравствуйте", chat_id: int = 7) -> Json:
    return {"update_id": update_id, "message": {"message_id": 1, "chat": {"id": chat_id}, "text": text}}


def test_an_update_is_kept_word_for_word():
    store(BOT_ID, [message(1, "Қайда менің тапсырысым? 📦")])
    assert json.loads(Update.objects.get().raw) == message(1, "Қайда менің тапсырысым? 📦")


def test_a_batch_that_comes_twice_is_stored_once():
    batch = [message(1), message(2)]
    store(BOT_ID, batch)
    store(BOT_ID, batch)
    assert Update.objects.count() == 2


def test_numbers_that_begin_again_do_not_hide_new_updates():
    """After a week of silence Telegram may go on with any number, also one it has used."""
    store(BOT_ID, [message(1, "Первое")])
    store(BOT_ID, [message(1, "Второе, под тем же номером")])
    assert Update.objects.count() == 2


def test_nul_and_lone_surrogates_are_stored_and_reach_the_desk_as_replacement_characters(line: Line, phone: Phone):
    phone.write("до\x00после \ud83d конец")
    assert phone.written == ["до\ufffdпосле \ufffd конец"]
    assert r"\u0000" in Update.objects.get().raw


def test_what_belongs_to_no_chat_is_parked_and_not_lost():
    store(BOT_ID, [{"update_id": 1, "poll": {"id": "7", "question": "?"}}])
    update = Update.objects.get()
    assert (update.state, update.reason) == (Update.State.PARKED, "no chat in it")


def test_a_number_no_database_can_hold_does_not_refuse_its_batch():
    store(BOT_ID, [message(1), message(2**70, chat_id=2**70), message(3)])
    assert Update.objects.filter(state=Update.State.STORED).count() == 2
    assert Update.objects.filter(state=Update.State.PARKED).count() == 1


def test_a_refused_batch_is_stored_row_by_row(monkeypatch: pytest.MonkeyPatch):
    insert = storing._insert

    def refuse_the_second(rows: list[Update]) -> None:
        if any(row.update_id == 2 and row.chat_id is not None for row in rows):
            raise IntegrityError("refused")
        insert(rows)

    monkeypatch.setattr(storing, "_insert", refuse_the_second)
    store(BOT_ID, [message(1), message(2), message(3)])
    states = dict(Update.objects.values_list("update_id", "state"))
    assert states == {1: Update.State.STORED, 2: Update.State.PARKED, 3: Update.State.STORED}


def test_without_a_database_nothing_counts_as_stored(monkeypatch: pytest.MonkeyPatch):
    def gone(rows: list[Update]) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(storing, "_insert", gone)
    with pytest.raises(OperationalError):
        store(BOT_ID, [message(1)])


@pytest.mark.parametrize(
    ("event", "chat_id"),
    [
        ({"message": {"chat": {"id": 5}}}, 5),
        ({"callback_query": {"from": {"id": 6}, "message": {"chat": {"id": 5}}}}, 5),
        ({"callback_query": {"from": {"id": 6}, "inline_message_id": "x"}}, 6),
        ({"my_chat_member": {"chat": {"id": 5}, "from": {"id": 6}}}, 5),
        ({"brand_new": {"chat": {"id": 5}}}, 5),
        ({"message": {"chat": "5"}}, None),
        ({"message": {"chat": {"id": True}}}, None),
        ({"poll": {"id": "1"}}, None),
        ({"message": None}, None),
    ],
)
def test_the_chat_is_found_without_trusting_the_shape(event: Json, chat_id: int | None):
    assert chat_of({"update_id": 1, **event}) == chat_id


def test_the_database_itself_refuses_a_second_row_for_one_update():
    store(BOT_ID, [message(1)])
    first = Update.objects.get()
    first.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save(force_insert=True)


def test_a_parked_update_can_be_tried_again(line: Line, phone: Phone):
    phone.write("Раз")
    update = Update.objects.get()
    Update.objects.update(state=Update.State.PARKED, attempts=5, reason="ValueError: x")
    retry_update(update)
    update.refresh_from_db()
    assert (update.state, update.attempts, update.reason) == (Update.State.STORED, 0, "")
