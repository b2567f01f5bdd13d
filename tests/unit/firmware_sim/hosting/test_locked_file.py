"""Files that one process holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_sim.hosting import locked_file
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.locked_file import open_locked, write_all


def test_a_file_is_held_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "card"
    first = open_locked(path, os.O_RDWR | os.O_CREAT, "card", "it is held")
    with pytest.raises(HostingError, match=f"card {path}: it is held; nothing was changed"):
        open_locked(path, os.O_RDWR, "card", "it is held")
    os.close(first)
    os.close(open_locked(path, os.O_RDWR, "card", "it is held"))


def test_a_refused_lock_leaves_no_open_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "card"
    first = open_locked(path, os.O_RDWR | os.O_CREAT, "card", "it is held")
    before = set(os.listdir("/dev/fd"))
    with pytest.raises(HostingError):
        open_locked(path, os.O_RDWR, "card", "it is held")
    assert set(os.listdir("/dev/fd")) == before
    os.close(first)


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    real = os.pwrite
    monkeypatch.setattr(
        locked_file.os, "pwrite", lambda f, data, offset: real(f, bytes(data)[:3], offset)
    )
    assert write_all(file, 2, b"abcdefgh") == 10
    assert os.pread(file, 20, 0) == b"\0\0abcdefgh"
    os.close(file)
