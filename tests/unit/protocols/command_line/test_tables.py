"""Tables in the width, the characters and the colours of their output."""

from __future__ import annotations

import io
import re
import sys

import pytest

from protocols.command_line.tables import Screen, Table, drawn, stacked, streamed

WIDE = Table(
    ("id", "serial_number", "state", "amount", "meaning", "hash"),
    [
        ("1", "000000000042", "confirmed", "12345.67", "A sale that the meter took.", "ab" * 40),
        ("300000", "000000000043", "refused", "0.01", "Void.", "cd" * 40),
    ],
    ("id", "amount"),
)
NARROW = Table(WIDE.columns[:-1], [row[:-1] for row in WIDE.rows], WIDE.right)
RECORD = Table(("item", "value"), [("supply_state", "connected"), ("debt", "-12.00")], ("value",))
ESCAPE = "\x1b["


def screen(width: int | None, encoding: str = "utf-8", *, is_terminal: bool = False) -> Screen:
    return Screen(width, encoding, is_terminal)


@pytest.mark.parametrize("table", [NARROW, RECORD])
@pytest.mark.parametrize("width", [30, 40, 60, 64, 72, 80, 100, 143, 200])
def test_a_table_fits_its_width_and_cuts_no_word(table: Table, width: int) -> None:
    text = drawn(table, screen(width))
    assert max(map(len, text.splitlines())) <= width
    words = re.split(r"[\s│┃]+", text)
    for row in table.rows:
        for cell in row:
            assert set(cell.split()) <= set(words)


def test_a_word_that_is_wider_than_the_screen_is_left_whole() -> None:
    assert "ab" * 40 in drawn(WIDE, screen(40))


def test_without_a_width_each_row_is_a_line() -> None:
    lines = drawn(WIDE, screen(None)).splitlines()
    assert len(lines) == 4 + len(WIDE.rows)
    assert "ab" * 40 in lines[3]


def test_words_are_folded_before_rows_are_stacked() -> None:
    folded = drawn(NARROW, screen(72))
    assert folded.startswith("┏")
    assert len(folded.splitlines()) > 6


def test_rows_that_are_stacked_have_their_values_under_each_other() -> None:
    assert drawn(NARROW, screen(40)).splitlines() == [
        "id       1   serial_number  000000000042",
        "state  confirmed   amount  12345.67",
        "meaning  A sale that the meter took.",
        "",
        "id  300000   serial_number  000000000043",
        "state  refused     amount      0.01",
        "meaning  Void.",
    ]


def test_a_stacked_record_is_a_line_for_each_field() -> None:
    assert stacked(RECORD, screen(None)) == "supply_state  connected\ndebt          -12.00"
    assert stacked(RECORD, screen(20)).splitlines() == [
        "supply_state",
        "  connected",
        "debt          -12.00",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "gbk", "utf-8"])
def test_a_table_has_only_characters_of_its_output(encoding: str) -> None:
    table = Table(("name", "term"), [("clock…", "日期时间"), ("é", "½ → 保电")])
    for width in (None, 10, 40):
        text = drawn(table, screen(width, encoding))
        assert text.encode(encoding)
        assert "clock..." in text or "clock…" in text


def test_states_are_coloured_at_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = drawn(NARROW, screen(200, is_terminal=True))
    assert f"{ESCAPE}32mconfirmed" in shown
    assert f"{ESCAPE}31mrefused" in shown
    assert f"{ESCAPE}32mconnected" in drawn(RECORD, screen(80, is_terminal=True))
    assert f"{ESCAPE}32mconfirmed" in drawn(NARROW, screen(40, is_terminal=True))
    assert ESCAPE not in drawn(NARROW, screen(200))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ESCAPE not in drawn(NARROW, screen(200)), "a script's table has no colours"
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")
    assert f"{ESCAPE}32m" not in drawn(NARROW, screen(200, is_terminal=True))
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(WIDE, screen(200, is_terminal=True)) == drawn(WIDE, screen(200))


@pytest.mark.parametrize(
    ("columns", "expected"), [("40", 40), ("", None), ("0", None), ("wide", None), ("²", None)]
)
def test_columns_is_the_width_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str, expected: int | None
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    assert Screen.of_stdout() == Screen(expected, "latin-1", False)


def test_a_long_table_is_written_as_its_rows_come() -> None:
    rows = iter([("3", "000000000044", "unknown", "5.00", "Open.")] * 2)
    lines = streamed(NARROW, rows, screen(None))
    assert next(lines) == ("    id  serial_number  state        amount  meaning")
    assert list(lines) == [
        "     1  000000000042   confirmed  12345.67  A sale that the meter took.",
        "300000  000000000043   refused        0.01  Void.",
        "     3  000000000044   unknown        5.00  Open.",
        "     3  000000000044   unknown        5.00  Open.",
    ]
    stacks = list(streamed(NARROW, iter(NARROW.rows), screen(40)))
    assert stacks.count("") == 3
    assert stacks[:2] == [
        "id  1   serial_number  000000000042",
        "state  confirmed   amount  12345.67",
    ]


def test_an_empty_table_is_its_heading() -> None:
    assert "state" in drawn(Table(("id", "state"), []), screen(80))
