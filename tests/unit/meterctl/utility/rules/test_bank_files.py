"""A bank's description and files: what is read, and every mistake with its line."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.bank_debits import LastDebit, next_try
from meterctl.utility.rules.bank_description import (
    COLUMNS,
    COMES_IN,
    AmountFormat,
    BankFileKind,
    CollectedBy,
    read_bank,
)
from meterctl.utility.rules.bank_files import BankRow, read_bank_file, written_debits
from tests.support.desk_banks import EXAMPLES, LAKESIDE, SHIPPED

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 12, 1)
HEADINGS = "reference,party,amount,paid_at"


def _read(text: str | bytes, kind: BankFileKind, description: str = SHIPPED) -> list[BankRow]:
    data = text.encode() if isinstance(text, str) else text
    return read_bank_file(data, read_bank(description), kind, ZONE, TODAY)


def _mistakes(text: str, kind: BankFileKind, description: str = SHIPPED) -> list[str]:
    with pytest.raises(Invalid) as refused:
        _read(text, kind, description)
    return str(refused.value).split("\n")


def test_the_shipped_columns_are_those_of_the_desk() -> None:
    bank = read_bank(SHIPPED)
    assert ",".join(COLUMNS) == HEADINGS
    assert set(bank.kinds) == set(COMES_IN)
    for kind in bank.kinds.values():
        assert kind.columns == {name: name for name in COLUMNS}
    assert (bank.encoding, bank.delimiter, bank.amounts) == ("utf-8-sig", ",", AmountFormat.POINT)


def test_a_line_has_its_instant_in_the_companys_zone() -> None:
    (row,) = _read(f"{HEADINGS}\nR1,A1,12.5,2026-12-01 00:30:00\n", BankFileKind.COLLECTED)
    assert (row.line, row.amount, row.paid_on) == (2, 12_50, TODAY)
    assert row.paid_at == 1_796_056_200_000
    (of_date,) = _read(f"{HEADINGS}\nR1,A1,12.5,2026-12-01\n", BankFileKind.COLLECTED)
    assert of_date.paid_at == row.paid_at - 30 * 60_000


@pytest.mark.parametrize(
    ("form", "text", "amount"),
    [
        ("1234.56", "1234.5", 1234_50),
        ("1,234.56", '"1,234.56"', 1234_56),
        ("1,234.56", "12", 12_00),
        ("123456", "1234", 12_34),
    ],
)
def test_amounts_are_read_as_the_bank_writes_them(form: str, text: str, amount: int) -> None:
    description = f'name = "b"\namounts = "{form}"\n[collected]\n'
    (row,) = _read(f"{HEADINGS}\nR,A,{text},2026-12-01\n", BankFileKind.COLLECTED, description)
    assert row.amount == amount


@pytest.mark.parametrize(
    ("form", "text"),
    [("1234.56", '"1,234.56"'), ("1,234.56", '"1,23.56"'), ("123456", "12.34"), ("1234.56", "")],
)
def test_an_amount_of_another_form_is_a_mistake(form: str, text: str) -> None:
    description = f'name = "b"\namounts = "{form}"\n[collected]\n'
    (told, _) = _mistakes(
        f"{HEADINGS}\nR,A,{text},2026-12-01\n", BankFileKind.COLLECTED, description
    )
    assert told.startswith("line 2: ")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("R,A,1", "it has 3 cells, and there are 4 headings"),
        ("R,A,0,2026-12-01", "amount 0: allowed is 0.01 to 1000000000.00"),
        (f"{'R' * 65},A,1,2026-12-01", f"reference '{'R' * 65}': at most 64 signs of one line"),
        ("R,A,1,2026-12-02", "paid_at 2026-12-02: it is later than today, 2026-12-01"),
        ("R,A,1,2026-12-01 25:00", "paid_at '2026-12-01 25:00': the bank's description says "
         "YYYY-MM-DD hh:mm:ss or YYYY-MM-DD hh:mm or YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(line: str, told: str) -> None:
    text = f"{HEADINGS}\nR0,A,1,2026-12-01\n{line}\n"
    assert _mistakes(text, BankFileKind.COLLECTED) == [f"line 3: {told}", "nothing was changed"]


def test_a_file_without_headings_lines_or_text_is_refused() -> None:
    assert "no line has the headings" in _mistakes("R,A,1,2026-12-01\n", BankFileKind.COLLECTED)[0]
    assert "no line below" in _mistakes(f"{HEADINGS}\n", BankFileKind.COLLECTED)[0]
    with pytest.raises(Invalid, match="line 2: it is not UTF-8 text"):
        _read(f"{HEADINGS}\n".encode() + "李".encode("gb18030"), BankFileKind.COLLECTED)


def test_a_returned_debit_is_paid_or_says_why_not() -> None:
    paid, bounced = _read(
        f"{HEADINGS}\nD1-1,M1,5.00,2026-12-01\nD2-1,M2,0.00,2026-12-01\n", BankFileKind.RETURNS
    )
    assert (paid.amount, paid.why_bounced) == (5_00, "")
    assert (bounced.amount, bounced.why_bounced) == (0, "not paid")
    text = (
        "流水号,协议号,金额,交易时间,结果\n"
        "D1-1,M1,5.00,2026-12-01 08:00:00,成功\n"
        "D2-1,M2,6.00,2026-12-01 08:00:00,余额不足\n"
    )
    paid, bounced = _read(text.encode("gb18030"), BankFileKind.RETURNS, LAKESIDE)
    assert (paid.amount, paid.why_bounced) == (5_00, "")
    assert (bounced.amount, bounced.why_bounced) == (0, "余额不足")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")))
def test_every_example_is_a_description(path: Path) -> None:
    assert read_bank(path.read_text()).code == path.stem


def test_every_mistake_of_a_description_is_named_with_its_line() -> None:
    with pytest.raises(Invalid) as refused:
        read_bank('name = "B"\nencoding = "latin"\npaid_at = "hh:mm"\n[statement]\nfees = "x"\n')
    lines = [line.split(":")[0] for line in str(refused.value).split("\n")]
    assert lines == ["line 1", "line 2", "line 3", "line 5", "nothing was changed"]
    with pytest.raises(Invalid, match="no table of a kind"):
        read_bank('name = "b"\n')
    assert (
        read_bank('name = "b"\n[collected]\nchannel = "transfer"\n')
        .kinds[BankFileKind.COLLECTED]
        .collected_by
        is CollectedBy.TRANSFER
    )


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**6),
            st.text(st.sampled_from('AB1 ,;"-李'), min_size=1, max_size=20).map(str.strip),
            st.integers(1, 10**9),
        ),
        min_size=1,
        unique_by=lambda row: row[0],
    )
)
def test_debits_that_are_written_can_be_read(rows: list[tuple[int, str, int]]) -> None:
    for description in (SHIPPED, 'name = "b"\namounts = "123456"\ndelimiter = "bar"\n[returns]\n'):
        bank = read_bank(description)
        debits = [(f"D{number}-1", party, amount, TODAY) for number, party, amount in rows]
        read = read_bank_file(written_debits(debits, bank), bank, BankFileKind.RETURNS, ZONE, TODAY)
        assert [(row.reference, row.amount, row.paid_on) for row in read] == [
            (reference, amount, on) for reference, _, amount, on in debits
        ]
        assert [row.party for row in read] == [" ".join(party.split()) for _, party, *_ in debits]


def test_a_debit_is_sent_three_times_at_most() -> None:
    again = TODAY + timedelta(days=3)
    assert next_try(None, TODAY) == 1
    assert next_try(LastDebit(1, True, None, False), TODAY) is None
    assert next_try(LastDebit(1, False, again, False), TODAY) is None
    assert next_try(LastDebit(1, False, again, False), again) == 2
    assert next_try(LastDebit(3, False, again, False), again) is None
    assert next_try(LastDebit(2, False, None, True), TODAY) == 1
