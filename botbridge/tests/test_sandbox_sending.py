"""What the Bot API takes and refuses, in Telegram's own words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer

BUTTON = {"text": "Да", "callback_data": "yes"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


@pytest.fixture
def timur(sandbox: SandboxServer) -> CustomerClient:
    customer = sandbox.customer()
    customer.write("/start")
    return customer


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "text must be non-empty"),
        ({"text": "a" * 4097}, "message is too long"),
        ({"text": "\U0001f44d" * 2049}, "message is too long"),
        ({"text": "\ud800"}, "strings must be encoded in UTF-8"),
        ({"text": "a", "parse_mode": "HTML"}, "can't parse entities: the sandbox takes entities, not parse_mode"),
        (
            {"text": "ab", "entities": [{"type": "bold", "offset": 1, "length": 2}]},
            "entity beginning at UTF-16 offset 1 ends after the end of the text at UTF-16 offset 2",
        ),
        (
            {"text": "ab", "entities": [{"type": "text_link", "offset": 0, "length": 2, "url": "https://localhost/x"}]},
            "entity URL 'https://localhost/x' is invalid: Wrong HTTP URL",
        ),
        (
            {"text": "ab", "entities": [{"type": "text_link", "offset": 0, "length": 2, "url": "ftp://a.kz"}]},
            "entity URL 'ftp://a.kz' is invalid: Unsupported URL protocol",
        ),
        (
            {"text": "ab", "entities": [{"type": "text_link", "offset": 0, "length": 2, "url": "tg://a.kz"}]},
            "entity URL 'tg://a.kz' is invalid: Wrong tg URL",
        ),
        (
            {"text": "ab", "entities": [{"type": "text_link", "offset": 0, "length": 2}]},
            "can't parse MessageEntity: Can't find field \"url\"",
        ),
        ({"text": "a", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        (
            {"text": "a", "reply_parameters": {"message_id": 1, "quote": "unsaid"}},
            "QUOTE_TEXT_INVALID",
        ),
        (
            {"text": "a", "reply_markup": {"inline_keyboard": [[{**BUTTON, "callback_data": "д" * 33}]]}},
            "BUTTON_DATA_INVALID",
        ),
        (
            {"text": "a", "reply_markup": {"inline_keyboard": [[{"text": "Да"}]]}},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        ({"text": "a", "reply_markup": "{"}, "can't parse reply markup JSON object"),
    ],
)
def test_a_faulty_message_is_refused(sandbox, timur, params: dict[str, Any], description: str):
    answer = sandbox.call("sendMessage", chat_id=timur.id, **params)
    assert answer == {"ok": False, "error_code": 400, "description": f"Bad Request: {description}"}
    assert timur.received() == []


def test_a_text_of_4096_units_is_taken_and_trimmed_first(sandbox, timur):
    answer = sandbox.call("sendMessage", chat_id=timur.id, text="  " + "\U0001f44d" * 2048 + "\n")
    assert answer["result"]["text"] == "\U0001f44d" * 2048


def test_entities_are_kept_and_the_plain_ones_found(sandbox, timur):
    bold = {"type": "bold", "offset": 2, "length": 2}
    answer = sandbox.call("sendMessage", chat_id=timur.id, text=" \n😀ok https://example.org /new", entities=[bold])
    assert answer["result"]["entities"] == [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "url", "offset": 5, "length": 19},
        {"type": "bot_command", "offset": 25, "length": 4},
    ]


@pytest.mark.parametrize(
    ("chat_id", "description"),
    [("", "chat_id is empty"), (42, "chat not found"), ("@somebody", "chat not found")],
)
def test_a_customer_who_never_wrote_cannot_be_written_to(sandbox, chat_id, description):
    answer = sandbox.call("sendMessage", chat_id=chat_id, text="hello")
    assert answer["description"] == f"Bad Request: {description}"


def test_a_customer_who_stopped_the_bot_answers_403(sandbox, timur):
    timur.block()
    refused = sandbox.call("sendMessage", chat_id=timur.id, text="hello")
    assert refused == {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    changes = [u["update"]["my_chat_member"] for u in sandbox.updates() if "my_chat_member" in u["update"]]
    assert [change["new_chat_member"]["status"] for change in changes] == ["kicked"]
    timur.unblock()
    assert sandbox.call("sendMessage", chat_id=timur.id, text="hello")["ok"]


def test_a_reply_to_a_missing_message_goes_without_it_when_allowed(sandbox, timur):
    parameters = {"message_id": 99, "allow_sending_without_reply": True}
    message = sandbox.call("sendMessage", chat_id=timur.id, text="hello", reply_parameters=parameters)["result"]
    assert "reply_to_message" not in message


def test_a_reply_carries_the_message_and_the_quoted_part(sandbox, timur):
    question = timur.write("Где мой заказ?")
    parameters = {"message_id": question["message_id"], "quote": "мой заказ"}
    message = sandbox.call("sendMessage", chat_id=timur.id, text="В пути", reply_parameters=parameters)["result"]
    assert message["reply_to_message"]["text"] == "Где мой заказ?"
    assert message["quote"] == {"text": "мой заказ", "position": 4, "is_manual": True}


def test_message_ids_count_per_chat(sandbox, timur):
    emma = sandbox.customer("Emma")
    emma.write("hello")
    ids = [sandbox.call("sendMessage", chat_id=c.id, text="hi")["result"]["message_id"] for c in (timur, emma, timur)]
    assert ids == [2, 2, 3]


def test_edits_change_the_message_in_place(sandbox, timur):
    keyboard = {"inline_keyboard": [[BUTTON]]}
    sent = sandbox.call("sendMessage", chat_id=timur.id, text="one", reply_markup=keyboard)["result"]
    where = {"chat_id": timur.id, "message_id": sent["message_id"]}
    edited = sandbox.call("editMessageText", **where, text="two")["result"]
    assert (edited["text"], edited.get("reply_markup")) == ("two", None)
    assert edited["edit_date"] >= edited["date"]
    again = sandbox.call("editMessageText", **where, text="two")
    assert again["description"].startswith("Bad Request: message is not modified")
    assert sandbox.call("editMessageReplyMarkup", **where, reply_markup=keyboard)["result"]["text"] == "two"
    assert timur.received()[0]["reply_markup"] == keyboard
    caption = sandbox.call("editMessageCaption", **where, caption="three")
    assert caption["description"] == "Bad Request: there is no caption in the message to edit"


def test_only_own_messages_can_be_edited(sandbox, timur):
    message = timur.write("mine")
    answer = sandbox.call("editMessageText", chat_id=timur.id, message_id=message["message_id"], text="yours")
    assert answer["description"] == "Bad Request: message can't be edited"


def test_a_deleted_message_is_gone(sandbox, timur):
    sent = sandbox.call("sendMessage", chat_id=timur.id, text="one")["result"]
    where = {"chat_id": timur.id, "message_id": sent["message_id"]}
    assert sandbox.call("deleteMessage", **where)["result"] is True
    assert timur.received() == []
    assert sandbox.call("deleteMessage", **where)["description"] == "Bad Request: message to delete not found"
    assert (
        sandbox.call("editMessageText", **where, text="two")["description"] == "Bad Request: message to edit not found"
    )


def test_commands_are_shown_by_the_narrowest_scope_and_language(sandbox, timur):
    def names() -> list[str]:
        chat = next(chat for chat in sandbox.chats() if chat["id"] == timur.id)
        return [command["command"] for command in chat["commands"]]

    help_command, new_command = ({"command": name, "description": name} for name in ("help", "new"))
    sandbox.call("setMyCommands", commands=[help_command])
    assert names() == ["help"]
    sandbox.call("setMyCommands", commands=[new_command], scope={"type": "all_private_chats"}, language_code="ru")
    assert names() == ["new"]
    sandbox.call("deleteMyCommands", scope={"type": "all_private_chats"}, language_code="ru")
    assert names() == ["help"]
    assert sandbox.call("getMyCommands")["result"] == [help_command]
    refused = sandbox.call("setMyCommands", commands=[{"command": "Нет", "description": "?"}])
    assert refused["description"] == "Bad Request: BOT_COMMAND_INVALID"


def test_a_button_press_is_answered_once_it_is_known(sandbox, timur):
    keyboard = {"inline_keyboard": [[BUTTON]]}
    sent = sandbox.call("sendMessage", chat_id=timur.id, text="one", reply_markup=keyboard)["result"]
    query_id = timur.press(sent["message_id"], "yes")
    query = sandbox.call("getUpdates", offset=-1)["result"][0]["callback_query"]
    assert (query["id"], query["data"], query["message"]["message_id"]) == (query_id, "yes", sent["message_id"])
    assert timur.callback_answer(query_id) is None
    sandbox.call("answerCallbackQuery", callback_query_id=query_id, text="Готово")
    assert timur.callback_answer(query_id) == {"text": "Готово", "show_alert": False}
    unknown = sandbox.call("answerCallbackQuery", callback_query_id="1")
    assert unknown["description"].startswith("Bad Request: query is too old")


def test_a_reaction_stands_on_the_message(sandbox, timur):
    message = timur.write("thanks")
    reaction = [{"type": "emoji", "emoji": "👍"}]
    sandbox.call("setMessageReaction", chat_id=timur.id, message_id=message["message_id"], reaction=reaction)
    assert timur.messages()[-1]["reaction"] == "👍"


def test_an_unknown_method_is_not_found(sandbox):
    assert sandbox.call("sendTelepathy")["description"] == "Not Found: method not found"


def test_methods_are_case_insensitive(sandbox):
    assert sandbox.call("GETME")["ok"]
