"""Files in storage that no row names: left by a process that was killed between a file's last byte and its row.

Looked for a share at a time, so that each day all of them are passed once, and only where storage can list its files.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.apps import apps
from django.core.files.storage import default_storage
from django.db.models import FileField
from django.utils import timezone
from django.utils.translation import gettext as _

from tickets import operations
from tickets.models import Job

#: Where rows have their files. `incoming`, beside them, has a sweep of its own (`botbridge.downloads`).
FOLDERS = ("attachments", "thumbnails")
SHARES = 24
#: An upload, a download and a restore are through long before: what is younger may be theirs.
YOUNGEST = timedelta(days=1)
DELETED_AT_MOST = 1000
#: More than so many, and more than half of a share, are no leftovers: it is another installation's database.
PLAUSIBLE = 20


class WrongDatabase(Exception):
    """Rows name so few of the files that they cannot be the rows of these files; none was deleted."""


@dataclass
class Sweep:
    """What was looked at, and which of it no row names."""

    looked_at: int = 0
    orphans: list[str] = field(default_factory=list)

    @property
    def is_plausible(self) -> bool:
        return len(self.orphans) <= max(PLAUSIBLE, self.looked_at // 2)


def sweep_share(job: Job) -> int:
    """The job of it: this hour's share.

    :raises JobFailed: the files and the rows are not of one installation.
    """
    try:
        return delete_orphans(find_orphans(share=timezone.now().hour))
    except WrongDatabase as doubt:
        words = _("Строки базы не называют большинства файлов. Посмотрите: manage.py sweepfiles --dry-run.")
        raise operations.JobFailed(words) from doubt


def find_orphans(*, share: int | None = None) -> Sweep:
    """What no row names and is older than a day; of one share of the folders, or of all."""
    sweep = Sweep()
    for folder in FOLDERS:
        for part in _folders_in(folder):
            if share is None or zlib.crc32(part.encode()) % SHARES == share:
                _look(f"{folder}/{part}", sweep)
    return sweep


def delete_orphans(sweep: Sweep, *, anyway: bool = False) -> int:
    """Delete what was found, up to a thousand files a run, and say how many it was.

    :raises WrongDatabase: it is too much to be leftovers, and nobody has said that it is all the same.
    """
    if not anyway and not sweep.is_plausible:
        raise WrongDatabase
    doomed = sweep.orphans[:DELETED_AT_MOST]
    for name in doomed:
        default_storage.delete(name)
    return len(doomed)


def _look(folder: str, sweep: Sweep) -> None:
    # Listed before the rows are asked: a file whose row comes in between is named by it.
    found = list(_files_below(folder))
    named = set(_named_below(folder))
    sweep.looked_at += len(found)
    sweep.orphans += (name for name in found if name not in named and _is_old(name))


def _named_below(folder: str) -> Iterator[str]:
    """What any row of any table names there. It reads the table through: an index for that would cost every upload."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, FileField):
                rows = model._base_manager.filter(**{f"{column.attname}__startswith": f"{folder}/"})
                yield from rows.values_list(column.attname, flat=True).iterator()


def _folders_in(folder: str) -> list[str]:
    return sorted(_listed(folder)[0])


def _files_below(folder: str) -> Iterator[str]:
    folders, files = _listed(folder)
    yield from (f"{folder}/{name}" for name in files)
    for name in folders:
        yield from _files_below(f"{folder}/{name}")


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Folders and files in it; none where there is no such folder, or storage cannot tell."""
    try:
        return default_storage.listdir(folder)
    except (FileNotFoundError, NotImplementedError):
        return [], []


def _is_old(name: str) -> bool:
    try:
        return default_storage.get_modified_time(name) < timezone.now() - YOUNGEST
    except FileNotFoundError:
        return False
