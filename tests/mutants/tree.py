"""The tree of the product and its tests, and copies of it: the working tree is never changed."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "protocols",
    "firmware_sim",
    "meterctl",
    "tests",
    "examples",
    "docs",
    "README.md",
    "pyproject.toml",
)


def copy(folder: Path) -> None:
    """Copy the files that the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
