"""The archive: a gzipped tar of table rows in portions, files with their index, and a manifest at the end.

Every part is written and read once, front to back, so that memory stays flat however much there is. Any tar can open
it: `tables/tickets.Message/000001.jsonl`, `files/attachments/…`, `index/000001.jsonl`, `manifest.json`.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from helpdesk.backup.encryption import HEADER, decrypting, encrypting, read_identity
from helpdesk.backup.errors import BackupError, DamagedError

FORMAT = 1
PORTION = 4 * 1024 * 1024  # bytes of lines held at once
CHUNK = 1024 * 1024
#: Photos and videos do not get smaller, and rows do at any level.
GZIP_LEVEL = 3

TABLES, FILES, INDEX, MANIFEST = "tables", "files", "index", "manifest.json"


@dataclass(frozen=True)
class TableEntry:
    """What the manifest says of one table. `next_id` is None where rows bring their ids."""

    name: str
    columns: list[str]
    rows: int
    sha256: str
    next_id: int | None


@dataclass(frozen=True)
class FilesEntry:
    """What the manifest says of the files; `sha256` is that of their index, which has one for each file."""

    count: int = 0
    bytes: int = 0
    missing: int = 0
    sha256: str = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class Manifest:
    """What the archive holds, and of which version and state of the database."""

    version: str
    made_at: str
    database: str
    migrations: list[str]
    tables: list[TableEntry]
    files: FilesEntry
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """:raises DamagedError: it is none."""
        try:
            read = json.loads(text)
            if read["format"] != FORMAT:
                raise BackupError(f"The archive has format {read['format']}; this version reads {FORMAT}.")
            read["tables"] = [TableEntry(**entry) for entry in read["tables"]]
            read["files"] = FilesEntry(**read["files"])
            return cls(**read)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError("its manifest cannot be read") from error


@dataclass(frozen=True)
class FileLine:
    """A line of the index. `sha256` is None for a file that a row names and storage does not have."""

    name: str
    size: int
    sha256: str | None

    def to_line(self) -> bytes:
        return json.dumps([self.name, self.size, self.sha256]).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "FileLine":
        try:
            name, size, sha256 = json.loads(line)
        except ValueError as error:
            raise DamagedError("the index of its files cannot be read") from error
        return cls(name, size, sha256)


class Writer:
    """Puts parts into an archive."""

    def __init__(self, target: BinaryIO) -> None:
        self._gzip = gzip.GzipFile(fileobj=target, mode="wb", compresslevel=GZIP_LEVEL, mtime=0, filename="")
        self._tar = tarfile.open(fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, failed: object, *_rest: object) -> None:
        if failed is None:
            self._tar.close()
            self._gzip.close()
        else:
            self._gzip.fileobj = io.BytesIO()  # its last words, whenever it is collected, must not go to the target

    def add_lines(self, folder: str, lines: Iterable[bytes]) -> None:
        """Write lines as portions numbered from 1; at least one, so that an empty table is there too."""
        number, portion = 1, bytearray()
        for line in lines:
            portion += line
            if len(portion) >= PORTION:
                self.add_bytes(f"{folder}/{number:06}.jsonl", bytes(portion))
                number, portion = number + 1, bytearray()
        if portion or number == 1:
            self.add_bytes(f"{folder}/{number:06}.jsonl", bytes(portion))

    def add_bytes(self, name: str, content: bytes) -> None:
        self._add(name, len(content), io.BytesIO(content))

    def add_file(self, name: str, size: int, source: IO[bytes]) -> str:
        """Write `size` bytes of a file and give their SHA-256.

        :raises BackupError: it cannot be read, or became shorter meanwhile.
        """
        counted = _Hashed(name, source)
        try:
            self._add(f"{FILES}/{name}", size, counted)
        except OSError as error:
            if error.errno is None:  # tarfile's own: the source ended early
                raise BackupError(f"The file {name} became shorter while it was copied.") from error
            raise
        return counted.sha256

    def _add(self, name: str, size: int, source: Any) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._tar.addfile(member, source)


class _Hashed:
    """A source that knows the SHA-256 of what was read from it."""

    def __init__(self, name: str, source: IO[bytes]) -> None:
        self._name, self._source = name, source
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """:raises BackupError: it cannot be read; an error of the archive's own disk is told otherwise."""
        try:
            chunk = self._source.read(size)
        except OSError as error:
            raise BackupError(f"The file {self._name} cannot be read: {error.strerror}.") from error
        self._digest.update(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@dataclass
class Part:
    """One part of an archive: its path's first segment, the rest of its path, and its bytes, to be read once."""

    kind: str
    name: str
    size: int
    _source: IO[bytes] = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._source.read(CHUNK):
            yield chunk

    def content(self) -> bytes:
        return self._source.read()

    def lines(self) -> list[bytes]:
        return self.content().splitlines(keepends=True)


def parts(source: BinaryIO) -> Iterator[Part]:
    """An archive's parts in their order.

    :raises DamagedError: one of them is no file.
    """
    with gzip.GzipFile(fileobj=source, mode="rb") as unzipped:
        with tarfile.open(fileobj=cast("Any", unzipped), mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise DamagedError(f"{member.name} is no file")
                kind, _slash, name = member.name.partition("/")
                yield Part(kind, name, member.size, content)
        while unzipped.read(CHUNK):  # to the end, where gzip's own checksum is
            pass


@contextmanager
def written(path: Path, recipient: str) -> Iterator[Writer]:
    """A new archive at `path`, whole or not at all, readable by its owner alone; encrypted where a key is given.

    :raises BackupError: there is such a file already.
    """
    if path.exists():
        raise BackupError(f"{path} exists already.")
    partial = path.with_name(f".{path.name}.partial")
    try:
        target = os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
    except FileExistsError as error:
        raise BackupError(f"{partial} exists: another backup is being written there.") from error
    try:
        with target:
            with ExitStack() as stack:
                sink: BinaryIO = target
                if recipient:
                    sink = stack.enter_context(encrypting(target, recipient))
                yield stack.enter_context(Writer(sink))
            target.flush()
            os.fsync(target.fileno())
        partial.rename(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def opened(path: Path, identity: Path | None) -> Iterator[Iterator[Part]]:
    """The parts of the archive at `path`, decrypted where it is encrypted.

    :raises BackupError: there is no such file, or it needs a private key.
    :raises DamagedError: out of the block too, when what is read there was cut or changed.
    """
    try:
        source = path.open("rb")
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
    with source, ExitStack() as stack:
        plain: BinaryIO = source
        is_encrypted = source.read(len(HEADER)) == HEADER
        source.seek(0)
        if is_encrypted:
            if identity is None:
                raise BackupError("The archive is encrypted: name the file of its private key with --identity.")
            plain = stack.enter_context(decrypting(source, read_identity(identity)))
        try:
            yield parts(plain)
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DamagedError("it was cut or changed") from error
