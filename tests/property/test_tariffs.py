"""Tariff files and tariffs of meters: what is written is read, and sent, and read back the same."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.acceptance.admission import refusal
from firmware_sim.acceptance.instruction import Instruction
from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.metrology.load import Load
from firmware_sim.state import PendingPart
from meterctl.errors import UsageError
from meterctl.journal import NOWHERE, Journal
from meterctl.operations.local_time import Offsets
from meterctl.operations.tariff.differences import differences
from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.operations.tariff.resulting_sets import refusals
from meterctl.operations.tariff.sets import TariffSets, read_sets
from meterctl.operations.tariff.setting import plan_tariff, set_tariff
from meterctl.operations.tariff.values import PARTS, json_of, toml_of, values_of
from protocols.data_model.tariff import PART_NAMES, Part, Steps, Tariff, TariffChange
from protocols.data_model.words import Carrier
from protocols.quantities import DAY, LEDGER, MINUTE, LocalMoment
from protocols.sealed_message import MessageKind, Outcome
from protocols.tariff_file import parse_tariff, tariff_of
from tests.support.meters import make
from tests.support.random_tariffs import TARIFFS
from tests.support.wire import connect

modest = settings(max_examples=15, deadline=None)


@modest
@given(TARIFFS)
def test_a_set_that_was_written_as_a_file_is_the_same_when_it_is_read(tariff: Tariff) -> None:
    text = toml_of(tariff)
    file = parse_tariff_file(text)
    assert Tariff(**file.parts) == tariff  # type: ignore[arg-type]
    assert tariff_of(parse_tariff(text)) == tariff  # as a meter's description reads it


@modest
@given(TARIFFS)
def test_the_json_of_a_set_has_the_values_of_its_file(tariff: Tariff) -> None:
    shown = json.loads("{" + ",".join(f'"{k}": {v}' for k, v in _json(tariff).items()) + "}")
    written = tomllib.loads(toml_of(tariff))
    assert shown["prices"] == [float(price) for price in written["prices"]]
    assert shown["day_tables"] == written["day_tables"]
    assert shown["seasons"] == written["seasons"]
    days = {day: table for day, table in shown["weekdays"].items() if table is not None}
    assert days == written["weekdays"]
    for row in written["holidays"]:
        row.setdefault("day_table", None)
    assert shown["holidays"] == written["holidays"]
    assert {shown[key] == written[key] for key in ("step_period", "billing_day")} == {True}


def _json(tariff: Tariff) -> dict[str, str]:
    return json_of(getattr(tariff, name) for name in PARTS)


@settings(max_examples=8, deadline=None)
@given(TARIFFS, TARIFFS)
def test_a_meter_that_took_a_set_shows_it_and_nothing_is_left_to_change(
    first: Tariff, second: Tariff
) -> None:
    session, _ = connect(make(tariff=first), framed=True)
    journal = Journal(NOWHERE)
    try:
        planned = plan_tariff(session, journal, parse_tariff_file(toml_of(second)).change())
        changed = {each.name for each in planned.differences if not each.is_none}
        assert changed == {
            name
            for name in PARTS
            if values_of(getattr(first, name)) != values_of(getattr(second, name))
        }
        assert len(set_tariff(session, journal, planned)) == len(PARTS)
    finally:
        journal.close()
    sets = read_sets(session.driver)
    assert (sets.current, sets.pending) == (second, {})
    assert all(each.is_none for each in differences(sets, planned.sent))


@modest
@given(st.text(st.sampled_from('prices=day_tbl[]{}"0123456789:-.,# \nTZ'), max_size=80))
def test_any_text_is_a_file_or_refused_with_its_reason(text: str) -> None:
    try:
        file = parse_tariff_file(text)
    except UsageError as error:
        told = str(error)
    else:
        told = ", ".join(file.parts)
    assert told


ACTIVATIONS = st.sampled_from(
    [0, DEFAULT_START - DAY, DEFAULT_START + DAY, DEFAULT_START + 2 * DAY]
)


def some_parts(tariff: Tariff, activations: list[int], chosen: set[str]) -> list[tuple[int, Part]]:
    """Return some parts of a tariff, each with an activation."""
    named = zip(PARTS, activations, strict=True)
    return [(at, getattr(tariff, name)) for name, at in named if name in chosen]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(TARIFFS, min_size=3, max_size=3),
    st.lists(st.lists(ACTIVATIONS, min_size=4, max_size=4), min_size=2, max_size=2),
    st.sets(st.sampled_from(PARTS)),
    st.sets(st.sampled_from(PARTS), min_size=1),
    st.sampled_from([0, 156]),
)
def test_the_host_finds_what_a_meter_refuses_and_nothing_else(
    tariffs: list[Tariff],
    activations: list[list[int]],
    waiting: set[str],
    sent: set[str],
    unit: int,
) -> None:
    state = make(tariff=tariffs[0], account_unit=unit).state
    pending = some_parts(
        tariffs[1], [max(at, DEFAULT_START + DAY) for at in activations[0]], waiting
    )
    state.pending = tuple(PendingPart(at, part) for at, part in pending)
    change = some_parts(tariffs[2], activations[1], sent)
    shown = {PART_NAMES[type(part)]: (at, part) for at, part in pending}
    sets = TariffSets(tariffs[0], shown, DEFAULT_START, Offsets(((0, 0),)))
    instruction = Instruction(MessageKind.TARIFF, Carrier.WIRE, 0, TariffChange(tuple(change)))
    refused = refusal(state, instruction) is Outcome.OUT_OF_RANGE
    assert bool(refusals(sets, change, unit)) == refused


POWER_MW = 60_000
"""1,000 mWh in every minute."""
MINUTES = 90


def reference_charge(text: str, counter: int, begin: datetime) -> int:
    """Return the charge of `MINUTES` by a tariff file alone, ledger units.

    Args:
        counter: mWh of the billing period before them.
    """
    file = tomllib.loads(text)
    prices = [int(Decimal(price) * 10_000) for price in file["prices"]]
    additions = [int(Decimal(price) * 10_000) for price in file["step_additions"]]
    limits = [int(Decimal(limit) * 1_000_000) for limit in file["step_limits_kwh"]]
    total = 0
    for minute in range(MINUTES):
        rate = rate_by_file(file, begin + timedelta(minutes=minute))
        for mwh in range(counter + minute * 1000, counter + (minute + 1) * 1000):
            total += prices[rate - 1] + additions[sum(limit <= mwh for limit in limits)]
    return total


def rate_by_file(file: dict[str, Any], at: datetime) -> int:
    """Return the rate of a local time by a tariff file alone."""
    holidays = {row["date"]: row.get("day_table") for row in file["holidays"]}
    starts = sorted(file["seasons"], key=lambda row: str(row["start"]))
    begun = [row for row in starts if row["start"] <= f"{at:%m-%d}"]
    table = (
        holidays.get(f"{at:%Y-%m-%d}")
        or file["weekdays"].get(f"{at:%A}".lower())
        or (begun or starts)[-1]["day_table"]
    )
    entries = sorted(file["day_tables"][table - 1]["entries"])
    return int(([each for each in entries if each[:5] <= f"{at:%H:%M}"] or entries)[-1][6:])


@settings(max_examples=8, deadline=None)
@given(TARIFFS, st.integers(0, 27), st.integers(0, 1439))
def test_after_its_activation_a_meter_charges_what_the_file_says(
    tariff: Tariff, days: int, minute: int
) -> None:
    limits = tuple(sorted({1 + limit % 90_000 for limit in tariff.steps.limits}))
    additions = tariff.steps.additions[: len(limits) + 1]
    text = toml_of(replace(tariff, steps=Steps(limits, additions, tariff.steps.yearly)))
    activation = DEFAULT_START + days * DAY + minute * MINUTE
    meter = make(load=Load.constant((POWER_MW,)), credit=900_000 * LEDGER)
    session, _ = connect(meter, framed=True)
    journal = Journal(NOWHERE)
    planned = plan_tariff(session, journal, parse_tariff_file(text).change(LocalMoment(activation)))
    set_tariff(session, journal, planned)
    journal.close()
    meter.advance(activation - DEFAULT_START)
    before, counter = meter.state.account.consumption, meter.state.registers.month_mwh
    meter.advance(activation - DEFAULT_START + MINUTES * MINUTE)
    charged = meter.state.account.consumption - before
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days, minutes=minute)
    assert charged == reference_charge(text, counter, begin)
