"""Taking a backup back: checked from front to back before anything is written, then all in one transaction.

What stood in a queue when the backup was made may have left since, so nothing of it is sent again by itself.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.management.color import no_style
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from botbridge import crash
from botbridge.restored import doubt_calls
from helpdesk import schema
from helpdesk.backup.archive import Manifest, Part
from helpdesk.backup.errors import BackupError, DamagedError
from helpdesk.backup.making import version
from helpdesk.backup.reading import Reading
from helpdesk.backup.snapshot import set_next_id, without_timeouts
from helpdesk.backup.tables import FILLED_BY_MIGRATIONS, Checksum, Table, all_models, line_of, tables, without_nul
from helpdesk.progress import Progress, Say, silent
from tickets import operations
from tickets.models import Attachment, AttachmentState, Missing


@dataclass(frozen=True)
class Restored:
    """What a restore brought back, and what it found to be in doubt.

    `sha256` is that of each table as it is read again from this database. `repaired` rows held NUL, which PostgreSQL
    cannot keep; `doubted` deliveries may have left after the backup was made; `lost` files were not in it.
    """

    manifest: Manifest
    sha256: dict[str, str]
    repaired: int
    doubted: int
    lost: int


def restore(path: Path, *, identity: Path | None = None, replace: bool = False, say: Say = silent) -> Restored:
    """Put the archive at `path` into this database and its files into storage.

    `identity` is the file of the private key of an encrypted one. `replace` empties a database that is in use.

    :raises BackupError: nothing was written to the database, and the text says why and what to do.
    """
    _require_migrated()
    if not replace:
        _require_unused()
    say("Checking the archive; nothing is written yet.")
    manifest = Reading(lambda label, lines: None, _sha256_of, say).run(path, identity)
    _require_same_tables(manifest)
    say(f"It is whole: version {manifest.version}, made at {manifest.made_at} on {manifest.database}. Restoring.")
    try:
        with transaction.atomic():
            without_timeouts()
            _empty(replace=replace)
            restored = _Restore(say).run(path, identity)
            if restored.manifest != manifest:
                raise BackupError("The archive was changed while it was read. The database stays as it was.")
    except Error as error:
        raise BackupError(f"The database refused it and stays as it was: {error}") from error
    except OSError as error:
        raise BackupError(f"A file cannot be written, the database stays as it was: {error}") from error
    ContentType.objects.clear_cache()
    return restored


def _sha256_of(part: Part) -> str:
    digest = hashlib.sha256()
    for chunk in part.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _require_migrated() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise BackupError("This database has not all its tables yet: run manage.py migrate first.")


def _require_unused() -> None:
    used = next((t for t in tables() if t.label not in FILLED_BY_MIGRATIONS and t.model._base_manager.exists()), None)
    if used is not None:
        raise BackupError(
            f"This database is in use: {used.label} has rows. Restore into a fresh one, or lose what is in this one "
            "with --replace."
        )


def _require_same_tables(manifest: Manifest) -> None:
    here, there = set(schema.named(schema.applied())), set(manifest.migrations)
    only = [f"only in the backup: {', '.join(sorted(there - here))}"] if there - here else []
    only += [f"only here: {', '.join(sorted(here - there))}"] if here - there else []
    own = {table.label: table.columns for table in tables()}
    if here == there and own != {entry.name: entry.columns for entry in manifest.tables}:
        only = ["the same migrations, and yet other columns"]
    if only:
        raise BackupError(
            f"Version {manifest.version} made the backup, with another state of the database than version {version()} "
            f"has here ({'; '.join(only)}). Install version {manifest.version}, migrate an empty database with it, "
            "restore there, and then upgrade."
        )


def _empty(*, replace: bool) -> None:
    """Nothing stays, sign-ins and other things that are in no backup least of all."""
    names = [model._meta.db_table for model in all_models()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {', '.join(map(connection.ops.quote_name, names))} IN ACCESS EXCLUSIVE MODE")
    if not replace:
        _require_unused()  # again, now that nobody can write any more
    for statement in connection.ops.sql_flush(no_style(), names, reset_sequences=False, allow_cascade=False):
        with connection.cursor() as cursor:
            cursor.execute(statement)


class _Restore:
    """Writes what an archive holds, inside one transaction, and reads it all again."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._tables = {table.label: table for table in tables()}
        self._expected = {label: Checksum() for label in self._tables}
        self._rows = Progress(say)
        self._repaired = 0

    def run(self, path: Path, identity: Path | None) -> Restored:
        reading = Reading(self._insert, store_file, self._say)
        manifest = reading.run(path, identity)
        os.sync()  # the files are on disk before rows that name them are
        crash.at(crash.AFTER_RESTORING)
        for entry in manifest.tables:
            if entry.next_id is not None:
                set_next_id(self._tables[entry.name], entry.next_id)
        connection.check_constraints()
        found = {label: self._compare(table) for label, table in self._tables.items()}
        doubted = operations.doubt_undelivered() + operations.doubt_alterations()
        doubt_calls()
        lost = sum(_lose(name) for name in reading.missing)
        return Restored(manifest, found, self._repaired, doubted, lost)

    def _insert(self, label: str, lines: list[bytes]) -> None:
        table = self._tables.get(label)
        if table is None:
            raise DamagedError(f"it holds rows of {label}, a table that is not there")
        try:
            table.insert(self._values(table, lines))
        except ValidationError as error:
            raise DamagedError(f"a row of {label} holds what its columns cannot: {error.messages[0]}") from error
        self._rows.at(label, self._expected[label].rows)

    def _values(self, table: Table, lines: list[bytes]) -> Iterator[list[Any]]:
        for line in lines:
            values = table.values(line)
            if connection.vendor == "postgresql" and b"\\u" in line:
                storable = without_nul(values)
                if storable != values:
                    self._repaired += 1
                    values, line = storable, line_of(storable)  # noqa: PLW2901
            self._expected[table.label].add(line)
            yield values

    def _compare(self, table: Table) -> str:
        """Read a table again.

        :raises BackupError: it does not hold what was written.
        """
        found, progress = Checksum(), Progress(self._say)
        for line in table.lines():
            found.add(line)
            progress.at(f"{table.label} read again", found.rows)
        expected = self._expected[table.label]
        if (found.rows, found.sha256) != (expected.rows, expected.sha256):
            raise BackupError(
                f"{table.label} reads otherwise than it was written ({found.rows} rows, SHA-256 {found.sha256}; "
                f"written {expected.rows}, {expected.sha256}). The database stays as it was."
            )
        return found.sha256


class _Whole(File):  # type: ignore[type-arg]  # Django's class takes no arguments when it runs
    """A file that is whole on disk, which storage moves into place instead of copying."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def store_file(part: Part) -> str:
    """Put one file into its place and give the SHA-256 it reads with there. An equal one stays, another gives way.

    :raises DamagedError: its name leads out of the place for files.
    """
    folder = Path(settings.MEDIA_ROOT) / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as target:
        try:
            for chunk in part.chunks():
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            if not _is_here(part.name, digest.hexdigest()):
                default_storage.delete(part.name)
                with Path(target.name).open("rb") as whole:
                    default_storage.save(part.name, _Whole(whole, name=target.name))
            return _sha256_stored(part.name)
        except (SuspiciousFileOperation, ValueError) as error:
            raise DamagedError(f"the name {part.name!r} leads out of the place for files") from error
        finally:
            with suppress(FileNotFoundError):
                Path(target.name).unlink()


def _is_here(name: str, sha256: str) -> bool:
    """Whether such a file is in its place already. From now on it counts as new: until its row is committed no row
    names it, and what is old and has no name is swept away (`helpdesk.orphans`).
    """
    if _sha256_stored(name) != sha256:
        return False
    try:
        os.utime(default_storage.path(name))
    except NotImplementedError:  # not a disk: it becomes new by being written
        return False
    return True


def _sha256_stored(name: str) -> str:
    """Of a file in storage; an empty string where there is none."""
    try:
        with default_storage.open(name) as stored:
            return hashlib.file_digest(stored, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _lose(name: str) -> int:
    """Say at the desk which files did not come back; a customer's can be asked of Telegram again.

    A small still is made anew by itself.
    """
    Attachment.objects.filter(thumbnail=name).update(thumbnail="", thumbnail_state=None)
    of_file = list(Attachment.objects.filter(file=name, state=AttachmentState.READY).values_list("pk", flat=True))
    for attachment_id in of_file:
        operations.fail_file(attachment_id=attachment_id, state=AttachmentState.FAILED, reason=Missing.NOT_IN_BACKUP)
    return len(of_file)
