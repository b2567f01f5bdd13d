"""Flags, keywords and files describe one meter by the same keys; files lie beside each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.description.files import describe, describe_keys
from firmware_sim.description.flags import MeterFlags
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.metrology.load import OnEnd
from protocols.data_model.tariff import Prices
from protocols.quantities import LEDGER, parse_moment

WITHOUT_CREDIT = {"serial_number": "123456789012", "trip_mode": "delayed", "load": "-1.5kW"}


def plain(description: MeterDescription) -> MeterDescription:
    """Return a description without its epoch, which is drawn for each."""
    return replace(description, epoch=1)


def file_of(folder: Path, keys: dict[str, str]) -> str:
    path = folder / "meter.toml"
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in keys.items()))
    return str(path)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"unit": "247", "credit": "5.50", **WITHOUT_CREDIT},
        {"account": "unopened", **WITHOUT_CREDIT},
        {"load": "household", "start": "2026-02-01T00:00:00Z", "credit": "-2.00"},
    ],
    ids=lambda keys: ",".join(keys) or "nothing",
)
def test_flags_keywords_and_a_file_describe_the_same_meter(
    keys: dict[str, str], tmp_path: Path
) -> None:
    (by_flags,) = describe(MeterFlags(values=keys))
    (by_file,) = describe(MeterFlags((file_of(tmp_path, keys),)))
    by_keywords = describe_keys(None, keys, DEFAULT_START)
    loads = [each.load for each in (by_flags.description, by_file.description, by_keywords)]
    for elapsed_ms in (0, 1, 3_600_000, 10**10):
        assert len({load.at(elapsed_ms) for load in loads if load is not None}) == 1
    assert plain(replace(by_flags.description, load=None)) == plain(
        replace(by_file.description, load=None)
    )
    assert plain(replace(by_flags.description, load=None)) == plain(replace(by_keywords, load=None))
    assert (by_flags.load_text, by_flags.on_end) == (by_file.load_text, by_file.on_end)


def test_phase_energies_are_asked_for_by_a_file_and_by_a_keyword(tmp_path: Path) -> None:
    (by_file,) = describe(MeterFlags((file_of(tmp_path, {"phase_energies": "on"}),)))
    for described in (by_file.description, describe_keys(None, {"phase_energies": True}, 0)):
        assert described.phase_energies
        assert described.keeps_phase_energies
    assert not describe_keys(None, {}, 0).keeps_phase_energies


def test_nothing_given_is_the_default_meter_without_a_load() -> None:
    (described,) = describe(MeterFlags())
    assert plain(replace(described.description, load=None)) == MeterDescription()
    assert (described.load_text, described.on_end) == ("0kW", OnEnd.REPEAT)


def test_flags_go_over_the_file_also_where_its_value_is_wrong(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"unit": "300", "credit": "5.00"})
    (described,) = describe(MeterFlags((path,), {"unit": 7}))
    assert (described.description.unit, described.description.credit) == (7, 5 * LEDGER)


def test_every_wrong_flag_is_named_with_its_value() -> None:
    wrong = {"unit": 300, "credit": "x", "trip_mode": "never", "price": "free"}
    with pytest.raises(HostingError) as caught:
        describe(MeterFlags(values=wrong))
    told = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in told] == [
        "--unit = 300", "--credit = 'x'", "--trip-mode = 'never'", "--price = 'free'",
    ]  # fmt: skip


def test_every_line_about_a_file_names_it(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"unit": "0", "price": "1", "time_zone": "Nowhere"})
    with pytest.raises(HostingError) as caught:
        describe(MeterFlags((path,)))
    told = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in told)
    assert "line 2: price: there is no such key" in told[1], "a file has a tariff"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"time_zone": "Nowhere"}, "time_zone = 'Nowhere': no such time zone"),
        ({"start": "2100-01-01"}, "start: allowed is 1970 to 2099"),
        ({"account": "unopened", "credit": "1.00"}, "an unopened account has no credit"),
        ({"load": "2 horses"}, "load = '2 horses': allowed is a power"),
        ({"keys": "gone.json"}, "keys gone.json: No such file"),
    ],
)
def test_a_value_that_no_meter_can_have_is_refused(keys: dict[str, str], told: str) -> None:
    with pytest.raises(HostingError, match=told):
        describe_keys(None, keys, DEFAULT_START)


def test_files_that_a_file_names_lie_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "meters"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (folder / "a.csv").write_text("offset,power_w\n0m,100\n")
    (folder / "t.toml").write_text('prices = ["0.7000"]')
    path = file_of(folder, {"load": "a.csv", "tariff": "t.toml"})
    (described,) = describe(MeterFlags((path,)))
    assert described.load_text == str(folder / "a.csv")
    assert described.description.tariff.prices == Prices((7000,))
    assert describe_keys(path, {"tariff": "t.toml"}, 0).tariff.prices == Prices((7000,))
    with pytest.raises(HostingError, match=r"load a\.csv: No such file"):
        describe(MeterFlags((path,), {"load": "a.csv"}))


def test_the_options_that_a_state_file_overrides_are_those_of_its_content() -> None:
    values = {"unit": 3, "serial_number": "1" * 12, "credit": "1", "price": "1", "load": "1kW"}
    assert MeterFlags(values={**values, "account": "unopened"}).overridden() == [
        "--serial-number", "--credit", "--price", "--unopened",
    ]  # fmt: skip


def test_one_meter_is_named_by_unit_and_serial_number_in_its_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, {})
    with pytest.raises(HostingError, match="name one meter"):
        describe(MeterFlags((path, path), {"unit": 1}))
    with pytest.raises(HostingError, match="two meters have the same serial number"):
        describe(MeterFlags((path, path)))
    with pytest.raises(HostingError, match="--credit and --unopened"):
        describe(MeterFlags(values={"account": "unopened", "credit": "1.00"}))


@pytest.mark.parametrize(
    ("keys", "start"),
    [
        ({"start": "2026-12-30T12:00", "utc_offset_minutes": 480}, "2026-12-30T04:00:00Z"),
        ({"start": "2026-12-30", "time_zone": "Europe/Berlin"}, "2026-12-29T23:00:00Z"),
        ({"start": "2026-07-30T12:00", "time_zone": "Europe/Berlin"}, "2026-07-30T10:00:00Z"),
        ({"start": "2026-10-25T02:30", "time_zone": "Europe/Berlin"}, "2026-10-25T00:30:00Z"),
        ({"start": "2026-12-30T12:00Z", "time_zone": "Europe/Berlin"}, "2026-12-30T12:00:00Z"),
        ({"start": "2026-12-30T12:00"}, "2026-12-30T12:00:00Z"),
    ],
)
def test_a_start_without_an_offset_is_local_time_of_the_meter(
    keys: dict[str, object], start: str
) -> None:
    assert describe_keys(None, keys, 0).start == parse_moment(start)


def test_a_start_that_local_time_skips_is_refused_by_name() -> None:
    with pytest.raises(HostingError, match=r"start = 2026-03-29T02:30:00.000.*skips this hour"):
        describe_keys(None, {"start": "2026-03-29T02:30", "time_zone": "Europe/Berlin"}, 0)


def counted(count: int, **given: object) -> list[tuple[str, int]]:
    described = describe(MeterFlags(values=given, count=count))
    return [(one.description.serial_number, one.description.unit) for one in described]


def test_a_count_counts_serial_numbers_and_units_up_from_the_given_ones() -> None:
    assert counted(3) == [("000000000001", 1), ("000000000002", 2), ("000000000003", 3)]
    assert counted(2, serial_number="000000000999", unit=246) == [
        ("000000000999", 246),
        ("000000001000", 247),
    ]
    assert counted(1, unit=247) == [("000000000001", 247)]
    assert len(counted(247)) == 247


def test_counted_meters_are_alike_but_have_their_own_epochs() -> None:
    flags = MeterFlags(values={"credit": "7.00", "load": "household"}, count=3)
    described = [one.description for one in describe(flags)]
    assert {each.credit for each in described} == {7 * LEDGER}
    assert len({id(each.load) for each in described}) == 1
    assert len({each.epoch for each in described}) == 3


@pytest.mark.parametrize(
    ("count", "given"),
    [
        (0, {}),
        (-1, {}),
        (248, {}),
        (2, {"unit": 247}),
        (2, {"serial_number": "999999999999"}),
        (10**30, {}),
    ],
)
def test_a_count_beyond_the_last_unit_or_serial_number_is_refused(
    count: int, given: dict[str, object]
) -> None:
    with pytest.raises(HostingError, match=r"--count .* allowed is 1 to \d+"):
        counted(count, **given)


def test_a_count_of_meters_that_files_describe_is_refused() -> None:
    with pytest.raises(HostingError, match="--count and --config"):
        describe(MeterFlags(("absent.toml",), count=2))


def test_thresholds_and_the_overdraft_are_flags() -> None:
    names = ("low_credit_threshold_1", "low_credit_threshold_2", "overdraft_limit")
    flags = MeterFlags(values=dict(zip(names, ("10.00", "5.00", "20"), strict=True)))
    (described,) = describe(flags)
    settings = described.description.settings
    assert [getattr(settings, name) // LEDGER for name in names] == [10, 5, 20]
    assert flags.overridden() == [f"--{name.replace('_', '-')}" for name in names]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low_credit_threshold_1": "x"}, "low_credit_threshold_1"),
        ({"overdraft_limit": "-1"}, "overdraft_limit"),
        ({"low_credit_threshold_1": "1", "low_credit_threshold_2": "2"}, "below"),
    ],
)
def test_thresholds_that_no_meter_has_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(HostingError, match=said.replace("_", "[_-]")):
        describe(MeterFlags(values=given))


@pytest.mark.parametrize(
    ("given", "last"),
    [
        ({"serial_number": "999999999999"}, "the last serial number is 999999999999"),
        ({"unit": 246}, "the last unit is 247"),
    ],
)
def test_a_count_is_refused_with_the_limit_that_it_passes(
    given: dict[str, object], last: str
) -> None:
    with pytest.raises(HostingError, match=last):
        counted(3, **given)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-30T12:00:00.5Z", "2026-12-30T12:00:00.500Z"),
        ("2026-12-30T12:00:00.25+01:00", "2026-12-30T11:00:00.250Z"),
        ("2026-12-30 12:00:00", "2026-12-30T12:00:00Z"),
    ],
)
def test_a_start_may_be_a_date_time_of_toml_with_a_fraction(
    tmp_path: Path, written: str, meant: str
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(f"start = {written}\n")
    (described,) = describe(MeterFlags((str(path),)))
    assert described.description.start == parse_moment(meant)


def test_a_wrong_date_of_toml_is_shown_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text("credit = 2026-12-30\n")
    with pytest.raises(HostingError, match="credit = 2026-12-30: "):
        describe(MeterFlags((str(path),)))


def test_a_price_outside_its_table_is_told_where_prices_are_written(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text('price = "0.5"\n')
    with pytest.raises(HostingError, match=r"price: there is no .* write prices under \[tariff\]"):
        describe(MeterFlags((str(path),)))


@pytest.mark.parametrize("text", ["load.txt", "folder/load", "year.CSV2"])
def test_a_load_file_of_another_ending_is_told_the_ending(text: str) -> None:
    with pytest.raises(HostingError, match=r"a load file ends in \.csv; allowed is a power"):
        describe(MeterFlags(values={"load": text}))
    with pytest.raises(HostingError, match=r"^load '2MW': allowed is|load = '2MW': allowed is"):
        describe_keys(None, {"load": "2MW"}, 0)
