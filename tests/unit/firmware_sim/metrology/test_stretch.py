"""Direction of power, and the millisecond in which energy completes (METER.md 2, 3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.metrology.stretch import directions, time_for
from protocols.quantities import MWH_IN_MW_MS

modest = settings(deadline=None, max_examples=100, database=None)

PHASES = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=3)
POWER = st.integers(0, 10**7)
REMAINDER = st.integers(0, MWH_IN_MW_MS - 1)
STREAM = st.tuples(POWER, REMAINDER)


def done(ms: int, *streams: tuple[int, int]) -> int:
    """Return the mWh that streams of (power, remainder) complete in some ms."""
    return sum((remainder + power * ms) // MWH_IN_MW_MS for power, remainder in streams)


@pytest.mark.parametrize(
    ("per_phase", "wanted"), [(False, (2_000_000, 0)), (True, (4_000_000, 2_000_000))]
)
def test_three_phases_of_3_1_and_minus_2_kw(per_phase: bool, wanted: tuple[int, int]) -> None:
    assert directions((3_000_000, 1_000_000, -2_000_000), per_phase) == wanted


@pytest.mark.parametrize("per_phase", [False, True])
def test_no_power_has_no_direction(per_phase: bool) -> None:
    assert directions((0, 0, 0), per_phase) == (0, 0)


@modest
@given(PHASES)
def test_import_less_export_is_the_sum_of_the_phases_either_way(phases: list[int]) -> None:
    for per_phase in (False, True):
        imported, exported = directions(phases, per_phase)
        assert imported >= 0
        assert exported >= 0
        assert imported - exported == sum(phases)


@modest
@given(PHASES)
def test_the_arithmetic_sum_never_imports_and_exports_at_once(phases: list[int]) -> None:
    assert 0 in directions(phases, per_phase=False)


@pytest.mark.parametrize(
    ("power", "remainder", "wanted"),
    [
        (3_600_000, 0, 1),
        (3_599_999, 0, 2),
        (1, 0, MWH_IN_MW_MS),
        (1, MWH_IN_MW_MS - 1, 1),
        (7_200_000, 0, 1),
    ],
)
def test_one_mwh_completes_in_a_whole_millisecond(power: int, remainder: int, wanted: int) -> None:
    assert time_for(1, (power, remainder)) == wanted


def test_without_power_nothing_completes() -> None:
    assert time_for(1, (0, MWH_IN_MW_MS - 1)) is None
    assert time_for(1, (0, 0), (0, 0)) is None


@modest
@given(count=st.integers(1, 10**6), first=STREAM, second=STREAM)
def test_the_time_is_the_first_millisecond_in_which_the_count_is_complete(
    count: int, first: tuple[int, int], second: tuple[int, int]
) -> None:
    wait = time_for(count, first, second)
    if wait is None:
        assert first[0] == second[0] == 0
    else:
        assert done(wait, first, second) >= count
        assert done(wait - 1, first, second) < count


@modest
@given(count=st.integers(1, 1000), stream=STREAM)
def test_a_stream_without_power_makes_no_difference(count: int, stream: tuple[int, int]) -> None:
    assert time_for(count, stream) == time_for(count, (0, 5), stream)
