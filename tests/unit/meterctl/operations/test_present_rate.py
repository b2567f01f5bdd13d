"""Days left at the present rate: power times price, and nothing else."""

from __future__ import annotations

import pytest

from meterctl.operations.present_rate import charged_power_mw, days_at_present_rate
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import PhaseSummation
from protocols.quantities import LEDGER


def values(credit: int, power_kw: int, price: int = 5000) -> dict[Item, int | None]:
    """Return a reading: credit in account units, a price in 0.0001."""
    return {
        items.AVAILABLE_CREDIT: credit * LEDGER,
        items.ACTIVE_POWER: power_kw * 1_000_000,
        items.CURRENT_PRICE: price,
    }


@pytest.mark.parametrize(
    ("credit", "power_kw", "left"),
    [(24, 2, 100), (20, 1, 166), (0, 1, 0), (-5, 1, 0), (20, 0, None), (20, -3, None)],
)
def test_it_is_the_credit_by_the_cost_of_a_day_cut_to_hundredths(
    credit: int, power_kw: int, left: int | None
) -> None:
    assert days_at_present_rate(values(credit, power_kw)) == left


def test_it_is_not_known_without_a_price_or_a_source() -> None:
    assert days_at_present_rate(values(20, 1, 0)) is None
    for item in values(20, 1):
        known = values(20, 1)
        known[item] = None
        assert days_at_present_rate(known) is None
        del known[item]
        assert days_at_present_rate(known) is None


def test_the_charged_power_follows_the_settings_of_the_meter() -> None:
    phases = dict(zip(items.ACTIVE_POWERS, (3_000_000, 1_000_000, -2_000_000), strict=True))
    known = {**values(20, 2), **phases}
    assert charged_power_mw(known) == 2_000_000
    known[items.PHASE_SUMMATION] = PhaseSummation.PER_PHASE
    assert charged_power_mw(known) == 4_000_000
    known[items.REVERSE_CHARGED] = 1
    assert charged_power_mw(known) == 6_000_000
    assert charged_power_mw({**values(20, -2), items.REVERSE_CHARGED: 1}) == 2_000_000
