"""Both sets as a meter shows them, and moments by its local time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from meterctl.errors import CorruptAnswerError
from meterctl.operations.local_time import Offsets
from meterctl.operations.tariff.sets import instant_of, read_sets
from protocols.data_model.tariff import (
    DayTables,
    Prices,
    Seasons,
    Steps,
    Tariff,
    TariffChange,
    TariffSet,
)
from protocols.quantities import HOUR, MINUTE, LocalMoment
from tests.unit.meterctl.operations.tariff.lines import TariffLine

SUMMER = Offsets(((0, 60), (100 * HOUR, 120), (200 * HOUR, 60)))
"""Local time jumps from 101:00 to 102:00 and, later, from 202:00 back to 201:00."""


def test_an_instant_is_itself() -> None:
    assert instant_of(5, SUMMER) == 5


def test_local_time_has_the_offset_of_its_moment() -> None:
    assert instant_of(LocalMoment(50 * HOUR), SUMMER) == 49 * HOUR
    assert instant_of(LocalMoment(150 * HOUR), SUMMER) == 148 * HOUR
    assert instant_of(LocalMoment(250 * HOUR), SUMMER) == 249 * HOUR


def test_a_skipped_local_time_is_none_and_a_repeated_one_the_first() -> None:
    assert instant_of(LocalMoment(101 * HOUR + MINUTE), SUMMER) is None
    assert instant_of(LocalMoment(102 * HOUR), SUMMER) == 100 * HOUR
    assert instant_of(LocalMoment(201 * HOUR + MINUTE), SUMMER) == 199 * HOUR + MINUTE


def test_a_new_meter_shows_its_tariff_and_nothing_that_waits() -> None:
    tariff = Tariff(prices=Prices((1, 2)), steps=Steps((5,), (0, 7), True))
    line = TariffLine(tariff=tariff)
    sets = read_sets(line.session.driver)
    assert (sets.current, sets.pending) == (tariff, {})


def test_parts_that_wait_are_shown_with_their_instants() -> None:
    line = TariffLine()
    line.by_another('activation = { prices = "2026-02-01", steps = "2026-03-01T00:00:00Z" }\n'
                    'prices = [1]\nstep_period = "year"')  # fmt: skip
    pending = read_sets(line.session.driver).pending
    assert pending["prices"] == (1_769_904_000_000, Prices((10_000,)))
    assert pending["steps"] == (1_772_323_200_000, Steps(yearly=True))


def shown(current: Any, pending: Any, clock: int) -> Any:
    """Return the sets of a driver that shows these."""

    def tariff(which: TariffSet) -> TariffChange:
        return TariffChange(current if which is TariffSet.CURRENT else pending)

    def rows(*_: object) -> object:
        return [SimpleNamespace(number=1, at=0, utc_offset_minutes=60)], False

    driver = SimpleNamespace(
        tariff=tariff, rows=rows, read=lambda wanted: dict.fromkeys(wanted, clock)
    )
    return read_sets(driver)  # type: ignore[arg-type]


WHOLE = ((0, Prices((1,))), (0, Steps()), (0, DayTables()), (0, Seasons()))


def test_a_current_set_without_all_parts_is_corrupt() -> None:
    with pytest.raises(CorruptAnswerError, match="has 3 parts, a complete one 4"):
        shown(WHOLE[:3], (), 0)


def test_a_part_that_activated_between_two_reads_waits_no_more() -> None:
    assert not shown(WHOLE, ((5, Prices((1,))),), 5).pending
    assert shown(WHOLE, ((5, Prices((2,))),), 5).pending == {"prices": (5, Prices((2,)))}
    assert shown(WHOLE, ((6, Prices((1,))),), 5).pending == {"prices": (6, Prices((1,)))}


def test_a_pending_part_at_local_time_is_shown_at_its_instant() -> None:
    pending = shown(WHOLE, ((LocalMoment(3 * HOUR), Prices((2,))),), HOUR).pending
    assert pending == {"prices": (2 * HOUR, Prices((2,)))}
