"""getUpdates as Telegram answers it: nothing is forgotten before it is acknowledged."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from botbridge.sandbox.client import Json
from botbridge.sandbox.state import State
from botbridge.sandbox.thread import SandboxServer


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


def texts(answer: Json) -> list[str]:
    return [update["message"]["text"] for update in answer["result"]]


def test_an_update_comes_again_until_a_higher_offset_acknowledges_it(sandbox):
    timur = sandbox.customer()
    for text in ("one", "two", "three"):
        timur.write(text)
    first = sandbox.call("getUpdates")
    assert texts(first) == ["one", "two", "three"]
    assert texts(sandbox.call("getUpdates")) == ["one", "two", "three"]
    second_id = first["result"][1]["update_id"]
    assert texts(sandbox.call("getUpdates", offset=second_id)) == ["two", "three"]
    assert texts(sandbox.call("getUpdates", offset=second_id + 1)) == ["three"]
    assert [line["acknowledged_at"] is not None for line in sandbox.updates()] == [True, True, False]


def test_a_negative_offset_forgets_all_but_the_last(sandbox):
    timur = sandbox.customer()
    for text in ("one", "two", "three"):
        timur.write(text)
    assert texts(sandbox.call("getUpdates", offset=-1)) == ["three"]
    assert texts(sandbox.call("getUpdates")) == ["three"]


def test_a_batch_holds_at_most_a_hundred(sandbox):
    timur = sandbox.customer()
    for number in range(103):
        timur.write(str(number))
    assert len(sandbox.call("getUpdates", limit=100)["result"]) == 100
    assert len(sandbox.call("getUpdates", limit=2)["result"]) == 2
    assert len(sandbox.call("getUpdates", limit=5000)["result"]) == 100


def test_a_long_poll_ends_when_somebody_writes(sandbox):
    timur = sandbox.customer()
    answers: list[Json] = []
    poll = threading.Thread(target=lambda: answers.append(sandbox.call("getUpdates", timeout=9)))
    poll.start()
    timur.write("hello")
    poll.join(timeout=8)
    assert texts(answers[0]) == ["hello"]


def test_of_two_pollers_the_older_is_told_of_the_conflict(sandbox):
    older: list[Json] = []
    poll = threading.Thread(target=lambda: older.append(sandbox.call("getUpdates", timeout=9)))
    poll.start()
    while not older:
        sandbox.call("getUpdates", timeout=0)
        poll.join(timeout=0.05)
        assert older or poll.is_alive(), "the poll has ended without an answer"
    assert older[0]["error_code"] == 409
    assert older[0]["description"].startswith("Conflict: terminated by other getUpdates request")
    assert [line["status"] for line in sandbox.log() if line["method"] == "getUpdates"] == [409]


def test_kinds_the_bot_did_not_ask_for_are_not_queued(sandbox):
    timur = sandbox.customer()
    sandbox.call("getUpdates", allowed_updates=["message"])
    message = timur.write("hello")
    timur.edit(message["message_id"], "hello again")
    assert [list(update)[1] for update in sandbox.call("getUpdates")["result"]] == ["message"]
    sandbox.call("getUpdates", allowed_updates=[])
    timur.edit(message["message_id"], "and again")
    assert [list(update)[1] for update in sandbox.call("getUpdates")["result"]] == ["message", "edited_message"]


def test_delete_webhook_leaves_what_waits_unless_told_to_drop_it(sandbox):
    sandbox.customer().write("hello")
    assert sandbox.call("deleteWebhook")["result"] is True
    assert sandbox.call("getWebhookInfo")["result"]["pending_update_count"] == 1
    sandbox.call("deleteWebhook", drop_pending_updates=True)
    assert sandbox.call("getUpdates")["result"] == []


def test_ids_may_start_again_lower(sandbox):
    timur = sandbox.customer()
    timur.write("last week")
    last = sandbox.call("getUpdates")["result"][0]["update_id"]
    sandbox.call("getUpdates", offset=last + 1)
    sandbox.put_update(17, message={"text": "restarted"})
    timur.write("after")
    assert [update["update_id"] for update in sandbox.call("getUpdates")["result"]] == [17, 18]


def test_a_press_waits_150_seconds_and_a_message_a_day(tmp_path):
    state = State(tmp_path)
    bot_id = state.bot_id("1:token")
    state.put_update(bot_id, 1, "message", {"message": {}})
    state.put_update(bot_id, 2, "callback_query", {"callback_query": {}})

    def waiting_after(seconds: float) -> list[int]:
        state.db.execute("UPDATE pending SET expires_at = expires_at - ?", (seconds,))
        return [update["update_id"] for update in state.pending_updates(bot_id, 100)]

    assert waiting_after(100) == [1, 2]
    assert waiting_after(60) == [1]
    assert waiting_after(24 * 3600) == []
    state.close()


def test_counters_and_unacknowledged_updates_outlive_a_restart(tmp_path):
    with SandboxServer(tmp_path) as sandbox:
        timur = sandbox.customer()
        timur.write("before")
        before = sandbox.call("getUpdates")["result"][0]
        chat_id, token = timur.id, sandbox.token
    with SandboxServer(tmp_path) as sandbox:
        assert sandbox.token == token
        sandbox.post(f"/sandbox/chats/{chat_id}/send", {"text": "after"})
        again, after = sandbox.call("getUpdates")["result"]
    assert again == before
    assert after["update_id"] == before["update_id"] + 1
    assert after["message"]["message_id"] == before["message"]["message_id"] + 1


def test_a_malformed_or_revoked_token_is_refused(sandbox):
    unauthorized = {"ok": False, "error_code": 401, "description": "Unauthorized"}
    old, sandbox.token = sandbox.token, "nonsense"
    assert sandbox.call("getMe") == unauthorized
    new = sandbox.revoke(old)
    sandbox.token = old
    assert sandbox.call("getMe") == unauthorized
    sandbox.token = new
    assert sandbox.call("getMe")["result"]["id"] == int(old.split(":")[0])
