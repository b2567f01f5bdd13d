"""`meter-sim run`: meters on wires until told to stop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.description.files import Described, describe
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.loads import load_for
from firmware_sim.faults.in_force import Faults
from firmware_sim.hosting.cards.slot import insert_file
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError, NotStoredError
from firmware_sim.hosting.event_loop import event_loop, finish
from firmware_sim.hosting.host import Host
from firmware_sim.hosting.line_output import LineOutput, counted_json, counted_text, not_taken
from firmware_sim.hosting.named_files import read_text
from firmware_sim.programs.in_force import in_force
from firmware_sim.programs.ready import ready_line
from firmware_sim.programs.state_files import Meters
from firmware_sim.programs.told_events import ToldEvents
from firmware_sim.rack.operator import Operator
from firmware_sim.wire_kinds import WIRE_KINDS, Wires
from protocols.errors import QuantityError
from protocols.faults import FaultPlan, parse_plan


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `run` other than those that describe meters."""

    wires: Wires = field(default_factory=dict)
    control: str | None = None
    state: str | None = None
    speed: int = 1000
    as_json: bool = False
    silent_unknown_units: bool = False
    faults: str | None = None
    seed: int | None = None
    quiet: bool = False


def run(flags: MeterFlags, options: RunOptions) -> None:
    """Serve until a signal ends it; raises HostingError and MeterStoppedError.

    Whatever it tells never makes a wire wait: streams that take no lines are no fault.
    """
    out = LineOutput(sys.stdout, counted_json if options.as_json else counted_text)
    errors = LineOutput(sys.stderr, counted_text, not_taken)
    try:
        _run(flags, options, out, errors)
    finally:
        lost = out.end()
        if lost and options.as_json:
            errors.put(not_taken(lost))
        errors.end()


def _run(flags: MeterFlags, options: RunOptions, out: LineOutput, errors: LineOutput) -> None:
    say = errors.put
    described = _described(flags, options, say)
    faults = Faults(_plan(options.faults, options.seed), line_time())
    loop = event_loop()
    meters = Meters(flags, options.state, faults, len(described), say)
    host: Host | None = None
    has_begun = False
    try:
        rack = meters.rack(described, options.speed)
        events = None
        if not options.quiet:
            events = ToldEvents(rack, out if options.as_json else errors, options.as_json)
        operator = Operator(rack, load_for, line_time, insert_file)
        host = serving = Host(rack, operator, loop, options.silent_unknown_units, say)
        try:
            rack.begin_faults()
        except QuantityError as error:
            raise HostingError(f"faults {options.faults}: {error}") from error
        host.add_wires(options.wires)
        if options.control is not None:
            host.add_control(Path(options.control))
        for text in in_force(rack.stations):
            say(text)

        def begin() -> None:
            nonlocal has_begun
            has_begun = True
            out.put(ready_line(serving, options.control, options.as_json))
            if events is not None:
                events.begin()

        host.serve(begin)
    finally:
        try:
            if host is not None:
                host.close()
        except NotStoredError as error:
            raise NotStoredError("\n".join([str(error), *meters.refusals()])) from error
        finally:
            meters.close(keep_new=has_begun)
            finish(loop)


def _described(
    flags: MeterFlags, options: RunOptions, say: Callable[[str], None]
) -> list[Described]:
    """Return the meters, and tell about their keys; raises HostingError."""
    described = describe(flags, default_start=int(time.time()) * 1000)
    if options.control is None and not any(options.wires.values()):
        wires = ", ".join(kind.flag for kind in WIRE_KINDS)
        raise HostingError(
            f"nothing could reach the meter: give a wire ({wires}) or --control PATH"
        )
    for warning in dict.fromkeys(each for one in described for each in one.warnings):
        say(warning)
    if "keys" not in flags.values and sys.stderr is not None and sys.stderr.isatty():
        say("no --keys: the published development key is in force; anyone can seal for this meter")
    return described


def _plan(path: str | None, seed: int | None) -> FaultPlan:
    """Return the plan of `--faults`; `--seed` wins over the plan's own."""
    if path is None:
        return FaultPlan(seed=seed or 0)
    text = read_text(path, "faults")
    try:
        plan = parse_plan(text)
    except QuantityError as error:
        told = (f"faults {path}: {line}" for line in str(error).splitlines())
        raise HostingError("\n".join(told)) from error
    return plan if seed is None else FaultPlan(plan.rules, seed)
