"""The API's document is written down, and what would break its clients is announced."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management import call_command

from helpdesk.tests.breaks import breaks

DOCS = Path(settings.BASE_DIR) / "docs"
NOW, RELEASED, ANNOUNCED = DOCS / "openapi.yaml", DOCS / "openapi-released.yaml", DOCS / "api-changes.md"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def announced() -> list[str]:
    """The breaks under the version that comes next, one a line."""
    sections = re.split(r"^## ", ANNOUNCED.read_text(), flags=re.MULTILINE)
    (coming,) = [section for section in sections if section.startswith("Unreleased\n")]
    return re.findall(r"^- `(.+)`", coming, flags=re.MULTILINE)


def test_the_document_is_that_of_the_code() -> None:
    out = StringIO()
    call_command("spectacular", stdout=out)
    assert NOW.read_text() == out.getvalue(), "run make openapi, and look at what has changed"


def test_every_break_since_the_last_release_is_announced() -> None:
    unannounced = [each for each in breaks(read(RELEASED), read(NOW)) if each not in announced()]
    assert not unannounced, f"announce under Unreleased in docs/api-changes.md, or take back: {unannounced}"


def test_nothing_is_announced_that_breaks_nobody() -> None:
    assert set(announced()) <= set(breaks(read(RELEASED), read(NOW)))
