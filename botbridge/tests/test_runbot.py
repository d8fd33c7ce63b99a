"""The bot's command says what it needs before it begins."""

import socket
import urllib.request
from contextlib import closing

import pytest
from django.core.management import CommandError, call_command

from botbridge import metrics
from botbridge.tests.conftest import TOKEN


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


def test_figures_are_shown_to_who_asks():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    metrics.show(address)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        assert b"helpdesk_bot_calls" in answer.read()
