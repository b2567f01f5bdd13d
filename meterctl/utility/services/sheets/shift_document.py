"""The sheet of a shift as it is printed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from meterctl.utility.model.money import PaymentState
from meterctl.utility.services.sheets import words
from meterctl.utility.services.sheets.day_document import channels_section, sales_section
from meterctl.utility.services.sheets.document import Cell, Document, Section, instant, money
from meterctl.utility.services.sheets.figures import ReceiptLine, ShiftSheet
from meterctl.utility.services.sheets.words import Word


def shift_document(sheet: ShiftSheet, zone: ZoneInfo) -> Document:
    """Return the sheet of a shift."""
    return Document(
        words.SHIFT_TITLE,
        sheet.shift,
        [words.NOT_COUNTED] if sheet.counted is None else [],
        tuple(_head(sheet, zone)),
        (
            _cash(sheet),
            channels_section(sheet.channels),
            sales_section(sheet.sales, Word("Sales of the shift", "售电")),
            _receipts(sheet.lines, zone),
        ),
        (),
        (words.VENDOR, words.COUNTED_BY),
    )


def _head(sheet: ShiftSheet, zone: ZoneInfo) -> Iterator[tuple[Word, Cell]]:
    yield Word("Company", "单位"), sheet.company
    yield Word("Vendor", "售电员"), f"{sheet.vendor} {sheet.vendor_name}, {sheet.node}"
    yield Word("Opened", "开班"), instant(sheet.opened_at, zone)
    if sheet.closed_at is not None:
        yield Word("Closed", "交班"), instant(sheet.closed_at, zone)
    yield Word("Figures of", "制表时间"), instant(sheet.made_at, zone)
    yield Word("Receipts", "收据"), _receipt_numbers(sheet)


def _receipt_numbers(sheet: ShiftSheet) -> Word:
    """Return the receipts from the first to the last, the cancelled ones named."""
    if sheet.first_receipt is None:
        return Word("none", "无")
    numbers = f"{sheet.first_receipt} to {sheet.last_receipt}"
    gap = (
        Word("without a gap", "连号") if sheet.receipts_without_gap else Word("WITH A GAP", "断号")
    )
    cancelled = ", ".join(map(str, sheet.cancelled))
    return Word(
        f"{numbers}, {gap.en}; cancelled: {cancelled or 'none'}",
        f"{gap.zh}；作废：{cancelled or '无'}",
    )


def _cash(sheet: ShiftSheet) -> Section:
    rows = [
        (Word("float", "备用金"), money(sheet.float_amount)),
        (Word("received", "收入"), money(sheet.received)),
        (Word("paid out and given back", "支出"), money(-sheet.paid_out)),
        (Word("should be in the till", "应有"), money(sheet.expected)),
    ]
    notes = []
    if sheet.counted is not None and sheet.difference is not None:
        word = words.over_or_short(sheet.difference) if sheet.difference else words.NO_DIFFERENCE
        rows += [
            (Word(f"counted by {sheet.counter or '-'}", "清点"), money(sheet.counted)),
            (word, money(abs(sheet.difference))),
            (Word(f"banked, slip {sheet.slip or '-'}", "解款"), money(sheet.banked)),
        ]
        if sheet.difference:
            notes.append(Word(f"difference: task {sheet.task or 'none'}", "差额任务"))
    columns = (Word("cash", "现金"), Word("amount", "金额"))
    return Section(Word("Cash", "现金"), columns, rows, notes)


def _receipts(lines: tuple[ReceiptLine, ...], zone: ZoneInfo) -> Section:
    return Section(
        Word("Receipts", "收据"),
        (
            Word("number, for", "号码、事由"), Word("agreement", "协议"), Word("at", "时间"),
            Word("channel", "方式"), Word("amount", "金额"),
        ),
        [
            (
                _named(line), line.agreement, instant(line.at, zone)[11:19],
                words.CHANNELS[line.channel], money(line.amount),
            )
            for line in lines
        ],
    )  # fmt: skip


def _named(line: ReceiptLine) -> Word:
    """Return a receipt's number with what it is for, and its state where it does not stand."""
    purpose = words.PURPOSES[line.purpose]
    sale = f" {line.sale}" if line.sale else ""
    if line.state is PaymentState.TAKEN:
        return Word(f"{line.number} {purpose.en}{sale}", purpose.zh)
    state = words.PAYMENTS[line.state]
    return Word(f"{line.number} {purpose.en}{sale} {state.en.upper()}", state.zh)
