"""Going through an archive from front to back, and holding each part against its checksum."""

from collections.abc import Callable
from pathlib import Path

from helpdesk.backup.archive import FILES, INDEX, MANIFEST, TABLES, FileLine, Manifest, Part, opened
from helpdesk.backup.errors import BackupError, DamagedError
from helpdesk.backup.tables import Checksum
from helpdesk.progress import Progress, Say

#: What to do with lines of one table, and with a file, whose SHA-256 it gives.
TakeRows = Callable[[str, list[bytes]], None]
TakeFile = Callable[[Part], str]


class Reading:
    """One pass through an archive. `missing` are the files that rows name and the archive does not have."""

    def __init__(self, take_rows: TakeRows, take_file: TakeFile, say: Say) -> None:
        self.missing: list[str] = []
        self._take_rows, self._take_file = take_rows, take_file
        self._progress = Progress(say)
        self._tables: dict[str, Checksum] = {}
        self._index = Checksum()
        self._files: dict[str, tuple[int, str]] = {}
        self._manifest: Manifest | None = None

    def run(self, path: Path, identity: Path | None) -> Manifest:
        """:raises BackupError: the archive is damaged or cannot be opened; some of it may have been taken by then."""
        takers = {
            TABLES: self._on_rows,
            FILES: self._on_file,
            INDEX: self._on_index,
            MANIFEST: self._on_manifest,
        }
        try:
            with opened(path, identity) as parts:
                for part in parts:
                    if self._manifest is not None or part.kind not in takers:
                        raise DamagedError(f"it holds {part.kind}/{part.name}, which does not belong there")
                    takers[part.kind](part)
            return self._compared()
        except DamagedError as error:
            raise BackupError(f"The archive is damaged, nothing of it was used: {error}.") from error

    def _on_rows(self, part: Part) -> None:
        label = part.name.rpartition("/")[0]
        checksum = self._tables.setdefault(label, Checksum())
        lines = [checksum.add(line) for line in part.lines()]
        self._take_rows(label, lines)

    def _on_file(self, part: Part) -> None:
        self._files[part.name] = (part.size, self._take_file(part))

    def _on_index(self, part: Part) -> None:
        """The index of the files just read: these and no others, with these checksums."""
        told = set()
        for text in part.lines():
            line = FileLine.from_line(self._index.add(text))
            told.add(line.name)
            if line.sha256 is None:
                self.missing.append(line.name)
            elif self._files.get(line.name) != (line.size, line.sha256):
                raise DamagedError(f"the file {line.name} is not what its checksum says")
        if self._files.keys() - told:
            raise DamagedError(f"the file {min(self._files.keys() - told)} is in no index")
        self._files.clear()
        self._progress.at("files", self._index.rows)

    def _on_manifest(self, part: Part) -> None:
        self._manifest = Manifest.from_json(part.content())

    def _compared(self) -> Manifest:
        if self._manifest is None:
            raise DamagedError("it has no manifest, so its end is missing")
        found = {label: (read.rows, read.sha256) for label, read in self._tables.items()}
        told = {entry.name: (entry.rows, entry.sha256) for entry in self._manifest.tables}
        wrong = next((label for label in sorted(found | told) if found.get(label) != told.get(label)), None)
        if wrong is not None:
            raise DamagedError(f"the rows of {wrong} are not what their checksum says")
        files = self._manifest.files
        if (self._index.rows, self._index.sha256) != (files.count, files.sha256):
            raise DamagedError("the index of its files is not what its checksum says")
        return self._manifest
