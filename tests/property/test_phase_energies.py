"""Energies of phases against a reference that adds intervals, for any partition of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from random import Random

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.requests import LosePhase, Request, ReverseFlow, SetLoad
from firmware_sim.settings import Settings
from firmware_sim.storage import record
from protocols.control import CutPower, ReturnPower
from protocols.data_model.words import MeterType, PhaseSummation, TripMode
from protocols.quantities import DAY, LEDGER, MWH_IN_MW_MS
from protocols.sealed_message import MessageKind, Outcome, SwitchAction, encode_number
from tests.support.against_reference import at_once, by_deadlines, run
from tests.support.meters import Host
from tests.support.scenarios import draw

Row = tuple[int, tuple[int, ...], int]
"""Where a row of the load begins, its powers in mW and its power factor in 1e-4."""
Action = tuple[int, str, int]


@dataclass(frozen=True)
class Course:
    """What happens around a meter until `end_ms`: its load, and what is done to it."""

    end_ms: int
    rows: tuple[Row, ...]
    actions: tuple[Action, ...]
    per_phase: bool


def course(rng: Random) -> Course:
    """Return a random course of two days with exports, power cuts, lost phases and trips."""
    phases, end_ms = rng.choice((1, 3, 3)), 2 * DAY

    def power() -> int:
        return rng.choice((0, 1, -1, 2_345_678, rng.randrange(-(10**7), 10**7)))

    def row(begin: int) -> Row:
        factor = rng.choice((10_000, 8_000, 1, rng.randrange(1, 10_001)))
        return begin, tuple(power() for _ in range(phases)), factor

    begins = (0, *sorted(rng.sample(range(1, end_ms), 12)))
    names = ["cut", "return", "lose", "find", "reverse", "forward", "open", "close", "load"]
    actions = tuple(
        (at, rng.choice(names), rng.randrange(phases))
        for at in sorted(rng.sample(range(1, end_ms), 14))
    )
    return Course(end_ms, tuple(row(begin) for begin in begins), actions, rng.random() < 0.5)


def referenced(course: Course) -> list[int]:
    """Return the counters in mW ms: sums of power times time of the intervals of a course."""
    counters = [0] * 9
    starts, lost, sign, powered, closed, constant = course.rows, set[int](), 1, True, True, False
    marks = sorted({0, course.end_ms, *(row[0] for row in starts), *(a[0] for a in course.actions)})
    for begin, end in pairwise(marks):
        for at, name, phase in course.actions:
            if at != begin or (not powered and name in ("open", "close")):
                continue
            lost = lost | {phase} if name == "lose" else lost - {phase} if name == "find" else lost
            sign = {"reverse": -1, "forward": 1}.get(name, sign)
            powered = {"cut": False, "return": True}.get(name, powered)
            closed = {"open": False, "close": True}.get(name, closed)
            constant = constant or name == "load"
        _, powers, factor = [row for row in starts if row[0] <= begin][-1]
        if constant:
            powers, factor = tuple(1_000 for _ in powers), 6_000
        if powered and closed:
            flows = [0 if n in lost else sign * p for n, p in enumerate(powers)]
            _add(counters, flows, factor, end - begin, course.per_phase)
    return counters


def _add(counters: list[int], flows: list[int], factor: int, span_ms: int, per_phase: bool) -> None:
    for n, power in enumerate(flows):
        counters[n if power > 0 else 3 + n] += abs(power) * span_ms
        apparent = abs(power) * 10_000 // factor
        exports = power < 0 if per_phase else sum(flows) < 0
        counters[7 if exports else 6] += isqrt(apparent**2 - power**2) * span_ms
        counters[8] += apparent * span_ms


def described(course: Course) -> MeterDescription:
    """Return the description of a meter that nothing but its actions disconnects."""
    starts = [begin for begin, _, _ in course.rows]
    demands = [Demand(powers, factor) for _, powers, factor in course.rows]
    three = len(demands[0].phases) == 3
    return MeterDescription(
        meter_type=MeterType.THREE_PHASE if three else MeterType.SINGLE_PHASE,
        credit=900_000 * LEDGER,
        settings=Settings(trip_mode=TripMode.DIRECT),
        load=Load(starts, demands, OnEnd.HOLD),
        phase_summation=PhaseSummation.PER_PHASE if course.per_phase else PhaseSummation.ARITHMETIC,
        phase_energies=True,
    )


def act(meter: Meter, name: str, phase: int) -> None:
    """Do one action to a meter."""
    if name in ("open", "close"):
        if meter.state.powered:
            action = SwitchAction.INTERRUPT if name == "open" else SwitchAction.DIRECT
            parameters = encode_number(MessageKind.SWITCH, action)
            answer = Host(meter).send(MessageKind.SWITCH, parameters=parameters)
            assert answer.outcome is Outcome.ACCEPTED
        return
    phases = meter.state.identity.phases
    requests: dict[str, Callable[[], Request]] = {
        "cut": CutPower,
        "return": ReturnPower,
        "lose": lambda: LosePhase(phase, True),
        "find": lambda: LosePhase(phase, False),
        "reverse": lambda: ReverseFlow(True),
        "forward": lambda: ReverseFlow(False),
        "load": lambda: SetLoad(Load.constant((1_000,) * phases, 6_000)),
    }
    meter.handle(requests[name]())


def in_pieces(rng: Random, pieces: int) -> Callable[[Meter, int], Iterator[int]]:
    """Return a partition into pieces of random lengths."""

    def partition(meter: Meter, to: int) -> Iterator[int]:
        now = meter.state.elapsed_ms
        yield from sorted({*rng.sample(range(now, to), min(pieces, to - now)), to})

    return partition


def lived(
    course: Course, partition: Callable[[Meter, int], Iterator[int]], device: SimulatedNvram
) -> Meter:
    """Return the meter after a course."""
    meter = build(described(course), device)
    for at, name, phase in (*course.actions, (course.end_ms, "", 0)):
        for instant in partition(meter, at):
            meter.advance(instant)
        if name:
            act(meter, name, phase)
    return meter


def assert_consistent(meter: Meter) -> None:
    """Compare the phases with the totals of the meter, to the milliwatt-millisecond."""
    registers = meter.state.registers
    assert registers.phase_energies is not None
    imported = registers.import_mwh * MWH_IN_MW_MS + registers.import_remainder
    exported = registers.export_mwh * MWH_IN_MW_MS + registers.export_remainder
    of_phases = sum(registers.phase_energies[:3]), sum(registers.phase_energies[3:6])
    assert imported - exported == of_phases[0] - of_phases[1]
    if meter.state.identity.phase_summation == PhaseSummation.PER_PHASE:
        assert (imported, exported) == of_phases
    else:
        assert imported <= of_phases[0]
        assert exported <= of_phases[1]
    assert registers.phase_energies[8] >= sum(of_phases)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_course_counts_what_its_intervals_add_up_to(seed: int) -> None:
    wanted = course(Random(seed))
    records = set()
    for partition in (at_once, by_deadlines, in_pieces(Random(seed), 60)):
        meter = lived(wanted, partition, SimulatedNvram())
        assert meter.state.registers.phase_energies == tuple(referenced(wanted))
        assert_consistent(meter)
        meter.state.tail.clear()
        records.add(record.encode(meter.state))
    assert len(records) == 1, "the same bits, however time moved"


@pytest.mark.parametrize("seed", range(12))
def test_a_restart_takes_phases_and_totals_to_the_same_commit(seed: int) -> None:
    wanted, rng = course(Random(seed)), Random(seed)
    device = SimulatedNvram()
    lived(wanted, by_deadlines, device)
    again = build(described(wanted), device.power_cycle(lambda _: rng.random() < 0.5))
    assert again.state.registers.phase_energies != (0,) * 9
    assert_consistent(again)


@pytest.mark.parametrize("seed", range(40))
def test_phases_agree_with_the_totals_through_trips_and_refusals(seed: int) -> None:
    scenario = draw(Random(seed))
    _, meter = run(scenario, by_deadlines, phase_energies=True)
    assert_consistent(meter)
    _, other = run(scenario, at_once, phase_energies=True)
    assert record.encode(other.state) == record.encode(meter.state)
    trace, without = run(scenario, by_deadlines)
    assert without.state.registers.phase_energies is None
    assert trace == run(scenario, by_deadlines, phase_energies=True)[0], "they change nothing else"
