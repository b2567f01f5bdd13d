"""The figures of sheets. A closed date keeps them as they were signed, so they read back as JSON.

Money is in 0.01, exact money in 1e-10, instants in ms since 1970 UTC.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from meterctl.utility.model.money import PaymentChannel, PaymentPurpose, PaymentState
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleState, ShiftState
from meterctl.utility.rules.units import Unit

Money = Annotated[int, Unit.MONEY]
Exact = Annotated[int, Unit.EXACT]
Instant = Annotated[int, Unit.INSTANT]


class Figures(BaseModel):
    """Values that are made once and only read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unit_of(figures: type[Figures], name: str) -> Unit | None:
    """Return the unit of a field, also of one that may be None, such as `Money | None`."""
    field = figures.model_fields[name]
    of_parts = (
        each
        for part in getattr(field.annotation, "__args__", ())
        for each in getattr(part, "__metadata__", ())
    )
    return next((each for each in (*field.metadata, *of_parts) if isinstance(each, Unit)), None)


class AccountTotal(Figures):
    """All accounts of a kind."""

    kind: AccountKind
    opening: Money
    debit: Money
    credit: Money
    closing: Money


class ChannelFigures(Figures):
    """What came and went by a channel; `difference` is what the receipts say less the books."""

    channel: PaymentChannel
    receipts: int
    received: Money
    booked: Money
    difference: Money
    given_back: Money
    paid_out: Money


class TillFigures(Figures):
    """A shift whose till moved on the date, by the ledger.

    `received - paid_out + difference - banked` is what `left` in the till moved by; it is 0.00 of a
    closed one. `difference` is over, or below 0 short; `task` is that about it.
    """

    shift: str
    vendor: str
    node: str
    state: ShiftState
    received: Money
    paid_out: Money
    difference: Money
    banked: Money
    slip: str | None
    left: Money
    task: str | None


class ReadingAge(Figures):
    """Meters whose newest reading has an age."""

    age: str
    meters: int


class MeterFigures(Figures):
    """Credit as booked beside credit as read, at the moment that the sheet is of.

    `compared` meters have no live credit order and the sequence that was proved last; of these the
    books differ from what was read by `difference`, which is from 0.00 to below `bound`. `differ`
    meters are out of their own bounds. `others` were read before their last sale, or never;
    `others_in_meter` is what is booked of them.
    """

    compared: int
    in_meter: Money
    credit_read: Exact
    difference: Exact
    bound: Money
    differ: int
    others: int
    others_in_meter: Money
    ages: tuple[ReadingAge, ...]


class SaleTotal(Figures):
    """Sales in one state: those on their way to meters at the moment that the sheet is of."""

    state: SaleState
    sales: int
    amount: Money


class OpenSale(Figures):
    """A sale whose delivery was not proved, since when it was taken, and how old that was."""

    sale: str
    state: SaleState
    agreement: str
    meter: str
    amount: Money
    since: Instant
    age_s: int


class CheckFigures(Figures):
    """An invariant, the rows that were looked at, and how many break it."""

    invariant: str
    count: int
    rows: str
    broken: int


class NotLookedAt(Figures):
    """Invariants that a sheet does not have, and why."""

    invariants: str
    reason: str


class WholeCheck(Figures):
    """The last `desk check` of the whole database before the sheet's moment."""

    at: Instant
    rows: int
    broken: tuple[str, ...]


class OneSidedFigures(Figures):
    """Money that the books or a bank's statement alone has, or both with other amounts."""

    reference: str
    on: date
    ours: Money | None
    banks: Money | None
    task: str | None


class BankFigures(Figures):
    """A bank at the end of a date: the books' transit beside its statement, by reference.

    `statement` is what its statements add up to. `one_sided` names the oldest; all are counted.
    """

    bank: str
    title: str
    both: int
    both_amount: Money
    ours_only: int
    ours_only_amount: Money
    banks_only: int
    banks_only_amount: Money
    differing: int
    statement: Money
    one_sided: tuple[OneSidedFigures, ...]


class DaySheet(Figures):
    """The sheet of a date: of its end, or, while it has not ended, of the moment it is made.

    All of it is of that moment, `as_of`; `has_ended` says which it is. `node` is that whose part of
    the books it has, with those below it; None: the whole company.
    """

    on: date
    company: str
    node: str | None
    made_at: Instant
    as_of: Instant
    has_ended: bool
    entries: int
    transfers: int
    accounts: tuple[AccountTotal, ...]
    channels: tuple[ChannelFigures, ...]
    tills: tuple[TillFigures, ...]
    banks: tuple[BankFigures, ...] = ()
    meters: MeterFigures
    undelivered: tuple[SaleTotal, ...]
    open_sales: tuple[OpenSale, ...]
    checks: tuple[CheckFigures, ...]
    not_looked_at: tuple[NotLookedAt, ...]
    whole_check: WholeCheck | None = None


class ReceiptLine(Figures):
    """A receipt of a shift, in the order of its numbers."""

    number: int
    at: Instant
    purpose: PaymentPurpose
    agreement: str
    channel: PaymentChannel
    amount: Money
    state: PaymentState
    sale: str | None


class ShiftSheet(Figures):
    """The sheet of a shift.

    `expected` is the float with what was received less what was paid out; `difference` is what was
    counted above it, or below 0 short. The three are None until it is counted.
    """

    shift: str
    company: str
    vendor: str
    vendor_name: str
    node: str
    state: ShiftState
    made_at: Instant
    opened_at: Instant
    closed_at: Instant | None
    float_amount: Money
    first_receipt: int | None
    last_receipt: int | None
    receipts_without_gap: bool
    cancelled: tuple[int, ...]
    channels: tuple[ChannelFigures, ...]
    received: Money
    paid_out: Money
    expected: Money
    counted: Money | None
    counter: str | None
    difference: Money | None
    banked: Money
    slip: str | None
    task: str | None
    sales: tuple[SaleTotal, ...]
    lines: tuple[ReceiptLine, ...]


class SealFigures(Figures):
    """The seal of a closed date, and who closed it when."""

    closed_at: Instant
    closed_by: str
    previous_seal: str
    seal: str
