"""age (https://age-encryption.org/v1): the server knows whom to encrypt for, and cannot read what it has written."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyrage

from helpdesk.backup.errors import BackupError, DamagedError

HEADER = b"age-encryption.org/v1\n"


def check_recipient(recipient: str) -> None:
    """:raises BackupError: it is no public key of age's."""
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise BackupError(f"{recipient!r} is no age public key: it begins with age1.") from error


def read_identity(path: Path) -> pyrage.x25519.Identity:
    """The private key in a file as `age-keygen` writes it.

    :raises BackupError: there is none.
    """
    try:
        lines = path.read_text().splitlines()
        key = next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))
        return pyrage.x25519.Identity.from_str(key.strip())
    except (OSError, StopIteration, ValueError, pyrage.IdentityError) as error:
        raise BackupError(f"{path} holds no age private key.") from error


@contextmanager
def encrypting(target: BinaryIO, recipient: str) -> Iterator[BinaryIO]:
    """What the block writes goes encrypted into `target`."""
    key = pyrage.x25519.Recipient.from_str(recipient)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as plain, Beside(lambda: pyrage.encrypt_io(plain, target, [key]), plain) as work:
        try:
            with os.fdopen(writing, "wb") as entry:
                yield entry
        except BrokenPipeError:
            work.finish()  # knows why it no longer reads: a full disk
            raise
        work.finish()


@contextmanager
def decrypting(source: BinaryIO, identity: pyrage.x25519.Identity) -> Iterator[BinaryIO]:
    """`source` in clear. A block that stops reading early ends the work.

    :raises DamagedError: it was changed or cut.
    :raises BackupError: it was encrypted for another key.
    """
    reading, writing = os.pipe()
    exit_ = os.fdopen(writing, "wb")
    with Beside(lambda: pyrage.decrypt_io(source, exit_, [identity]), exit_) as work, os.fdopen(reading, "rb") as plain:
        try:
            yield plain
        except DamagedError:
            plain.close()
            work.finish()  # what ended too early may be for another key
            raise


class Beside:
    """Work in a thread at the other end of a pipe, whose end it closes when it is done, also by an error."""

    def __init__(self, work: Callable[[], None], end: BinaryIO) -> None:
        self._work, self._end = work, end
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="age")

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._thread.join()

    def finish(self) -> None:
        """Wait for its end and hear what went wrong."""
        self._thread.join()
        match self._error:
            case None:
                return
            case pyrage.DecryptError():
                raise BackupError("It was encrypted for another key.") from self._error
            case OSError(errno=None):  # age's own: a part that does not authenticate
                raise DamagedError("it cannot be decrypted") from self._error
            case _:
                if not isinstance(self._error, BrokenPipeError):  # the other end had seen enough
                    raise self._error

    def _run(self) -> None:
        try:
            with self._end:
                self._work()
        except Exception as error:  # told by finish, in the thread that can stop
            self._error = error
