"""The backup of each day, kept for a number of days, and what is known of backups here."""

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from helpdesk.backup.errors import BackupError
from helpdesk.backup.making import back_up, require_space
from helpdesk.progress import Say, silent
from tickets import operations
from tickets.models import Job

logger = logging.getLogger(__name__)

PATTERN = "helpdesk-*.tar.gz*"
NIGHTLY = "helpdesk-nightly-*.tar.gz*"
ABANDONED_AFTER = 3600.0
#: How long a worker that makes one may be silent, and every how many seconds it says that it still does.
LEASE = timedelta(minutes=3)
KEEP_EVERY = 30.0


def nightly_backup(*, now: datetime | None = None, say: Say = silent) -> Path | None:
    """Make today's backup in BACKUP_DIR and delete all but the last BACKUP_KEEP of these; those made by hand stay.

    None where it is there already, another process is making it, or BACKUP_KEEP is 0. Whatever killed an earlier try
    has left nothing that matters: call it again until it is done.

    :raises BackupError: it cannot be made.
    """
    folder: Path = settings.BACKUP_DIR
    if not settings.BACKUP_KEEP:
        return None
    day = f"helpdesk-nightly-{timezone.localdate(now):%Y%m%d}.tar.gz"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _only_one(folder) as mine:
            if not mine or any(folder.glob(f"{day}*")):
                return None
            made = _make(folder, day, say)
            _prune(folder)
            return made
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {folder}: {error}") from error


def make_nightly_backup(job: Job) -> int:
    """The job of it, looked at again and again: one backup, or none where today's is there.

    :raises JobFailed: it cannot be made.
    """
    try:
        with _keeping(job):
            return 1 if nightly_backup() else 0
    except BackupError as error:
        raise operations.JobFailed(str(error)) from error


@contextmanager
def _keeping(job: Job) -> Iterator[None]:
    """Keep the job's lease until the block ends, however long that takes, from a connection of another thread: the
    block's own reads one moment of the database and writes nothing.
    """
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(job, ended), name="backup-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _keep(job: Job, ended: threading.Event) -> None:
    while not ended.wait(KEEP_EVERY):
        try:
            operations.report_progress(job=job, done=0, total=None, lease=LEASE)
        except operations.LeaseLost:
            return  # whoever has it now finds that the backup is being made
        except Error as error:
            logger.warning("Backup: its lease cannot be kept (%s)", type(error).__name__)
        finally:
            connection.close()


def _make(folder: Path, day: str, say: Say) -> Path:
    _remove_abandoned(folder)
    earlier = sorted(folder.glob(NIGHTLY))
    if earlier:
        require_space(folder, earlier[-1].stat().st_size)
    recipient = settings.BACKUP_RECIPIENT
    return back_up(folder / f"{day}{'.age' if recipient else ''}", recipient=recipient, say=say).path


def _remove_abandoned(folder: Path) -> None:
    """What killed processes left. One made by hand may be on its way now: then it grew within the last hour."""
    for partial in folder.glob(".helpdesk-*.partial"):
        is_mine = partial.name.startswith(".helpdesk-nightly-")
        if is_mine or time.time() - partial.stat().st_mtime > ABANDONED_AFTER:
            partial.unlink()


def _prune(folder: Path) -> None:
    """Only after a new one is there: a row of failures must not eat up what was kept."""
    for old in sorted(folder.glob(NIGHTLY))[: -settings.BACKUP_KEEP]:
        old.unlink()


@contextmanager
def _only_one(folder: Path) -> Iterator[bool]:
    """Whether this process alone makes the nightly backup now; a lock of the kernel's ends with its process."""
    descriptor = os.open(folder / ".nightly.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def backup_facts() -> dict[str, Any]:
    """Of the newest backup in BACKUP_DIR: its age in seconds and its size in bytes, None where there is none; and how
    many bytes are free there, None where the folder cannot be seen from here.
    """
    folder: Path = settings.BACKUP_DIR
    try:
        found = [path.stat() for path in folder.glob(PATTERN)]
        free = shutil.disk_usage(folder).free
    except OSError:
        return {"last_backup_age": None, "last_backup_bytes": None, "free_bytes": None}
    newest = max(found, key=lambda stat: stat.st_mtime, default=None)
    return {
        "last_backup_age": max(int(time.time() - newest.st_mtime), 0) if newest else None,
        "last_backup_bytes": newest.st_size if newest else None,
        "free_bytes": free,
    }
