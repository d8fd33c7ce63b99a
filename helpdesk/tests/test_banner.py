import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from botbridge.models import BotStatus, Update
from helpdesk.jobs.worker import Worker
from tickets import operations
from tickets.models import Job, Team

BANNER = reverse("telegram-banner")


def browser_of(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def browser_of_aigerim(aigerim) -> Client:
    return browser_of(aigerim)


@pytest.fixture(autouse=True)
def jobs_done(db) -> None:
    operations.start_jobs_missing(kinds=Worker().recurring)


def polled(**ago: int) -> None:
    BotStatus.objects.create(bot_id=1, last_polled_at=timezone.now() - timedelta(**ago))


def test_while_telegram_answers_nothing_is_said(browser_of_aigerim):
    polled(seconds=20)
    assert browser_of_aigerim.get(BANNER).text == ""


def test_silence_is_said_with_its_beginning(browser_of_aigerim):
    polled(minutes=5)
    BotStatus.objects.update(last_error="Bad Gateway", last_error_at=timezone.now() - timedelta(seconds=5))
    began = timezone.localtime() - timedelta(minutes=5)
    assert f"Telegram недоступен с {began:%H:%M}" in browser_of_aigerim.get(BANNER).text


def test_a_bot_that_does_not_even_try_is_not_blamed_on_telegram(browser_of_aigerim):
    polled(days=2)
    BotStatus.objects.update(last_error="Bad Gateway", last_error_at=timezone.now() - timedelta(days=3))
    began = timezone.localtime() - timedelta(days=2)
    banner = browser_of_aigerim.get(BANNER).text
    assert f"Бот не работает с {began:%H:%M} {began.day} " in banner
    assert "Telegram недоступен" not in banner


def test_a_bot_that_never_ran_is_said_too(browser_of_aigerim):
    assert "Бот ещё не подключался к Telegram" in browser_of_aigerim.get(BANNER).text


def through_webhook(*, waits: int, failed: int, **ago: int) -> None:
    now = timezone.now()
    BotStatus.objects.create(
        bot_id=1,
        door=BotStatus.Door.WEBHOOK,
        last_polled_at=now - timedelta(**ago),
        webhook_pending=2,
        webhook_pending_since=now - timedelta(minutes=waits),
        webhook_error="Connection refused",
        webhook_error_at=now - timedelta(minutes=failed),
    )


def test_what_telegram_cannot_bring_is_said_with_its_beginning(browser_of_aigerim):
    through_webhook(seconds=20, waits=3, failed=1)
    began = timezone.localtime() - timedelta(minutes=3)
    banner = browser_of_aigerim.get(BANNER).text
    assert f"Сообщения клиентов не доходят с {began:%H:%M}" in banner
    assert "Connection refused" not in banner
    assert "недоступен" not in banner


def test_of_a_webhook_that_works_again_nothing_is_said(browser_of_aigerim):
    through_webhook(seconds=20, waits=3, failed=10)
    assert browser_of_aigerim.get(BANNER).text == ""


def test_a_webhook_nobody_minds_is_said_to_be_silent_alone(browser_of_aigerim):
    through_webhook(minutes=5, waits=6, failed=6)
    banner = browser_of_aigerim.get(BANNER).text
    assert "Бот не работает" in banner
    assert "не доходят" not in banner


@pytest.fixture
def one_parked(db) -> None:
    Update.objects.create(bot_id=1, update_id=1, digest="1", raw="{}", state=Update.State.PARKED)


def test_a_supervisor_is_led_to_parked_updates(saule, one_parked):
    polled(seconds=20)
    browser = browser_of(saule)
    banner = browser.get(BANNER).text
    assert "Не обработано сообщений из Telegram: 1" in banner
    assert "недоступен" not in banner
    (link,) = map(unescape, re.findall(r'<a [^>]*href="([^"]+)"', banner))
    assert link.endswith("?state__exact=parked&settled_at__isempty=1")
    assert browser.get(link).status_code == 200


def test_a_manager_who_can_do_nothing_about_them_is_not_told(browser_of_aigerim, one_parked):
    polled(seconds=20)
    assert browser_of_aigerim.get(BANNER).text == ""


def test_both_troubles_are_told_together(saule, one_parked):
    banner = browser_of(saule).get(BANNER).text
    assert "Бот ещё не подключался к Telegram" in banner
    assert "Не обработано сообщений из Telegram: 1" in banner


def test_jobs_that_stand_still_are_said(browser_of_aigerim):
    polled(seconds=20)
    Job.objects.filter(kind="wake_snoozed").update(due_at=timezone.now() - timedelta(minutes=5))
    assert "Фоновые задания стоят" in browser_of_aigerim.get(BANNER).text


def test_jobs_that_never_began_are_said(browser_of_aigerim):
    polled(seconds=20)
    Job.objects.all().delete()
    assert "Фоновые задания стоят" in browser_of_aigerim.get(BANNER).text


def told_by_a_page(person) -> str:
    page = browser_of(person).get(reverse("tickets:queue")).text
    told = re.search(r'id="telegram"[^>]*>(.*?)</div>', page, re.DOTALL)
    assert told is not None
    return told[1]


def test_a_page_opens_with_the_same_words_so_that_nothing_moves_when_they_come(browser_of_aigerim, aigerim):
    assert "Бот ещё не подключался" in told_by_a_page(aigerim)
    assert told_by_a_page(aigerim) == browser_of_aigerim.get(BANNER).text, "also where it is remembered"


def test_a_page_opens_without_a_banner_while_all_is_well(aigerim):
    polled(seconds=20)
    assert told_by_a_page(aigerim) == ""


def test_what_a_supervisors_page_says_is_not_remembered_for_a_managers(saule, aigerim, one_parked):
    polled(seconds=20)
    assert "Не обработано сообщений" in told_by_a_page(saule)
    assert told_by_a_page(aigerim) == ""


def test_a_tickets_page_tells_the_same_time_in_whatever_zone_its_team_works(browser_of_aigerim, aigerim, ticket):
    polled(minutes=5)
    Team.objects.update(time_zone="Asia/Tokyo")
    page = browser_of_aigerim.get(reverse("tickets:ticket", args=[ticket.pk])).text
    told = re.search(r'id="telegram"[^>]*>(.*?)</div>', page, re.DOTALL)
    assert told is not None
    assert told[1] == browser_of_aigerim.get(BANNER).text
    assert told_by_a_page(aigerim) == browser_of_aigerim.get(BANNER).text, "remembered from the ticket's page"
