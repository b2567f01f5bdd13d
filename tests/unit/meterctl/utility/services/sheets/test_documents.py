"""Sheets as text and as a page: every figure, no wider than the paper, nothing executed."""

from __future__ import annotations

from datetime import date
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from meterctl.utility.model.money import PaymentChannel, PaymentPurpose, PaymentState
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleState, ShiftState
from meterctl.utility.services.sheets.day import NOT_LOOKED_AT
from meterctl.utility.services.sheets.day_document import day_document
from meterctl.utility.services.sheets.document import Document, age, exact, instant
from meterctl.utility.services.sheets.figures import (
    AccountTotal,
    ChannelFigures,
    CheckFigures,
    DaySheet,
    MeterFigures,
    OpenSale,
    ReadingAge,
    ReceiptLine,
    SaleTotal,
    SealFigures,
    ShiftSheet,
    TillFigures,
)
from meterctl.utility.services.sheets.page import MARK, MOST_ROWS, sheet_page
from meterctl.utility.services.sheets.shift_document import shift_document
from meterctl.utility.services.sheets.text import WIDTH, folded, sheet_lines
from meterctl.utility.services.sheets.words import PAYMENTS, Word
from tests.support.desk_world import NOON

ZONE = ZoneInfo("Asia/Shanghai")
HOSTILE = '<script>alert("x")</script>\x1b[31m & Co'
SEAL = SealFigures(closed_at=NOON, closed_by="a1", previous_seal="0" * 64, seal="ab" * 32)


def _day(company: str = "Utility", big: int = 1, sales: int = 1) -> DaySheet:
    return DaySheet(
        on=date(2026, 9, 21),
        company=company,
        node=None,
        made_at=NOON,
        as_of=NOON,
        has_ended=True,
        entries=7,
        transfers=9,
        accounts=tuple(
            AccountTotal(
                kind=kind, opening=big * 10_00, debit=big * 5_00, credit=big * 1_00,
                closing=big * 14_00,
            )
            for kind in AccountKind
        ),
        channels=(
            ChannelFigures(
                channel=PaymentChannel.CASH, receipts=3, received=big * 75_00, booked=big * 75_00,
                difference=0, given_back=0, paid_out=0,
            ),
        ),
        tills=(
            TillFigures(
                shift="0011-v1-20260921-1", vendor="v1", node="0011", state=ShiftState.CLOSED,
                received=big * 75_00, paid_out=0, difference=-10_50, banked=big * 64_50, slip="S1",
                left=0, task="T3 open",
            ),
        ),
        meters=MeterFigures(
            compared=1, in_meter=39_99, credit_read=399876543211, difference=23456789, bound=4,
            differ=0, others=1, others_in_meter=0, ages=(ReadingAge(age="never", meters=1),),
        ),
        undelivered=(SaleTotal(state=SaleState.UNKNOWN, sales=1, amount=20_00),),
        open_sales=tuple(
            OpenSale(
                sale=f"S{number}", state=SaleState.ON_CARD, agreement="A2", meter="000000000002",
                amount=20_00, since=NOON, age_s=3 * 86_400,
            )
            for number in range(sales)
        ),
        checks=(CheckFigures(invariant="I1", count=12, rows="accounts", broken=0),),
        not_looked_at=NOT_LOOKED_AT,
    )  # fmt: skip


def _shift(name: str = "A Vendor", counted: int | None = 164_50) -> ShiftSheet:
    return ShiftSheet(
        shift="0011-v1-20260921-1",
        company="Utility",
        vendor="v1",
        vendor_name=name,
        node="0011",
        state=ShiftState.CLOSED,
        made_at=NOON,
        opened_at=NOON,
        closed_at=NOON,
        float_amount=100_00,
        first_receipt=1,
        last_receipt=2,
        receipts_without_gap=True,
        cancelled=(2,),
        channels=(),
        received=75_00,
        paid_out=0,
        expected=175_00,
        counted=counted,
        counter="a1",
        difference=None if counted is None else counted - 175_00,
        banked=64_50,
        slip="S1",
        task="T3 open",
        sales=(SaleTotal(state=SaleState.DELIVERED, sales=1, amount=50_00),),
        lines=tuple(
            ReceiptLine(
                number=number, at=NOON, purpose=PaymentPurpose.SALE, agreement="A1",
                channel=PaymentChannel.CASH, amount=50_00, state=state, sale="S1",
            )
            for number, state in ((1, PaymentState.TAKEN), (2, PaymentState.CANCELLED))
        ),
    )  # fmt: skip


def _text(document: Document, chinese: bool = True) -> str:
    return "\n".join(sheet_lines(document, chinese=chinese))


def test_the_sheet_of_a_date_has_every_account_and_what_two_persons_sign() -> None:
    text = _text(day_document(_day(), SEAL, ZONE))
    for kind in AccountKind:
        assert f"\n{kind.value} " in text
    for wanted in (
        "Day sheet 日结单  2026-09-21",
        "0011-v1-20260921-1: short 10.50, task T3 open 短款",
        "0011-v1-20260921-1 slip S1 ",
        "S0 on_card 在卡",
        "3 d",
        "39.9876543211",
        "difference 0.0023456789",
        "ab" * 32,
        "2026-09-21 22:13:20 +08:00, a1",
        "Accountant 会计 ____",
        "Checked by 复核 ____",
    ):
        assert wanted in text
    assert "NOT CLOSED" not in text
    assert "NOT CLOSED" in _text(day_document(_day(), None, ZONE))


def test_a_broken_invariant_stands_at_the_head() -> None:
    broken = CheckFigures(invariant="I2", count=3, rows="agreements", broken=1)
    sheet = _day().model_copy(update={"checks": (broken,)})
    lines = list(sheet_lines(day_document(sheet, SEAL, ZONE)))
    assert "AN INVARIANT IS BROKEN" in lines[1]


def test_the_sheet_of_a_shift_has_its_cash_and_its_receipts() -> None:
    text = _text(shift_document(_shift(), ZONE))
    for wanted in (
        "1 to 2, without a gap; cancelled: 2",
        "short 短款 ",
        " 10.50",
        "difference: task T3 open",
        "banked, slip S1 解款",
        "counted by a1 清点",
        "2 sale S1 CANCELLED 作废",
        "Vendor 售电员 ____",
        "Counted by 清点人 ____",
    ):
        assert wanted in text
    assert "-10.50" not in text
    assert "NOT COUNTED" in _text(shift_document(_shift(counted=None), ZONE))


@pytest.mark.parametrize("big", [1, 10_000_000, 10**12])
@pytest.mark.parametrize("chinese", [True, False])
def test_no_line_is_wider_than_the_paper(big: int, chinese: bool) -> None:
    documents = [
        day_document(_day("县供电公司" * 30, big, 40), SEAL, ZONE),
        shift_document(_shift("名" * 100), ZONE),
    ]
    for document in documents:
        lines = list(sheet_lines(document, chinese=chinese))
        assert max(map(cell_len, lines)) <= WIDTH
        assert chinese or all(term not in "".join(lines) for term in ("日结单", "现金", "状态"))


@given(st.text(max_size=200), st.integers(2, 40))
def test_folding_keeps_every_letter(text: str, width: int) -> None:
    lines = folded(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)


class _Page(HTMLParser):
    """Collects the tags, the attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_has_no_script_whatever_names_say() -> None:
    for document in (
        day_document(_day(HOSTILE), SEAL, ZONE),
        shift_document(_shift(HOSTILE), ZONE),
    ):
        page = _Page(sheet_page(document))
        assert "script" not in page.tags
        text = "".join(page.texts)
        assert '<script>alert("x")</script>' in text
        assert "\x1b" not in text
        assert MARK in sheet_page(document)[:4096]


def test_a_page_has_the_figures_of_the_text_and_names_what_it_leaves_out() -> None:
    sheet = _day(sales=MOST_ROWS + 5)
    page = "".join(_Page(sheet_page(day_document(sheet, SEAL, ZONE))).texts)
    for wanted in ("and 5 more", SEAL.seal, "short 10.50, task T3 open", "39.9876543211"):
        assert wanted in page
    assert page.count("taken_over") == 1
    assert "S16 on_card" not in page
    assert "S16 on_card" in _text(day_document(sheet, SEAL, ZONE))


def test_figures_read_back_from_json() -> None:
    sheet = _day()
    assert DaySheet.model_validate(sheet.model_dump(mode="json")) == sheet


def test_values_as_they_are_shown() -> None:
    assert exact(399876543211) == "39.9876543211"
    assert exact(-500000000) == "-0.05"
    assert exact(10**10) == "1.00"
    assert [age(seconds) for seconds in (5, 300, 7_300, 86_400 * 2)] == [
        "5 s",
        "5 min",
        "2 h",
        "2 d",
    ]
    assert instant(NOON, ZONE) == "2026-09-21 22:13:20 +08:00"


def test_an_open_date_says_as_of_which_moment_its_sheet_is() -> None:
    assert "the end of 2026-09-21 日终" in _text(day_document(_day(), SEAL, ZONE))
    of_now = _day().model_copy(update={"has_ended": False})
    text = _text(day_document(of_now, None, ZONE))
    assert "As of 截至" in text
    assert "2026-09-21 22:13:20 +08:00, not ended 当日未结束" in text


def test_every_invariant_has_its_count_or_the_reason_why_it_has_none() -> None:
    text = " ".join(_text(day_document(_day(), SEAL, ZONE)).split())
    for wanted in ("I4 I7 I11: not on this sheet: ", "meterctl desk check", "I6 I8: not", "I9 I10"):
        assert wanted in text


def test_a_payment_that_bounced_is_no_returned_cheque() -> None:
    assert PAYMENTS[PaymentState.BOUNCED].zh == "未到账冲回"


def test_every_line_of_the_sheet_of_a_date_has_chinese() -> None:
    document = day_document(_day(), SEAL, ZONE)
    for section in document.sections:
        for note in section.notes:
            assert isinstance(note, Word)
            assert note.zh
    page = sheet_page(document)
    assert '<html lang="zh-CN">' in page
    assert '<span lang="en">Day sheet</span> <span lang="zh">日结单</span>' in page
