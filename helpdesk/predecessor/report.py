"""What did not fit, row by row, in a file that stays: nothing of the earlier service is dropped unsaid."""

import json
import os
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from helpdesk.predecessor.source import Row


class Report:
    """JSON lines of table, id, reason and the row as it was; readable by its owner alone, since customers' words are in
    it. `counts` are the reasons' numbers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[tuple[str, str]] = Counter()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: IO[str] = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def tell(self, table: str, row: Row, reason: str) -> None:
        line = {"table": table, "id": row.get("id"), "reason": reason, "row": row}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.counts[table, reason] += 1

    def tell_column(self, table: str, column: str) -> None:
        """A column nobody reads is told once, not for each row."""
        reason = f"the column {column} has no place here"
        self._file.write(json.dumps({"table": table, "id": None, "reason": reason, "row": None}) + "\n")
        self.counts[table, reason] += 1
