"""Values of parts: their names, their JSON, and the file of a set."""

from __future__ import annotations

import json

from meterctl.operations.tariff.values import json_of, object_of, toml_of, values_of
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.quantities import KWH


def test_every_value_has_a_name_of_its_own() -> None:
    assert values_of(Prices((5283, 0))) == {"price_1": "0.5283", "price_2": "0.0000"}
    assert values_of(DayTables((((0, 1), (545, 2)), ((0, 1),)))) == {
        "day_table_1_00:00": "1",
        "day_table_1_09:05": "2",
        "day_table_2_00:00": "1",
    }
    assert values_of(Seasons(((5, 1, 2),), (0, 3, 0, 0, 0, 0, 0), ((9, 0), (2, 1)))) == {
        "season_05-01": "2",
        "weekday_tuesday": "3",
        "holiday_1970-01-03": "1",
        "holiday_1970-01-10": "0",
    }
    assert values_of(Steps((KWH // 2,), (0, 5), True, 9, 6, 7, 1)) == {
        "step_limit_1_kwh": "0.500000",
        "step_addition_1": "0.0000",
        "step_addition_2": "0.0005",
        "step_period": '"year"',
        "billing_day": '"0906"',
        "billing_year": '"0701"',
    }


def test_json_has_the_keys_of_a_file_and_fixed_decimals() -> None:
    assert json_of((Prices((5283,)), DayTables())) == {
        "prices": "[0.5283]",
        "day_tables": '[{"entries": ["00:00 1"]}]',
    }
    seasons = json.loads(object_of((Seasons(holidays=((2, 0),)),), {"a": "1"}))
    assert seasons["a"] == 1
    assert seasons["weekdays"]["monday"] is None
    assert seasons["holidays"] == [{"date": "1970-01-03", "day_table": None}]


def test_the_file_of_the_default_set_names_every_key() -> None:
    assert toml_of(Tariff()) == (
        'prices = ["0.5283"]\n'
        "step_limits_kwh = []\n"
        'step_additions = ["0.0000"]\n'
        'step_period = "month"\n'
        'billing_day = "0100"\n'
        'billing_year = "0101"\n'
        "holidays = []\n"
        "\n[weekdays]\n"
        '\n[[seasons]]\nstart = "01-01"\nday_table = 1\n'
        '\n[[day_tables]]\nentries = ["00:00 1"]'
    )
