"""The chat page in a real browser, and what it is served with."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import ConsoleMessage

from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer

BOX = Path(settings.BASE_DIR) / "static" / "sandbox" / "samples" / "box.jpg"
YES = {"inline_keyboard": [[{"text": "Да", "callback_data": "yes"}, {"text": "Нет", "callback_data": "no"}]]}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path) as server:
        yield server


@pytest.fixture
def timur(sandbox: SandboxServer) -> CustomerClient:
    return sandbox.customer()


@pytest.fixture
def page(browser, sandbox, timur):
    """Timur's chat; the test fails on anything the console complains of, a CSP report among it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="ru")
    page = context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(5000)
    page.goto(f"{sandbox.base_url}/#{timur.id}")
    page.wait_for_selector(".welcome")
    yield page
    context.close()
    assert complaints == []


def write(page, text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")
    page.wait_for_selector(f".msg.out:has-text('{text}')")


def answer(sandbox: SandboxServer, timur: CustomerClient, text: str, **more) -> int:
    return int(sandbox.call("sendMessage", chat_id=timur.id, text=text, **more)["result"]["message_id"])


def get(sandbox: SandboxServer, path: str, **headers: str) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(urlsplit(sandbox.base_url).netloc, timeout=5)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode(errors="replace")
    connection.close()
    return response, body


def test_the_page_is_served_with_a_strict_policy(sandbox):
    response, html = get(sandbox, "/")
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(
        r"style=|<style|<script(?! type=\"module\" src=| id=\"words\" type=\"application/json\")", html
    )


def test_other_sites_pages_are_kept_out(sandbox):
    assert get(sandbox, "/sandbox/chats", Origin="https://example.org")[0].status == 403
    assert get(sandbox, "/sandbox/chats", Origin=sandbox.base_url)[0].status == 200


def test_a_file_is_shown_inline_only_when_its_bytes_are_harmless(sandbox, timur):
    script = timur.send_files(("p.svg", b"<svg onload='alert(1)'/>", "image/svg+xml"))[0]["document"]["file_id"]
    response, _ = get(sandbox, f"/sandbox/files/{script}")
    assert response.headers["Content-Disposition"] == "attachment"
    assert response.headers["Content-Type"] == "application/octet-stream"
    photo = timur.send_files(("box.jpg", BOX.read_bytes(), "image/jpeg"), kind="photo")[0]["photo"][-1]["file_id"]
    response, _ = get(sandbox, f"/sandbox/files/{photo}")
    assert response.headers["Content-Type"] == "image/jpeg"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert get(sandbox, "/sandbox/files/nonsense")[0].status == 404


@pytest.mark.browser
def test_a_conversation_goes_back_and_forth_without_reload(page, sandbox, timur):
    page.click(".welcome button")
    page.wait_for_selector(".msg.out:has-text('/start')")
    answer(sandbox, timur, "Напишите <b>вопрос</b>", entities=[{"type": "bold", "offset": 0, "length": 8}])
    bubble = page.wait_for_selector(".msg.in .bubble")
    assert "Напишите <b>вопрос</b>" in bubble.inner_text()
    write(page, "Где мой заказ?")
    page.press("#text", "ArrowUp")
    page.fill("#text", "Где мой заказ 42?")
    page.press("#text", "Enter")
    page.wait_for_selector(".msg.out:has-text('заказ 42?'):has-text('изменено')")
    assert [message.get("text") for message in timur.messages()][-1] == "Где мой заказ 42?"
    message_id = answer(sandbox, timur, "Уточняем")
    page.wait_for_selector(".msg.in:has-text('Уточняем')")
    sandbox.call("editMessageText", chat_id=timur.id, message_id=message_id, text="Завтра")
    page.wait_for_selector(".msg.in:has-text('Завтра'):has-text('изменено')")
    sandbox.call("deleteMessage", chat_id=timur.id, message_id=message_id)
    page.wait_for_selector(".msg.in:has-text('Завтра')", state="detached")


@pytest.mark.browser
def test_buttons_are_pressed_and_answered(page, sandbox, timur):
    write(page, "hello")
    answer(sandbox, timur, "Это о том же?", reply_markup=YES)
    page.click(".kb button:has-text('Да')")
    page.wait_for_selector(".kb button[aria-busy]")
    query = sandbox.call("getUpdates", offset=-1, timeout=5)["result"][0]["callback_query"]
    assert query["data"] == "yes"
    sandbox.call("answerCallbackQuery", callback_query_id=query["id"], text="Хорошо")
    page.wait_for_selector(".toast:has-text('Хорошо')")
    page.wait_for_selector(".kb button[aria-busy]", state="detached")
    phone = {"keyboard": [[{"text": "Отправить мой номер", "request_contact": True}], [{"text": "Нет"}]]}
    answer(sandbox, timur, "Ваш номер?", reply_markup=phone)
    page.click(".reply-kb button:has-text('Отправить мой номер')")
    page.wait_for_selector(".msg.out:has-text('+77000000199')")
    answer(sandbox, timur, "Спасибо", reply_markup={"remove_keyboard": True})
    page.wait_for_selector(".reply-kb", state="hidden")


@pytest.mark.browser
def test_files_are_chosen_sent_and_shown(page, sandbox, timur):
    write(page, "hello")
    with page.expect_file_chooser() as chooser:
        page.click("[popovertarget=attach]")
        page.click("[data-pick=photo]")
    chooser.value.set_files(str(BOX))
    page.wait_for_selector("#chosen .chip")
    write(page, "Вот коробка")
    page.wait_for_selector(".msg.out .clip img")
    assert timur.messages()[-1]["photo"][-1]["width"] == 900
    for sample, selector in (
        ("album", ".album[data-count='4'] img"),
        ("voice", ".voice .play"),
        ("document", ".file:has-text('Чек_719-204.pdf')"),
        ("huge", ".file:has-text('61 МБ')"),
    ):
        page.click("[popovertarget=attach]")
        page.click(f"[data-sample={sample}]")
        page.wait_for_selector(f".msg.out {selector}")
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    page.click(".voice .play")
    page.wait_for_selector(".voice .play[aria-pressed=true]")


@pytest.mark.browser
def test_a_part_of_a_message_is_quoted(page, sandbox, timur):
    write(page, "hello")
    message_id = answer(sandbox, timur, "Пришлите фото и чек")
    page.wait_for_selector(f"#m{message_id}")
    page.evaluate(
        """(id) => {
            const text = document.querySelector(`#m${id} .bubble p`).firstChild;
            getSelection().setBaseAndExtent(text, 9, text, 13);
        }""",
        message_id,
    )
    page.hover(f"#m{message_id} .bubble")
    page.click(f"#m{message_id} [data-reply]")
    page.wait_for_selector("#context:has-text('фото')")
    write(page, "Какое?")
    sent = timur.messages()[-1]
    assert (sent["reply_to_message"]["message_id"], sent["quote"]["text"]) == (message_id, "фото")


@pytest.mark.browser
def test_people_stop_the_bot_start_it_again_and_new_ones_come(page, sandbox, timur):
    write(page, "hello")
    page.click("[popovertarget=tg-menu]")
    page.click("#block")
    page.wait_for_selector("#resume:visible")
    assert page.is_checked("input[name=stopped]")
    page.click("#resume")
    page.wait_for_selector(".msg.out:has-text('/start')")
    page.click("#add-person")
    page.fill("#first-name", "Айша")
    page.select_option("#language", "kk")
    page.click("#person-form [type=submit]")
    page.wait_for_selector("#tg-status:has-text('Айша')")
    answer(sandbox, timur, "Вы ещё здесь?")
    page.wait_for_selector("#people-list li:has-text('Тимур') .count:has-text('1')")


@pytest.mark.browser
def test_knobs_are_turned_and_the_journal_tells(page, sandbox, timur):
    write(page, "hello")
    page.click(".knob:has-text('429')")
    page.wait_for_selector(".knob:has-text('осталось 3 раза')")
    sandbox.call("sendMessage", chat_id=timur.id, text="?")
    page.wait_for_selector(".knob:has-text('осталось 2 раза')")
    page.wait_for_selector("#calls li:has-text('sendMessage'):has-text('429'):has-text('ждать 7 с')")
    page.click("#knobs-clear")
    page.wait_for_selector(".knob input[name=too_many_requests]:not(:checked)")
    assert sandbox.call("sendMessage", chat_id=timur.id, text="!")["ok"]
    page.wait_for_selector("#calls li:has-text('200')")


@pytest.mark.browser
def test_commands_are_offered_after_a_slash(page, sandbox, timur):
    sandbox.call("setMyCommands", commands=[{"command": "new", "description": "Новый вопрос"}])
    page.fill("#text", "/")
    page.click("#commands [role=option]:has-text('Новый вопрос')")
    page.wait_for_selector(".msg.out:has-text('/new')")


@pytest.mark.browser
def test_hostile_text_stays_text(page, sandbox, timur):
    hostile = "<img src=x onerror=\"document.title='hacked'\"> javascript:alert(1)"
    write(page, "hello")
    entities = [
        {"type": "text_link", "offset": 0, "length": 4, "url": "javascript:document.title='hacked'"},
        {"type": "pre", "offset": 5, "length": 3, "language": '"><script>'},
    ]
    answer(sandbox, timur, hostile, entities=entities)
    page.wait_for_selector(".msg.in")
    assert hostile in page.inner_text(".msg.in .bubble")
    assert page.query_selector(".msg.in .bubble :is(img, a, script)") is None
    assert "Песочница" in page.title()


@pytest.mark.browser
def test_a_customer_opens_topics_writes_in_them_and_deletes_them(page, sandbox, timur):
    write(page, "hello")
    assert page.is_hidden("#topics")
    sandbox.knobs.turn_on("threaded_mode")
    page.wait_for_selector("#topics:visible")
    page.click("#new-topic")
    page.wait_for_selector("#drop-topic:visible")
    write(page, "Где мой заказ?")
    assert page.locator(".msg:has-text('hello')").count() == 0
    (thread_id,) = timur.topics()
    assert timur.messages()[-1]["message_thread_id"] == thread_id
    sandbox.call("editForumTopic", chat_id=timur.id, message_thread_id=thread_id, name="№1 Где мой заказ?")
    page.wait_for_selector(".msg.in:has-text('Тема переименована: «№1 Где мой заказ?»')")
    made = sandbox.call("createForumTopic", chat_id=timur.id, name="№2")["result"]
    page.select_option("#topic", label="№2")
    sandbox.call("sendMessage", chat_id=timur.id, message_thread_id=made["message_thread_id"], text="Проверьте зарядку")
    page.wait_for_selector(".msg.in:has-text('Проверьте зарядку')")
    page.click("#drop-topic")
    page.wait_for_selector(".msg.out:has-text('hello')")
    page.wait_for_selector(".msg.in:has-text('Проверьте зарядку')", state="detached")
    assert timur.topics() == {thread_id: "№1 Где мой заказ?"}
