"""Direction of power, and the millisecond in which energy completes (METER.md 2, 3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.metrology.load import Demand
from firmware_sim.metrology.registers import Registers
from firmware_sim.metrology.stretch import (
    UNREACHED,
    Flow,
    Stretch,
    directions,
    integrate,
    time_for,
    time_to,
)
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


FLOW = st.builds(
    Flow,
    import_mw=POWER,
    export_mw=POWER,
    export_charged=st.booleans(),
)
REGISTERS = st.builds(
    Registers,
    import_mwh=st.integers(0, 10**9),
    import_remainder=REMAINDER,
    export_remainder=REMAINDER,
)


def applied(registers: Registers, stretch: Stretch) -> Registers:
    """Return the registers after a stretch."""
    _, imported, exported, import_remainder, export_remainder, _ = stretch
    return replace(
        registers,
        import_mwh=registers.import_mwh + imported,
        export_mwh=registers.export_mwh + exported,
        import_remainder=import_remainder,
        export_remainder=export_remainder,
    )


@modest
@given(
    registers=REGISTERS, flow=FLOW, spans=st.lists(st.integers(0, 10**7), min_size=1, max_size=6)
)
def test_one_stretch_or_several_give_the_same_energies_and_remainders(
    registers: Registers, flow: Flow, spans: list[int]
) -> None:
    whole = applied(registers, integrate(registers, flow, sum(spans), UNREACHED))
    parts = registers
    for span_ms in spans:
        parts = applied(parts, integrate(parts, flow, span_ms, UNREACHED))
    assert parts == whole


@modest
@given(registers=REGISTERS, flow=FLOW, span_ms=st.integers(0, 10**7), watch=st.integers(1, 10**5))
def test_a_stretch_ends_at_the_ms_at_which_the_watched_mwh_are_complete(
    registers: Registers, flow: Flow, span_ms: int, watch: int
) -> None:
    took_ms, *_, charged = integrate(registers, flow, span_ms, watch)
    assert took_ms <= span_ms
    if charged >= watch:
        assert took_ms == time_to(registers, flow, watch)
    else:
        assert took_ms == span_ms


def test_exported_energy_is_charged_only_where_the_flow_says_so() -> None:
    flow = Flow(import_mw=3_600_000, export_mw=7_200_000)
    assert integrate(Registers(), flow, 5, UNREACHED) == (5, 5, 10, 0, 0, 5)
    flow.export_charged = True
    assert integrate(Registers(), flow, 5, UNREACHED) == (5, 5, 10, 0, 0, 15)
    assert integrate(Registers(), flow, 5, 6) == (2, 2, 4, 0, 0, 6)


def test_integration_changes_no_register() -> None:
    registers = Registers(import_mwh=7, import_remainder=9)
    integrate(registers, Flow(import_mw=10**6), 10**6, UNREACHED)
    assert registers == Registers(import_mwh=7, import_remainder=9)


def test_a_flow_of_which_nothing_is_said_is_none_for_ever() -> None:
    assert Flow() == Flow(Demand((0,), 10_000), 0, 0, False, UNREACHED)


def test_exported_energy_that_is_not_charged_never_completes_a_charged_mwh() -> None:
    assert time_to(Registers(export_remainder=MWH_IN_MW_MS - 1), Flow(export_mw=10**9), 1) is None
