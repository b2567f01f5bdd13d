"""Why a meter refused an amount, and how much it would take, by what it shows."""

from __future__ import annotations

from contextlib import suppress

from meterctl.drivers import Reader
from meterctl.errors import MeterctlError, RefusedError
from protocols.data_model.items import AVAILABLE_CREDIT_EXACT, DEBT, MAX_CREDIT
from protocols.quantities import CENT, MONEY_LIMIT, format_money
from protocols.sealed_message import MessageKind, Outcome


def explain(driver: Reader, kind: MessageKind, refusal: RefusedError) -> None:
    """Add the reason to a refusal of an amount, if the meter shows it; never raises."""
    with suppress(MeterctlError):
        reason = _reason(driver, kind, refusal.outcome)
        if reason:
            refusal.args = (f"{refusal}. {reason}",)


def _reason(driver: Reader, kind: MessageKind, outcome: str | None) -> str:
    if outcome == Outcome.EXCEEDS_MAX_CREDIT.name.lower():
        values = driver.read([AVAILABLE_CREDIT_EXACT, MAX_CREDIT, DEBT])
        credit, highest = values[AVAILABLE_CREDIT_EXACT], values[MAX_CREDIT]
        limit = MONEY_LIMIT if highest is None else highest
        name = "the most that a meter holds" if highest is None else "max_credit"
        beside = " beside what goes to debt" if values[DEBT] else ""
        return (
            f"Its credit is {format_money(credit)} and would pass {format_money(limit)}, {name}: "
            f"at most {format_money(_whole_cents(limit - credit))} fits{beside}"
        )
    if kind is MessageKind.REFUND and outcome == Outcome.OUT_OF_RANGE.name.lower():
        credit = driver.read([AVAILABLE_CREDIT_EXACT])[AVAILABLE_CREDIT_EXACT]
        return (
            f"Its credit is {format_money(credit)}: at most "
            f"{format_money(_whole_cents(credit))} can be refunded"
        )
    return ""


def _whole_cents(amount: int) -> int:
    """Return an amount in ledger units, rounded down to 0.01; 0 below zero."""
    return max(amount, 0) // CENT * CENT
