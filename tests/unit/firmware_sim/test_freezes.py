"""What a freeze holds: the registers and the charge at its instant (METER.md 2)."""

from __future__ import annotations

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import BILLING_RING, DAILY_RING
from firmware_sim.settings import Settings
from protocols.control import CutPower, ReturnPower
from protocols.data_model.tables import Freeze
from protocols.data_model.tariff import Prices, Steps, Tariff
from protocols.quantities import DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host, make

PRICE = 5283
ONE_MWH_A_MILLISECOND = Load.constant((3_600_000,))


def consumer(**fields: object) -> Meter:
    """Return a meter that uses 3.6 kW at 0.5283: 5283 ledger units a millisecond."""
    described = {
        "credit": 1_000 * LEDGER,
        "load": ONE_MWH_A_MILLISECOND,
        "tariff": Tariff(prices=Prices((PRICE,)), steps=Steps(billing_day=2, billing_hour=1)),
    }
    return make(**(described | fields))


def freezes(meter: Meter, ring: int = DAILY_RING) -> list[Freeze]:
    """Return the freezes of a ring, oldest first."""
    return [Freeze.unpack(row) for row in meter.rings[ring].newest(99)][::-1]


def charged(meter: Meter, ring: int = DAILY_RING) -> list[int | None]:
    """Return what was charged until each freeze."""
    return [row.consumption_charged_exact for row in freezes(meter, ring)]


def test_the_energy_that_completes_at_midnight_is_charged_before_its_freeze() -> None:
    meter = consumer()
    meter.advance(3 * DAY + 1)
    assert charged(meter) == [PRICE * DAY * day for day in (1, 2, 3)]
    assert charged(meter, BILLING_RING) == [PRICE * (DAY + HOUR)]
    assert meter.state.account.consumption == PRICE * (3 * DAY + 1)


def test_the_standing_charge_of_a_midnight_is_no_part_of_it_and_comes_after_its_freeze() -> None:
    meter = consumer(settings=Settings(standing_charge=LEDGER))
    meter.advance(2 * DAY)
    assert charged(meter) == [PRICE * DAY, PRICE * 2 * DAY]
    left = [row.available_credit for row in freezes(meter)]
    assert left == [
        1_000 * LEDGER - PRICE * DAY,
        1_000 * LEDGER - PRICE * 2 * DAY - LEDGER,
    ]


def test_a_top_up_changes_the_credit_of_a_freeze_and_not_what_was_charged() -> None:
    meter = consumer()
    meter.advance(HOUR)
    assert Host(meter).send(MessageKind.CREDIT, amount=7700).outcome is Outcome.ACCEPTED
    meter.advance(DAY)
    (row,) = freezes(meter)
    assert row.consumption_charged_exact == PRICE * DAY
    assert row.available_credit == 1_077 * LEDGER - PRICE * DAY


def test_midnights_missed_without_power_carry_the_charge_as_it_stands() -> None:
    meter = consumer()
    meter.advance(HOUR)
    meter.handle(CutPower())
    meter.advance(2 * DAY + HOUR)
    meter.handle(ReturnPower())
    assert charged(meter) == [PRICE * HOUR] * 2
    meter.advance(3 * DAY)
    assert charged(meter)[-1] == PRICE * (HOUR + DAY - HOUR)


def test_nothing_is_charged_while_no_account_is_open_and_the_total_goes_on_after_it() -> None:
    meter = consumer()
    meter.advance(HOUR)
    assert Host(meter).send(MessageKind.CLOSE).outcome is Outcome.ACCEPTED
    meter.advance(2 * DAY)
    assert charged(meter) == [PRICE * HOUR] * 2
    assert [row.energy_import_kwh for row in freezes(meter)] == [DAY, 2 * DAY]


def test_a_charge_beyond_its_field_saturates_and_is_not_taken_for_one_that_is_not_kept() -> None:
    meter = consumer()
    meter.state.account.consumption = 10**30
    meter.advance(DAY)
    assert charged(meter) == [(1 << 63) - 1]
