"""The bot's command says what it needs before it begins."""

import pytest
from django.core.management import CommandError, call_command


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
