"""From one database server to the other and back, by processes of their own, and killed in between."""

import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType as DjangoContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from botbridge.crash import AFTER_RESTORING
from conftest import wrote
from helpdesk.backup import back_up
from helpdesk.backup.archive import Manifest, opened
from helpdesk.backup.tables import tables
from helpdesk.demo import hire, tell_conversations
from helpdesk.tests.servers import database_url
from tickets.models import Attachment, AttachmentState, ContentType, Customer, Message, Ticket, User

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True)
class Place:
    """An installation elsewhere: a database and a folder for files."""

    database_url: str
    media: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"DATABASE_URL": self.database_url, "MEDIA_ROOT": str(self.media), "LOG_DIR": "", "DEBUG": "1"}
        command = [sys.executable, "manage.py", *arguments]
        surroundings = os.environ | own | environment
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, env=surroundings, capture_output=True, text=True, check=False
        )
        if not environment:
            assert done.returncode == 0, done.stderr
        return done

    def back_up(self, folder: Path) -> Path:
        self.run("backup", "--to", str(folder))
        (made,) = folder.glob("*.tar.gz")
        return made

    def files(self) -> dict[str, bytes]:
        paths = [path for path in (self.media / "attachments").rglob("*") if path.is_file()]
        return {str(path.relative_to(self.media)): path.read_bytes() for path in paths}


@pytest.fixture
def fresh_sqlite(tmp_path: Path) -> Place:
    place = Place(f"sqlite:///{tmp_path / 'other.sqlite3'}", tmp_path / "sqlite-media")
    place.run("migrate", "--verbosity", "0")
    return place


@pytest.fixture
def fresh_postgresql(tmp_path: Path, db: None) -> Iterator[Place]:
    """A database beside the test's own."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: name one in TEST_DATABASE_URL")
    name = f"{connection.settings_dict['NAME']}_{uuid.uuid4().hex[:8]}"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    place = Place(database_url().rpartition("/")[0] + f"/{name}", tmp_path / "postgresql-media")
    try:
        place.run("migrate", "--verbosity", "0")
        yield place
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def working_day(db: None, saule: User) -> None:
    """The demo's people, conversations and files, and things it leaves out."""
    tell_conversations(hire())
    about = DjangoContentType.objects.get_for_model(Ticket)
    right = Permission.objects.create(codename="look", name="Смотреть", content_type=about)
    saule.user_permissions.add(right)
    Group.objects.get(name="Managers").permissions.add(right)
    message = Message.objects.order_by("pk").last()
    assert message is not None
    path = default_storage.save("attachments/00/11/large", ContentFile(os.urandom(3_000_000)))
    Attachment.objects.create(message=message, kind=ContentType.DOCUMENT, file=path, state=AttachmentState.READY)


def manifest_of(archive: Path) -> Manifest:
    with opened(archive, None) as parts:
        return Manifest.from_json(next(part.content() for part in parts if part.kind == "manifest.json"))


def content(archive: Path) -> dict[str, tuple[int, str, int | None]]:
    return {entry.name: (entry.rows, entry.sha256, entry.next_id) for entry in manifest_of(archive).tables}


def test_postgresql_to_sqlite_and_back(
    working_day: None, fresh_sqlite: Place, fresh_postgresql: Place, tmp_path: Path
) -> None:
    first = back_up(tmp_path / "first" / "one.tar.gz").path
    told = fresh_sqlite.run("restore", str(first)).stdout
    assert told.count(", equal\n") == len(tables()) + 1

    second = fresh_sqlite.back_up(tmp_path / "second")
    fresh_postgresql.run("restore", str(second))
    third = fresh_postgresql.back_up(tmp_path / "third")

    assert manifest_of(first).database == manifest_of(third).database == "postgresql"
    assert manifest_of(second).database == "sqlite"
    assert content(first) == content(second) == content(third)
    assert manifest_of(first).files == manifest_of(second).files == manifest_of(third).files
    assert fresh_sqlite.files() == fresh_postgresql.files()
    assert len(fresh_sqlite.files()) == manifest_of(first).files.count >= 3
    told = fresh_postgresql.run("shell", "-c", NEXT_TICKET).stdout
    assert int(told.split()[-1]) == content(first)["tickets.Ticket"][2]


NEXT_TICKET = """
from tickets.models import Customer
from conftest import wrote
print(wrote(Customer.objects.first(), "Новое").ticket.pk)
"""


def test_what_sqlite_holds_and_postgresql_cannot_is_repaired_and_said(
    fresh_sqlite: Place, fresh_postgresql: Place, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "other.sqlite3") as sqlite:
        sqlite.execute(
            "INSERT INTO tickets_customer (telegram_user_id, name, username, language, phone, memo, created_at)"
            " VALUES (1, 'a' || char(0) || 'b', '', 'ru', '', '', '2026-01-01 00:00:00.000001')"
        )
    sqlite.close()
    archive = fresh_sqlite.back_up(tmp_path / "made")

    done = fresh_postgresql.run("restore", str(archive))

    assert "1 rows held NUL" in done.stderr
    assert "tickets.Customer, repaired" in done.stdout
    told = fresh_postgresql.run(
        "shell", "-c", "from tickets.models import Customer; print(ascii(Customer.objects.get().name))"
    )
    assert r"'a\ufffdb'" in told.stdout


@pytest.mark.parametrize("place", ["fresh_sqlite", "fresh_postgresql"])
def test_killed_in_between_it_leaves_an_empty_database(
    place: str, timur: Customer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    wrote(timur, "Здравствуйте!")
    archive = back_up(tmp_path / "one.tar.gz").path
    target: Place = request.getfixturevalue(place)

    killed = target.run("restore", str(archive), CRASH_AT=AFTER_RESTORING)
    assert killed.returncode == -signal.SIGKILL
    count = (
        "from tickets.models import Message, Ticket, User, Team; print(Ticket.objects.count(), Team.objects.count())"
    )
    assert target.run("shell", "-c", count).stdout.split()[-2:] == ["0", "1"]

    target.run("restore", str(archive))
    assert target.run("shell", "-c", count).stdout.split()[-2:] == ["1", "1"]
    assert Ticket.objects.count() == 1
