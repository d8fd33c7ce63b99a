"""What Telegram itself says of the bot: asked once, by who looks for what is wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramNetworkError, TelegramNotFound, TelegramUnauthorizedError
from aiogram.methods import GetMe, GetWebhookInfo
from aiogram.utils.token import TokenValidationError

from botbridge.client import QuietSession, make_bot


@dataclass(frozen=True)
class Introduction:
    """Who the token's bot is, how many updates wait at Telegram, the address it brings them to, if any, and the last
    error it met there; whether the bot's private chats may have topics (Threaded Mode); how far this machine's clock is
    ahead of the server's, where that tells the time.
    """

    username: str
    waiting: int
    webhook: str = ""
    last_error: str = ""
    last_error_at: datetime | None = None
    has_topics_enabled: bool = False
    clock_skew: timedelta | None = None


class TelegramTrouble(Exception):
    """Telegram did not answer as it should: `words` say how, `remedy` what to do."""

    def __init__(self, words: str, remedy: str) -> None:
        self.words, self.remedy = words, remedy
        super().__init__(words)


async def introduce(token: str, api_url: str) -> Introduction:
    """Ask who the bot is.

    :raises TelegramTrouble: the token is none, is not good any more, or the server cannot be reached.
    """
    try:
        bot = make_bot(token, api_url)
    except TokenValidationError:
        remedy = "Copy the whole line that @BotFather gives after /newbot or /token: digits, a colon, 35 characters."
        raise TelegramTrouble("TELEGRAM_BOT_TOKEN does not look like a bot's token", remedy) from None
    try:
        me, webhook = await bot(GetMe()), await bot(GetWebhookInfo())
    except (TelegramUnauthorizedError, TelegramNotFound):
        remedy = "Ask @BotFather for it with /token; after /revoke only the new one is good."
        raise TelegramTrouble("The server knows no bot with this TELEGRAM_BOT_TOKEN", remedy) from None
    except TelegramNetworkError as error:
        remedy = "Check TELEGRAM_API_URL, DNS and the firewall: the machine must reach that address."
        raise TelegramTrouble(f"{api_url} cannot be reached ({type(error).__name__})", remedy) from None
    except AiogramError as error:
        remedy = "Look whether the address is a Bot API server's, and at https://telegram.org for an outage."
        raise TelegramTrouble(f"{api_url} answers strangely ({type(error).__name__})", remedy) from None
    finally:
        await bot.session.close()
    return Introduction(
        me.username or "",
        webhook.pending_update_count,
        webhook.url,
        webhook.last_error_message or "",
        webhook.last_error_date,
        bool(me.has_topics_enabled),
        clock_skew(bot),
    )


def clock_skew(bot: Bot) -> timedelta | None:
    """How far this machine's clock is ahead of the server's, to the second: asked right after an answer."""
    assert isinstance(bot.session, QuietSession)
    try:
        there = parsedate_to_datetime(bot.session.answered_at)
    except ValueError:
        return None
    return datetime.now(UTC) - there
