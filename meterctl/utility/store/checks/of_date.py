"""Invariants of the end of a date, as its sheet names them, whatever was booked since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import LIVE
from meterctl.utility.store.checks import books, payments
from meterctl.utility.store.checks.outcome import Checked, Tally, prepare
from meterctl.utility.store.queries.balances import balances
from meterctl.utility.store.queries.compared import ComparedMeter
from meterctl.utility.store.queries.sales_on_way import SaleOnWay
from protocols.quantities import CENT, format_money


def of_sheet(
    session: Session, end: DateEnd, sales: Sequence[SaleOnWay], compared: Iterable[ComparedMeter]
) -> Iterator[Checked]:
    """Yield the invariants that a date's sheet names, of the end of the date.

    They go on from closing balances, so that they take as long in a year as today.

    Args:
        sales: those that were on their way then.
        compared: the meters as they were then.
    """
    prepare(session)
    yield books.never_negative(session, whole=False, until=end.on)
    yield undelivered_sales(session, end, sales)
    yield meters_agree(compared)
    yield one_live_sale(sales)
    yield payments.payments_booked(session, end.on)


def undelivered_sales(session: Session, end: DateEnd, sales: Sequence[SaleOnWay]) -> Checked:
    """I2: what was undelivered of an agreement is the sum of its sales that were on their way."""
    tally = Tally()
    sold = Counter[int]()
    for sale in sales:
        sold[sale.agreement_id] += sale.amount
    held = balances((AccountKind.UNDELIVERED,), whole=False, until=end.on)
    booked = {row.owner_id: -int(row.balance) for row in session.execute(select(held))}
    differ = [each for each in sold.keys() | booked.keys() if sold[each] != booked.get(each, 0)]
    tally.count = len(sold.keys() | booked.keys())
    for each in sorted(differ):
        agreement = session.get(Agreement, each)
        tally.violation(
            f"agreement {each if agreement is None else agreement.number}",
            f"sales on their way were {_money(sold[each])}, undelivered was "
            f"{_money(booked.get(each, 0))}",
        )
    return tally.checked(
        "I2", "undelivered is the sum of sales taken, sending, on_card, unknown", "agreements"
    )


def meters_agree(meters: Iterable[ComparedMeter]) -> Checked:
    """I3: credit and debt as read are those that were booked, else a finding was open."""
    tally = Tally()
    for each in meters:
        if not each.is_settled:
            continue
        tally.count += 1
        if not each.agrees and each.finding is None:
            tally.violation(
                f"agreement {each.agreement}, meter {each.serial}",
                "credit or debt as read is not what was booked; no finding is open",
            )
    return tally.checked(
        "I3", "credit and debt as read are those that are booked", "meters compared"
    )


def one_live_sale(sales: Sequence[SaleOnWay]) -> Checked:
    """I5: a meter had one live sale at most."""
    tally = Tally()
    live = Counter(sale.meter for sale in sales if sale.state in LIVE)
    tally.count = len(sales)
    for serial, number in sorted(live.items()):
        if number > 1:
            tally.violation(f"meter {serial}", f"had {number} live sales")
    return tally.checked("I5", "one sale a meter is sending, unknown or on_card", "sales")


def _money(amount: int) -> str:
    return format_money(amount * CENT)
