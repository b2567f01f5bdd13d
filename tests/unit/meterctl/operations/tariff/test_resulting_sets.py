"""Why a meter would refuse parts: the same as it does, told before anything is sent."""

from __future__ import annotations

import pytest

from firmware_sim.acceptance.admission import refusal
from firmware_sim.acceptance.instruction import Instruction
from firmware_sim.state import PendingPart
from meterctl.operations.local_time import Offsets
from meterctl.operations.tariff.resulting_sets import refusals, resulting_sets
from meterctl.operations.tariff.sets import TariffSets
from protocols.data_model.tariff import (
    PART_NAMES,
    DayTables,
    Part,
    Prices,
    Seasons,
    Steps,
    Tariff,
    TariffChange,
)
from protocols.data_model.words import ENERGY_ACCOUNT, Carrier
from protocols.quantities import DAY
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import make

TWO = DayTables((((0, 1), (480, 2)),))
SECOND_TABLE = Seasons(weekdays=(0, 0, 0, 0, 0, 2, 0), holidays=((3, 4),))
CASES: list[tuple[list[tuple[int, Part]], list[tuple[int, Part]], list[str]]] = [
    ([], [(0, Prices((1, 2)))], []),
    (
        [],
        [(0, TWO)],
        ["the day tables of the file have rate 2, and the meter has 1 price"],
    ),
    ([], [(0, TWO), (0, Prices((1, 2)))], []),
    (
        [],
        [(0, TWO), (2, Prices((1, 2)))],
        ["the day tables of the file have rate 2, and the meter has 1 price"],
    ),
    (
        [(3, TWO), (3, Prices((1, 2)))],
        [(0, Prices((5,)))],
        [
            "from 2026-01-04T00:00:00Z on, the day tables of the meter have rate 2, and the file "
            "has 1 price"
        ],
    ),
    (
        [],
        [(0, SECOND_TABLE)],
        [
            "saturday of the file has day table 2, and the meter has 1 day table",
            "the holiday 1970-01-04 of the file has day table 4, and the meter has 1 day table",
        ],
    ),
    (
        [],
        [(0, Seasons(((5, 1, 7),)))],
        ["the season from 05-01 of the file has day table 7, and the meter has 1 day table"],
    ),
]
START = 1_767_225_600_000


def after(days: int) -> int:
    return START + days * DAY if days else 0


@pytest.mark.parametrize(("pending", "sent", "told"), CASES)
def test_the_host_refuses_what_the_meter_refuses(
    pending: list[tuple[int, Part]], sent: list[tuple[int, Part]], told: list[str]
) -> None:
    meter = make()
    meter.state.pending = tuple(PendingPart(after(days), part) for days, part in pending)
    shown = {PART_NAMES[type(part)]: (after(days), part) for days, part in pending}
    sets = TariffSets(Tariff(), shown, START, Offsets(((0, 0),)))
    parts = [(after(days), part) for days, part in sent]
    found = refusals(sets, parts, 156)
    by_meter = refusal(
        meter.state,
        Instruction(MessageKind.TARIFF, Carrier.WIRE, 0, TariffChange(tuple(parts))),
    )
    assert (by_meter is Outcome.OUT_OF_RANGE) == bool(told)
    assert found == told


def test_an_energy_account_has_the_fixed_price_at_every_instant() -> None:
    sets = TariffSets(Tariff(prices=Prices((10_000,))), {}, START, Offsets(((0, 0),)))
    assert refusals(sets, [(0, Prices((10_000, 10_000)))], ENERGY_ACCOUNT) == []
    (told,) = refusals(sets, [(0, Prices((5283,)))], ENERGY_ACCOUNT)
    assert told.startswith("an energy account (account_unit kWh) has the fixed price 1.0000")
    (told,) = refusals(sets, [(after(1), Steps((1,), (0, 1)))], ENERGY_ACCOUNT)
    assert told.startswith("from 2026-01-02T00:00:00Z on, an energy account")


def test_the_resulting_sets_hold_what_waits_and_what_is_sent() -> None:
    steps = Steps(yearly=True)
    sets = TariffSets(Tariff(), {"prices": (after(2), Prices((7,)))}, START, Offsets(((0, 0),)))
    first, last = resulting_sets(sets, [(0, steps)])
    assert first == (START, Tariff(steps=steps))
    assert last == (after(2), Tariff(steps=steps, prices=Prices((7,))))
