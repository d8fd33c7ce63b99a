"""Looks at everything the product depends on, and says of each whether it is right and what to do if it is not."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from smtplib import SMTPException
from typing import Any
from urllib.parse import unquote, urlsplit

import kombu
import redis
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks
from django.core.files.storage import default_storage
from django.core.mail import get_connection
from django.db import Error, connection
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError

from botbridge import health as bot_health
from botbridge import webhook
from botbridge.doctor import Introduction, TelegramTrouble, introduce
from botbridge.models import BotStatus
from helpdesk import health, logs
from tickets.models import Attachment, AttachmentState, Team

#: Beyond it leases, waiting times and log lines of several machines do not fit together.
MOST_SKEW = timedelta(seconds=5)
LEAST_FREE_BYTES = 1024**3
LEAST_FREE_SHARE = 0.05
FILES_LOOKED_AT = 200
#: Seconds a server may take to answer.
PATIENCE = 5
HIDDEN = "<hidden>"
WEBHOOK_REMEDY = (
    "The proxy must pass POST to /telegram/ on, unchanged and with its headers, from any address. 403: web and bot do "
    "not have the same SECRET_KEY and TELEGRAM_WEBHOOK_SECRET. 301: TRUSTED_PROXIES does not name the proxy. 503: see "
    "the database. SSL: the certificate must be whole and of the name in PUBLIC_URL."
)


class State(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    NOT_USED = "not used"


@dataclass(frozen=True)
class Diagnosis:
    """How one dependency fares; `remedy` says what to do where it is wrong, or how to begin to use it."""

    about: str
    state: State
    words: str
    remedy: str = ""


def right(about: str, words: str) -> Diagnosis:
    return Diagnosis(about, State.RIGHT, words)


def wrong(about: str, words: str, remedy: str) -> Diagnosis:
    return Diagnosis(about, State.WRONG, words, remedy)


def unused(about: str, words: str) -> Diagnosis:
    return Diagnosis(about, State.NOT_USED, words)


def check_settings() -> Iterator[Diagnosis]:
    """Django's checks and ours; with DEBUG=1 without those for production, which would all cry."""
    found = checks.run_checks(include_deployment_checks=not settings.DEBUG)
    serious = [problem for problem in found if problem.level >= checks.WARNING and not problem.is_silenced()]
    for problem in serious:
        yield wrong("settings", problem.msg, problem.hint or f"See {problem.id} in Django's documentation.")
    if not serious:
        kind = "a development machine (DEBUG=1)" if settings.DEBUG else "production"
        yield right("settings", f"fit for {kind}, at {settings.PUBLIC_URL}")


def check_database() -> Iterator[Diagnosis]:
    """Whether it answers, has every migration, and shows the same time as this machine."""
    began = time.monotonic()
    try:
        health.database()
        took = time.monotonic() - began
        missing = health.migrations().failures
        skew = clock_skew() if not missing else timedelta(0)
    except Error as error:
        remedy = "Check DATABASE_URL, that the server runs, and that this machine may reach it with that user."
        yield wrong("database", f"does not answer ({type(error).__name__})", remedy)
        return
    yield right("database", f"{connection.display_name} answers in {took * 1000:.0f} ms")
    if missing:
        yield wrong("migrations", missing[0], "Run manage.py migrate, and then this again.")
        return
    yield right("migrations", "all applied")
    if connection.vendor != "sqlite":  # which has this machine's own clock
        yield judge_clock(skew, "the database's")


def clock_skew() -> timedelta:
    """How far this machine's clock is ahead of the database's."""
    there = Team.objects.annotate(now=Now()).values_list("now", flat=True).first()
    return timezone.now() - there if there is not None else timedelta(0)


def judge_clock(skew: timedelta, other: str) -> Diagnosis:
    if abs(skew) > MOST_SKEW:
        words = f"this machine's clock and {other} differ by {abs(skew).total_seconds():.0f} s"
        return wrong("clock", words, "Let each machine keep time by NTP (timedatectl set-ntp true).")
    return right("clock", f"goes with {other}")


def check_redis() -> Iterator[Diagnosis]:
    """Whether limits can be counted for all web processes together."""
    if not settings.REDIS_URL:
        yield unused("redis", "REDIS_URL is not set: each web process counts limits by itself")
        return
    try:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    except ValueError:
        yield wrong("redis", "REDIS_URL is no address of Redis", "Write it as redis://host:6379/0.")
        return
    try:
        client.ping()
    except redis.RedisError as error:
        remedy = "Check REDIS_URL and that the server runs. Until then each process counts limits by itself."
        yield wrong("redis", f"does not answer ({type(error).__name__})", remedy)
    else:
        yield right("redis", "answers")
    finally:
        client.close()


def check_broker() -> Iterator[Diagnosis]:
    """Whether Celery's workers can be rung."""
    if not settings.CELERY_BROKER_URL:
        yield unused("broker", "CELERY_BROKER_URL is not set: manage.py runjobs does the jobs")
        return
    try:
        with kombu.Connection(settings.CELERY_BROKER_URL, connect_timeout=PATIENCE) as broker:
            broker.ensure_connection(max_retries=1, timeout=PATIENCE)
    except OperationalError as error:
        remedy = "Check CELERY_BROKER_URL and that the server runs. Until then jobs are late, and none is lost."
        yield wrong("broker", f"does not answer ({type(error).__name__})", remedy)
    except (KeyError, ImportError, ValueError):  # no such kind of broker, a package it needs, or no address at all
        remedy = "Write it as redis://host:6379/0 or amqp://user:password@host:5672//."
        yield wrong("broker", "CELERY_BROKER_URL is no address of a broker", remedy)
    else:
        yield right("broker", "answers")


def check_mail() -> Iterator[Diagnosis]:
    """Whether the server that takes letters lets us in; none is sent."""
    if not settings.EMAIL_URL:
        yield unused("mail", "EMAIL_URL is not set: a forgotten password is a supervisor's to mend")
        return
    server = get_connection()
    try:
        server.open()
    except (OSError, SMTPException) as error:
        remedy = "Check EMAIL_URL: server, port, encryption, name and password."
        yield wrong("mail", f"cannot be sent ({type(error).__name__})", remedy)
    else:
        yield right("mail", f"{settings.EMAIL_HOST} takes letters")
    finally:
        server.close()


def check_telegram() -> Iterator[Diagnosis]:
    """What Telegram says of the bot and of the time, and how long ago the bot's process has heard from it."""
    if not settings.TELEGRAM_BOT_TOKEN:
        yield unused("telegram", "TELEGRAM_BOT_TOKEN is not set: no bot runs. @BotFather gives a token for /newbot")
        return
    try:
        introduction = async_to_sync(introduce)(settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL)
    except TelegramTrouble as trouble:
        yield wrong("telegram", trouble.words, trouble.remedy)
    else:
        yield right("telegram", f"knows the bot as @{introduction.username}; {introduction.waiting} updates wait there")
        if introduction.clock_skew is not None:
            yield judge_clock(introduction.clock_skew, "Telegram's")
        yield judge_webhook(introduction, uses_webhook=uses_webhook())
        yield from check_topics(has_topics_enabled=introduction.has_topics_enabled)
    yield from check_local_files()
    yield from check_bot()


def uses_webhook() -> bool:
    """Whether the bot's process that was heard of last has the webhook for its door."""
    try:
        status = bot_health.latest_status()
    except Error:
        return False  # said of the database already
    return status is not None and status.door == BotStatus.Door.WEBHOOK


def judge_webhook(introduction: Introduction, *, uses_webhook: bool) -> Diagnosis:
    """Whether updates come by the door at which somebody waits for them."""
    where = introduction.webhook
    is_ours = bool(settings.TELEGRAM_WEBHOOK_SECRET) and where == webhook.address()
    if not where and not uses_webhook:
        return unused("webhook", "not set: manage.py runbot asks for updates")
    if not where:
        remedy = "Somebody took it away: look which program has the token. manage.py runbot --webhook sets it again."
        return wrong("webhook", "not set, though the bot waits for it", remedy)
    if not is_ours:
        remedy = (
            "Look which program set it, and whether TELEGRAM_WEBHOOK_SECRET, SECRET_KEY and PUBLIC_URL are the same "
            "for web, bot and this command. manage.py runbot takes it away, with --webhook it sets its own."
        )
        return wrong("webhook", f"set to another address, at {urlsplit(where).hostname}", remedy)
    if not uses_webhook:
        remedy = "Start manage.py runbot --webhook, or manage.py runbot, which takes it away and asks for updates."
        return wrong("webhook", "set to this site, and no bot that minds it runs", remedy)
    failed_at = introduction.last_error_at
    if failed_at is not None and timezone.now() - failed_at < bot_health.ERROR_COUNTS_FOR:
        ago = int((timezone.now() - failed_at).total_seconds())
        return wrong("webhook", f"failed {ago} s ago: {introduction.last_error}", WEBHOOK_REMEDY)
    return right("webhook", f"Telegram brings updates to {settings.PUBLIC_URL}")


def check_local_files() -> Iterator[Diagnosis]:
    """Whether what a Bot API server of one's own brings can be read here."""
    place = Path(settings.TELEGRAM_LOCAL_FILES)
    if not settings.TELEGRAM_LOCAL_FILES:
        yield unused("large files", "TELEGRAM_LOCAL_FILES is not set: files come up to 20 MB and go up to 50 MB")
    elif place.is_dir() and os.access(place, os.R_OK | os.X_OK):
        yield right("large files", f"up to {settings.TELEGRAM_DOWNLOAD_MB} MB, read from {place}")
    else:
        remedy = (
            "Mount the directory of the Bot API server under the same path where the jobs run, "
            "and let their user read it."
        )
        yield wrong("large files", f"TELEGRAM_LOCAL_FILES, {place}, cannot be read", remedy)


def check_topics(*, has_topics_enabled: bool) -> Iterator[Diagnosis]:
    """Whether each ticket can have a topic of its own, where a supervisor asked for that."""
    bot_id, _colon, _secret = settings.TELEGRAM_BOT_TOKEN.partition(":")
    try:
        wanted = BotStatus.objects.filter(pk=int(bot_id), tickets_as_topics=True).exists()
    except Error:
        return  # said of the database already
    if not wanted:
        yield unused(
            "topics", "not asked for: tickets share the customer's chat. The admin has the switch, with the bot"
        )
    elif has_topics_enabled:
        yield right("topics", "each ticket has a topic of its own in the customer's chat")
    else:
        words = "each ticket is to have a topic of its own, but the bot has no Threaded Mode: they share the chat"
        yield wrong("topics", words, "Turn on Threaded Mode in the bot's settings at @BotFather.")


def check_bot() -> Iterator[Diagnosis]:
    try:
        finding = health.bot()
    except Error:
        return  # said of the database already
    for failure in finding.failures:
        yield wrong("bot", failure, "See that manage.py runbot runs, and what its log (bot.log) says last.")
    for concern in finding.concerns:
        remedy = "The admin's first page says more. Of updates parked try each again there or mark it as dealt with."
        yield wrong("bot", concern, remedy)
    if not finding.failures and not finding.concerns:
        yield right("bot", f"heard from Telegram {finding.facts['last_poll_age']} s ago")


def check_disks() -> Iterator[Diagnosis]:
    """Whether each place the product writes to has room; that it can write there is told with the settings."""
    places = {"MEDIA_ROOT": Path(settings.MEDIA_ROOT)}
    if settings.LOG_DIR:
        places["LOG_DIR"] = Path(settings.LOG_DIR)
    if connection.vendor == "sqlite":
        places["database"] = Path(settings.DATABASES["default"]["NAME"]).parent
    for name, place in places.items():
        if not logs.writable(place):
            yield wrong("disk", f"nothing can be written to {name}, {place}", "Give it to the processes' user.")
            continue
        usage = shutil.disk_usage(place)
        yield judge_room(name, place, free=usage.free, total=usage.total)
    if not settings.LOG_DIR:
        yield unused("logs", "LOG_DIR is empty: log lines go to the console alone")


def check_files() -> Iterator[Diagnosis]:
    """Whether the newest files that rows name are where they should be."""
    ready = Attachment.objects.filter(state=AttachmentState.READY).order_by("-pk")
    try:
        names = list(ready.values_list("file", flat=True)[:FILES_LOOKED_AT])
    except Error:
        return  # said of the database already
    try:
        missing = sum(not default_storage.exists(name) for name in names)
    except OSError as error:
        yield wrong("files", f"storage does not answer ({type(error).__name__})", "Check MEDIA_ROOT and its disk.")
        return
    if not missing:
        yield right("files", f"the newest {len(names)} are in storage")
        return
    remedy = (
        "Look whether MEDIA_ROOT is the right one and mounted; else take them from a backup (docs/backup.md). "
        "Meanwhile the desk says so in their place, where a customer's can be fetched from Telegram again."
    )
    yield wrong("files", f"{missing} of the newest {len(names)} are not in storage", remedy)


def check_backups() -> Iterator[Diagnosis]:
    """Whether there is a copy to come back to, and room for the next one."""
    if settings.DEBUG or not settings.BACKUP_KEEP:
        yield unused("backups", "none is made by itself: that takes BACKUP_KEEP, and a machine for production")
        return
    finding = health.backups()
    remedy = (
        f"Look in the admin's list of jobs why the nightly one fails, and that BACKUP_DIR, {settings.BACKUP_DIR}, can "
        "be written to where the jobs run and read here; then manage.py backup --nightly. See docs/backup.md."
    )
    for concern in finding.concerns:
        yield wrong("backups", concern, remedy)
    if not finding.concerns:
        hours = finding.facts["last_backup_age"] // 3600
        yield right("backups", f"the last one is {hours} h old, in {settings.BACKUP_DIR}")


def judge_room(name: str, place: Path, *, free: int, total: int) -> Diagnosis:
    words = f"{free / 1024**3:.1f} GB free for {name}, {place}"
    if free < LEAST_FREE_BYTES or free < total * LEAST_FREE_SHARE:
        return wrong("disk", words, "Make room or move it: a full disk loses files, and SQLite stops.")
    return right("disk", words)


def check_static_files() -> Iterator[Diagnosis]:
    """Whether pages find their scripts and styles."""
    storage: Any = staticfiles_storage
    if not hasattr(storage, "stored_name"):
        yield unused("static files", "with DEBUG=1 they come straight from the code")
        return
    try:
        found = storage.exists(storage.stored_name("css/app.css"))
    except ValueError:  # not in the manifest
        found = False
    if found:
        yield right("static files", f"collected in {settings.STATIC_ROOT}")
    else:
        yield wrong("static files", f"not in {settings.STATIC_ROOT}", "Run manage.py collectstatic.")


Check = Callable[[], Iterable[Diagnosis]]
CHECKS: tuple[Check, ...] = (
    check_settings,
    check_database,
    check_redis,
    check_broker,
    check_mail,
    check_telegram,
    check_disks,
    check_files,
    check_backups,
    check_static_files,
)


def without_secrets(text: str) -> str:
    """The text with every secret of the settings taken out, whoever has put it into an error."""
    redis_password = unquote(urlsplit(settings.REDIS_URL).password or "")
    broker_password = unquote(urlsplit(settings.CELERY_BROKER_URL).password or "")
    secrets = [
        settings.TELEGRAM_BOT_TOKEN,
        settings.TELEGRAM_WEBHOOK_SECRET,
        settings.SECRET_KEY,
        settings.SIMPLE_JWT["SIGNING_KEY"],
        settings.METRICS_TOKEN,
        settings.DATABASES["default"].get("PASSWORD", ""),
        settings.SENTRY_DSN,
        redis_password,
        broker_password,
        settings.EMAIL_HOST_PASSWORD,
    ]
    for secret in filter(None, secrets):
        text = text.replace(str(secret), HIDDEN)
    return logs.scrub(text)
