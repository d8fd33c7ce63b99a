"""The sandbox brings updates to a webhook as Telegram does: in order, again until they are taken, and not twice."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from botbridge.sandbox.client import Json
from botbridge.sandbox.thread import SandboxServer

WITHIN = 10
SECRET = "sesame_sesame-sesame"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


@dataclass
class Site:
    """A web server that remembers what it was brought and answers as it was told, or 200."""

    url: str = ""
    brought: list[tuple[Json, str | None]] = field(default_factory=list)
    answers: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    #: Texts whose answer waits until the test lets them go.
    held: dict[str, threading.Event] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        return [text_of(update) for update, _secret in self.brought]

    def take(self, update: Json, secret: str | None) -> tuple[int, dict[str, str]]:
        self.brought.append((update, secret))
        text = text_of(update)
        if text in self.held:
            self.held[text].wait(WITHIN)
        return self.answers[text].pop(0) if self.answers.get(text) else (200, {})


def text_of(update: Json) -> str:
    for event in update.values():
        if isinstance(event, dict):
            return str(event.get("text") or event.get("data"))
    return ""


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = site.take(json.loads(body), self.headers["X-Telegram-Bot-Api-Secret-Token"])
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not what():
        assert time.monotonic() < deadline, "it has not come to pass"
        time.sleep(0.01)


def all_taken(sandbox: SandboxServer) -> bool:
    return all(line["acknowledged_at"] for line in sandbox.updates())


def info(sandbox: SandboxServer) -> Json:
    told: Json = sandbox.call("getWebhookInfo")["result"]
    return told


def test_what_waits_and_what_comes_is_brought_with_the_secret_and_acknowledged(sandbox: SandboxServer, site: Site):
    timur = sandbox.customer()
    timur.write("до")
    assert sandbox.call("setWebhook", url=site.url, secret_token=SECRET)["result"] is True
    timur.write("после")
    eventually(lambda: all_taken(sandbox))
    assert site.texts == ["до", "после"]
    assert {secret for _update, secret in site.brought} == {SECRET}
    assert [update for update, _secret in site.brought] == [line["update"] for line in sandbox.updates()]
    told = info(sandbox)
    assert (told["url"], told["pending_update_count"], told["max_connections"]) == (site.url, 0, 40)
    assert "last_error_date" not in told


def test_one_chat_waits_for_its_first_and_keeps_no_other_waiting(sandbox: SandboxServer, site: Site):
    timur, emma = sandbox.customer("Тимур"), sandbox.customer("Emma")
    site.held["раз"] = threading.Event()
    sandbox.call("setWebhook", url=site.url)
    for text in ("раз", "два"):
        timur.write(text)
    eventually(lambda: site.texts == ["раз"])
    emma.write("one")
    eventually(lambda: site.texts == ["раз", "one"])
    site.held["раз"].set()
    eventually(lambda: site.texts == ["раз", "one", "два"])


def test_a_press_does_not_wait_for_what_is_written(sandbox: SandboxServer, site: Site):
    timur = sandbox.customer()
    timur.write("/start")
    keyboard = {"inline_keyboard": [[{"text": "Да", "callback_data": "yes"}]]}
    asked = sandbox.call("sendMessage", chat_id=timur.id, text="Помогло?", reply_markup=keyboard)["result"]
    site.held["раз"] = threading.Event()
    sandbox.call("setWebhook", url=site.url)
    timur.write("раз")
    eventually(lambda: "раз" in site.texts)
    timur.press(asked["message_id"], "yes")
    eventually(lambda: "yes" in site.texts)
    site.held["раз"].set()


def test_what_is_refused_comes_again_before_what_follows_it(sandbox: SandboxServer, site: Site):
    timur = sandbox.customer()
    site.answers["раз"] = [(500, {}), (403, {})]
    sandbox.call("setWebhook", url=site.url)
    timur.write("раз")
    timur.write("два")
    eventually(lambda: all_taken(sandbox))
    assert site.texts == ["раз", "раз", "раз", "два"]
    told = info(sandbox)
    assert told["last_error_message"] == "Wrong response from the webhook: 403 Forbidden"
    assert abs(told["last_error_date"] - time.time()) < WITHIN


def test_retry_after_is_kept_to(sandbox: SandboxServer, site: Site):
    site.answers["раз"] = [(503, {"Retry-After": "1"})]
    sandbox.call("setWebhook", url=site.url)
    began = time.monotonic()
    sandbox.customer().write("раз")
    eventually(lambda: all_taken(sandbox))
    assert time.monotonic() - began >= 1


def test_a_site_that_is_away_is_told_and_tried_again(sandbox: SandboxServer, site: Site):
    sandbox.call("setWebhook", url="http://127.0.0.1:9/hook")
    sandbox.customer().write("раз")
    eventually(lambda: info(sandbox).get("last_error_message") == "Connection refused")
    assert info(sandbox)["pending_update_count"] == 1
    sandbox.call("setWebhook", url=site.url)
    assert "last_error_date" not in info(sandbox)
    eventually(lambda: all_taken(sandbox))


def test_an_answer_that_was_lost_brings_the_update_again(sandbox: SandboxServer, site: Site):
    sandbox.knobs.turn_on("cut", times=1, methods=["webhook"])
    sandbox.call("setWebhook", url=site.url)
    sandbox.customer().write("раз")
    eventually(lambda: all_taken(sandbox))
    assert site.texts == ["раз", "раз"]


def test_no_more_than_so_many_are_brought_at_once(sandbox: SandboxServer, site: Site):
    site.held["раз"] = threading.Event()
    sandbox.call("setWebhook", url=site.url, max_connections=1)
    sandbox.customer().write("раз")
    eventually(lambda: site.texts == ["раз"])
    sandbox.customer("Emma").write("one")
    assert info(sandbox)["pending_update_count"] == 2
    assert site.texts == ["раз"]
    site.held["раз"].set()
    eventually(lambda: all_taken(sandbox))


def test_nobody_polls_while_a_webhook_is_set(sandbox: SandboxServer, site: Site):
    sandbox.call("setWebhook", url=site.url)
    refused = sandbox.call("getUpdates")
    assert refused["error_code"] == 409
    assert refused["description"] == (
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    )
    sandbox.call("deleteWebhook")
    sandbox.customer().write("раз")
    assert [text_of(update) for update in sandbox.call("getUpdates")["result"]] == ["раз"]
    assert site.brought == []
    assert info(sandbox)["url"] == ""


def test_a_poll_under_way_ends_when_a_webhook_is_set(sandbox: SandboxServer, site: Site):
    answers: list[Json] = []
    poll = threading.Thread(target=lambda: answers.append(sandbox.call("getUpdates", timeout=9)))
    poll.start()
    while not answers:
        sandbox.call("setWebhook", url=site.url)
        poll.join(timeout=0.05)
        assert answers or poll.is_alive(), "the poll has ended without an answer"
        sandbox.call("deleteWebhook")
    assert answers[0]["error_code"] == 409
    assert "ebhook" in answers[0]["description"]  # before the poll or in the midst of it


def test_what_waits_is_dropped_only_on_request(sandbox: SandboxServer, site: Site):
    sandbox.customer().write("раз")
    sandbox.call("setWebhook", url=site.url, drop_pending_updates=True)
    assert info(sandbox)["pending_update_count"] == 0
    assert site.brought == []


@pytest.mark.parametrize(
    "wrong", [{"url": "ftp://x"}, {"secret_token": "два слова"}, {"secret_token": "x" * 257}], ids=str
)
def test_what_telegram_refuses_is_refused(sandbox: SandboxServer, site: Site, wrong: dict[str, str]):
    assert sandbox.call("setWebhook", **{"url": site.url, **wrong})["error_code"] == 400
    assert info(sandbox)["url"] == ""


def test_a_webhook_outlives_a_restart(tmp_path: Path, site: Site):
    with SandboxServer(tmp_path) as sandbox:
        sandbox.call("setWebhook", url=site.url, secret_token=SECRET)
        chat_id = sandbox.customer().id
    with SandboxServer(tmp_path) as sandbox:
        sandbox.post(f"/sandbox/chats/{chat_id}/send", {"text": "раз"})
        eventually(lambda: all_taken(sandbox))
    assert site.brought[0][1] == SECRET
