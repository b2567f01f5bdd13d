"""The rows of a printed receipt in a language. Pure: offsets and texts are arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from meterctl.cli.receipt_words import Terms, Words
from meterctl.operations.printed_receipt import PrintedReceipt, exact_money, payable, sum_of
from meterctl.slips.chinese_amounts import chinese_amount
from meterctl.slips.slip import Row, Slip, plain
from protocols.data_model.words import ENERGY_ACCOUNT, account_unit_text
from protocols.keys import CODE_SIZE
from protocols.quantities import CENT, SECOND, format_moment
from protocols.sealed_message import MessageKind, Receipt

OffsetOf = Callable[[int], int]
"""Returns the minutes of local time at an instant, s since 1970 UTC."""
_SECONDS = len("2026-01-31T08:00:00")


def slip_of(
    printed: PrintedReceipt,
    words: Words,
    issuer: Sequence[str],
    offset_of: OffsetOf,
    cashier: str = "",
) -> Slip:
    """Return a receipt in a language.

    Args:
        issuer: the lines of the seller at the head.
        offset_of: local time of the host, in which moments are printed with their offset.
        cashier: who prints it; empty for none.
    """
    groups = (
        _identity(printed, words, offset_of),
        _money(printed, words),
        _proof(printed, words),
        [Row(words.cashier, plain(cashier).strip()), *_print(printed, words, offset_of)],
    )
    kept = [[row for row in group if row.value] for group in groups]
    return Slip(
        words.tag,
        [plain(line) for line in issuer],
        words.titles[printed.kind],
        _marks(printed, words),
        [group for group in kept if group],
    )


def local_text(instant_s: int, offset_of: OffsetOf) -> str:
    """Return an instant in local time, such as 2026-01-31 08:00:00 +08:00."""
    text = format_moment(instant_s * SECOND, offset_of(instant_s))
    zone = "+00:00" if text.endswith("Z") else text[-6:]
    return f"{text[:_SECONDS].replace('T', ' ')} {zone}"


def _marks(printed: PrintedReceipt, words: Words) -> list[str]:
    if printed.made is None:
        return [words.specimen]
    reprint = printed.made.reprint
    return [words.reprint.format(number=reprint)] if reprint else []


def _identity(printed: PrintedReceipt, words: Words, offset_of: OffsetOf) -> list[Row]:
    """Return rows that are the same in every print: the host's time is that of the entry's begin.

    The meter's clock may be ahead of the host's or behind it, so each time is named.
    """
    entry, receipt = printed.entry, printed.receipt
    return [
        Row(words.number, printed.number),
        Row(words.created, local_text(entry.created, offset_of)),
        Row(words.at, "" if receipt is None else local_text(receipt.at // SECOND, offset_of)),
        Row(words.meter, entry.meter),
        Row(words.customer, printed.customer_number or ""),
        Row(words.sale, plain(entry.reference)),
    ]


def _money(printed: PrintedReceipt, words: Words) -> list[Row]:
    """Return the rows of amounts: what moved, what it made of the credit, and the totals."""
    receipt = printed.receipt
    names = words.energy if printed.account_unit == ENERGY_ACCOUNT else words.money
    rows = _moved(printed, words, names)
    if receipt is None:
        return rows

    def money(name: str, ledger: int) -> Row:
        return _amount(printed, words, name, ledger)

    match receipt.kind:
        case MessageKind.DEBT | MessageKind.VOID:
            rows.append(money(names.unchanged, receipt.credit_after))
        case MessageKind.CLOSE:
            # An account in 0.01 cannot be paid out finer: only the check has what was cut.
            sign = -1 if receipt.credit_before < 0 else 1
            before = sign * payable(receipt.credit_before) * CENT
            rows += [
                money(names.before, before),
                money(names.after, receipt.credit_after),
                Row(words.debt, words.debt_left),
            ]
        case _:
            rows += [
                money(names.before, receipt.credit_before),
                money(names.after, receipt.credit_after),
            ]
    rows.append(money(names.cumulative, receipt.cumulative))
    if printed.purchase_count is not None:
        rows.append(Row(words.purchase_count, str(printed.purchase_count)))
    if sum_of(receipt).added:
        rows.append(Row(words.check, f"{_check_text(receipt)} {_unit(printed, words)}".rstrip()))
    return rows


def _moved(printed: PrintedReceipt, words: Words, names: Terms) -> list[Row]:
    """Return the rows of the amount that was bought, paid back, entered or voided."""
    receipt = printed.receipt
    match printed.kind:
        case MessageKind.VOID:
            if (voided := printed.voided) is None:
                return []
            amount = _amount(printed, words, words.voided, voided.amount * CENT)
            return [Row(amount.name, f"{voided.id} ({amount.value})")]
        case MessageKind.CLOSE:
            if receipt is None:
                return []
            name = names.still_due if receipt.settlement < 0 else names.paid_back
            return _total(printed, words, name, payable(receipt.settlement))
        case MessageKind.REFUND:
            return _total(printed, words, names.refunded, printed.entry.amount)
        case MessageKind.DEBT:
            return _total(printed, words, names.debt_added, printed.entry.amount)
        case _:
            rows = _total(printed, words, names.bought, printed.entry.amount)
    if receipt is None or not (receipt.to_overdraft or receipt.to_debt):
        return rows
    assert printed.to_credit is not None
    parts = (
        (names.to_overdraft, receipt.to_overdraft),
        (names.to_debt, receipt.to_debt),
        (names.to_credit, printed.to_credit),
    )
    return rows + [_amount(printed, words, f"  {name}", part) for name, part in parts]


def _total(printed: PrintedReceipt, words: Words, name: str, cents: int) -> list[Row]:
    """Return the row of the amount that is paid, and the same in words where it is custom."""
    rows = [replace(_amount(printed, words, name, cents * CENT), is_total=True)]
    if spelled := words.spelled.get(_unit_letters(printed)):
        rows.append(Row(spelled, chinese_amount(cents)))
    return rows


def _amount(printed: PrintedReceipt, words: Words, name: str, ledger: int) -> Row:
    """Return a row of an amount with the decimals that it has and its unit."""
    return Row(name, f"{exact_money(ledger)} {_unit(printed, words)}".rstrip())


def _unit(printed: PrintedReceipt, words: Words) -> str:
    letters = _unit_letters(printed)
    return words.units.get(letters, letters)


def _unit_letters(printed: PrintedReceipt) -> str:
    return "" if printed.account_unit is None else account_unit_text(printed.account_unit)


def _check_text(receipt: Receipt) -> str:
    """Return the sum of a receipt, such as `-3.00 + 50.00 - 10.00 = 37.00`."""
    checked = sum_of(receipt)
    added = "".join(
        f" {'-' if term < 0 else '+'} {exact_money(abs(term))}" for term in checked.added
    )
    return f"{exact_money(checked.first)}{added} = {exact_money(checked.result)}"


def _proof(printed: PrintedReceipt, words: Words) -> list[Row]:
    entry = printed.entry
    carrier = words.carrier_of_sale if printed.is_sale else words.carrier
    seal = entry.receipt[-CODE_SIZE:].hex() if printed.receipt is not None else ""
    return [
        Row(words.sequence, str(entry.sequence)),
        Row(carrier, f"{words.card} {entry.card}" if entry.card else words.wire),
        Row(words.proof, words.proofs[printed.proof]),
        Row(words.code, entry.code.hex()),
        Row(words.seal, " ".join(seal[i : i + 4] for i in range(0, len(seal), 4))),
    ]


def _print(printed: PrintedReceipt, words: Words, offset_of: OffsetOf) -> list[Row]:
    rows = [Row(words.printed, local_text(printed.printed_at, offset_of))]
    if printed.made is not None and printed.made.reprint:
        rows.insert(0, Row(words.first_printed, local_text(printed.made.first_at, offset_of)))
    return rows
