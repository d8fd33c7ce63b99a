"""The one place that speaks HTTP to Telegram. What it raises never holds a URL: the URL holds the token."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, cast

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNetworkError, TelegramServerError
from aiogram.methods import GetFile, GetMe, GetWebhookInfo, Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import InputFile
from aiohttp import ClientConnectorError, ClientError, ClientTimeout, ConnectionTimeoutError
from django.core.files.base import File

from botbridge.threads import in_thread

#: Seconds a request may take from beginning to end, but for the bytes of files. Shorter than the outbox's lease.
REQUEST_TIMEOUT = 20
#: Bytes a second a line brings at least; what is slower is given up.
SLOWEST_LINE = 256 * 1024
CONNECT_TIMEOUT = 8
CHUNK = 64 * 1024
#: A message names its file by its kind (Bot API, "Message"); an animation is also there as a document.
KINDS_OF_FILES = ("photo", "video", "audio", "voice", "animation", "document")


#: Of what these return fields are asked for by their names: in another form it is an answer nobody understands.
READ_BY_NAME = (GetMe, GetWebhookInfo, GetFile)


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

    #: The `Date` of the last answer (RFC 9110, 6.6.1), as it came; empty where there was none.
    answered_at = ""

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
                self.answered_at = response.headers.get("Date", "")
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NeverSentError(method=method, message=type(error).__name__) from None
        except (ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(method=method, message=type(error).__name__) from None
        checked = self.check_response(bot=bot, method=method, status_code=response.status, content=content)
        return cast(TelegramType, checked.result)

    async def close(self) -> None:
        """Without the quarter of a second aiogram adds for TLS to end: aiohttp itself waits for that since 3.12."""
        if self._session is not None:
            await self._session.close()

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        """As aiogram does, but a success stays one even where its result is newer than aiogram's types, unless that is
        what was asked for, and a refusal that says nothing of itself is told by its status.
        """
        try:
            return super().check_response(bot, method, status_code, content)
        except ClientDecodeError as error:
            told = error.data if status_code == 200 and isinstance(error.data, dict) else {}
            if told.get("ok") is True and not isinstance(method, READ_BY_NAME):
                return Response.model_construct(ok=True, result=told.get("result"))
            raise
        except TelegramAPIError as error:
            error.message = error.message or f"HTTP {status_code}"
            raise
        except TypeError:  # aiogram looks for a word in a description that is not there
            raise TelegramServerError(method=method, message=f"HTTP {status_code}") from None

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


@dataclass(frozen=True)
class SentMessage:
    """A message as Telegram took it: its id in the chat, and the id of the file in it, "" where there is none."""

    message_id: int
    file_id: str = ""


def sent_messages(result: Any) -> tuple[SentMessage, ...]:
    """What a send method answered with: a message, or an album's in their order (Bot API, "sendMediaGroup")."""
    return tuple(_sent(message) for message in (result if isinstance(result, list) else [result]))


def _sent(message: Any) -> SentMessage:
    """An answer newer than aiogram's types comes as the JSON it is."""
    told = message if isinstance(message, dict) else vars(message)
    media = next((told[kind] for kind in KINDS_OF_FILES if told.get(kind)), None)
    # A photo comes in several sizes, the biggest last.
    file = media[-1] if isinstance(media, list) else media
    file_id = "" if file is None else file["file_id"] if isinstance(file, dict) else file.file_id
    return SentMessage(int(told["message_id"]), file_id)


def thread_id_of(result: Any) -> int | None:
    """The topic a method answered with, or put its messages into; None for the main chat and for other results."""
    if isinstance(result, list):
        return thread_id_of(result[0]) if result else None
    if isinstance(result, dict):
        thread_id = result.get("message_thread_id")
        return thread_id if isinstance(thread_id, int) else None
    return getattr(result, "message_thread_id", None)
