"""What the calls of the library take, and the one sentence for what they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from firmware_sim import PrepaidMeter, PrepaidMeterError, SerialPair, errors
from firmware_sim.errors import HostingError, QuantityError
from protocols.quantities import LEDGER


@pytest.fixture(scope="module")
def meter() -> Iterator[PrepaidMeter]:
    with PrepaidMeter() as made:
        yield made


def test_every_error_of_the_library_has_one_root() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), PrepaidMeterError)


def test_an_item_that_does_not_exist_is_one_sentence_with_its_neighbours(
    meter: PrepaidMeter,
) -> None:
    with pytest.raises(QuantityError) as raised:
        meter.value("credit")
    assert str(raised.value).startswith("'credit' is no item: did you mean available_credit, ")
    with pytest.raises(QuantityError, match=r"^'zzz' is no item: `meterctl items` lists them$"):
        meter.value("zzz")


def test_a_fault_of_something_else_is_refused_as_an_unknown_one_is() -> None:
    with SerialPair() as pair:
        for fault in ("reply_lost", "flop"):
            with pytest.raises(QuantityError, match=f"^'?{fault}'? is "):
                pair.inject(fault)


def test_an_order_takes_numbers_dates_and_moments() -> None:
    with PrepaidMeter(credit="1.00") as made:
        for amount in (Decimal("5.00"), Decimal("5E+1"), 5):
            made.order("topup", amount)
        assert [row.amount for row in made.purchases()] == [5 * LEDGER, 50 * LEDGER, 5 * LEDGER]
        made.order("moratorium", date(2026, 2, 1))
        made.order("clock", datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC))
        assert made.value("clock") == "2026-01-02T03:04:05.600Z"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda meter: meter.order(None), "'None' is no order"),
        (lambda meter: meter.insert(None), "None is no card"),
        (lambda meter: meter.insert("c.img", pull_after="5"), "pull_after='5': allowed is"),
        (lambda meter: meter.insert("c.img", pull_after=-1), "pull_after=-1: allowed is"),
        (lambda meter: meter.buy_card("5.00", "c.img"), "'c.img' is no card"),
        (lambda meter: meter.value(None), "None is no item"),
        (lambda meter: meter.value(3), "3 is no item"),
        (lambda meter: meter.inject(None), "'None' is no fault"),
        (lambda meter: meter.freezes([]), "allowed are daily and billing"),
    ],
)
def test_an_argument_of_a_wrong_type_is_one_sentence(
    meter: PrepaidMeter, call: Callable[[PrepaidMeter], object], said: str
) -> None:
    with pytest.raises(QuantityError) as raised:
        call(meter)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"thread": "x"}, "thread='x': allowed is a LoopThread"),
        ({"config": 5}, "config=5: allowed is a path"),
        ({"modbus_rtu": 5}, "modbus_rtu=5: allowed is a path"),
        ({"modbus_tcp": ("127.0.0.1",)}, "('127.0.0.1',) is no address"),
    ],
)
def test_a_wrong_argument_of_a_new_meter_is_one_sentence(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(HostingError) as raised:
        PrepaidMeter(**arguments)  # type: ignore[arg-type]
    assert str(raised.value).startswith(said)


def test_a_meter_takes_the_address_that_another_one_gave() -> None:
    with PrepaidMeter(modbus_tcp=("127.0.0.1", 0)) as made:
        address = made.tcp
    with PrepaidMeter(modbus_tcp=address) as made:
        assert made.tcp == address


def test_stop_is_no_command_of_a_meter_in_a_program(meter: PrepaidMeter) -> None:
    with pytest.raises(QuantityError, match=r"ends with close\(\)$"):
        meter.command("stop")
    assert meter.value("supply_state") == "connected"


def test_a_meter_is_shown_by_its_serial_number_unit_and_ports() -> None:
    with PrepaidMeter(unit=7, serial_number="000000000042") as made:
        name = f"meter 000000000042 unit 7 on {made.port} and 127.0.0.1:{made.tcp[1]}"
        assert repr(made) == f"<PrepaidMeter: {name}>"
    assert repr(made) == f"<PrepaidMeter: {name}, closed>"
