"""Rows of tables as Modbus carries them: rows that cannot be those asked for are refused."""

from __future__ import annotations

import pytest

from meterctl.drivers.table_rows import check_order, list_rows, window_rows
from protocols.data_model.tables import (
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    Freeze,
    ProfileRecord,
    Purchase,
)
from protocols.data_model.words import Carrier
from protocols.errors import FrameError
from protocols.modbus.register_parts import RowWindow

WINDOW = RowWindow(0, PURCHASES, 5)


def purchase(number: int) -> Purchase:
    """Return a purchase with a number."""
    return Purchase(number, 0, 0, 1, 0, 0, 0, 1, 1, number, Carrier.WIRE)


def window(first: int, rows: list[bytes], count: int | None = None) -> bytes:
    """Return a window that shows rows from a number on."""
    size = len(rows) if count is None else count
    return first.to_bytes(4, "big") + size.to_bytes(2, "big") + b"".join(rows)


def test_a_window_gives_its_rows() -> None:
    data = window(3, [purchase(3).pack(), purchase(4).pack()]) + bytes(100)
    assert window_rows(WINDOW, 3, data) == [purchase(3), purchase(4)]
    assert window_rows(WINDOW, 0, data) == [purchase(3), purchase(4)]
    assert window_rows(WINDOW, 0, window(9, [])) == []


@pytest.mark.parametrize(
    ("first", "data", "said"),
    [
        (3, window(2, [purchase(2).pack()]), "from number 2 on, 3 was asked for"),
        (0, window(2, [purchase(2).pack()] * 2), "do not rise: 2, 2"),
        (0, window(2, [purchase(3).pack(), purchase(2).pack()]), "do not rise: 3, 2"),
        (1, window(3, [purchase(2).pack()]), "from number 3 on begin with row 2"),
        (0, window(2, [], 6), "6 rows in a window of 5"),
    ],
)
def test_rows_that_cannot_be_those_asked_for_are_refused(
    first: int, data: bytes, said: str
) -> None:
    with pytest.raises(FrameError, match=said):
        window_rows(WINDOW, first, data)


def test_a_window_of_older_rows_gives_its_rows_without_the_columns_that_were_added() -> None:
    rows = [Freeze(number, 1, 2, 3, 4, 5, 6, 7, -8, 9) for number in (3, 4)]
    data = window(3, [row.pack()[:68] for row in rows]) + bytes(68)
    found = window_rows(RowWindow(0, DAILY_FREEZES, 3, older_rows=True), 3, data)
    assert [row.consumption_charged_exact for row in found] == [None, None]
    assert [(row.number, row.available_credit) for row in found] == [(3, -8), (4, -8)]
    whole = window(3, [row.pack() for row in rows]) + bytes(76)
    assert window_rows(RowWindow(0, DAILY_FREEZES, 3), 3, whole) == rows


def test_a_part_of_a_list_ends_the_list_where_its_last_row_is_empty() -> None:
    size = PURCHASES.row_size
    full = purchase(8).pack() + purchase(7).pack()
    assert list_rows(PURCHASES, full) == ([purchase(8), purchase(7)], False)
    assert list_rows(PURCHASES, purchase(8).pack() + bytes(size)) == ([purchase(8)], True)


def test_the_numbers_of_a_list_rise_and_may_have_gaps() -> None:
    check_order(PURCHASES, [purchase(1), purchase(2), purchase(9)])
    with pytest.raises(FrameError, match="do not rise: 8, 6"):
        check_order(PURCHASES, [purchase(7), purchase(8), purchase(6)])


def test_rows_without_numbers_have_no_order() -> None:
    record = ProfileRecord(0, 0, 0, False, False, False)
    check_order(PROFILE, [record, record])
    check_order(EVENTS, [])
