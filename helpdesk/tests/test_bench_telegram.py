"""The speed tool's Telegram answers a bot as the real one does, and tells the tool what has happened."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from helpdesk.bench.bridge import out_of_order
from helpdesk.bench.telegram import TOKEN, Call, Telegram, telegram


@pytest.fixture(scope="module")
def server() -> Iterator[Telegram]:
    with telegram() as server:
        yield server


def ask(server: Telegram, method: str, **form: Any) -> Any:
    body = urlencode(form).encode()
    try:
        with urllib.request.urlopen(f"{server.url}/bot{TOKEN}/{method}", body, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return json.load(refusal)


def test_an_update_is_given_out_until_it_is_acknowledged(server: Telegram):
    first, second = server.write([(7001, "Где заказ?"), (7001, "Ау")])
    assert [update["message"]["text"] for update in ask(server, "getUpdates", limit=1)["result"]] == ["Где заказ?"]
    given = server.log().given[first]
    assert [update["update_id"] for update in ask(server, "getUpdates")["result"]] == [first, second]
    assert server.log().acknowledged == []
    assert ask(server, "getUpdates", offset=second + 1, timeout=0)["result"] == []
    log = server.log()
    assert len(log.acknowledged) == 2
    assert log.given[first] == given, "the first time counts"
    assert given < log.acknowledged[0]


def test_a_chat_takes_one_message_a_second(server: Telegram):
    assert ask(server, "sendMessage", chat_id=7002, text="Проверяем")["result"]["text"] == "Проверяем"
    refused = ask(server, "sendMessage", chat_id=7002, text="Ещё проверяем")
    assert (refused["error_code"], refused["parameters"]) == (429, {"retry_after": 1})
    assert ask(server, "sendMessage", chat_id=7003, text="Другому")["ok"]
    log = server.log()
    assert [call.text for call in log.calls] == ["Проверяем", "Ещё проверяем", "Другому"]
    assert [call.text for call in log.taken] == ["Проверяем", "Другому"]


def test_what_never_comes_is_said(server: Telegram):
    with pytest.raises(TimeoutError, match=r"waited 0\.1 s"):
        server.wait_for(lambda log: False, within=0.1)


def test_order_is_each_chats_own():
    def call(chat: int, number: int) -> Call:
        return Call(at=0, chat=chat, text=f"Менеджер, поддержка\nПишем {number}", refused=0)

    assert out_of_order([call(1, 5), call(2, 3), call(1, 9), call(2, 4)]) == 0
    assert out_of_order([call(1, 9), call(2, 3), call(1, 5), call(1, 7), call(2, 4)]) == 2
