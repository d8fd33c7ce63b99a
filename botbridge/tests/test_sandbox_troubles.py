"""Each knob does what it says, as often as it is told."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botbridge.sandbox.client import CustomerClient, SandboxRefusal
from botbridge.sandbox.limits import SendingLimits
from botbridge.sandbox.thread import SandboxServer


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


@pytest.fixture
def timur(sandbox: SandboxServer) -> CustomerClient:
    customer = sandbox.customer()
    customer.write("/start")
    return customer


def received(timur: CustomerClient) -> list[str]:
    return [message["text"] for message in timur.received()]


def last(sandbox: SandboxServer) -> tuple[int | None, str, bool]:
    line = sandbox.log()[-1]
    return line["status"], line["outcome"], line["delivered"]


def test_too_many_requests_strikes_three_times(sandbox, timur):
    sandbox.knobs.turn_on("too_many_requests", times=3, seconds=5)
    answers = [sandbox.call("sendMessage", chat_id=timur.id, text=str(number)) for number in range(4)]
    assert [answer["ok"] for answer in answers] == [False, False, False, True]
    assert answers[0]["parameters"] == {"retry_after": 5}
    assert answers[0]["description"] == "Too Many Requests: retry after 5"
    assert received(timur) == ["3"]
    assert [line["status"] for line in sandbox.log(chat_id=timur.id) if line["direction"] == "bot"] == [
        429,
        429,
        429,
        200,
    ]


def test_a_server_error_delivers_nothing(sandbox, timur):
    sandbox.knobs.turn_on("server_error", times=1)
    assert sandbox.call("sendMessage", chat_id=timur.id, text="lost")["error_code"] == 500
    assert received(timur) == []
    assert last(sandbox) == (500, "500", False)


def test_a_server_error_may_come_after_delivery(sandbox, timur):
    sandbox.knobs.turn_on("server_error_after_delivery", times=1)
    assert sandbox.call("sendMessage", chat_id=timur.id, text="there")["error_code"] == 500
    assert received(timur) == ["there"]
    assert last(sandbox) == (500, "server_error_after_delivery", True)


def test_a_hanging_call_is_delivered_and_never_answered(sandbox, timur):
    sandbox.knobs.turn_on("hang", times=1)
    with pytest.raises(TimeoutError):
        sandbox.call("sendMessage", chat_id=timur.id, text="there", seconds=1)
    assert received(timur) == ["there"]
    assert last(sandbox) == (None, "hang", True)


def test_a_dropped_call_is_cut_before_anything_was_taken(sandbox, timur):
    sandbox.knobs.turn_on("drop", times=1)
    with pytest.raises(ConnectionError):
        sandbox.call("sendMessage", chat_id=timur.id, text="lost")
    assert received(timur) == []
    assert last(sandbox) == (None, "drop", False)


def test_a_cut_call_was_delivered(sandbox, timur):
    sandbox.knobs.turn_on("cut", times=1)
    with pytest.raises(ConnectionError):
        sandbox.call("sendMessage", chat_id=timur.id, text="there")
    assert received(timur) == ["there"]
    assert last(sandbox) == (None, "cut", True)


def test_a_bad_gateway_answers_a_page(sandbox, timur):
    sandbox.knobs.turn_on("bad_gateway", times=1)
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port)
    connection.request("GET", f"/bot{sandbox.token}/sendMessage?chat_id={timur.id}&text=lost")
    response = connection.getresponse()
    assert (response.status, response.read()[:6]) == (502, b"<html>")
    connection.close()
    assert received(timur) == []


def test_a_partial_album_delivers_its_first_parts(sandbox, timur):
    voice = timur.send_files(("a.txt", b"a", "text/plain"))[0]["document"]["file_id"]
    sandbox.knobs.turn_on("partial_album", times=1)
    album = [{"type": "document", "media": voice}] * 3
    answer = sandbox.call("sendMediaGroup", chat_id=timur.id, media=album)
    assert answer["description"].startswith("Bad Request: failed to send message #2 with the error message")
    assert len(timur.received()) == 1
    assert last(sandbox) == (400, "partial_album", True)
    assert len(sandbox.call("sendMediaGroup", chat_id=timur.id, media=album)["result"]) == 3


def test_the_blocked_knob_answers_403_without_a_word_to_the_bot(sandbox, timur):
    sandbox.knobs.turn_on("blocked", chat_id=timur.id)
    assert sandbox.call("sendMessage", chat_id=timur.id, text="no")["error_code"] == 403
    emma = sandbox.customer("Emma")
    emma.write("hello")
    assert sandbox.call("sendMessage", chat_id=emma.id, text="yes")["ok"]
    sandbox.knobs.turn_off("blocked")
    assert sandbox.call("sendMessage", chat_id=timur.id, text="yes")["ok"]
    assert {list(line["update"])[1] for line in sandbox.updates()} == {"message"}


def test_the_slow_knob_makes_calls_longer(sandbox, timur):
    sandbox.knobs.turn_on("slow", times=1, seconds=0.2)
    assert sandbox.call("sendMessage", chat_id=timur.id, text="slow")["ok"]
    assert sandbox.log()[-1]["ms"] >= 200
    assert sandbox.knobs.state()["slow"] is None


def test_a_knob_may_name_its_methods(sandbox, timur):
    sandbox.knobs.turn_on("server_error", methods=["getUpdates"])
    assert sandbox.call("getUpdates")["error_code"] == 500
    assert sandbox.call("sendMessage", chat_id=timur.id, text="fine")["ok"]


def test_seeded_dice_fall_the_same_way_twice(sandbox, timur):
    def answers() -> list[bool]:
        sandbox.knobs.turn_on("server_error", probability=0.5, seed=7)
        return [sandbox.call("sendMessage", chat_id=timur.id, text="?")["ok"] for _ in range(20)]

    first = answers()
    assert first == answers()
    assert set(first) == {True, False}


def test_the_limits_answer_429(sandbox, timur):
    sandbox.knobs.turn_on("limits")
    answers = [sandbox.call("sendMessage", chat_id=timur.id, text=str(number)) for number in range(20)]
    refused = next(answer for answer in answers if not answer["ok"])
    assert (refused["error_code"], refused["parameters"]) == (429, {"retry_after": 1})


def test_a_chat_takes_one_message_a_second():
    limits = SendingLimits()
    assert [limits.take(1, 5, 1, now) for now in (0.0, 0.5, 0.9, 1.0, 1.99)] == [0, 1, 1, 0, 0]
    assert limits.take(1, 6, 10, 2.0) == 0


def test_a_bot_sends_thirty_messages_a_second():
    limits = SendingLimits()
    taken = [limits.take(1, chat_id, 1, chat_id / 100) == 0 for chat_id in range(40)]
    assert taken == [True] * 30 + [False] * 10
    assert limits.take(1, 99, 1, 1.0) == 0
    assert limits.take(2, 1, 10, 0.4) == 0


def test_a_customers_album_may_come_in_parts_and_out_of_order(sandbox, timur):
    sandbox.call("getUpdates", offset=-1)
    sandbox.knobs.turn_on("album_in_parts", times=1, seconds=1)
    files = [(f"{number}.txt", b"x", "text/plain") for number in range(3)]
    sent = [message["message_id"] for message in timur.send_files(*files, text="три файла")]
    got = [update["message"]["message_id"] for update in sandbox.call("getUpdates", offset=-1)["result"]]
    assert got == sent[:1]
    late: list[dict[str, Any]] = []
    offset = sandbox.updates()[-1]["update"]["update_id"] + 1
    while len(late) < 2:  # a poll is answered by the first that comes
        polled = sandbox.call("getUpdates", offset=offset + len(late), timeout=5)["result"]
        assert polled, "the other parts do not come"
        late += polled
    assert [update["message"]["message_id"] for update in late] == [sent[2], sent[1]]


def test_an_unknown_knob_is_refused(sandbox):
    with pytest.raises(SandboxRefusal, match="no such knob"):
        sandbox.knobs.turn_on("gremlins")


def test_clearing_turns_every_knob_off(sandbox):
    sandbox.knobs.turn_on("hang")
    sandbox.knobs.turn_on("slow", times=3)
    assert sandbox.knobs.state()["slow"]["left"] == 3
    sandbox.knobs.clear()
    assert set(sandbox.knobs.state().values()) == {None}


def test_the_log_tells_payload_chat_and_messages(sandbox, timur):
    sandbox.call("sendMessage", chat_id=timur.id, text="hello", reply_markup=json.dumps({"remove_keyboard": True}))
    line = sandbox.sends(timur.id)[0]
    assert line["payload"] == {"chat_id": timur.id, "text": "hello", "reply_markup": {"remove_keyboard": True}}
    assert (line["chat_id"], line["message_ids"], line["method"]) == (timur.id, [2], "sendMessage")
    assert sandbox.token not in json.dumps(sandbox.log())
