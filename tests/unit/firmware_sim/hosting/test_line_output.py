"""Lines on a stream: never in the way of the loop, and what was not written is counted."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TextIO

import pytest

from firmware_sim.hosting import line_output
from firmware_sim.hosting.line_output import (
    WAITING,
    LineOutput,
    counted_json,
    counted_text,
    not_taken,
)

FULL = OSError(errno.ENOSPC, "No space left on device")
MANY = 3 * WAITING
LONG = "x" * 200
"""Lines of this length fill a pipe long before as many wait."""


@contextmanager
def output(
    stream: TextIO | None, *, as_json: bool = False, end_s: float = 60
) -> Iterator[LineOutput]:
    lines = LineOutput(stream, counted_json if as_json else counted_text, end_s=end_s)
    try:
        yield lines
    finally:
        lines.end()


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    """Return the two ends of a pipe: to be read, and to be written."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as writer:
        yield reader, writer


class Disk(io.StringIO):
    """A stream without a descriptor that refuses some writes."""

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self.refused, self.writes = refused, 0

    def write(self, text: str) -> int:
        self.writes += 1
        if self.writes in self.refused:
            raise FULL
        return super().write(text)


def test_lines_are_written_in_their_order_and_the_last_ones_at_the_end() -> None:
    disk = Disk()
    with output(disk) as lines:
        for number in range(WAITING // 2):
            lines.put(str(number))
    assert disk.getvalue().split() == [str(number) for number in range(WAITING // 2)]


def test_a_pipe_that_is_not_read_takes_no_time_and_its_next_line_tells_what_is_missing(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reader, writer = pipe
    with output(writer, as_json=True) as lines:
        for number in range(MANY):
            lines.put(json.dumps({"number": number, "filling": LONG}))
        found = [json.loads(reader.readline())]
        while not lines.has_room:
            found.append(json.loads(reader.readline()))
        lines.put(json.dumps({"number": MANY}))
        while found[-1]["number"] < MANY:
            found.append(json.loads(reader.readline()))
    assert found[0]["number"] == 0
    for before, row in pairwise(found):
        assert row["number"] == before["number"] + 1 + row.get("dropped", 0)
    assert any("dropped" in row for row in found)


def test_a_terminal_that_is_stopped_takes_no_time() -> None:
    master, slave = pty.openpty()
    with os.fdopen(master) as screen, os.fdopen(slave, "w") as terminal:
        tty.setraw(slave)
        termios.tcflow(slave, termios.TCOOFF)
        with output(terminal, end_s=0.1) as lines:
            for number in range(MANY):
                lines.put(f"{number} {LONG}")
            termios.tcflow(slave, termios.TCOON)
            assert screen.readline().startswith("0 ")
            termios.tcflow(slave, termios.TCOOFF)
        termios.tcflow(slave, termios.TCOON)


def test_lines_that_a_full_disk_refuses_are_told_by_the_next_that_it_takes() -> None:
    disk = Disk(1, 2, 5)
    with output(disk) as lines:
        for word in ("a", "b", "c", "d", "e", "f"):
            lines.put(word)
    assert disk.getvalue().splitlines() == [
        "c  (2 lines before this one were not taken)",
        "d",
        "f  (1 line before this one was not taken)",
    ]


def test_a_line_that_a_full_disk_cut_is_completed_first(
    pipe: tuple[TextIO, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    sizes: list[int | OSError] = [2, FULL, FULL, 100, 100]

    real = os.write

    def cut(descriptor: int, data: bytes) -> int:
        if descriptor != writer.fileno():
            return real(descriptor, data)  # the workers of a parallel run write too
        size = sizes.pop(0)
        if isinstance(size, OSError):
            raise size
        return real(descriptor, data[:size])

    monkeypatch.setattr(line_output.os, "write", cut)
    with output(writer) as lines:
        for word in ("begun", "lost", "told"):
            lines.put(word)
    monkeypatch.undo()
    assert [reader.readline() for _ in range(2)] == [
        "begun\n",
        "told  (1 line before this one was not taken)\n",
    ]


def test_a_pipe_without_a_reader_and_a_stream_that_was_closed_are_no_fault(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reader, writer = pipe
    reader.close()
    for stream in (writer, None):
        with output(stream) as lines:
            for _ in range(MANY):
                lines.put("line")
            lines.miss(1)


def test_what_could_not_be_written_until_the_end_is_not_written_after_it(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reader, writer = pipe
    lines = LineOutput(writer, counted_text, end_s=0.1)
    for number in range(WAITING):
        lines.put(f"{number} {LONG}")
    lost = lines.end()
    last = WAITING - lost  # the thread is in the middle of it
    for number in range(last + 1):
        assert reader.readline() == f"{number} {LONG}\n"
    os.set_blocking(reader.fileno(), False)
    lines._thread.join()
    assert not select.select([reader], [], [], 0)[0]


def test_a_descriptor_that_does_not_block_loses_nothing_but_what_finds_no_room(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reader, writer = pipe
    os.set_blocking(writer.fileno(), False)
    with output(writer) as lines:
        for number in range(WAITING // 2):
            lines.put(f"{number} {LONG}")
        found = [reader.readline().split()[0] for _ in range(WAITING // 2)]
    assert found == [str(number) for number in range(WAITING // 2)]


def test_a_name_that_the_stream_cannot_write_is_written_with_escapes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w", encoding="ascii") as writer:
        with output(writer) as lines:
            lines.put("port m\N{LATIN SMALL LETTER U WITH DIAERESIS}.tty")
        assert reader.readline() == "port m\\xfc.tty\n"


def test_the_end_says_how_many_lines_no_line_told(pipe: tuple[TextIO, TextIO]) -> None:
    disk = Disk(2, 3)
    lines = LineOutput(disk, counted_text, end_s=60)
    for word in ("a", "b", "c"):
        lines.put(word)
    assert lines.end() == 2
    taken = LineOutput(Disk(), counted_text, end_s=60)
    taken.put("a")
    assert taken.end() == 0
    reader, writer = pipe
    stuck = LineOutput(writer, counted_text)
    for _ in range(MANY):
        stuck.put(LONG)
    stuck.miss(5)
    lost = stuck.end()
    os.set_blocking(reader.fileno(), False)
    whole = os.read(reader.fileno(), 1 << 20).count(b"\n")
    assert lost == MANY + 5 - whole
    assert LineOutput(None, counted_text).end() == 0


def test_the_last_line_tells_what_was_not_taken_before_the_end() -> None:
    for refused, wanted in (
        ((), ["a", "b"]),
        ((2,), ["a", "1 line of events was not taken"]),
        ((1, 2), ["2 lines of events were not taken"]),
    ):
        disk = Disk(*refused)
        lines = LineOutput(disk, counted_text, not_taken, end_s=60)
        lines.put("a")
        lines.put("b")
        assert lines.end() == 0
        assert disk.getvalue().splitlines() == wanted
