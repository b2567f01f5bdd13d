"""Loads by name: read once a process, shared by meters, read again when the file has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.description import loads
from firmware_sim.description.loads import HOUSEHOLD, read_load
from firmware_sim.hosting import named_files
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_pieces
from firmware_sim.metrology.load import Demand, OnEnd
from protocols import named_files as rules

TEXT = "offset,power_w\n0m,100\n15m,200\n"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths of the files that were read."""
    found: list[str] = []

    def pieces(path: str, kind: str) -> Iterator[str]:
        found.append(path)
        return read_pieces(path, kind)

    monkeypatch.setattr(loads, "read_pieces", pieces)
    return found


def test_meters_of_other_clocks_and_phases_share_the_rows_of_a_file(
    tmp_path: Path, reads: list[str]
) -> None:
    path = tmp_path / "load.csv"
    path.write_text(TEXT)
    first = read_load(str(path), 1, 0)
    second = read_load(str(path), 3, 10**12, 77, OnEnd.HOLD)
    assert reads == [str(path)]
    assert first.rows is second.rows
    assert (first.at(0)[0], second.at(77)[0]) == (
        Demand((100_000,)),
        Demand((33_334, 33_333, 33_333)),
    )


def test_a_file_that_changed_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "load.csv"
    path.write_text(TEXT)
    before = read_load(str(path), 1, 0)
    path.write_text(TEXT.replace("100", "300"))
    os.utime(path, ns=(1, 1))
    after = read_load(str(path), 1, 0)
    assert (before.at(0)[0], after.at(0)[0]) == (Demand((100_000,)), Demand((300_000,)))
    assert len(reads) == 2


def test_a_copy_with_the_same_size_and_time_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "load.csv"
    path.write_text(TEXT)
    before, times = read_load(str(path), 1, 0), os.stat(path)
    path.write_text(TEXT.replace("100", "300"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read_load(str(path), 1, 0).at(0)[0] != before.at(0)[0]
    assert len(reads) == 2


def test_rows_that_no_meter_draws_any_more_are_not_kept(tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "load.csv"
    path.write_text(TEXT)
    read_load(str(path), 1, 0)
    read_load(str(path), 1, 0)
    assert len(reads) == 2


def test_the_household_is_read_once() -> None:
    assert read_load(HOUSEHOLD, 1, 0).rows is read_load(HOUSEHOLD, 3, 9, 5).rows


def test_meters_of_one_constant_load_share_it() -> None:
    assert read_load("2kW", 1, 0) is read_load("2000W", 1, 99)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gone.csv", "load gone.csv: No such file"),
        ("2 horses", "allowed is a power"),
        ("", "allowed is a power"),
    ],
)
def test_what_is_no_load_is_refused_with_what_is_allowed(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HostingError, match=says):
        read_load(text, 1, 0)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_pieces_of_a_file_are_its_text_in_whole_lines(
    ending: str, last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lines = tmp_path / "a.csv", [f"{number},剩余 {number}" for number in range(400)]
    path.write_bytes((ending.join(lines) + last.replace("\n", ending)).encode())
    for size in (7, 64, 1 << 16):
        monkeypatch.setattr(named_files, "_PIECE", size)
        pieces = list(read_pieces(path, "load"))
        assert "".join(pieces) == "\n".join(lines) + last
        assert all(piece.endswith("\n") for piece in pieces[:-1])


@pytest.mark.parametrize(
    ("text", "says"), [("time,power_w", "the file has no rows"), ("", "the file is empty")]
)
def test_a_file_of_one_line_or_none_is_refused_by_name(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(HostingError, match=says):
        read_load(str(path), 1, 0)


def test_bytes_that_are_no_text_and_files_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"offset,power_w\n0s,\xff\n")
    with pytest.raises(HostingError, match="it is not UTF-8 text"):
        read_load(str(path), 1, 0)
    path.write_bytes(b"offset,power_w\n0s,\xe5")
    with pytest.raises(HostingError, match="it is not UTF-8 text"):
        read_load(str(path), 1, 0)
    monkeypatch.setattr(rules, "MAX_SIZE", 10)
    with pytest.raises(HostingError, match="it is larger than"):
        list(read_pieces(path, "load"))
