"""The rows of a printed receipt in a language. Pure: offsets and texts are arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meterctl.cli.slips.words import Words
from meterctl.operations.printed_receipt import PrintedReceipt, exact_money, sum_of
from protocols.data_model.words import account_unit_text
from protocols.keys import CODE_SIZE
from protocols.quantities import CENT, SECOND, format_moment
from protocols.sealed_message import MessageKind, Receipt

OffsetOf = Callable[[int], int]
"""Returns the minutes of local time at an instant, s since 1970 UTC."""
_SECONDS = len("2026-01-31T08:00:00")


@dataclass(frozen=True, slots=True)
class Row:
    """A name and its value; `is_total` is printed in bold on a page."""

    name: str
    value: str
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt as it is printed: its head, the marks that it bears, and groups of rows."""

    tag: str
    issuer: Sequence[str]
    title: str
    marks: Sequence[str]
    groups: Sequence[Sequence[Row]]


def slip_of(
    printed: PrintedReceipt, words: Words, issuer: Sequence[str], offset_of: OffsetOf
) -> Slip:
    """Return a receipt in a language.

    Args:
        issuer: the lines of the seller at the head.
        offset_of: local time of the host, in which moments are printed with their offset.
    """
    groups = (
        _identity(printed, words, offset_of),
        _money(printed, words),
        _proof(printed, words),
        _print(printed, words, offset_of),
    )
    kept = [[row for row in group if row.value] for group in groups]
    return Slip(
        words.tag,
        [plain(line) for line in issuer],
        words.titles[printed.kind],
        _marks(printed, words),
        [group for group in kept if group],
    )


def plain(text: str) -> str:
    """Return a text without characters that a printer would take for commands."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


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
    entry, receipt = printed.entry, printed.receipt
    at_s = entry.changed if receipt is None else receipt.at // SECOND
    return [
        Row(words.number, printed.number),
        Row(words.at, local_text(at_s, offset_of)),
        Row(words.meter, entry.meter),
        Row(words.customer, printed.customer_number or ""),
        Row(words.sale, plain(entry.reference)),
    ]


def _money(printed: PrintedReceipt, words: Words) -> list[Row]:
    receipt, unit = printed.receipt, _unit(printed, words)
    rows = []
    if printed.voided is not None:
        voided = printed.voided
        amount = exact_money(voided.amount * CENT)
        rows.append(Row(words.voided, f"{voided.id} ({amount} {unit})"))
    elif printed.kind is not MessageKind.CLOSE:
        rows.append(Row(words.amount, f"{exact_money(printed.amount)} {unit}", is_total=True))
    if receipt is None:
        return rows
    if printed.kind in (MessageKind.OPEN, MessageKind.CREDIT):
        assert printed.to_credit is not None
        parts = (
            (words.to_overdraft, receipt.to_overdraft),
            (words.to_debt, receipt.to_debt),
            (words.to_credit, printed.to_credit),
        )
        if receipt.to_overdraft or receipt.to_debt:
            rows += [Row(f"  {name}", exact_money(part)) for name, part in parts]
    if printed.kind is MessageKind.CLOSE:
        settled = f"{exact_money(receipt.settlement)} {unit}"
        rows.append(Row(words.settlement, settled, is_total=True))
    rows += [
        Row(words.credit_before, exact_money(receipt.credit_before)),
        Row(words.credit_after, exact_money(receipt.credit_after)),
        Row(words.cumulative, exact_money(receipt.cumulative)),
    ]
    if printed.kind is not MessageKind.VOID:
        rows.append(Row(words.check, _check_text(receipt)))
    return rows


def _unit(printed: PrintedReceipt, words: Words) -> str:
    text = "" if printed.account_unit is None else account_unit_text(printed.account_unit)
    return words.units.get(text, text)


def _check_text(receipt: Receipt) -> str:
    """Return the sum of a receipt, such as `-3.00 + 50.00 - 10.00 = 37.00`."""
    checked = sum_of(receipt)
    added = "".join(
        f" {'-' if term < 0 else '+'} {exact_money(abs(term))}" for term in checked.added
    )
    return f"{exact_money(checked.first)}{added} = {exact_money(checked.result)}"


def _proof(printed: PrintedReceipt, words: Words) -> list[Row]:
    entry = printed.entry
    seal = entry.receipt[-CODE_SIZE:].hex() if printed.receipt is not None else ""
    return [
        Row(words.sequence, str(entry.sequence)),
        Row(words.carrier, f"{words.card} {entry.card}" if entry.card else words.wire),
        Row(words.proof, words.proofs[printed.proof]),
        Row(words.code, entry.code.hex()),
        Row(words.seal, " ".join(seal[i : i + 4] for i in range(0, len(seal), 4))),
    ]


def _print(printed: PrintedReceipt, words: Words, offset_of: OffsetOf) -> list[Row]:
    rows = [Row(words.printed, local_text(printed.printed_at, offset_of))]
    if printed.made is not None and printed.made.reprint:
        rows.insert(0, Row(words.first_printed, local_text(printed.made.first_at, offset_of)))
    return rows
