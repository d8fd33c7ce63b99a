"""Files that a Bot API server of one's own has put on a disk this machine sees too.

Such a server answers getFile with the absolute path of a file it has already brought (Bot API, "Using a Local Bot API
Server"). The path holds the bot's token, so nothing raised here holds the path.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from django.conf import settings

CHUNK = 1024 * 1024


class LocalFileError(Exception):
    """The file the server has named cannot be read, or must not be."""


def open_local(path: str) -> BinaryIO:
    """A file below TELEGRAM_LOCAL_FILES, for reading.

    Each folder on the way is opened inside the one before and no link is followed, so that it is the file of that path
    whatever changes meanwhile.

    :raises LocalFileError: it lies elsewhere, a link stands in the way, it is no file, or it may not be read.
    """
    folder = settings.TELEGRAM_LOCAL_FILES
    if not folder:
        raise LocalFileError("TELEGRAM_LOCAL_FILES is not set")
    try:
        inside = PurePosixPath(path).relative_to(folder).parts
    except ValueError:
        raise LocalFileError("it lies outside of TELEGRAM_LOCAL_FILES") from None
    if not inside or ".." in inside or "\0" in path:
        raise LocalFileError("it lies outside of TELEGRAM_LOCAL_FILES")
    try:
        return os.fdopen(_descend(folder, inside), "rb")
    except OSError as error:
        raise LocalFileError(error.strerror) from None


def _descend(folder: str, inside: tuple[str, ...]) -> int:
    """The descriptor of the file at the end of these names."""
    within = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for name in inside[:-1]:
        try:
            following = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
        finally:
            os.close(within)
        within = following
    try:
        found = os.open(inside[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=within)
    finally:
        os.close(within)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise LocalFileError("it is no file")
    return found


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Its bytes.

    :raises LocalFileError: they cannot be read.
    """
    while True:
        try:
            chunk = file.read(CHUNK)
        except OSError as error:
            raise LocalFileError(error.strerror) from None
        if not chunk:
            return
        yield chunk
