"""The bot's command says what it needs before it begins."""

import socket
import urllib.request
from contextlib import closing

import pytest
from aiogram.types import User
from django.core.management import CommandError, call_command

from botbridge import metrics
from botbridge.management.commands.runbot import expect_reachable, remember
from botbridge.models import BotStatus
from botbridge.tests.conftest import BOT_ID, TOKEN


def test_without_a_token_it_says_which_variable_and_where_to_get_one(settings):
    settings.TELEGRAM_BOT_TOKEN = ""
    with pytest.raises(CommandError) as error:
        call_command("runbot")
    assert "TELEGRAM_BOT_TOKEN" in str(error.value)
    assert "@BotFather" in str(error.value)
    assert error.value.returncode == 1


@pytest.mark.parametrize("token", ["abc", "123456", ":AA", "123 456:AAbbccddeeffgghhiijjkkllmmnnooppqqrr"])
def test_a_malformed_token_is_told_and_not_shown(settings, token: str):
    settings.TELEGRAM_BOT_TOKEN = token
    with pytest.raises(CommandError) as error:
        call_command("runbot")
    assert "@BotFather" in str(error.value)
    assert token not in str(error.value)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1", "127.0.0.1:http", "192.0.2.1:9101"])
def test_an_address_where_no_figures_can_be_shown_is_told(settings, address: str, db: None):
    settings.TELEGRAM_BOT_TOKEN = TOKEN
    settings.BOT_METRICS = address
    with pytest.raises(CommandError, match=f"BOT_METRICS, {address}"):
        call_command("runbot")


FITTING = {
    "TELEGRAM_BOT_TOKEN": TOKEN,
    "TELEGRAM_WEBHOOK_SECRET": "sesame-sesame-sesame",
    "TELEGRAM_API_URL": "https://api.telegram.org",
    "PUBLIC_URL": "https://help.example.com",
}


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("TELEGRAM_WEBHOOK_SECRET", "", "TELEGRAM_WEBHOOK_SECRET"),
        ("TELEGRAM_WEBHOOK_SECRET", "два слова", "TELEGRAM_WEBHOOK_SECRET"),
        ("PUBLIC_URL", "http://help.example.com", "PUBLIC_URL is http://help.example.com"),
        ("PUBLIC_URL", "http://localhost:8000", "leave --webhook out"),
        ("PUBLIC_URL", "https://help.example.com:8000", "443, 80, 88 or 8443"),
    ],
)
def test_a_webhook_telegram_would_refuse_is_told_before_anything_begins(settings, setting: str, value: str, told: str):
    for name, fitting in (FITTING | {setting: value}).items():
        setattr(settings, name, value if name == setting else fitting)
    with pytest.raises(CommandError, match=told) as error:
        call_command("runbot", webhook=True, skip_checks=True)
    assert error.value.returncode == 1
    assert not value or setting == "PUBLIC_URL" or value not in str(error.value)


@pytest.mark.parametrize(
    ("api", "public"),
    [
        ("https://api.telegram.org", "https://help.example.com"),
        ("https://api.telegram.org", "https://help.example.com:8443"),
        ("http://127.0.0.1:8081", "http://localhost:8000"),
    ],
)
def test_a_server_of_ones_own_may_bring_updates_in_the_open(settings, api: str, public: str):
    for name, value in (FITTING | {"TELEGRAM_API_URL": api, "PUBLIC_URL": public}).items():
        setattr(settings, name, value)
    expect_reachable()


@pytest.mark.django_db
@pytest.mark.parametrize("threaded", [True, False])
def test_what_getme_says_of_topics_is_kept_and_what_a_supervisor_asked_for_stays(threaded: bool):
    BotStatus.objects.create(bot_id=BOT_ID, tickets_as_topics=True)
    remember(BOT_ID, User(id=BOT_ID, is_bot=True, first_name="Отклик", username="otklik", has_topics_enabled=threaded))
    status = BotStatus.objects.get()
    assert (status.username, status.has_topics_enabled, status.tickets_as_topics) == ("otklik", threaded, True)
    assert status.gives_forum_topics is threaded


def test_figures_are_shown_to_who_asks():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    metrics.show(address)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        assert b"helpdesk_bot_calls" in answer.read()
