"""What others wrote is here as they published it, with their licence."""

import hashlib
from pathlib import Path

import pytest
from django.conf import settings

VENDOR = [Path(settings.BASE_DIR) / "static" / "vendor", Path(__file__).parent / "vendor"]
FOLDERS = sorted(folder for root in VENDOR if root.is_dir() for folder in root.iterdir() if folder.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_files_are_those_that_were_published(folder):
    sums = dict(line.split()[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    scripts = {path.name for path in folder.iterdir() if path.suffix == ".js"}
    assert scripts == set(sums)
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    assert (folder / "LICENSE").read_text().strip()
    assert (folder / "VERSION").read_text().strip()
