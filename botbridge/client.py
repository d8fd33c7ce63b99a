"""The one place that speaks HTTP to Telegram. What it raises never holds a URL: the URL holds the token."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import ClientDecodeError, TelegramNetworkError
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import InputFile
from aiohttp import ClientConnectorError, ClientError, ClientTimeout, ConnectionTimeoutError
from django.core.files.base import File

from botbridge.threads import in_thread

#: Seconds a request may take from beginning to end, an upload included. Shorter than the outbox's lease.
REQUEST_TIMEOUT = 20
CONNECT_TIMEOUT = 8
CHUNK = 64 * 1024


class NeverSentError(TelegramNetworkError):
    """The connection never opened, so Telegram has seen nothing of the request."""


class NoAnswerError(TelegramNetworkError):
    """The request left and no answer came: Telegram may have done what was asked."""


class DownloadError(Exception):
    """A file could not be downloaded. `status` is the HTTP status, None where there was none."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        super().__init__(f"download failed with status {status}")


class QuietSession(AiohttpSession):
    """aiogram's HTTP session, telling apart what was never sent from what was not answered."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> TelegramType:
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        form = self.build_form_data(bot=bot, method=method)
        limit = ClientTimeout(total=timeout or REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
        try:
            async with session.post(url, data=form, timeout=limit) as response:
                content = await response.text(errors="replace")
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NeverSentError(method=method, message=type(error).__name__) from None
        except (ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(method=method, message=type(error).__name__) from None
        checked = self.check_response(bot=bot, method=method, status_code=response.status, content=content)
        return cast(TelegramType, checked.result)

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        """As aiogram does, but a success stays one even where its result is newer than aiogram's types."""
        try:
            return super().check_response(bot, method, status_code, content)
        except ClientDecodeError as error:
            if status_code == 200 and isinstance(error.data, dict) and error.data.get("ok") is True:
                return Response.model_construct(ok=True, result=error.data.get("result"))
            raise

    async def download(self, bot: Bot, file_path: str, *, seconds: int) -> AsyncGenerator[bytes, None]:
        """A file's bytes in chunks; in `seconds` at most.

        :raises DownloadError: it did not come, or not whole.
        """
        session = await self.create_session()
        url = self.api.file_url(token=bot.token, path=file_path)
        try:
            async with session.get(url, timeout=ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT)) as response:
                if response.status != 200:
                    raise DownloadError(response.status)
                async for chunk in response.content.iter_chunked(CHUNK):
                    yield chunk
        except (ClientError, TimeoutError, OSError):
            raise DownloadError from None


class StoredFile(InputFile):
    """A file of ours on its way to Telegram, read from storage in chunks."""

    def __init__(self, open_file: "Callable[[], File[bytes]]", filename: str) -> None:
        super().__init__(filename=filename, chunk_size=CHUNK)
        self._open = open_file

    async def read(self, bot: Bot) -> AsyncGenerator[bytes, None]:
        file = await in_thread(self._open)
        try:
            while chunk := await in_thread(file.read, self.chunk_size):
                yield chunk
        finally:
            await in_thread(file.close)


def make_bot(token: str, api_url: str) -> Bot:
    """A client for the bot behind `token`, on Telegram's server or the one at `api_url`."""
    return Bot(token, session=QuietSession(api=TelegramAPIServer.from_base(api_url)))


def session_of(bot: Bot) -> QuietSession:
    return cast(QuietSession, bot.session)


def message_id_of(result: Any) -> int:
    """The id of the message a send method answered with (Bot API, "Message")."""
    return int(result["message_id"] if isinstance(result, dict) else result.message_id)
