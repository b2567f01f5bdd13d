"""The cash of a shift: what must lie in the till, what is short or over, how much it may hold.

Amounts in 0.01. The float is change that lay in the till at the opening; it is no posting.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.utility.errors import Invalid, Refused
from protocols.quantities import CENT, format_money


@dataclass(frozen=True, slots=True)
class CashUp:
    """A counted till. `difference` is counted - (float + cash as booked)."""

    expected: int
    counted: int

    @property
    def difference(self) -> int:
        """What is over, or, below 0, short."""
        return self.counted - self.expected

    @property
    def short(self) -> int:
        """What is missing; 0 if nothing is."""
        return max(0, -self.difference)

    @property
    def over(self) -> int:
        """What is too much; 0 if nothing is."""
        return max(0, self.difference)

    def needs_task(self, tolerated: int) -> bool:
        """Return whether the difference is above the tolerated one: a person has to explain it."""
        return abs(self.difference) > tolerated


def cash_up(float_amount: int, cash: int, counted: int) -> CashUp:
    """Return what counting a till shows.

    Args:
        float_amount: change at the opening.
        cash: balance of the shift's cash account.
        counted: notes and coins, with the float.

    Raises:
        Invalid: a negative count (`negative_amount`).
    """
    if counted < 0:
        raise Invalid("negative_amount", "what is counted is 0.00 or more; nothing was changed")
    return CashUp(float_amount + cash, counted)


def to_bank(cash_up: CashUp, float_amount: int) -> int:
    """Return what of a counted till is banked: all but the float, and never below 0."""
    return max(0, cash_up.counted - float_amount)


def require_room(cash: int, amount: int, limit: int) -> None:
    """Refuse money that would bring the unbanked cash of a shift over its limit.

    Args:
        cash: balance of the shift's cash account, without the float.
        amount: what is to be taken.
        limit: highest unbanked cash; for an agent the limit of the risk.

    Raises:
        Refused: code `cash_limit`.
    """
    if cash + amount > limit:
        raise Refused(
            "cash_limit",
            f"{format_money(cash * CENT)} is not banked, and {format_money(limit * CENT)} is the "
            f"limit: bank cash first; nothing was taken",
        )
