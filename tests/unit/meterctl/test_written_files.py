"""Files that the user names to be written: whole or not at all, and never another's bytes."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.written_files import GrowingFile, write_whole

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let files grow to a size only: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_whole_file_is_made_and_replaced_through_a_link_with_its_mode(tmp_path: Path) -> None:
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    write_whole(page, b"one")
    assert page.read_bytes() == b"one"
    page.chmod(0o640)
    link.symlink_to(page)
    write_whole(link, b"two")
    assert (page.read_bytes(), link.is_symlink()) == (b"two", True)
    assert page.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.html", "page.html"]


def test_a_whole_file_on_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(b"old")
    with (
        files_of_at_most(4096),
        pytest.raises(UsageError, match=r"page\.html: file too large; nothing was written"),
    ):
        write_whole(page, b"x" * 5000)
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    assert page.read_bytes() == b"old"


@needs_full
def test_a_device_that_is_full_is_named_with_its_reason() -> None:
    said = r"file /dev/full: no space left on device; nothing was written"
    with pytest.raises(UsageError, match=said) as caught:
        write_whole(FULL, b"x")
    assert caught.value.exit_code == 2
    with (
        GrowingFile(FULL) as growing,
        pytest.raises(UsageError, match="/dev/full: no space left on device; it is empty"),
    ):
        growing.write(b"x")


def test_places_that_cannot_be_written_are_named_with_their_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, reason in (
        (tmp_path, "is a directory"),
        (tmp_path / "absent" / "page", "no such file or directory"),
        (tmp_path / ("x" * 300), "file name too long"),
        (tmp_path / "fifo", "no such device or address"),
        (Path("zero\0byte"), "embedded null"),
    ):
        with pytest.raises(UsageError, match=f"{reason}.*; nothing was written"):
            GrowingFile(path)
        with pytest.raises(UsageError, match=f"{reason}.*; nothing was written"):
            write_whole(path, b"x")


def test_a_growing_file_is_new_unless_it_is_continued(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.touch()
    with GrowingFile(rows) as growing:
        assert growing.size == 0
        growing.write(b"a\n")
        growing.write(b"b\n")
    with pytest.raises(UsageError, match=r"rows\.csv: it exists and is never overwritten"):
        GrowingFile(rows)
    with GrowingFile(rows, append=True) as growing:
        assert growing.size == 4
        growing.write(b"c\n")
    assert rows.read_bytes() == b"a\nb\nc\n"


def test_a_growing_file_on_a_full_disk_ends_with_its_last_whole_row(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    with GrowingFile(rows) as growing, files_of_at_most(4096):
        growing.write(b"a" * 3000 + b"\n")
        with pytest.raises(UsageError, match="it ends with what was written before"):
            growing.write(b"b" * 3000 + b"\n")
    assert rows.read_bytes() == b"a" * 3000 + b"\n"


def test_an_interrupt_leaves_no_part_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.csv"
    written = os.write

    def interrupted(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", interrupt)
        return written(file, data[:2])

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    with GrowingFile(rows) as growing:
        growing.write(b"whole\n")
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            growing.write(b"part\n")
        monkeypatch.setattr(os, "write", written)
    assert rows.read_bytes() == b"whole\n"
