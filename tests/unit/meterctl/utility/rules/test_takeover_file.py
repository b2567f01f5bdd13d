"""The file of a taking over."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.numbering import checked_customer_number
from meterctl.utility.rules.takeover_file import BILLS_OF_ROW, OldBill, parse_takeover

PAGE = Path(__file__).parents[5] / "docs" / "desk-takeover.md"
HEADER = "meter,port,bills,advance"


def test_the_example_of_the_page_is_read() -> None:
    example = PAGE.read_text().split("```")[1]
    first, second, third = parse_takeover(example)
    assert (first.line, first.meter, first.unit, first.advance) == (3, "000000000042", 2, 20_00)
    assert first.bills == (
        OldBill("2026-08", 35_20, date(2026, 9, 15)), OldBill("2026-09", 12_00, date(2026, 10, 15))
    )  # fmt: skip
    assert (second.terms, second.bills) == ("terms.toml", ())
    assert checked_customer_number(third.cells["point"]) == third.cells["point"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("42,p,,", "meter '42': a serial number has 12 digits"),
        ("000000000042,,,", "a meter without a port"),
        ("000000000042,p,2026-13 1.00 2026-01-01,", "write month, open amount and due date"),
        ("000000000042,p,2026-01 1.00,", "write month, open amount and due date"),
        ("000000000042,p,2026-01 0.00 2026-01-01,", "allowed is 0.01"),
        ("000000000042,p,2026-01 1.00 01.02.2026,", "write a date as 2026-12-31"),
        ("000000000042,p,,0.00", "advance: "),
        ("000000000042,p,,1,5", "5 cells"),
    ],
)
def test_a_mistake_is_told_with_its_line(row: str, told: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_takeover(f"{HEADER}\n{row}\n")
    assert str(raised.value).startswith("line 2: ")
    assert told in str(raised.value)
    assert str(raised.value).endswith("nothing was changed")


def test_bills_are_limited() -> None:
    bills = " / ".join(["2026-01 1.00 2026-02-15"] * (BILLS_OF_ROW + 1))
    with pytest.raises(Invalid, match="at most 60"):
        parse_takeover(f"{HEADER}\n000000000042,p,{bills},\n")


def test_a_column_that_there_is_not_is_named() -> None:
    with pytest.raises(Invalid, match="there is no column 'metre'"):
        parse_takeover("metre,port\n000000000042,p\n")
