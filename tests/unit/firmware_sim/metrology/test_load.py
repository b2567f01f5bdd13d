"""The load as a step function of elapsed time: rows, their packing, and what follows the last."""

from __future__ import annotations

import pytest

from firmware_sim.metrology.load import UNITY, Demand, Load, LoadRows, OnEnd, packed, split
from protocols.quantities import DAY

REGULAR = (0, 10, 20)
IRREGULAR = (5, 10, 30)


def loaded(
    starts_ms: tuple[int, ...],
    on_end: OnEnd = OnEnd.HOLD,
    origin_ms: int = 0,
) -> Load:
    """Return a load whose rows have the powers 1, 2, 3 and so on."""
    rows = LoadRows(starts_ms, [range(1, len(starts_ms) + 1)])
    return Load.of_rows(rows, origin_ms, 1, on_end)


def at(load: Load, *elapsed_ms: int) -> list[tuple[int, int | None]]:
    """Return (power, elapsed time of the next row) at elapsed times."""
    return [(load.at(ms)[0].phases[0], load.at(ms)[1]) for ms in elapsed_ms]


@pytest.mark.parametrize("starts", [(0, 10, 20), (0, 10, 21)])
def test_a_row_holds_until_the_next_one_begins(starts: tuple[int, ...]) -> None:
    last = starts[-1]
    load = loaded(starts)
    assert at(load, 0, 9, 10, last - 1, last, last + 1000) == [
        (1, 10),
        (1, 10),
        (2, last),
        (2, last),
        (3, None),
        (3, None),
    ]


@pytest.mark.parametrize("starts", [(5, 10, 15), (5, 10, 30)])
def test_the_first_row_holds_from_the_start_of_the_meter(starts: tuple[int, ...]) -> None:
    assert at(loaded(starts), 0, 4, 5, 9, 10) == [
        (1, 5),
        (1, 5),
        (1, 10),
        (1, 10),
        (2, starts[2]),
    ]


@pytest.mark.parametrize(
    ("starts", "period"), [(REGULAR, 30), ((0, 10, 14), 18), ((5, 10, 30), 45), ((5, 10, 15), 15)]
)
def test_rows_repeat_with_the_span_of_the_rows_and_one_step(
    starts: tuple[int, ...], period: int
) -> None:
    load = loaded(starts, OnEnd.REPEAT)
    first = starts[0]
    for turn in (0, 1, 7):
        base = turn * period
        assert at(load, base + first, base + starts[1], base + starts[2]) == [
            (1, base + starts[1]),
            (2, base + starts[2]),
            (3, base + first + period),
        ]
        assert at(load, base + first + period - 1) == [(3, base + first + period)]
    assert at(load, first + period) == [(1, starts[1] + period)]


@pytest.mark.parametrize(("starts", "end"), [(REGULAR, 30), ((5, 10, 30), 50)])
def test_with_zero_nothing_flows_after_the_step_of_the_last_row(
    starts: tuple[int, ...], end: int
) -> None:
    load = loaded(starts, OnEnd.ZERO)
    assert at(load, starts[2], end - 1, end, end + 1) == [(3, end), (3, end), (0, None), (0, None)]


@pytest.mark.parametrize("on_end", list(OnEnd))
def test_a_single_row_holds_for_ever(on_end: OnEnd) -> None:
    assert at(loaded((7,), on_end), 7, 7 + 10 * DAY) == [(1, None), (1, None)]


@pytest.mark.parametrize("starts", [(0, 10, 20), (0, 10, 21)])
@pytest.mark.parametrize("origin_ms", [-15, 0, 1000])
def test_rows_are_placed_by_the_elapsed_time_of_their_origin(
    starts: tuple[int, ...], origin_ms: int
) -> None:
    load = loaded(starts, OnEnd.HOLD, origin_ms)
    assert at(load, origin_ms + 9, origin_ms + 10, origin_ms + 25) == [
        (1, origin_ms + 10),
        (2, origin_ms + starts[2]),
        (3, None),
    ]
    repeated = loaded(starts, OnEnd.REPEAT, origin_ms)
    span = starts[2] + starts[2] - starts[1]
    assert at(repeated, origin_ms + span, origin_ms - 1) == [
        (1, origin_ms + span + 10),
        (3, origin_ms),
    ]


def test_a_period_can_be_given() -> None:
    demands = [Demand((1,)), Demand((2,))]
    load = Load((0, 10), demands, OnEnd.REPEAT, 100)
    assert at(load, 99, 100, 110) == [(2, 100), (1, 110), (2, 200)]
    by_default = Load((0, 10), demands, OnEnd.REPEAT)
    assert at(by_default, 19, 20) == [(2, 20), (1, 30)]


def test_a_constant_load_is_shared_and_never_changes() -> None:
    load = Load.constant((1, -2, 3), 9_000)
    assert load is Load.constant((1, -2, 3), 9_000)
    assert load.at(0) == load.at(10 * DAY) == (Demand((1, -2, 3), 9_000), None)
    assert Load.constant((5,)).at(0)[0].power_factor == UNITY == 10_000


def test_power_factors_go_with_their_rows() -> None:
    load = Load((0, 10), [Demand((1,), 8_000), Demand((2,), 9_000)], OnEnd.HOLD)
    assert [load.at(ms)[0].power_factor for ms in (0, 10)] == [8_000, 9_000]


@pytest.mark.parametrize(
    ("power", "phases", "parts"),
    [
        (7, 1, (7,)),
        (-7, 1, (-7,)),
        (9, 3, (3, 3, 3)),
        (10, 3, (4, 3, 3)),
        (11, 3, (5, 3, 3)),
        (-10, 3, (-4, -3, -3)),
        (0, 3, (0, 0, 0)),
    ],
)
def test_a_total_is_split_equally_with_the_rest_on_the_first_phase(
    power: int, phases: int, parts: tuple[int, ...]
) -> None:
    assert split(power, phases) == parts
    rows = LoadRows((0, 10), [[power, power]], is_total=True)
    assert rows.demand(1, phases) == Demand(parts)


def test_rows_of_each_phase_are_not_split() -> None:
    rows = LoadRows((0, 10), [[1, 2], [3, 4], [5, 6]], [9_000, 8_000])
    assert len(rows) == 2
    assert rows.demand(1, 3) == Demand((2, 4, 6), 8_000)
    assert (rows.is_total, rows.is_dated) == (False, False)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ((), "h"),
        ((32_767, -32_768), "h"),
        ((32_768,), "i"),
        ((-32_769,), "i"),
        (((1 << 31) - 1, -(1 << 31)), "i"),
        ((1 << 31,), "q"),
        ((-(1 << 31) - 1,), "q"),
    ],
)
def test_numbers_are_packed_in_the_smallest_array(values: tuple[int, ...], code: str) -> None:
    array = packed(values)
    assert array.typecode == code
    assert tuple(array) == values


@pytest.mark.parametrize(
    ("starts", "held"),
    [
        ((0, 10, 20), range(0, 30, 10)),
        ((5, 8), range(5, 11, 3)),
        ((0, 10, 21), None),
        ((0, 0, 0), None),
        ((7,), None),
    ],
)
def test_equal_steps_are_held_as_a_range(starts: tuple[int, ...], held: range | None) -> None:
    rows = LoadRows(starts, [range(len(starts))])
    assert tuple(rows.starts_ms) == starts
    if held is None:
        assert not isinstance(rows.starts_ms, range)
    else:
        assert rows.starts_ms == held


def test_lost_phases_and_turned_signs() -> None:
    demand = Demand((1, -2, 3), 9_000)
    assert demand.through(frozenset(), False) == demand
    assert demand.through(frozenset({0, 2}), False) == Demand((0, -2, 0), 9_000)
    assert demand.through(frozenset({1}), True) == Demand((-1, 0, -3), 9_000)
