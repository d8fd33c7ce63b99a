"""The other door by which updates come: Telegram brings each to an address of the web's (Bot API, "setWebhook").

Like the first one it stores, commits, and only then acknowledges, here by answering 200. Whatever else Telegram is
answered it brings again, for a day. Nothing here needs aiogram: web processes do without it.
"""

import json
import logging
import re
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from botbridge.health import undelivered_since
from botbridge.models import BotStatus
from botbridge.outages import last_update, reached
from botbridge.storing import UPDATE_ID, park_unreadable, store

logger = logging.getLogger(__name__)

#: What setWebhook takes as `secret_token` (Bot API).
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
#: Where the address begins; what follows is a secret, and logs leave it out.
PREFIX = "/telegram/"
#: Bytes. Telegram writes a Cyrillic letter as six (\uXXXX); an update beyond this would keep its chat's others waiting
#: until Telegram forgets it.
MAX_UPDATE = 8 * 1024 * 1024
#: Seconds after which a database that is away may be back.
RETRY_AFTER = "3"


def address() -> str:
    """The address Telegram is to bring updates to."""
    return f"{settings.PUBLIC_URL}{reverse('telegram-webhook', args=[secret_path()])}"


def secret_path() -> str:
    """The last part of the address. It follows from the secrets that are there, so that nobody sets it twice."""
    said = f"{_bot_id()}:{settings.TELEGRAM_WEBHOOK_SECRET}"
    return salted_hmac("botbridge.webhook", said, algorithm="sha256").hexdigest()


def _bot_id() -> str:
    """The token's first part; web processes have the token for this alone."""
    bot_id, _colon, _secret = settings.TELEGRAM_BOT_TOKEN.partition(":")
    return str(bot_id)


@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, path: str) -> HttpResponse:
    """Store the update Telegram brings.

    Taken whether or not a bot's process has the webhook set now: while the doors are changed, some come by either.
    """
    if not _is_telegram(request, path):
        return HttpResponse(status=HTTPStatus.FORBIDDEN)
    body = request.read()
    if not _is_whole(request, body):
        logger.warning("Webhook: an update that is none")
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    try:
        _keep(int(_bot_id()), body.decode(errors="replace"))
    except (OperationalError, InterfaceError) as error:
        logger.warning("Webhook: %s, Telegram will bring the update again", type(error).__name__)
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY_AFTER})
    return HttpResponse()


def _keep(bot_id: int, content: str) -> None:
    """Store an update; one that no JSON reader takes, too deep or with a number too long, is parked as it came.

    Refused, it would come again for a day and hold up its chat's others.
    """
    _note_outage(bot_id)
    try:
        store(bot_id, [json.loads(content)])
    except (ValueError, RecursionError):  # also of the writer, which goes less deep than the reader
        found = UPDATE_ID.search(content)
        update_id = int(found[1]) if found is not None else 0
        logger.error("Webhook: update %s cannot be read, and is parked as it came", update_id)
        park_unreadable(bot_id, update_id, content)


def _note_outage(bot_id: int) -> None:
    """Telegram has come through: if it had tried in vain for long, customers hear why nobody answered.

    Where much comes, some of it waits at every look; what has come meanwhile says that it was not in vain.
    """
    since = undelivered_since(BotStatus.objects.filter(pk=bot_id).first())
    if since is not None:
        since = max(since, last_update(bot_id) or since)
    reached(bot_id, last=since)


def _is_telegram(request: HttpRequest, path: str) -> bool:
    """Whether the caller knows both secrets. Compared as bytes: a header may hold anything."""
    if not settings.TELEGRAM_WEBHOOK_SECRET or not _bot_id().isdecimal():
        return False
    is_path = constant_time_compare(path, secret_path())
    header = request.headers.get(SECRET_HEADER, "")
    return constant_time_compare(header, settings.TELEGRAM_WEBHOOK_SECRET) and is_path


def _is_whole(request: HttpRequest, body: bytes) -> bool:
    """Whether a JSON object may be in it, and nothing of it is missing.

    `helpdesk.middleware.bounded_bodies` has looked at its length.
    """
    said = request.META.get("CONTENT_LENGTH") or str(len(body))
    content = body.strip()
    return said == str(len(body)) and content.startswith(b"{") and content.endswith(b"}")
