"""Tells about wrong settings before they bite, and how to mend each."""

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register

from botbridge import webhook
from helpdesk import logs
from helpdesk.backup.encryption import check_recipient
from helpdesk.backup.errors import BackupError

SHORTEST_TOKEN = 20
#: Bytes of a key for HS256 (RFC 7518, section 3.2).
SHORTEST_KEY = 32
MAKE_ONE = "Take a random one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


@register()
def bot_token(**kwargs: Any) -> list[CheckMessage]:
    token = settings.TELEGRAM_BOT_TOKEN
    if not token or logs.TOKEN.fullmatch(token):
        return []
    return [
        checks.Error(
            "TELEGRAM_BOT_TOKEN does not look like a bot's token.",
            hint="Copy the whole line that @BotFather gives after /newbot or /token: digits, a colon, 35 characters.",
            id="helpdesk.E001",
        )
    ]


@register()
def addresses(**kwargs: Any) -> Iterable[CheckMessage]:
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme not in ("http", "https") or not public.hostname or public.path or public.query:
        yield checks.Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}, which is not a site's address.",
            hint="Write what people type, without a path: https://help.example.com",
            id="helpdesk.E002",
        )
    elif public.scheme == "http" and not settings.DEBUG and public.hostname not in settings.LOOPBACK_HOSTS:
        yield checks.Warning(
            "PUBLIC_URL begins with http://, so passwords and cookies travel in the open.",
            hint="Put a proxy with a certificate before the site and write https:// in PUBLIC_URL.",
            id="helpdesk.W002",
        )
    telegram = urlsplit(settings.TELEGRAM_API_URL)
    if telegram.scheme not in ("http", "https") or not telegram.hostname:
        yield checks.Error(
            f"TELEGRAM_API_URL is {settings.TELEGRAM_API_URL!r}, which is not an address.",
            hint="Leave it out for Telegram's own server, or write a Bot API server's: http://127.0.0.1:8081",
            id="helpdesk.E003",
        )
    shared = settings.TELEGRAM_LOCAL_FILES
    if shared and not Path(shared).is_absolute():
        yield checks.Error(
            f"TELEGRAM_LOCAL_FILES is {shared!r}, and a Bot API server names absolute paths.",
            hint="Write the directory as that server knows it: /var/lib/telegram-bot-api",
            id="helpdesk.E015",
        )
    elif shared and telegram.hostname == "api.telegram.org":
        yield checks.Error(
            "TELEGRAM_LOCAL_FILES is set, and TELEGRAM_API_URL is Telegram's own server, which has no disk in common "
            "with this machine.",
            hint="Name your own Bot API server in TELEGRAM_API_URL, or leave TELEGRAM_LOCAL_FILES out.",
            id="helpdesk.E014",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield checks.Warning(
            "ALLOWED_HOSTS holds *, so the site answers to any name a stranger makes up.",
            hint="Leave ALLOWED_HOSTS out: PUBLIC_URL's host is allowed by itself. Name other hosts one by one.",
            id="helpdesk.W004",
        )


@register()
def webhook_secret(**kwargs: Any) -> Iterable[CheckMessage]:
    secret = settings.TELEGRAM_WEBHOOK_SECRET
    if secret and not webhook.SECRET.fullmatch(secret):
        yield checks.Error(
            "TELEGRAM_WEBHOOK_SECRET holds what Telegram does not take, or more than 256 characters of it.",
            hint=f"Use Latin letters, digits, _ and - alone. {MAKE_ONE}",
            id="helpdesk.E011",
        )
    elif secret and len(secret) < SHORTEST_TOKEN:
        yield checks.Warning(
            f"TELEGRAM_WEBHOOK_SECRET has fewer than {SHORTEST_TOKEN} characters, so it can be guessed.",
            hint=MAKE_ONE,
            id="helpdesk.W011",
        )


@register()
def networks(**kwargs: Any) -> Iterable[CheckMessage]:
    for setting in ("TRUSTED_PROXIES", "METRICS_NETWORKS", "WEBHOOK_NETWORKS"):
        for network in getattr(settings, setting):
            try:
                ipaddress.ip_network(network)
            except ValueError:
                yield checks.Error(
                    f"{setting} holds {network!r}, which is neither an IP address nor a network.",
                    hint="Write addresses or networks, separated by commas: 127.0.0.1,10.0.0.0/8",
                    id="helpdesk.E005",
                )


@register()
def metrics_token(**kwargs: Any) -> list[CheckMessage]:
    if not settings.METRICS_TOKEN or len(settings.METRICS_TOKEN) >= SHORTEST_TOKEN:
        return []
    return [
        checks.Warning(
            f"METRICS_TOKEN has fewer than {SHORTEST_TOKEN} characters, so it can be guessed.",
            hint=MAKE_ONE,
            id="helpdesk.W010",
        )
    ]


@register()
def jwt_signing_key(**kwargs: Any) -> list[CheckMessage]:
    if len(str(settings.SIMPLE_JWT["SIGNING_KEY"]).encode()) >= SHORTEST_KEY:
        return []
    return [
        checks.Error(
            f"JWT_SIGNING_KEY has fewer than {SHORTEST_KEY} bytes: who guesses it signs in over the API as anybody.",
            hint=MAKE_ONE,
            id="helpdesk.E012",
        )
    ]


@register()
def directories(**kwargs: Any) -> Iterable[CheckMessage]:
    if settings.LOG_DIR and not logs.writable(Path(settings.LOG_DIR)):
        yield checks.Error(
            f"Nothing can be written to LOG_DIR, {settings.LOG_DIR}: there are only the console's logs.",
            hint="Give the directory to the user the processes run as, or set LOG_DIR to nothing for no log files.",
            id="helpdesk.E006",
        )
    media = Path(settings.MEDIA_ROOT)
    if not logs.writable(media):
        yield checks.Error(
            f"Nothing can be written to MEDIA_ROOT, {media}: no file can be kept.",
            hint="Give the directory to the user the processes run as, or point MEDIA_ROOT elsewhere.",
            id="helpdesk.E007",
        )
    if media.resolve().is_relative_to(Path(settings.STATIC_ROOT).resolve()):
        yield checks.Error(
            "MEDIA_ROOT lies inside the static files, which anybody may fetch.",
            hint="Point MEDIA_ROOT to a directory of its own.",
            id="helpdesk.E008",
        )


@register()
def backups(**kwargs: Any) -> Iterable[CheckMessage]:
    if settings.BACKUP_RECIPIENT:
        try:
            check_recipient(settings.BACKUP_RECIPIENT)
        except BackupError:
            yield checks.Error(
                "BACKUP_RECIPIENT is no age public key, so no backup would be made.",
                hint="Make a pair elsewhere with age-keygen and copy the line that begins with age1.",
                id="helpdesk.E020",
            )
    if settings.BACKUP_KEEP < 0:
        yield checks.Error(
            f"BACKUP_KEEP is {settings.BACKUP_KEEP}: no number of backups can be kept by that.",
            hint="Write how many nightly ones stay; 0 makes none.",
            id="helpdesk.E022",
        )
    if settings.BACKUP_DIR.resolve().is_relative_to(settings.STATIC_ROOT.resolve()):
        yield checks.Error(
            "BACKUP_DIR lies below STATIC_ROOT, which everybody may read.",
            hint="Give backups a folder of their own, best on another disk.",
            id="helpdesk.E021",
        )


@register()
def sqlite_file(**kwargs: Any) -> list[CheckMessage]:
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return []
    file = Path(database["NAME"])
    # SQLite makes its journal beside the file, so the directory must be writable too.
    if os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK)):
        return []
    return [
        checks.Error(
            f"The database file {file} cannot be written to.",
            hint="Give the file and its directory to the user the processes run as, or set DATABASE_URL.",
            id="helpdesk.E009",
        )
    ]
