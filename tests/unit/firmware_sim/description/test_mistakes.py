"""Mistakes in a description: all at once, each once, with file, line, key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.description.files import describe, describe_keys, described_by_keys
from firmware_sim.description.flags import MeterFlags
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter_description import DEFAULT_START
from protocols.data_model.items import Windows
from protocols.quantities import CENT, LEDGER, MONEY_LIMIT

METER = """\
credti = "5.00"
unit = 0
prices = ["1"]
debt = "-5.00"
low_credit_threshold_1 = "1.00"
low_credit_threshold_2 = "2.00"
reconnect_threshold = "8.00"
max_credit = "8.00"
utc_offset_minutes = 480
time_zone = "Europe/Berlin"
load = "loads.csv"
[tariff]
prices = [
  "0.5283",
  "0,5283",
]
profile_days = 3
[[tariff.seasons]]
start = "02-30"
[[tariff.day_tables]]
entries = ["08:00 1", "24:00 1"]
"""


def told(text: str, folder: Path, **flags: object) -> list[str]:
    """Return the mistakes of a file without its path."""
    path = folder / "meter.toml"
    path.write_text(text)
    with pytest.raises(HostingError) as caught:
        describe(MeterFlags((str(path),), flags))
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_every_mistake_is_told_once_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "loads.csv").write_text("offset,power_w\n0m,x\n1m,2\n2m,y\n")
    load = f"load {tmp_path / 'loads.csv'}"
    assert told(METER, tmp_path, price="free") == [
        "line 1: credti: there is no such key; did you mean credit?",
        "line 2: unit = 0: 0 is out of range: allowed is 1 to 247",
        "line 3: prices: there is no such key here; write it under [tariff]",
        "line 4: debt = '-5.00': -5.00 is out of range: allowed is 0.00 to 999999.99",
        "line 15: tariff.prices.2 = '0,5283': '0,5283' is not a price per kWh: digits with at most "
        "4 decimals are allowed; write a point: 0.5283",
        "line 17: tariff.profile_days: there is no such key; write profile_days above the line "
        "[tariff]",
        "line 18: tariff.seasons.1.day_table: this key is missing",
        "line 19: tariff.seasons.1.start = '02-30': '02-30' is no date of the year: allowed is "
        "01-01 to 12-31",
        "line 21: tariff.day_tables.1.entries.2 = '24:00 1': '24:00 1' is no time of day",
        "--price = 'free': 'free' is not a price per kWh: digits with at most 4 decimals are "
        "allowed",
        "line 5: low_credit_threshold_1 is below low_credit_threshold_2 (1.00 < 2.00): allowed is "
        "the same or more",
        "line 7: reconnect_threshold 8.00 + 0.01 is above max_credit 8.00: no top-up could "
        "reconnect; allowed is a max_credit of at least 0.01 more than reconnect_threshold, or off",
        "line 9: utc_offset_minutes: a meter with a time_zone has no offset of its own; write one",
        f"{load}: line 2: 'x' is not a power: digits with at most 3 decimals are allowed (power_w)",
        f"{load}: line 4: 'y' is not a power: digits with at most 3 decimals are allowed (power_w)",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tariff.prices]\nx = 1", "line 1: tariff.prices = {'x': 1}: allowed is a list"),
        ("[[tariff]]\nx = 1", "line 1: tariff = [{'x': 1}]: allowed is a table, or the name of th"),
        ("tariff = 3", "line 1: tariff = 3: allowed is a table, or the name of the file"),
        (
            '[tariff]\n[[tariff.seasons]]\nstart = "04-31"\nday_table = 1',
            "line 3: tariff.seasons.1.start = '04-31': '04-31' is no date of the year: allowed is",
        ),
        (
            "[tariff]\nholidays = [{date = 2026-05-01}, {date = 2026-05-01, day_table = 1}]",
            "line 2: tariff.holidays.2: 2026-05-01 has two day tables: allowed is one",
        ),
        ("\n[credit]\nx = 1", "line 2: credit = {'x': 1}: "),
        ("\nload = 3", "line 2: load = '3': allowed is a power (2kW, 350W, -1.5kW), FILE.csv or"),
        (
            '[tariff]\nbilling_day = "3100"',
            "line 2: tariff.billing_day = 3100: allowed is DDhh, day 01 to 28",
        ),
        ("a.b = 1", "line 1: a: there is no such key; allowed are account, "),
    ],
)
def test_a_mistake_in_tables_and_lists_is_told_once(text: str, line: str, tmp_path: Path) -> None:
    (only,) = told(text, tmp_path)
    assert only.startswith(line)


def test_every_part_of_a_tariff_that_does_not_hold_is_told(tmp_path: Path) -> None:
    assert told(
        "[tariff]\nprices = [1, 2, 3, 4, 5]\nstep_limits_kwh = [1]\n"
        "holidays = [{date = 2026-05-01}, {date = 2026-05-01, day_table = 1}]\n",
        tmp_path,
    ) == [
        "line 2: tariff.prices: 5 are given: allowed is 1 to 4",
        "line 3: tariff.step_limits_kwh: 1 limit needs 2 additions, there is none",
        "line 4: tariff.holidays.2: 2026-05-01 has two day tables: allowed is one",
    ]
    references = told(
        '[tariff]\nweekdays = { monday = 2 }\nday_tables = [{ entries = ["08:00 2"] }]', tmp_path
    )
    assert references == [
        "line 2: tariff.weekdays.monday = 2: allowed is 1 to 1, the day tables of the file",
        "line 3: tariff.day_tables.1.entries.1 = rate 2: allowed is 1: there are no prices",
    ]


def test_lists_of_words_and_windows_may_be_lists_of_toml() -> None:
    keys = {"tamper_trip": ["cover", "magnet"], "friendly_hours": ["22:00-06:00", "12:00-13:00"]}
    as_text = {name: ",".join(words) for name, words in keys.items()}
    lists, texts = (describe_keys(None, each, DEFAULT_START).settings for each in (keys, as_text))
    assert lists == texts
    with pytest.raises(HostingError, match="unit"):
        describe_keys(None, {"unit": [1]}, DEFAULT_START)


def test_a_tariff_in_a_file_of_its_own_names_that_file_and_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('prices = ["0,5"]\n\nstep_limit_kwh = [1]\n')
    first, second, third = told('tariff = "t.toml"\nunit = 0', tmp_path)
    assert first.startswith("line 2: unit = 0")
    assert second.startswith(f"tariff {path}: line 1: prices.1 = '0,5': ")
    assert third == (
        f"tariff {path}: line 3: step_limit_kwh: there is no such key; "
        "did you mean step_limits_kwh?"
    )
    path.write_text('[[seasons]]\nstart = "01-01"\nday_table = 2\n')
    (only,) = told('tariff = "t.toml"', tmp_path)
    assert only.startswith(f"tariff {path}: ")
    path.write_text("prices = [")
    (only,) = told('tariff = "t.toml"', tmp_path)
    assert only.startswith(f"tariff {path}: it is not TOML: end of document: Invalid value")
    (only,) = told('tariff = "gone.toml"', tmp_path)
    assert (
        only == f"tariff {tmp_path / 'gone.toml'}: No such file or directory; nothing was changed"
    )


def test_the_mistakes_of_several_files_are_told_at_once_and_those_of_flags_once(
    tmp_path: Path,
) -> None:
    for name in "ab":
        (tmp_path / f"{name}.toml").write_text("drift_ppm = -1000000\n")
    paths = tuple(str(tmp_path / f"{name}.toml") for name in "ab")
    with pytest.raises(HostingError) as caught:
        describe(MeterFlags(paths, {"price": "free"}))
    lines = str(caught.value).splitlines()
    assert [line.startswith(("--price", *paths)) for line in lines] == [True] * 3


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("credit", ["-999999.99", "999999.99", "0"], ["-1000000.00", "1000000.00", "1e6"]),
        ("debt", ["0.00", "999999.99"], ["-0.01", "1000000.00"]),
        ("standing_charge", ["999999.99"], ["-0.01", "1000000"]),
        ("overdraft_limit", ["999999.99"], ["-0.01", "1000000"]),
        ("price", ["9999.9999"], ["-0.0001", "10000", "10000.0000"]),
    ],
)
def test_money_beyond_its_limits_and_money_with_a_sign_that_means_nothing_is_refused(
    name: str, allowed: list[str], refused: list[str]
) -> None:
    for text in allowed:
        describe_keys(None, {name: text}, DEFAULT_START)
    for text in refused:
        with pytest.raises(HostingError, match=name):
            describe_keys(None, {name: text}, DEFAULT_START)


def test_a_pair_without_room_for_a_top_up_is_refused_in_a_description() -> None:
    close = {"reconnect_threshold": "999999.99"}
    with pytest.raises(HostingError, match="no top-up could reconnect; allowed is at most 999999"):
        describe_keys(None, close, DEFAULT_START)
    settings = describe_keys(
        None, {"reconnect_threshold": "8.00", "max_credit": "8.01"}, DEFAULT_START
    ).settings
    assert (settings.max_credit, settings.reconnect_threshold) == (8 * LEDGER + CENT, 8 * LEDGER)
    high = describe_keys(None, {"reconnect_threshold": "999999.98"}, DEFAULT_START).settings
    assert high.reconnect_threshold == MONEY_LIMIT - CENT


def test_a_time_zone_or_an_offset_given_over_a_file_replaces_the_other_in_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "meter.toml"
    path.write_text('time_zone = "Europe/Berlin"\n')
    offset = describe_keys(str(path), {"utc_offset_minutes": 480}, DEFAULT_START)
    assert (offset.settings.utc_offset_minutes, offset.transitions) == (480, ())
    path.write_text("utc_offset_minutes = 480\n")
    zone = describe_keys(str(path), {"time_zone": "Asia/Tokyo"}, DEFAULT_START)
    assert zone.settings.utc_offset_minutes == 0
    assert zone.transitions
    with pytest.raises(HostingError, match="utc_offset_minutes: a meter with a time_zone"):
        describe_keys(None, {"utc_offset_minutes": 0, "time_zone": "Asia/Tokyo"}, DEFAULT_START)


def test_a_whole_day_is_a_friendly_window() -> None:
    settings = describe_keys(None, {"friendly_hours": "00:00-24:00"}, DEFAULT_START).settings
    assert Windows().pairs(settings.friendly_hours) == [(0, 1440)]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_descriptions_and_loads_are_read_as_people_save_them(
    codec: str, ending: str, tmp_path: Path
) -> None:
    texts = {
        "meter.toml": '\n# 剩余\ncredit = 5.00\nload = "l.csv"\ntariff = "t.toml"\n',
        "l.csv": "\ntime;power_w\n2026-01-01T00:00:00Z;1,5\n2026-01-02T00:00:00Z;2\n",
        "t.toml": 'prices = ["0.7000"]\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.replace("\n", ending).encode(codec))
    (described,) = describe(MeterFlags((str(tmp_path / "meter.toml"),)))
    meter = described.description
    assert (meter.credit, meter.tariff.prices.prices) == (5 * LEDGER, (7000,))
    assert meter.load is not None
    assert meter.load.at(0)[0].phases == (1500,)
    assert described.warnings == []


@pytest.mark.parametrize(
    ("start", "on_end", "says"),
    [
        ("2026-03-01", "hold", "its rows begin at 2026-03-01T12:00:00.000Z, after the meter's clo"),
        ("2026-03-01", "zero", "until then the power of the first row is drawn"),
        ("2026-03-01", "repeat", "until then they are repeated backwards"),
        ("2026-03-05", "hold", "its rows end at 2026-03-03T12:00:00.000Z, before the meter's cloc"),
        ("2026-03-05", "hold", "the power of the last row is drawn"),
        ("2026-03-05", "zero", "nothing is drawn"),
        ("2026-03-05", "repeat", "they are repeated"),
        ("2026-03-01T12:00:00Z", "hold", ""),
        ("2026-03-03T11:59:59Z", "hold", ""),
    ],
)
def test_a_load_whose_rows_are_not_for_the_present_is_warned_about(
    start: str, on_end: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "l.csv"
    path.write_text("time,power_w\n2026-03-01T12:00:00Z,1\n2026-03-02T12:00:00Z,2\n")
    keys = {"load": str(path), "load_on_end": on_end, "start": start}
    warnings = described_by_keys(None, keys, DEFAULT_START).warnings
    assert len(warnings) == bool(says)
    assert all(each.startswith(f"load {path}: its rows ") and says in each for each in warnings)


def test_mistakes_of_one_key_of_a_tariff_do_not_hide_those_of_others(tmp_path: Path) -> None:
    wrong = (
        'prices = ["0,5"]\nbilling_day = "3100"\nstep_limits_kwh = ["0"]\n'
        "holidays = [{date = 2026-05-01}, {date = 2026-05-01, day_table = 1}]\n"
    )
    (tmp_path / "tariff.toml").write_text(wrong)
    inline = told(f"[tariff]\n{wrong}", tmp_path)
    assert [line[:40] for line in inline] == [
        "line 2: tariff.prices.1 = '0,5': '0,5' i",
        "line 4: tariff.step_limits_kwh.1: 0.0000",
        "line 4: tariff.step_limits_kwh: 1 limit ",
        "line 3: tariff.billing_day = 3100: allow",
        "line 5: tariff.holidays.2: 2026-05-01 ha",
    ]
    of_file = told('tariff = "tariff.toml"', tmp_path)
    assert [line.partition("tariff.toml: line ")[2][:12] for line in of_file] == [
        "1: prices.1 ", "3: step_limi", "3: step_limi", "2: billing_d", "4: holidays.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            'seasons = [{start = "01-01", day_table = 1}, {start = "01-01", day_table = 1}]',
            "line 2: tariff.seasons.2: 01-01 starts two seasons: allowed is one",
        ),
        (
            'day_tables = [{entries = ["08:00 1", "08:00 1"]}]',
            "line 2: tariff.day_tables.1.entries.2: 08:00 begins two entries: allowed is one",
        ),
        (
            'step_limits_kwh = ["0"]\nstep_additions = [0, 0]',
            "line 2: tariff.step_limits_kwh.1: 0.000000 is not above 0.000000: step limits "
            "rise from above 0",
        ),
    ],
)
def test_what_is_given_twice_in_a_tariff_is_named_with_its_key(
    text: str, line: str, tmp_path: Path
) -> None:
    assert told(f"[tariff]\n{text}\n", tmp_path) == [line]


def test_flags_that_disagree_are_named_as_they_were_given(tmp_path: Path) -> None:
    both = {"low_credit_threshold_1": "1.00", "low_credit_threshold_2": "2.00"}
    allowed = "(1.00 < 2.00): allowed is the same or more"
    assert told("", tmp_path, **both) == [
        f"--low-credit-threshold-1 is below --low-credit-threshold-2 {allowed}"
    ]
    one, two = ({name: value} for name, value in both.items())
    assert told('low_credit_threshold_2 = "2.00"', tmp_path, **one) == [
        f"--low-credit-threshold-1 is below low_credit_threshold_2 {allowed}"
    ]
    assert told('low_credit_threshold_1 = "1.00"', tmp_path, **two) == [
        f"line 1: low_credit_threshold_1 is below --low-credit-threshold-2 {allowed}"
    ]
