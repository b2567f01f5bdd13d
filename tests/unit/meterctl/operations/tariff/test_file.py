"""Tariff files: the parts that a file has, their activations, every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.operations.tariff.file import parse_moment_of_activation, parse_tariff_file
from protocols.data_model.tariff import DayTables, Part, Prices, Seasons, Steps, TariffChange
from protocols.errors import QuantityError
from protocols.quantities import KWH, LocalMoment
from protocols.tariff_file import TARIFF_KEYS

EXAMPLES = Path(__file__).parents[5] / "examples" / "tariffs"
JULY = LocalMoment(1_782_864_000_000)


def mistakes(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        parse_tariff_file(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "name", "part"),
    [
        ('prices = ["0.5", "0.25"]', "prices", Prices((5000, 2500))),
        ("step_limits_kwh = [2]\nstep_additions = [0, 1]", "steps", Steps((2 * KWH,), (0, 10_000))),
        ('step_period = "year"', "steps", Steps(yearly=True)),
        ('billing_day = "0206"', "steps", Steps(billing_day=2, billing_hour=6)),
        ('billing_year = "0701"', "steps", Steps(year_month=7)),
        ('[[day_tables]]\nentries = ["08:00 2"]', "day_tables", DayTables((((480, 2),),))),
        ('[[seasons]]\nstart = "05-01"\nday_table = 3', "seasons", Seasons(((5, 1, 3),))),
        ("[weekdays]\nsunday = 2", "seasons", Seasons(weekdays=(0, 0, 0, 0, 0, 0, 2))),
        ('holidays = [{ date = "1970-01-03" }]', "seasons", Seasons(holidays=((2, 0),))),
    ],
)
def test_a_key_makes_its_part_and_no_other(text: str, name: str, part: Part) -> None:
    file = parse_tariff_file(text)
    assert file.parts == {name: part}
    assert file.change() == TariffChange(((0, part),))


def test_the_examples_are_files() -> None:
    parts = {path.name: list(parse_tariff_file(path.read_text()).parts) for path in
             sorted(EXAMPLES.glob("*.toml"))}  # fmt: skip
    assert parts == {
        "cn-residential-steps.toml": ["prices", "steps", "seasons"],
        "three-rate-shop.toml": ["prices", "day_tables", "seasons"],
    }


@pytest.mark.parametrize(
    ("text", "activations"),
    [
        ("", {"prices": 0, "steps": 0}),
        ('activation = "now"\n', {"prices": 0, "steps": 0}),
        ('activation = "2026-07-01T00:00:00"\n', {"prices": JULY, "steps": JULY}),
        ("activation = 2026-07-01T00:00:00\n", {"prices": JULY, "steps": JULY}),
        ("activation = 2026-07-01\n", {"prices": JULY, "steps": JULY}),
        ("activation = 2026-07-01T00:00:00Z\n", {"prices": JULY.ms, "steps": JULY.ms}),
        ('activation = { prices = "2026-07-01T00:00" }\n', {"prices": JULY, "steps": 0}),
    ],
)
def test_an_activation_is_of_all_parts_or_of_each(
    text: str, activations: dict[str, object]
) -> None:
    file = parse_tariff_file(text + 'prices = ["1"]\nstep_period = "year"\n')
    assert file.activations == activations
    assert file.change(5000).parts == ((5000, Prices((10_000,))), (5000, Steps(yearly=True)))


def test_every_mistake_is_named_with_its_line_in_their_order() -> None:
    text = """prices = ["0,52", 0.3]
step_limits_kwh = [5, 4]
activaton = "2026"
billing_day = "3100"
[weekdays]
saturday = 9
[[day_tables]]
entries = ["25:00 1"]
[[seasons]]
start = "13-01"
day_table = 1
"""
    told = mistakes(text)
    assert [line.split(":")[0] for line in told] == [
        f"line {number}" for number in (1, 2, 2, 3, 4, 6, 8, 10)
    ]
    assert told[3] == "line 3: activaton: there is no such key; did you mean activation?"


def test_a_price_that_cannot_be_read_does_not_hide_what_others_say() -> None:
    text = """prices = ["0,52", 1, 1, 1, 1]
step_limits_kwh = [100, 200]
step_additions = ["0.1"]
weekdays = { monday = 9, tuesday = "x" }
day_tables = [{ entries = ["08:00 1", "08:00 2", "25:00 1", "22:00 9"] }]
seasons = [{ start = "13-01" }, { start = "01-01", day_table = 3 }]
activation = { prices = "now", steps = "soon" }
"""
    assert [line.split(": ")[:2] for line in mistakes(text)] == [
        ["line 1", "prices.1 = '0,52'"],
        ["line 1", "prices"],
        ["line 3", "step_additions"],
        ["line 4", "weekdays.tuesday = 'x'"],
        ["line 4", "weekdays.monday = 9"],
        ["line 5", "day_tables.1.entries.3 = '25:00 1'"],
        ["line 5", "day_tables.1.entries.2"],
        ["line 5", "day_tables.1.entries.4 = rate 9"],
        ["line 6", "seasons.1.day_table"],
        ["line 6", "seasons.1.start = '13-01'"],
        ["line 6", "seasons.2.day_table = 3"],
        ["line 7", "activation.steps = 'soon'"],
    ]
    told = "\n".join(mistakes(text))
    assert "2 limits need 3 additions, there is 1" in told
    assert "write a point: 0.52" in told
    assert "seasons.2.day_table = 3: allowed is 1 to 1, the day tables of the file" in told


def test_an_activation_of_a_part_that_could_not_be_read_is_no_mistake() -> None:
    (only,) = mistakes('prices = 1\nactivation = { prices = "now" }\n')
    assert only.startswith("line 1: prices = 1")


def test_a_file_of_a_wrong_activation_alone_has_no_part_either() -> None:
    no_part, wrong = mistakes('activation = "soon"\n')
    assert no_part.startswith("it has no part")
    assert wrong.startswith("line 1: activation")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prices = [", "it is not TOML"),
        ("", "it has no part of a tariff: write at least one of prices, step_limits_kwh"),
        ('activation = "now"', "it has no part of a tariff"),
        (
            "step_limits_kwh = [1]",
            "line 1: step_limits_kwh: 1 limit needs 2 additions, there is none",
        ),
        (
            "step_additions = [1, 2]",
            "line 1: step_additions: 0 limits need 1 addition, there are 2",
        ),
        (
            'prices = ["1"]\nday_tables = [{ entries = ["00:00 1", "08:00 2"] }]',
            "line 2: day_tables.1.entries.2 = rate 2: allowed is 1 to 1, the rates that have a",
        ),
        ('day_tables = [{ entries = ["00:00 5"] }]', "allowed is 1 to 4"),
        ('day_tables = [{ entries = ["00:00 0"] }]', "allowed is 1 to 4"),
        ('seasons = [{ start = "01-01", day_table = 9 }]', "seasons.1.day_table = 9: allowed is 1"),
        ('seasons = [{ start = "01-01", day_table = 0 }]', "allowed is 1 to 8"),
        ("weekdays = { monday = 300 }", "line 1: weekdays.monday = 300: allowed is 1 to 8"),
        (
            'holidays = [{ date = "2026-01-01", day_table = 3 }]\n'
            'day_tables = [{ entries = ["00:00 1"] }]',
            "line 1: holidays.1.day_table = 3: allowed is 1 to 1, the day tables of the file",
        ),
        ('activation = "soon"\nprices = [1]', "line 1: activation = 'soon': 'soon' is not a date"),
        ('activation = "2100-01-01"\nprices = [1]', "allowed is a moment before 2100"),
        ("prices = [1]\n[activation]\nsteps = 2026-07-01", "line 3: activation.steps: the file h"),
        ("prices = [1]\n[activation]\nprice = 2026-07-01", "line 3: activation.price: there is no"),
    ],
)
def test_a_mistake_names_its_place_and_what_is_allowed(text: str, told: str) -> None:
    (line,) = mistakes(text)
    assert told in line


def test_every_key_has_a_line_for_its_mistake() -> None:
    for key in TARIFF_KEYS:
        (told,) = mistakes(f"\n{key} = 2026-01-01\n")
        assert told.startswith(f"line 2: {key}"), told


def test_now_is_at_once() -> None:
    assert parse_moment_of_activation(" now ") == 0
    with pytest.raises(QuantityError, match="is not a date and time"):
        parse_moment_of_activation("at once")
