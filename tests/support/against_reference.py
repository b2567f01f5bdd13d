"""Runs the product's meter on a scenario of the reference, for any partition of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from firmware_sim.assembly import build
from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.records.ring import BILLING_RING, DAILY_RING
from firmware_sim.requests import BreakSwitch, Request, SetLoad
from firmware_sim.settings import Settings, attribute
from protocols.control import CutPower, PressButton, ReturnPower, Sense
from protocols.data_model.items import SETTINGS, Windows
from protocols.data_model.tables import Freeze
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.data_model.words import (
    Cause,
    MeterType,
    PhaseSummation,
    ReconnectMode,
    Tamper,
    TripMode,
    UnopenedSupply,
    cause_words,
)
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SwitchAction,
    encode_limits,
    encode_number,
)
from tests.support import reference_meter as reference
from tests.support.meters import Host

Partition = Callable[[Meter, int], Iterator[int]]
"""Yields the instants at which `advance` is called on the way to an instant."""


def at_once(_: Meter, to: int) -> Iterator[int]:
    """Advance in one step."""
    yield to


def by_deadlines(meter: Meter, to: int) -> Iterator[int]:
    """Advance from deadline to deadline, as a host does."""
    while (due := meter.next_deadline()) is not None and due < to:
        yield due
    yield to


def every(step: int) -> Partition:
    """Return a partition into equal steps."""

    def partition(meter: Meter, to: int) -> Iterator[int]:
        while meter.state.elapsed_ms + step < to:
            yield meter.state.elapsed_ms + step
        yield to

    return partition


_WORDS = {"trip_mode": TripMode, "reconnect_mode": ReconnectMode, "unopened_supply": UnopenedSupply}


def _setting(name: str, value: object) -> tuple[str, object]:
    if name in _WORDS:
        return name, int(_WORDS[name][str(value).upper()])
    if name == "tamper_trip":
        assert isinstance(value, frozenset)
        return name, sum(Tamper[word.upper()] for word in value)
    return name, int(value) if isinstance(value, bool) else value


def describe(scenario: reference.Scenario) -> MeterDescription:
    """Return the description of the product's meter for a scenario."""
    s = scenario.settings
    phases = len(scenario.load[0][1])
    names = set(reference.Settings.__dataclass_fields__) & set(Settings.__dataclass_fields__)
    values = dict(_setting(name, getattr(s, name)) for name in names - {"friendly_hours"})
    values |= {
        "friendly_hours": Windows().pack(list(s.friendly_hours)),
        "friendly_holidays": 1,
        "utc_offset_minutes": s.utc_offset_minutes,
    }
    tariff = Tariff(
        Seasons(holidays=tuple((date, 1) for date in s.holidays)),
        DayTables((tuple((minute, rate + 1) for minute, rate in s.day_table),)),
        Prices(s.prices),
        Steps(
            s.step_limits_mwh,
            s.step_additions,
            s.step_period == "year",
            s.billing_day[0],
            s.billing_day[1],
            s.billing_year[0],
            s.billing_year[1],
        ),
    )
    return MeterDescription(
        meter_type=MeterType.THREE_PHASE if phases == 3 else MeterType.SINGLE_PHASE,
        opened=s.account == "open",
        credit=s.credit,
        debt=s.debt,
        settings=Settings(**values),  # type: ignore[arg-type]
        tariff=tariff,
        load=Load(
            [at for at, _ in scenario.load], [Demand(p) for _, p in scenario.load], OnEnd.HOLD
        ),
        start=scenario.clock_start_ms,
        phase_summation=PhaseSummation[s.phase_summation.upper()],
        reverse_charged=s.reverse_charged,
        guarantee=s.guarantee,
    )


def _do(meter: Meter, host: Host, name: str, argument: object) -> bool:
    """Perform an action; return whether it was refused."""
    if not meter.state.powered and name != "power_return":
        return True
    requests: dict[str, Callable[[], Request]] = {
        "load": lambda: SetLoad(Load.constant(argument)),  # type: ignore[arg-type]
        "button": PressButton,
        "power_cut": CutPower,
        "power_return": ReturnPower,
        "weld": lambda: BreakSwitch(SwitchDefect.WELDED if argument else SwitchDefect.NONE),
        "cover": lambda: Sense(Tamper.COVER, bool(argument)),
        "terminal_cover": lambda: Sense(Tamper.TERMINAL_COVER, bool(argument)),
        "magnet": lambda: Sense(Tamper.MAGNET, bool(argument)),
    }
    if name in requests:
        refused = name == "power_return" and meter.state.powered
        meter.handle(requests[name]())
        return refused
    amounts = {"topup": MessageKind.CREDIT, "refund": MessageKind.REFUND, "debt": MessageKind.DEBT}
    if name in amounts:
        assert isinstance(argument, int)
        answer = host.send(amounts[name], amount=max(argument, 0))
    elif name == "open":
        answer = host.send(MessageKind.OPEN, amount=argument)
    elif name in ("interrupt", "permit", "direct"):
        action = SwitchAction[name.upper()]
        answer = host.send(MessageKind.SWITCH, parameters=encode_number(MessageKind.SWITCH, action))
    elif name == "guarantee":
        answer = host.send(
            MessageKind.GUARANTEE, parameters=encode_number(MessageKind.GUARANTEE, bool(argument))
        )
    elif name == "moratorium":
        number = argument if isinstance(argument, int) else 0
        answer = host.send(
            MessageKind.MORATORIUM, parameters=encode_number(MessageKind.MORATORIUM, number)
        )
    elif name == "limits":
        assert isinstance(argument, dict)
        numbers = {attribute(item): item.setting for item in SETTINGS.values()}
        values = dict(_setting(key, value) for key, value in argument.items())
        parameters = encode_limits({numbers[key]: value for key, value in values.items()})
        answer = host.send(MessageKind.LIMITS, parameters=parameters)
    else:
        answer = host.send(MessageKind[name.upper()])
    return answer.outcome is not Outcome.ACCEPTED


def run(
    scenario: reference.Scenario,
    partition: Partition = by_deadlines,
    *,
    phase_energies: bool = False,
) -> tuple[reference.Trace, Meter]:
    """Return the trace of the product's meter, and the meter."""
    meter = build(replace(describe(scenario), phase_energies=phase_energies))
    host = Host(meter)
    changes: list[tuple[int, str, tuple[str, ...]]] = []
    refusals: list[tuple[int, str]] = []
    seen = [_pair(meter)]

    def look() -> None:
        pair = _pair(meter)
        if pair != seen[0]:
            seen[0] = pair
            changes.append((meter.state.elapsed_ms, *pair))

    def advance(to: int) -> None:
        for instant in partition(meter, to):
            meter.advance(instant)
            look()

    for index, (at, name, argument) in enumerate(scenario.actions):
        advance(at)
        if _do(meter, host, name, argument):
            refusals.append((at, name))
        if index + 1 == len(scenario.actions) or scenario.actions[index + 1][0] != at:
            look()
    advance(scenario.duration_ms)
    state = meter.state
    registers, account = state.registers, state.account
    trace = reference.Trace(
        import_mwh=registers.import_mwh,
        export_mwh=registers.export_mwh,
        import_remainder=registers.import_remainder,
        export_remainder=registers.export_remainder,
        rate_mwh=tuple(registers.rate_mwh[: len(scenario.settings.prices)]),
        month_mwh=registers.month_mwh,
        year_mwh=registers.year_mwh,
        credit=account.credit,
        debt=account.debt,
        consumption=account.consumption,
        standing=account.standing,
        instalments=account.instalments,
        settlement=account.settled,
        causes=_pair(meter)[1],
        closed=state.supply.closed,
        supply_state=_pair(meter)[0],
        warning=state.supply.warning,
        changes=tuple(changes),
        refusals=tuple(refusals),
        daily_freezes=_freezes(meter, DAILY_RING, scenario),
        billing_freezes=_freezes(meter, BILLING_RING, scenario),
    )
    return trace, meter


def _freezes(meter: Meter, ring: int, scenario: reference.Scenario) -> tuple[reference.Freeze, ...]:
    """Return the freezes of a ring as those of the reference, oldest first."""
    rows = [Freeze.unpack(row) for row in meter.rings[ring].newest(99)][::-1]
    rates = len(scenario.settings.prices)
    return tuple(
        reference.Freeze(
            row.at,
            row.energy_import_kwh,
            row.energy_export_kwh,
            (
                row.energy_rate_1_kwh,
                row.energy_rate_2_kwh,
                row.energy_rate_3_kwh,
                row.energy_rate_4_kwh,
            )[:rates],
            row.available_credit,
            -1 if row.consumption_charged_exact is None else row.consumption_charged_exact,
        )
        for row in rows
    )


def _pair(meter: Meter) -> tuple[str, tuple[str, ...]]:
    supply = meter.state.supply
    return supply.state.name.lower(), tuple(sorted(cause_words(Cause(supply.causes))))
