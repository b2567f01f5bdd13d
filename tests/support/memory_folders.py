"""Folders in memory, where the machine has them: a journal flushes three times for each sale."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
NEEDED = 1 << 30
"""Free bytes, so that a server and the folders of some tests have room."""


def in_memory() -> Path | None:
    """Return the folder in memory; None where there is no such place, or a small one."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < NEEDED:
        return None
    return MEMORY


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A new folder, in memory if there is such a place."""
    place = in_memory()
    if place is None:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="desk-", dir=place) as folder:
        yield Path(folder)
