"""A customer's app does what Telegram's does, and no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from botbridge.sandbox.client import CustomerClient, SandboxRefusal
from botbridge.sandbox.thread import SandboxServer


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


@pytest.fixture
def timur(sandbox: SandboxServer) -> CustomerClient:
    return sandbox.customer()


def test_invented_customers_wait_who_have_not_written_yet(sandbox):
    chats = sandbox.chats()
    assert [chat["first_name"] for chat in chats][:4] == ["Сауле", "Ерлан", "Марк", "Emma"]
    assert {chat["language_code"] for chat in chats if "language_code" in chat} == {"ru", "kk", "en"}
    assert not any(chat["started"] for chat in chats)


def test_the_cast_is_not_invited_twice(tmp_path):
    for _ in range(2):
        with SandboxServer(tmp_path) as sandbox:
            assert len(sandbox.chats()) == 6


def test_a_long_text_goes_out_in_parts_of_4096_units(sandbox, timur):
    timur.write("ж" * 4096 + "😀" * 2049)
    lengths = [len(message["text"].encode("utf-16-le")) // 2 for message in timur.messages()]
    assert lengths == [4096, 4096, 2]


def test_a_phone_number_is_never_told_unasked(sandbox, timur):
    timur.write("hello")
    assert "phone" not in str(sandbox.call("getUpdates"))


def test_who_stopped_the_bot_cannot_write_before_starting_it_again(timur):
    timur.write("hello")
    timur.block()
    with pytest.raises(SandboxRefusal, match="has stopped the bot"):
        timur.write("again")
    timur.unblock()
    timur.write("again")


def test_stopping_twice_is_told_once(sandbox, timur):
    timur.write("hello")
    timur.block()
    timur.block()
    assert len(sandbox.updates()) == 2


def test_nobody_stops_a_bot_they_never_started(timur):
    with pytest.raises(SandboxRefusal, match="not started"):
        timur.block()


def test_only_buttons_that_are_there_can_be_pressed(sandbox, timur):
    message = timur.write("hello")
    with pytest.raises(SandboxRefusal, match="no such button"):
        timur.press(message["message_id"], "yes")
    with pytest.raises(SandboxRefusal, match="no such button"):
        timur.tap("Да")


def test_only_own_messages_can_be_edited(sandbox, timur):
    timur.write("hello")
    sent = sandbox.call("sendMessage", chat_id=timur.id, text="hi")["result"]
    with pytest.raises(SandboxRefusal, match="only own messages"):
        timur.edit(sent["message_id"], "changed")


def test_clearing_a_chat_hides_it_from_the_customer_alone(sandbox, timur):
    timur.write("hello")
    timur.clear()
    assert sandbox.get(f"/sandbox/chats/{timur.id}/messages?shown=1") == []
    assert [message["text"] for message in timur.messages()] == ["hello"]
    assert len(sandbox.updates()) == 1


def test_a_picture_the_app_cannot_show_goes_as_a_file(timur):
    message = timur.send_files(("p.jpg", b"not a picture", "image/jpeg"), kind="photo")[0]
    assert message["document"]["file_name"] == "p.jpg"


@pytest.mark.parametrize(
    "act",
    [
        lambda timur: timur.write("   "),
        lambda timur: timur.send_files(),
        lambda timur: timur.send_other("telepathy"),
        lambda timur: timur.send_files(*[("a.txt", b"x", "text/plain")] * 11),
        lambda timur: timur.write("hello", reply_to=99),
        lambda timur: timur.sandbox.customer(""),
        lambda timur: timur.sandbox.post("/sandbox/chats/1/send", {"text": "hello"}),
        lambda timur: timur.sandbox.post("/sandbox/chats/1/edit", {}),
    ],
)
def test_impossible_acts_are_refused_and_change_nothing(sandbox, timur, act):
    with pytest.raises(SandboxRefusal):
        act(timur)
    assert sandbox.updates() == []
