"""Runs the stand-in for Telegram."""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from botbridge.sandbox.errors import BotApiError
from botbridge.sandbox.known import Known, known_customers
from botbridge.sandbox.sandbox import Sandbox
from botbridge.sandbox.state import StateInUse


class Command(BaseCommand):
    help = "Runs a Bot API server with a chat page, to play the customers without Telegram."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8081)
        parser.add_argument("--state", type=Path, default=settings.VAR_DIR / "sandbox")
        parser.add_argument(
            "--local", action="store_true", help="Behave as a Bot API server run with --local: files come by disk."
        )

    def handle(self, *, host: str, port: int, state: Path, local: bool, **_options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                _("Песочница работает только с DEBUG=1: любой, кто до неё дотянется, может писать от имени клиентов.")
            )
        try:
            asyncio.run(self._serve(host, port, state.resolve(), known_customers(), local=local))
        except StateInUse as error:
            raise CommandError(_("Другая песочница уже работает с папкой %(folder)s.") % {"folder": state}) from error
        except BotApiError as error:
            raise CommandError(_("TELEGRAM_BOT_TOKEN не похож на токен бота, например 123456:ABC.")) from error
        except OSError as error:
            raise CommandError(
                _("Не получилось открыть %(host)s:%(port)s (%(reason)s). Выберите другой порт: --port.")
                % {"host": host, "port": port, "reason": error.strerror}
            ) from error

    async def _serve(self, host: str, port: int, state: Path, known: list[Known], *, local: bool) -> None:
        sandbox = Sandbox.open(
            state, token=settings.TELEGRAM_BOT_TOKEN, brand=settings.BRAND_NAME, known=known, local=local
        )
        async with sandbox.serve(host, port) as bound:
            stopped = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
            address = f"http://{host}:{bound}"
            self.stdout.write(_("Песочница: %(address)s") % {"address": address})
            self.stdout.write(f"TELEGRAM_API_URL={address}")
            self.stdout.write(f"TELEGRAM_BOT_TOKEN={sandbox.token}")
            if local:
                self.stdout.write(f"TELEGRAM_LOCAL_FILES={state / 'files'}")
            self.stdout.flush()
            await stopped.wait()
