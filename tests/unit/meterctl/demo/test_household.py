"""The agreement of the demo's household: its limits follow from the opening credit."""

from __future__ import annotations

import tomllib

from meterctl.demo.household import SERIAL_NUMBER, Agreement
from protocols.quantities import parse_money, parse_price

AGREEMENT = Agreement(parse_money("3.20"), parse_price("0.5283"), "household")


def test_a_part_of_the_credit_is_in_whole_cents() -> None:
    assert AGREEMENT.part(2) == parse_money("0.80")
    assert Agreement(parse_money("0.33"), 1, "1kW").part(1) == parse_money("0.04")


def test_the_description_of_the_meter_is_unopened_with_its_limits_and_price() -> None:
    described = tomllib.loads(AGREEMENT.toml())
    assert described.pop("start")
    assert described == {
        "account": "unopened",
        "load": "household",
        "serial_number": SERIAL_NUMBER,
        "low_credit_threshold_1": "2.00",
        "low_credit_threshold_2": "1.20",
        "overdraft_limit": "0.80",
        "tariff": {"prices": ["0.5283"]},
    }
