"""Postings of taking over (UTILITY 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.money import raised
from meterctl.utility.rules.postings.accounts import (
    TAKEN_OVER,
    Transfers,
    advance,
    in_meter,
    meter_debt,
    receivable,
)
from meterctl.utility.rules.postings.metering import Books
from meterctl.utility.rules.postings.moves import move, move_signed, open_parts, per_bill


@dataclass(frozen=True, slots=True)
class MeterBalances:
    """Credit and debt of a meter and the cumulative values of its epoch, of one proved reading.

    Exact units. `to_debt` is what top-ups paid for debt in this epoch.
    """

    credit: int
    debt: int
    books: Books
    to_debt: int

    def booked_credit(self) -> int:
        """Return the amount of in_meter that agrees with the credit (I3)."""
        books = self.books
        return raised(
            self.credit, books.consumption, books.standing, books.instalments, self.to_debt
        )

    def booked_debt(self) -> int:
        """Return the amount of meter_debt that agrees with the debt (I3)."""
        return raised(self.debt, self.books.instalments, self.to_debt)


def taken_over(
    agreement: int,
    meter: MeterBalances | None,
    debt_bill: int | None,
    bills: Iterable[Part],
    advanced: int,
) -> Transfers:
    """Row "taking over, at a proved reading".

    taken_over/in_meter, the credit with its books' fractions, reversed below 0; taken_over/advance;
    meter_debt/taken_over; receivable/taken_over per bill.

    Args:
        meter: as it was read; None where no credit is kept in it.
        debt_bill: the bill of the debt in the meter; not used where there is none.
        bills: the open bills.
        advanced: what the customer has paid for bills.
    """
    return (
        *(
            ()
            if meter is None
            else (
                *move_signed(TAKEN_OVER, in_meter(agreement), meter.booked_credit()),
                *move(meter_debt(agreement), TAKEN_OVER, meter.booked_debt(), debt_bill),
            )
        ),
        *move(TAKEN_OVER, advance(agreement), advanced),
        *per_bill(receivable(agreement), TAKEN_OVER, open_parts(bills)),
    )
