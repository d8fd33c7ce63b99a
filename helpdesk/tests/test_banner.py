from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from botbridge.models import BotStatus

BANNER = reverse("telegram-banner")


@pytest.fixture
def browser_of_aigerim(aigerim) -> Client:
    client = Client()
    client.force_login(aigerim, backend="django.contrib.auth.backends.ModelBackend")
    return client


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
