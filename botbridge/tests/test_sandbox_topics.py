"""Topics in the sandbox's private chats, as the Bot API makes and refuses them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from botbridge.sandbox.client import CustomerClient, SandboxRefusal
from botbridge.sandbox.thread import SandboxServer


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with SandboxServer(folder) as server:
        yield server


@pytest.fixture
def timur(sandbox: SandboxServer) -> Iterator[CustomerClient]:
    customer = sandbox.customer()
    customer.write("/start")
    sandbox.knobs.turn_on("threaded_mode")
    yield customer
    sandbox.knobs.clear()


def test_the_bot_learns_of_threaded_mode(sandbox: SandboxServer, timur: CustomerClient):
    assert sandbox.call("getMe")["result"]["has_topics_enabled"] is True
    sandbox.knobs.turn_off("threaded_mode")
    assert sandbox.call("getMe")["result"]["has_topics_enabled"] is False


def test_a_topic_is_made_written_into_and_renamed(sandbox: SandboxServer, timur: CustomerClient):
    made = sandbox.call("createForumTopic", chat_id=timur.id, name="№1 Где заказ?")["result"]
    thread_id = made["message_thread_id"]
    assert made["name"] == "№1 Где заказ?"
    sent = sandbox.call("sendMessage", chat_id=timur.id, text="Едет", message_thread_id=thread_id)["result"]
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (thread_id, True)
    assert sandbox.call("editForumTopic", chat_id=timur.id, message_thread_id=thread_id, name="✅ №1")["ok"]
    assert timur.topics() == {thread_id: "✅ №1"}
    again = sandbox.call("editForumTopic", chat_id=timur.id, message_thread_id=thread_id, name="✅ №1")
    assert again["description"] == "Bad Request: TOPIC_NOT_MODIFIED"


@pytest.mark.parametrize(
    ("name", "refusal"), [("", "TOPIC_TITLE_EMPTY"), ("а" * 129, "TOPIC_TITLE_TOO_LONG"), ("а" * 128, None)]
)
def test_a_name_has_1_to_128_characters(sandbox: SandboxServer, timur: CustomerClient, name: str, refusal: str | None):
    answer = sandbox.call("createForumTopic", chat_id=timur.id, name=name)
    assert answer.get("description") == (refusal and f"Bad Request: {refusal}")


def test_without_threaded_mode_there_are_no_topics(sandbox: SandboxServer, timur: CustomerClient):
    thread_id = timur.create_topic()
    sandbox.knobs.turn_off("threaded_mode")
    refused = sandbox.call("createForumTopic", chat_id=timur.id, name="№1")
    assert refused["description"] == "Bad Request: the chat is not a forum"
    refused = sandbox.call("sendMessage", chat_id=timur.id, text="Едет", message_thread_id=thread_id)
    assert refused["description"] == "Bad Request: message thread not found"
    with pytest.raises(SandboxRefusal):
        timur.create_topic("Возврат")


def test_what_a_customer_does_with_topics_comes_as_updates(sandbox: SandboxServer, timur: CustomerClient):
    thread_id = timur.create_topic()
    timur.write("Где заказ?", message_thread_id=thread_id)
    timur.rename_topic(thread_id, "Заказ")
    created, written, renamed = [line["update"]["message"] for line in sandbox.updates()[-3:]]
    assert created["forum_topic_created"]["is_name_implicit"] is True
    assert (written["text"], written["message_thread_id"], written["is_topic_message"]) == (
        "Где заказ?",
        thread_id,
        True,
    )
    assert written["reply_to_message"]["message_id"] == thread_id
    assert renamed["forum_topic_edited"] == {"name": "Заказ"}


def test_a_deleted_topic_goes_with_its_messages_and_takes_no_more(sandbox: SandboxServer, timur: CustomerClient):
    thread_id = timur.create_topic("Заказ")
    timur.write("Где заказ?", message_thread_id=thread_id)
    before = len(sandbox.updates())
    timur.delete_topic(thread_id)
    assert len(sandbox.updates()) == before
    assert [message["text"] for message in timur.messages() if not message["deleted"] and "text" in message] == [
        "/start"
    ]
    refused = sandbox.call("sendMessage", chat_id=timur.id, text="Едет", message_thread_id=thread_id)
    assert refused["description"] == "Bad Request: message thread not found"
    with pytest.raises(SandboxRefusal):
        timur.write("Ещё", message_thread_id=thread_id)


def test_a_send_to_a_topic_may_fall_into_the_main_chat(sandbox: SandboxServer, timur: CustomerClient):
    thread_id = timur.create_topic("Заказ")
    sandbox.knobs.turn_on("topic_ignored", times=1)
    sent = sandbox.call("sendMessage", chat_id=timur.id, text="Едет", message_thread_id=thread_id)["result"]
    assert "message_thread_id" not in sent


def test_a_stopped_bot_makes_no_topic(sandbox: SandboxServer, timur: CustomerClient):
    timur.block()
    assert sandbox.call("createForumTopic", chat_id=timur.id, name="№1")["error_code"] == 403
