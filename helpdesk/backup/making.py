"""Making a backup: one moment of the database and the files its rows name, while everything goes on."""

import logging
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import Error, connection
from django.utils import timezone

from helpdesk import schema
from helpdesk.backup.archive import INDEX, MANIFEST, TABLES, FileLine, FilesEntry, Manifest, TableEntry, Writer, written
from helpdesk.backup.encryption import check_recipient
from helpdesk.backup.errors import BackupError
from helpdesk.backup.snapshot import next_id, one_moment
from helpdesk.backup.tables import Checksum, Table, tables
from helpdesk.progress import Progress, Say, silent

logger = logging.getLogger(__name__)

FILES_AT_ONCE = 500


@dataclass(frozen=True)
class Made:
    """A finished backup and what it holds."""

    path: Path
    manifest: Manifest


def back_up(path: Path, *, recipient: str = "", say: Say = silent) -> Made:
    """Write database and files into a new archive at `path`; encrypted for `recipient`, an age public key, if given.

    A file that a row names and storage does not have, or that is deleted meanwhile, is listed as missing.

    :raises BackupError: it cannot be made; nothing is left at `path`.
    """
    if recipient:
        check_recipient(recipient)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with one_moment(), written(path, recipient) as writer:
            manifest = _write(writer, say)
    except Error as error:
        raise BackupError(f"The database cannot be read: {error}") from error
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {path.parent}: {error}") from error
    return Made(path, manifest)


def _write(writer: Writer, say: Say) -> Manifest:
    migrations, kept = held_migrations(), tables()
    made_at = timezone.now()
    entries = [_write_table(writer, table, say) for table in kept]
    files = _write_files(writer, kept, say)
    manifest = Manifest(
        version=version(),
        made_at=made_at.astimezone(UTC).isoformat(timespec="seconds"),
        database=connection.vendor,
        migrations=migrations,
        tables=entries,
        files=files,
    )
    writer.add_bytes(MANIFEST, manifest.to_json())
    return manifest


def version() -> str:
    """The product's version, where it is written once."""
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def held_migrations() -> list[str]:
    """The state of the tables as they come into the archive: what this code knows of them and nothing else, so that
    the version that made it takes it back.

    :raises BackupError: the database lacks some of it.
    """
    known, applied = schema.known(), schema.applied()
    if missing := known - applied:
        raise BackupError(
            f"The database has the tables of an earlier version, without {', '.join(schema.named(missing))}. Make the "
            "backup with that version, or run manage.py migrate first."
        )
    if unknown := applied - known:
        names = ", ".join(schema.named(unknown))
        logger.warning("Backup: a later version has made tables or columns (%s); what they hold is not in it", names)
    return schema.named(known)


def _write_table(writer: Writer, table: Table, say: Say) -> TableEntry:
    checksum, progress = Checksum(), Progress(say)

    def counted() -> Iterator[bytes]:
        for line in table.lines():
            yield checksum.add(line)
            progress.at(table.label, checksum.rows)

    writer.add_lines(f"{TABLES}/{table.label}", counted())
    return TableEntry(table.label, table.columns, checksum.rows, checksum.sha256, next_id(table))


def _write_files(writer: Writer, kept: list[Table], say: Say) -> FilesEntry:
    checksum, progress = Checksum(), Progress(say)
    size = missing = number = 0
    batch: list[bytes] = []

    def flush() -> None:
        nonlocal number
        number += 1
        writer.add_bytes(f"{INDEX}/{number:06}.jsonl", b"".join(batch))
        batch.clear()

    for name in (name for table in kept for name in table.file_names()):
        line = _write_file(writer, name)
        size += line.size
        missing += line.sha256 is None
        batch.append(checksum.add(line.to_line()))
        progress.at("files", checksum.rows)
        if len(batch) >= FILES_AT_ONCE:
            flush()
    flush()
    return FilesEntry(checksum.rows, size, missing, checksum.sha256)


def _write_file(writer: Writer, name: str) -> FileLine:
    try:
        source = default_storage.open(name)
    except FileNotFoundError:
        return FileLine(name, 0, None)
    except OSError as error:
        raise BackupError(f"The file {name} cannot be read: {error.strerror}.") from error
    with source:
        size = int(source.size)
        return FileLine(name, size, writer.add_file(name, size, source))


def require_space(folder: Path, wanted: int) -> None:
    """:raises BackupError: the disk has less room than the last backup took."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise BackupError(f"{folder} has {free:,} bytes free, and the last backup took {wanted:,}.")


def file_name(moment: datetime, recipient: str) -> str:
    """The name of a backup made by hand."""
    return f"helpdesk-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}.tar.gz{'.age' if recipient else ''}"
