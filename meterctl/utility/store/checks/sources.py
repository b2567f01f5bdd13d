"""Sales, payments, refunds and shifts beside what is booked of them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Subquery, and_, case, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Installation
from meterctl.utility.model.money import (
    Account,
    Entry,
    Payment,
    PaymentPurpose,
    Sale,
    Shift,
    Transfer,
)
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.cash_up import cash_up
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import PAYABLE, SaleState, ShiftState
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed
from meterctl.utility.store.queries.balances import legs
from protocols.quantities import CENT, format_money

_TAKEN = ("sale_taken", "sale_moved")
"""Kinds of entries that pay a sale; what is owed in them is another sale's."""
_REST = (SaleState.REPLACED, SaleState.DELIVERED)
"""States in which a part of a sale may be owed: what did not go on to the one after it."""


def sources_booked(session: Session) -> Checked:
    """Sales, payments, refunds and closed shifts are booked with their amounts, and in place."""
    tally = Tally()
    _owed_of_sales(session, tally)
    _places_of_sales(session, tally)
    _payments_of_sales(session, tally)
    _refunds(session, tally)
    _differences(session, tally)
    return tally.checked(
        "sources",
        "payable is what dead sales, refunds and moves leave, a payment for a sale has its sale, a "
        "sale is of its meter's point, a shift is counted as it is booked",
        "sales, refunds and shifts",
    )


def _owed_of_sales(session: Session, tally: Tally) -> None:
    """Look at what each sale's entries left in payable: all of a dead one, else nothing."""
    moved = legs(Transfer.entry_id, kinds=(AccountKind.PAYABLE,))
    left = (
        select(Entry.sale_id, func.sum(moved.c.credit - moved.c.debit).label("owed"))
        .join(moved, moved.c.entry_id == Entry.id)
        .where(Entry.sale_id.is_not(None), Entry.kind.not_in(_TAKEN))
        .group_by(Entry.sale_id)
        .subquery("left_over")
    )
    owed = func.coalesce(left.c.owed, 0)
    tally.count += session.scalars(select(func.count()).select_from(Sale)).one()
    wrong = (
        select(Sale.id, Sale.state, Sale.amount, owed)
        .outerjoin(left, left.c.sale_id == Sale.id)
        .where(
            case(
                (Sale.state.in_(PAYABLE), owed != Sale.amount),
                (Sale.state.in_(_REST), or_(owed < 0, owed >= Sale.amount)),
                else_=owed != 0,
            )
        )
    )
    for sale, state, amount, booked in streamed(session, wrong):
        tally.violation(
            f"sale S{sale}",
            f"of {_money(amount)} is {state.value}; {_money(booked)} of it is in payable",
        )


def _places_of_sales(session: Session, tally: Tally) -> None:
    """Look at the meter of each sale: it was installed at the point of the sale's agreement."""
    wrong = (
        select(Sale.id, Agreement.number)
        .outerjoin(Agreement, Agreement.id == Sale.agreement_id)
        .outerjoin(
            Installation,
            and_(
                Installation.meter_id == Sale.meter_id,
                Installation.point_id == Agreement.point_id,
                Installation.from_at <= Sale.taken_at,
                Sale.taken_at <= func.coalesce(Installation.to_at, Sale.taken_at),
            ),
        )
        .where(Installation.id.is_(None))
    )
    for sale, agreement in streamed(session, wrong):
        tally.violation(
            f"sale S{sale}", f"its meter was not at the point of agreement {agreement or 'none'}"
        )


def _payments_of_sales(session: Session, tally: Tally) -> None:
    """Look at payments for sales, and at the payments that sales name."""
    without = (
        select(Payment.id, Payment.amount)
        .outerjoin(Sale, Sale.payment_id == Payment.id)
        .where(Payment.purpose == PaymentPurpose.SALE, Sale.id.is_(None))
    )
    for payment, amount in streamed(session, without):
        tally.violation(
            f"payment P{payment} of {_money(amount)}", "is for a sale that is not there"
        )
    agreed = and_(
        Payment.purpose == PaymentPurpose.SALE,
        Payment.agreement_id == Sale.agreement_id,
        case(
            (Sale.follows_id.is_(None), Payment.amount == Sale.amount),
            else_=Payment.amount < Sale.amount,
        ),
    )
    wrong = (
        select(Sale.id, Sale.payment_id)
        .outerjoin(Payment, and_(Payment.id == Sale.payment_id, agreed))
        .where(Sale.payment_id.is_not(None), Payment.id.is_(None))
    )
    for sale, payment in streamed(session, wrong):
        tally.violation(f"sale S{sale}", f"payment P{payment} does not pay it")


def _refunds(session: Session, tally: Tally) -> None:
    """Look at the refunds that meters gave back: each is booked once, with its amount."""
    moved = legs(Transfer.entry_id, kinds=(AccountKind.PAYABLE,))
    rows = (
        select(Entry.key, func.sum(moved.c.credit - moved.c.debit))
        .join(moved, moved.c.entry_id == Entry.id)
        .where(Entry.kind.like(f"{OrderKind.REFUND}\\_%", escape="\\"))
        .group_by(Entry.key)
    )
    booked: dict[int, int] = {}
    for key, amount in streamed(session, rows):
        order = int(key.split("/")[1]) if key.startswith("order/") else 0
        booked[order] = booked.get(order, 0) + int(amount)
    proved = select(Order.id, Order.parameters).where(
        Order.kind == OrderKind.REFUND, Order.credit_state == SaleState.DELIVERED
    )
    for order, parameters in streamed(session, proved):
        tally.count += 1
        amount = booked.pop(order, 0)
        if amount != parameters["amount"]:
            tally.violation(
                f"refund O{order}",
                f"of {_money(parameters['amount'])} is booked with {_money(amount)}",
            )
    for order, amount in booked.items():
        tally.violation(f"refund O{order}", f"{_money(amount)} is booked; no meter gave it back")


def _differences(session: Session, tally: Tally) -> None:
    """Look at closed shifts: what was short or over, and banked, is what was counted."""
    rows = _tills()
    shifts = select(
        Shift.number, Shift.state, Shift.float_amount, Shift.counted,
        rows.c.cash, rows.c.over, rows.c.banked,
    ).outerjoin(rows, rows.c.shift_id == Shift.id)  # fmt: skip
    for number, state, float_amount, counted, *sums in streamed(session, shifts):
        tally.count += 1
        cash, over, banked = (int(each or 0) for each in sums)
        named = f"shift {number}"
        if state is not ShiftState.CLOSED:
            if (over, banked) != (0, 0):
                tally.violation(named, f"is {state.value}; {_money(over)} over is booked")
            continue
        if counted is None:
            tally.violation(named, "is closed and was not counted")
            continue
        told = f"counted {_money(counted)}, float {_money(float_amount)}, cash {_money(cash)}"
        if over != cash_up(float_amount, cash, counted).difference:
            tally.violation(named, f"{told}; a difference of {_money(over)} is booked")
        elif banked != counted - float_amount:
            tally.violation(named, f"{told}; {_money(banked)} is booked to the bank")


def _tills() -> Subquery:
    """Return rows `shift_id, cash, over, banked` of tills.

    `cash` is what was booked before the close, `over` what was found too much by it (below 0
    short), `banked` what it brought to the bank less what that made up.
    """
    debit, credit = aliased(Account), aliased(Account)
    is_into = debit.kind == AccountKind.CASH
    till = case((is_into, debit.owner_id), else_=credit.owner_id)
    into = case((is_into, Transfer.amount), else_=-Transfer.amount)
    other = case((is_into, credit.kind), else_=debit.kind)
    at_close = Entry.kind == "shift_closed"

    def summed(condition: ColumnElement[bool], amount: ColumnElement[int]) -> ColumnElement[int]:
        return func.sum(case((condition, amount), else_=0))

    return (
        select(
            till.label("shift_id"),
            summed(not_(at_close), into).label("cash"),
            summed(other == AccountKind.TILL_DIFFERENCE, into).label("over"),
            summed(and_(at_close, other == AccountKind.TRANSIT), -into).label("banked"),
        )
        .join_from(Transfer, Entry, Entry.id == Transfer.entry_id)
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .where(or_(is_into, credit.kind == AccountKind.CASH))
        .group_by(till)
        .subquery("tills")
    )


def _money(amount: int) -> str:
    return format_money(int(amount) * CENT)
