import os
import socket
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command

from botbridge.sandbox.state import State, StateInUse
from helpdesk.supervisor import Child, Supervisor

HOW_TO_GET_A_BOT = (
    "TELEGRAM_BOT_TOKEN is not set. Ask @BotFather in Telegram for a bot with /newbot and put the token it gives "
    "into TELEGRAM_BOT_TOKEN. To try the product without Telegram, set DEBUG=1: a sandbox plays Telegram then."
)
LOOPBACK = "127.0.0.1"
#: The company the demo's customers write to, invented like they are.
DEMO_BRAND = "Орбита Электроника"
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
#: Ends open requests within the supervisor's patience instead of gunicorn's own.
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", str(settings.BASE_DIR / "helpdesk" / "gunicorn.py")]
GUNICORN += ["--graceful-timeout", "2", "helpdesk.asgi:application"]


class Command(BaseCommand):
    help = "Runs the whole product on one machine: web, bot, jobs and, where no token is set, a sandbox for Telegram."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=LOOPBACK, help="address the web process listens on")
        parser.add_argument("--port", type=int, default=8000, help="port of the web process")
        parser.add_argument("--webhook", action="store_true", help="let Telegram bring updates: runbot --webhook")
        parser.add_argument("--sandbox-port", type=int, default=8081, help="port of the sandbox")
        parser.add_argument("--sandbox-state", default=str(settings.VAR_DIR / "sandbox"), help="folder of the sandbox")

    def handle(
        self, *, host: str, port: int, webhook: bool, sandbox_port: int, sandbox_state: str, **options: Any
    ) -> None:
        self.lock = threading.Lock()
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        sandboxed = not settings.TELEGRAM_BOT_TOKEN
        if sandboxed and not settings.DEBUG:
            raise CommandError(HOW_TO_GET_A_BOT)
        expect_free(host, port, "--port")
        if sandboxed:
            expect_free(LOOPBACK, sandbox_port, "--sandbox-port")
        self.prepare_database()

        public_url = self.set_public_url(port)
        addresses = [f"Desk      {public_url}/desk/", f"Admin     {public_url}/admin/"]
        servers = []
        if sandboxed:
            servers.append(self.sandbox(sandbox_port, sandbox_state))
            if webhook and not settings.TELEGRAM_WEBHOOK_SECRET:
                self.environment["TELEGRAM_WEBHOOK_SECRET"] = token_urlsafe(32)
            addresses.append(f"Sandbox   http://{LOOPBACK}:{sandbox_port}/   in Telegram's place: no token is set")
        children = [
            self.child("web", [*GUNICORN, "--bind", f"{host}:{port}"]),
            self.child("bot", [*MANAGE, "runbot", *(["--webhook"] if webhook else [])]),
            self.child("jobs", [*MANAGE, "runjobs"]),
        ]
        self.say("Starting; Ctrl+C ends everything")
        announce = partial(self.say, "\n".join(["", *addresses, ""]))
        Supervisor(children, servers).run(each_tick=once_open(host, port, announce))
        self.say("Everything has ended")

    def prepare_database(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        if not settings.DEBUG:
            call_command("collectstatic", interactive=False, verbosity=0)
        elif not get_user_model().objects.exists():
            call_command("demo")

    def set_public_url(self, port: int) -> str:
        """On a developer's machine the site is where it listens, unless PUBLIC_URL says otherwise."""
        if settings.DEBUG:
            self.environment.setdefault("PUBLIC_URL", f"http://localhost:{port}")
            return self.environment["PUBLIC_URL"]
        return str(settings.PUBLIC_URL)

    def sandbox(self, port: int, folder: str) -> Child:
        try:
            state = State(Path(folder))
        except StateInUse as error:
            raise CommandError(f"{error}; is the product running already?") from error
        self.environment["TELEGRAM_BOT_TOKEN"] = state.default_token()
        state.close()
        self.environment.setdefault("BRAND_NAME", DEMO_BRAND)
        self.environment["TELEGRAM_API_URL"] = f"http://{LOOPBACK}:{port}"
        return self.child("sandbox", [*MANAGE, "sandbox", "--port", str(port), "--state", folder])

    def child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, self.environment, self.say)

    def say(self, text: str) -> None:
        with self.lock:
            self.stdout.write(text)
            self.stdout.flush()


def expect_free(host: str, port: int, option: str) -> None:
    """Raises CommandError where something else listens, which would only show as a process that never stays up."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with {option}."
            ) from error


def once_open(host: str, port: int, announce: Callable[[], None]) -> Callable[[], None]:
    """A step that announces once, when the port takes connections."""
    announced = False

    def step() -> None:
        nonlocal announced
        if announced:
            return
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex((LOOPBACK if host == "0.0.0.0" else host, port)) == 0:  # noqa: S104
                announced = True
                announce()

    return step
