"""Files that the user names to be written: whole or not at all, and never another's bytes."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.written_files import GrowingFile, Making, WholeFile, write_whole

FULL = Path("/dev/full")
NOTE = Making("note", b"<note>")
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
    write_whole(page, b"<note>one", NOTE)
    assert page.read_bytes() == b"<note>one"
    page.chmod(0o640)
    link.symlink_to(page)
    write_whole(link, b"<note>two", NOTE)
    assert (page.read_bytes(), link.is_symlink()) == (b"<note>two", True)
    assert page.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.html", "page.html"]


def test_a_whole_file_on_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(b"<note>old")
    with (
        files_of_at_most(4096),
        pytest.raises(UsageError, match=r"page\.html: file too large; nothing was written"),
    ):
        write_whole(page, b"x" * 5000, NOTE)
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    assert page.read_bytes() == b"<note>old"


@needs_full
def test_a_device_that_is_full_is_named_with_its_reason() -> None:
    said = r"file /dev/full: no space left on device; nothing was written"
    with pytest.raises(UsageError, match=said) as caught:
        write_whole(FULL, b"x", NOTE)
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
            write_whole(path, b"x", NOTE)


def test_only_a_file_of_the_same_making_is_replaced(tmp_path: Path) -> None:
    keys, link, page = tmp_path / "keys.json", tmp_path / "page", tmp_path / "new"
    keys.write_bytes(b'{"keys": []}')
    link.symlink_to(keys)
    for place in (keys, link):
        with pytest.raises(UsageError, match="it exists and is no note of meterctl; give another"):
            WholeFile(place, NOTE)
    assert keys.read_bytes() == b'{"keys": []}'
    file = WholeFile(page, NOTE)
    page.write_bytes(b"made meanwhile")
    with pytest.raises(UsageError, match="it exists and is no note"):
        file.write(b"<note>")
    page.write_bytes(b"")
    file.write(b"<note>")
    assert page.read_bytes() == b"<note>", "an empty file is replaced too"


def test_a_file_that_the_program_keeps_is_never_a_place(tmp_path: Path) -> None:
    journal, hard, link = (tmp_path / name for name in ("journal.sqlite", "hard", "link"))
    link.symlink_to(journal)
    for place in (journal, link):  # it does not exist yet
        with pytest.raises(
            UsageError, match=r"it is .*journal\.sqlite, which meterctl itself keeps"
        ):
            write_whole(place, b"<note>", NOTE, [journal])
    journal.touch()
    hard.hardlink_to(journal)
    for place in (journal, link, hard):
        with pytest.raises(
            UsageError, match=r"it is .*journal\.sqlite, which meterctl itself keeps"
        ):
            write_whole(place, b"<note>", NOTE, [journal])
    assert journal.read_bytes() == b""


def test_a_reader_of_a_fifo_gets_the_file_and_a_missing_one_is_told_first(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(UsageError, match="no such device or address; nothing was written"):
        WholeFile(fifo, NOTE)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    file = WholeFile(fifo, NOTE)
    file.write(b"<note>")
    file.close()
    assert os.read(reader, 100) == b"<note>"
    assert os.read(reader, 100) == b"", "its end"
    os.close(reader)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
def test_a_pipe_that_the_system_names_takes_a_file() -> None:
    reading, writing = os.pipe()
    write_whole(Path(f"/dev/fd/{writing}"), b"<note>", NOTE)
    assert os.read(reading, 100) == b"<note>"
    os.close(reading)
    os.close(writing)


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
