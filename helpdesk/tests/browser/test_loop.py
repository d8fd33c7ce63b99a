"""The whole loop: a customer writes in Telegram, a manager answers at the desk, the customer reads it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from conftest import PASSWORD
from helpdesk.tests.browser.conftest import Loop
from helpdesk.tests.browser.pictures import png
from tickets.models import User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

PHONE = {"width": 390, "height": 844}
ARRIVED = "Доставлено в Telegram"
ACT = "Акт замены: ноутбук Nova Book 14."


class Customer:
    """Somebody with Telegram open on a phone."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.messages = page.locator("#messages")

    def write(self, text: str) -> None:
        self.page.locator("#text").fill(text)
        self.page.get_by_role("button", name="Отправить", exact=True).click()
        expect(self.messages).to_contain_text(text)

    def send_ready_made(self, name: str) -> None:
        self.page.get_by_role("button", name="Прикрепить").click()
        self.page.get_by_role("menuitem", name=name).click()


@pytest.fixture
def customer(loop: Loop) -> Iterator[Customer]:
    context = loop.desk.browser.new_context(viewport=PHONE, locale="ru-RU")
    page = context.new_page()
    page.goto(loop.sandbox.base_url)
    yield Customer(page)
    context.close()


@pytest.fixture
def manager(loop: Loop, aigerim: User) -> Page:
    """Aigerim, who has signed in by the form and looks at what is free."""
    page = loop.desk.open().new_page()
    page.goto("/desk/?view=free")
    page.get_by_label("Логин").fill(aigerim.username)
    page.get_by_label("Пароль", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Войти").click()
    page.wait_for_selector("html[data-live=on]", state="attached")
    return page


@pytest.mark.loop
def test_a_customer_writes_a_manager_answers_the_customer_reads(customer: Customer, manager: Page) -> None:
    customer.write("Здравствуйте! Ноутбук не включается.")
    row = manager.locator("#queue-list .row")
    expect(row).to_contain_text("Ноутбук не включается")
    row.click()
    log = manager.locator("#log-list")
    expect(log).to_contain_text("Ноутбук не включается")

    assert min(seconds_until_shown(customer, log, f"Подробность {number}") for number in range(3)) < 1

    manager.locator("#reply-text").fill("Проверьте, пожалуйста, зарядку.")
    manager.keyboard.press("Control+Enter")
    reply = log.locator(".msg.out").last
    expect(reply).to_contain_text("Проверьте, пожалуйста, зарядку.")
    expect(reply.get_by_label(ARRIVED)).to_be_visible()
    expect(manager.locator("#reply-text")).to_have_value("")
    expect(customer.messages).to_contain_text("Проверьте, пожалуйста, зарядку.")

    customer.send_ready_made("Фото коробки")
    expect_picture(log.locator(".msg:not(.out) .album img"))
    customer.send_ready_made("Чек_719-204.pdf")
    receipt = log.locator(".msg:not(.out) a.file")
    expect(receipt).to_contain_text("Чек_719-204.pdf")
    assert download(manager, receipt).startswith(b"%PDF")

    attach(manager, "схема.png", "image/png", png(320, 200))
    expect_picture(customer.messages.locator("img").last)
    attach(manager, "акт.txt", "text/plain", ACT.encode())
    expect(customer.messages).to_contain_text("акт.txt")
    assert download(customer.page, customer.messages.locator("a", has_text="акт.txt")) == ACT.encode()
    expect(log.locator(".msg.out").last.get_by_label(ARRIVED)).to_be_visible()


def seconds_until_shown(customer: Customer, log: Locator, text: str) -> float:
    customer.write(text)
    began = time.monotonic()
    expect(log).to_contain_text(text)
    return time.monotonic() - began


def expect_picture(image: Locator) -> None:
    """The picture is there and its bytes are a picture's."""
    expect(image).to_be_visible()
    image.scroll_into_view_if_needed()
    image.page.wait_for_function("image => image.naturalWidth > 0", arg=image.element_handle())


def download(page: Page, link: Locator) -> bytes:
    with page.expect_download() as begun:
        link.click()
    return Path(begun.value.path()).read_bytes()


def attach(page: Page, name: str, media_type: str, content: bytes) -> None:
    page.locator("#reply input[type=file]").set_input_files([{"name": name, "mimeType": media_type, "buffer": content}])
    page.locator("#reply-text").press("Control+Enter")
    expect(page.locator("#attached .chip")).to_have_count(0)


def test_what_was_sent_is_changed_taken_back_and_reacted_to(customer: Customer, manager: Page) -> None:
    customer.write("Здравствуйте! Ноутбук не включается.")
    manager.locator("#queue-list .row").click()
    log, field = manager.locator("#log-list"), manager.locator("#reply-text")
    expect(log).to_contain_text("Ноутбук не включается")
    # Nobody has taken it: who may reply is seen writing all the same.
    field.press_sequentially("Приезжайте до 18:00")
    expect(customer.page.locator("#tg-status")).to_have_text("печатает…")
    manager.keyboard.press("Control+Enter")
    first = log.locator(".msg.out").last
    expect(first.get_by_label(ARRIVED)).to_be_visible()
    expect(field).to_have_value("")

    field.press("ArrowUp")
    log.locator("textarea").fill("Приезжайте до 19:00")
    log.get_by_role("button", name="Изменить у клиента").click()
    expect(customer.messages).to_contain_text("до 19:00")
    expect(first).to_contain_text("изменено")
    expect(customer.messages).not_to_contain_text("до 18:00")

    said = customer.messages.locator(".msg.in").last
    said.click()
    said.get_by_role("button", name="Реакция 🔥").click()
    expect(first.locator(".reaction")).to_have_text("🔥")

    question = log.locator(".msg:not(.out)").first
    question.hover()
    question.get_by_role("link", name="Поставить реакцию").click()
    manager.locator("#chooser").get_by_role("button", name="🤝").click()
    expect(question.get_by_label("🤝. Наша реакция")).to_be_visible()
    expect(customer.messages.locator(".msg.out .reaction")).to_have_text("🤝")

    first.hover()
    first.get_by_role("link", name="Удалить у клиента").click()
    manager.locator("#chooser").get_by_role("button", name="Удалить у клиента").click()
    expect(first).to_contain_text("удалено у клиента")
    expect(first).to_contain_text("до 19:00")
    expect(customer.messages).not_to_contain_text("до 19:00")
