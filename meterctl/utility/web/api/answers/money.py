"""Sales, payments, receipts and shifts."""

from __future__ import annotations

from pydantic import Field

from meterctl.utility.model.money import (
    Carrier,
    PaymentChannel,
    PaymentPurpose,
    PaymentState,
    SaleKind,
    SaleSource,
)
from meterctl.utility.rules.transitions import SaleState, ShiftState
from meterctl.utility.web.api.operations import Told
from meterctl.utility.web.api.values import Amount, Day, Exact, Moment


class Expected(Told):
    """What the meter is expected to make of a sale, by what it has proved last."""

    to_debt: Amount
    to_debt_exact: Exact
    to_overdraft: Amount
    to_overdraft_exact: Exact
    to_credit: Amount
    to_credit_exact: Exact
    credit_after: Amount
    credit_after_exact: Exact
    supply_returns: bool


class Sale(Told):
    """A sale: its receipt, what its meter has proved, what is owed and what comes next."""

    sale: str
    key: str
    kind: SaleKind
    amount: Amount
    source: SaleSource
    carrier: Carrier
    card: str | None
    state: SaleState
    cause: str
    epoch: int | None
    sequence: int | None
    to_debt: Amount | None
    to_debt_exact: Exact | None
    to_overdraft: Amount | None
    to_overdraft_exact: Exact | None
    credit_after: Amount | None
    credit_after_exact: Exact | None
    supply_state: str | None
    causes: list[str] | None
    taken_at: Moment
    proved_at: Moment | None
    follows: str | None
    owed: Amount
    next: str
    agreement: str
    meter: str
    order: str
    receipt_number: str | None
    followed_by: str | None
    waits_for: str | None = None
    expected: Expected | None = Field(None, description="Of a rehearsal alone.")


class CancelledSale(Sale):
    """A sale that was cancelled."""

    given_back: Amount


class RepaidSale(Sale):
    """A sale that was paid out, or with `task` waits for a second person."""

    task: str | None = None
    till: str | None = None
    payment: str | None = None
    paid_out: Amount | None = None
    channel: PaymentChannel | None = None
    payout_receipt: str | None = None


class SaleSoldAgain(Sale):
    """A new sale that is paid by what was owed for another one."""

    paid_now: Amount
    still_owed: Amount


class SaleToMove(Sale):
    """A sale that is proposed to be moved."""

    task: str
    to: str
    given_back: Amount
    claim: Amount


class SaleToSettle(Sale):
    """A sale whose end is proposed by a person's word."""

    task: str
    settled_as: str = Field(alias="as")


class PaidBill(Told):
    """What was paid of a bill."""

    bill: str
    amount: Amount


class Payment(Told):
    """Money that came or went."""

    payment: str
    agreement: str
    purpose: PaymentPurpose
    channel: PaymentChannel
    state: PaymentState
    amount: Amount
    paid_at: Moment
    staff: str | None
    receipt_number: str | None


class StandingPayment(Payment):
    """A payment, and what stands in advance and is open of its agreement."""

    allocated: list[PaidBill]
    advance: Amount
    open: Amount


class MovedPayment(StandingPayment):
    """A payment that stands on another agreement now."""

    moved_from: str
    open_again: Amount


class BouncedPayment(StandingPayment):
    """A payment whose money was not good; what is missing is the bill `claim`."""

    claim: str | None
    claimed: Amount


class Refund(Told):
    """Money that was given back; or the task, or the order to the meter, that it waits for."""

    agreement: str
    amount: Amount
    task: str | None = None
    order: str | None = None
    next: str | None = None
    till: str | None = None
    payment: str | None = None
    paid_out: Amount | None = None
    channel: PaymentChannel | None = None
    payout_receipt: str | None = None
    still_held: Amount | None = None


class Receipt(Told):
    """What stands on a receipt."""

    receipt_number: str
    company: str
    station: str
    vendor: str
    payment: str
    purpose: PaymentPurpose
    channel: PaymentChannel
    cancelled: bool
    amount: Amount
    paid_at: Moment
    agreement: str
    customer: str
    point: str
    address: str
    bills: list[PaidBill]
    sale: str | None
    meter: str | None
    key: str | None
    state: SaleState | None
    carrier: Carrier | None
    card: str | None
    sequence: int | None
    to_overdraft: Amount | None
    to_overdraft_exact: Exact | None
    to_debt: Amount | None
    to_debt_exact: Exact | None
    credit_after: Amount | None
    credit_after_exact: Exact | None
    supply_state: str | None
    proved_at: Moment | None


class PrintedReceipt(Receipt):
    """A print of a receipt: `copy` is 0 of the original, which is printed once."""

    copies: int = Field(alias="copy")
    printed_at: Moment


class Shift(Told):
    """A till with its float and its cash."""

    shift: str
    vendor: str
    node: str
    state: ShiftState
    opened_at: Moment
    opened_on: Day
    float_amount: Amount = Field(alias="float")
    limit: Amount
    taken_in: Amount
    paid_out: Amount
    cash: Amount
    counted: Amount | None
    counted_at: Moment | None
    counter: str | None
    closed_at: Moment | None
    slip: str | None
    receipts: int


class CountedShift(Shift):
    """A shift whose cash was counted."""

    should_have: Amount
    difference: Amount


class ClosedShift(Shift):
    """A shift that is closed; `task` asks the station's head about a difference."""

    banked: Amount
    difference: Amount
    task: str | None
    ended_sales: list[str]
