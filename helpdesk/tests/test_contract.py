"""The API against its own document: schemathesis asks everything, rightly and wrongly, as each kind of caller.

The document says what is taken and what is answered, and schemathesis (https://schemathesis.io) makes the calls from
it: boundaries, wrong types, missing and surplus fields, methods and headers nobody declared, chains of calls.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from helpdesk.tests.servers import web_server
from tickets import operations
from tickets.api.authentication import tokens_for
from tickets.models import Customer, Scope, Tag, Ticket, Topic, User

BOT = f"7000000001:{'a' * 35}"
SEED, EXAMPLES = "20261127", "12"
WITHIN = 170  # seconds
HOOKS = {"SCHEMATHESIS_HOOKS": "helpdesk.tests.schemathesis_hooks", "PYTHONPATH": str(settings.BASE_DIR)}
CONFIG = Path(__file__).with_name("schemathesis.toml")

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def server(ticket: Ticket, aigerim: User) -> Iterator[str]:
    """A desk with a conversation, without the API's limits."""
    Topic.objects.create(name="Гарантия")
    Tag.objects.create(name="замена")
    operations.reply(ticket_id=ticket.pk, actor=aigerim, text="Проверьте зарядку.", client_id=uuid.uuid4())
    unlimited = {"DJANGO_SETTINGS_MODULE": "helpdesk.tests.unlimited", "TELEGRAM_BOT_TOKEN": BOT}
    with web_server(workers=2, **unlimited) as (_process, port):
        yield f"http://127.0.0.1:{port}/api/v1/schema"


# From people it means nothing. Without it schemathesis would make it up, out of letters no header can carry.
NAMED = {"X-Telegram-User-Id": "700001"}


def token(user: User) -> dict[str, str]:
    access = tokens_for(operations.start_api_session(user=user))["access"]
    return NAMED | {"Authorization": f"Bearer {access}"}


def check(address: str, headers: dict[str, str], folder: Path, *options: str) -> None:
    """Every check of schemathesis, over every phase; `headers` say who calls."""
    who = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    how = ["--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--continue-on-failure", "--no-color"]
    outcome = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", address, *who, *how, *options],
        cwd=folder,
        env=os.environ | HOOKS,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("who", ["aigerim", "saule"])
def test_people(server: str, who: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    user = request.getfixturevalue(who)
    check(server, token(user), tmp_path, "--exclude-operation-id", "logout")
    check(server, token(user), tmp_path, "--include-operation-id", "logout")


def test_a_service_account(server: str, saule: User, timur: Customer, tmp_path: Path) -> None:
    portal = operations.create_service_account(actor=saule, name="Портал", scopes=Scope.values)
    key = operations.issue_key(actor=saule, account=portal)
    assert NAMED["X-Telegram-User-Id"] == str(timur.telegram_user_id)
    check(server, NAMED | {"Authorization": f"Bearer {key}"}, tmp_path)


def test_nobody(server: str, tmp_path: Path) -> None:
    check(server, NAMED, tmp_path)
