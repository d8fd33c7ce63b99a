"""What was parked comes to the desk when it is tried again; what was handled comes there no second time."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model
from django.utils import timezone

from botbridge.models import ChatSession, TelegramFile, TelegramMessage, Update
from botbridge.tests.conftest import BOT_ID, TOKEN, Line, Phone, parked
from botbridge.tests.test_every_kind import KINDS, content
from tickets.models import (
    Attachment,
    Customer,
    Delivery,
    Event,
    HiddenCard,
    Message,
    MessageRevision,
    Sender,
    Ticket,
)

pytestmark = pytest.mark.django_db

ROWS: tuple[type[Model], ...] = (
    Attachment,
    Customer,
    Delivery,
    Event,
    HiddenCard,
    Message,
    MessageRevision,
    TelegramFile,
    TelegramMessage,
    Ticket,
)


def replay(*arguments: str) -> str:
    """What the command says."""
    out = StringIO()
    call_command("replay", *arguments, stdout=out, no_color=True)
    return out.getvalue()


def replay_in_vain(*arguments: str) -> str:
    out = StringIO()
    with pytest.raises(CommandError, match="Not everything is handled"):
        call_command("replay", *arguments, stdout=out, no_color=True)
    return out.getvalue()


def rows() -> dict[str, list[Any]]:
    """Everything the desk is made of, as it stands."""
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in ROWS}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A version that cannot store what customers write. Undo it, and it can."""
    with monkeypatch.context() as patch:
        patch.setattr("botbridge.chats.operations.receive", lambda **_: 1 / 0)
        yield patch


@pytest.fixture
def one_parked(line: Line, phone: Phone, broken: pytest.MonkeyPatch) -> Update:
    line.store(phone.message(text="Где мой заказ?"))
    for _ in range(5):
        line.skip_waiting()
        line.handle_all()
    (update,) = parked()
    return update


def test_what_was_parked_comes_to_the_desk_once_the_fault_is_mended(one_parked: Update, phone: Phone, broken) -> None:
    broken.undo()
    said = replay("--parked")
    assert said == f"{one_parked.update_id} (message, chat {phone.id}): handled\n"
    assert phone.written == ["Где мой заказ?"]
    assert replay("--parked") == "Nothing to replay.\n"


def test_what_fails_again_is_parked_again_at_once_and_the_command_says_so(one_parked: Update) -> None:
    said = replay_in_vain("--id", str(one_parked.update_id))
    assert "parked again, ZeroDivisionError" in said
    assert parked() == [one_parked]


def test_a_dry_run_only_says_what_would_be_done(one_parked: Update, broken) -> None:
    broken.undo()
    before = rows()
    assert "would be handled, was parked: ZeroDivisionError" in replay("--parked", "--dry-run")
    assert rows() == before
    assert parked() == [one_parked]


def test_the_words_of_customers_are_not_printed(one_parked: Update) -> None:
    assert "заказ" not in replay("--parked", "--dry-run") + replay_in_vain("--parked")


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (["--chat", "700001"], True),
        (["--chat", "7"], False),
        (["--kind", "message", "--parked"], True),
        (["--kind", "callback_query", "--parked"], False),
        (["--reason", "ZeroDivision"], True),
        (["--reason", "NoSuchFault"], False),
        (["--since", "1h"], True),
        (["--since", "2d"], True),
        (["--since", "2999-01-01"], False),
    ],
)
def test_updates_are_chosen_by_what_is_known_of_them(one_parked: Update, chosen: list[str], found: bool) -> None:
    assert (str(one_parked.update_id) in replay(*chosen, "--dry-run")) is found


def test_something_has_to_be_chosen(db: None) -> None:
    with pytest.raises(CommandError, match="Say what to replay"):
        call_command("replay", "--dry-run")
    with pytest.raises(CommandError, match="write an age"):
        call_command("replay", "--since", "yesterday")


def test_what_names_no_chat_stays_parked_and_is_named(line: Line) -> None:
    line.store({"poll": {"id": "1"}})
    assert "left, it names no chat" in replay_in_vain("--parked")
    Update.objects.update(settled_at=timezone.now())
    assert replay("--parked") == "Nothing to replay.\n"


def test_a_bot_that_has_a_chat_at_work_keeps_it(
    one_parked: Update, broken, monkeypatch: pytest.MonkeyPatch, phone: Phone
) -> None:
    broken.undo()
    monkeypatch.setattr("botbridge.replays.PATIENCE", 0.1)
    ChatSession.objects.update(handle_after=timezone.now() + timedelta(minutes=1))
    assert "still waits, another worker has its chat" in replay_in_vain("--parked")
    assert Update.objects.get().state == Update.State.STORED


# What was handled.


def test_every_kind_handled_a_second_time_changes_nothing(line: Line, phone: Phone) -> None:
    phone.write("Здравствуйте, карта 4111 1111 1111 1111")
    for kind in KINDS:
        phone.send(**content(kind))
    album = [phone.message(photo=content("photo")["photo"], media_group_id="a", caption=f"{n}") for n in range(3)]
    line.take(*album)
    before = rows()
    assert len(before["Message"]) > len(KINDS)
    Update.objects.update(state=Update.State.STORED, attempts=0)
    line.handle_all()
    assert not Update.objects.exclude(state=Update.State.HANDLED).exists()
    assert rows() == before


def test_an_edit_tried_again_takes_no_later_one_back(line: Line, phone: Phone) -> None:
    now = int(timezone.now().timestamp())
    written = phone.write("Раз", date=now - 30)
    for seconds, text in ((20, "Два"), (10, "Три")):
        message = phone.message(message_id=written, text=text, edit_date=now - seconds)["message"]
        line.take({"edited_message": message})
    before = rows()
    Update.objects.update(state=Update.State.STORED, attempts=0)
    line.handle_all()
    assert rows() == before
    assert phone.written == ["Три"]


def test_of_an_edit_that_comes_after_a_later_one_the_words_are_kept(line: Line, phone: Phone) -> None:
    now = int(timezone.now().timestamp())
    written = phone.write("Раз", date=now - 30)
    for seconds, text in ((10, "Три"), (20, "Два")):
        message = phone.message(message_id=written, text=text, edit_date=now - seconds)["message"]
        line.take({"edited_message": message})
    assert phone.written == ["Три"]
    assert sorted(MessageRevision.objects.values_list("text", flat=True)) == ["Два", "Раз"]


def test_of_a_message_that_comes_after_two_edits_the_first_words_are_kept_too(line: Line, phone: Phone) -> None:
    now = int(timezone.now().timestamp())
    first = phone.message(text="Раз", date=now - 30)
    for seconds, text in ((20, "Два"), (10, "Три")):
        line.take({"edited_message": {**first["message"], "text": text, "edit_date": now - seconds}})
    line.take(first)
    assert phone.written == ["Три"]
    assert sorted(MessageRevision.objects.values_list("text", flat=True)) == ["Два", "Раз"]


def test_a_message_that_comes_again_does_not_end_the_wait_for_a_new_question(line: Line, phone: Phone) -> None:
    phone.write("Первый")
    first = Update.objects.get()
    Ticket.objects.update(status="resolved", resolved_at=timezone.now(), waiting_since=None)
    phone.write("/new")
    Update.objects.filter(pk=first.pk).update(state=Update.State.STORED)
    line.handle_all()
    phone.write("Второй")
    assert len(phone.tickets) == 2


def test_what_was_handled_is_left_unless_that_is_asked_for(phone: Phone) -> None:
    phone.write("Вопрос")
    assert replay("--since", "1h") == "Nothing to replay.\n"
    before = rows()
    assert "left, the desk has it" in replay("--since", "1h", "--handled")
    assert rows() == before


def test_a_handled_message_the_desk_lacks_comes_back(line: Line, phone: Phone) -> None:
    line.store(phone.message(text="Пропавшее"))
    Update.objects.update(state=Update.State.HANDLED, handled_at=timezone.now())
    assert replay("--chat", str(phone.id), "--handled").endswith(": handled\n")
    assert phone.written == ["Пропавшее"]


def test_commands_presses_and_comings_and_goings_are_never_done_twice(line: Line, phone: Phone) -> None:
    phone.write("/help")
    phone.press_data("garbage")
    phone.stop_bot()
    phone.start_bot_again()
    line.take({"message": {**phone.message(text="всем")["message"], "chat": {"id": -5, "type": "group", "title": "Г"}}})
    before = rows()
    said = replay("--since", "1h", "--handled")
    assert said.count("left, what was handled and is no message is not done twice") == 3
    assert said.count("left, a command is not answered twice") == 1
    assert said.count("left, of groups nothing is kept") == 1
    assert rows() == before


# Files.


def test_a_file_of_updates_is_stored_and_handled_once(line: Line, phone: Phone, tmp_path: Path, settings: Any) -> None:
    settings.TELEGRAM_BOT_TOKEN = TOKEN
    updates = [{"update_id": number, **phone.message(text=f"Письмо {number}")} for number in (7, 8)]
    for content_ in (updates, {"ok": True, "result": updates}):
        (tmp_path / "updates.json").write_text(json.dumps(content_))
        said = replay("--file", str(tmp_path / "updates.json"))
    assert said == "Nothing to replay.\n", "the second time all is known"
    assert phone.written == ["Письмо 7", "Письмо 8"]
    assert set(Update.objects.values_list("bot_id", flat=True)) == {BOT_ID}


@pytest.mark.parametrize("text", ["", "7", '{"ok": false}', "[1]"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, settings: Any, db: None, text: str) -> None:
    settings.TELEGRAM_BOT_TOKEN = TOKEN
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(CommandError, match=r"x\.json"):
        call_command("replay", "--file", str(tmp_path / "x.json"))
    assert not Message.objects.filter(sender=Sender.CLIENT).exists()
