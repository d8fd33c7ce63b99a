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
from tickets.models import Job

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
    began = timezone.localtime() - timedelta(minutes=5)
    assert f"Telegram недоступен с {began:%H:%M}" in browser_of_aigerim.get(BANNER).text


def test_a_bot_that_never_ran_is_said_too(browser_of_aigerim):
    assert "Бот ещё не подключался к Telegram" in browser_of_aigerim.get(BANNER).text


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
