"""Descriptions by flags alone take a shorter path: it yields the meter of the configuration."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from firmware_sim.assembly import DEFAULT_START, MeterDescription
from firmware_sim.hosting.descriptions import (
    MeterFlags,
    _of_configuration,
    _of_flags,
    describe_keys,
    read_keys,
)
from firmware_sim.hosting.errors import HostingError

DRAWN = {"load", "epoch"}
"""A load is compared by its demands; an epoch is drawn for each description."""
KEYS = ("unit", "serial_number", "credit", "trip_mode", "load", "start")


@pytest.mark.parametrize(
    "flags",
    [
        MeterFlags(),
        MeterFlags(unit=247, serial_number="123456789012", credit="5.50", price="0.7000"),
        MeterFlags(trip_mode="delayed", load="household", start="2026-02-01T00:00:00Z"),
        MeterFlags(load="-1.5kW", credit="-2.00"),
    ],
    ids=lambda flags: ",".join(flags.given()) or "nothing",
)
def test_flags_and_configuration_describe_the_same_meter(flags: MeterFlags) -> None:
    plain = _of_flags(flags, DEFAULT_START)
    assert plain is not None
    overrides: dict[str, object] = {
        name: v for name in KEYS if (v := getattr(flags, name)) is not None
    }
    whole = _of_configuration("", overrides, flags.price, flags.keys, DEFAULT_START)
    assert (plain.source, plain.load_text, plain.on_end) == (
        whole.source,
        whole.load_text,
        whole.on_end,
    )
    for field in fields(MeterDescription):
        if field.name not in DRAWN:
            assert getattr(plain.description, field.name) == getattr(
                whole.description, field.name
            ), field.name
    for elapsed_ms in (0, 1, 3_600_000, 10**10):
        assert plain.description.load is not None
        assert whole.description.load is not None
        assert plain.description.load.at(elapsed_ms) == whole.description.load.at(elapsed_ms)


@pytest.mark.parametrize(
    "flags", [MeterFlags(unit=300), MeterFlags(credit="x"), MeterFlags(trip_mode="never")]
)
def test_what_is_not_right_is_left_to_the_configuration_to_explain(flags: MeterFlags) -> None:
    assert _of_flags(flags, DEFAULT_START) is None


def test_keys_of_a_fixture_are_those_of_a_file() -> None:
    by_flags = describe_keys(None, {"unit": 5, "credit": "7.00"}, DEFAULT_START)
    by_file = describe_keys(
        None, {"unit": 5, "credit": "7.00", "overdraft_limit": "0.00"}, DEFAULT_START
    )
    assert (by_flags.unit, by_flags.credit, by_flags.settings) == (
        by_file.unit,
        by_file.credit,
        by_file.settings,
    )


def test_keys_of_an_older_export_have_no_card_key_and_a_wrong_one_is_refused(
    tmp_path: Path,
) -> None:
    row = {"version": 1, "credit": "00" * 16, "command": "11" * 16}
    path = tmp_path / "keys.json"
    path.touch(0o600)
    path.write_text(json.dumps({"serial_number": "000000000001", "keys": [row]}))
    keys, serial_number, _ = read_keys(path)
    assert keys is not None
    assert (keys[1].card, serial_number) == (b"", "000000000001")
    path.write_text(
        json.dumps({"serial_number": "000000000001", "keys": [{**row, "card": "22" * 16}]})
    )
    keys, _, _ = read_keys(path)
    assert keys is not None
    assert keys[1].card == b"\x22" * 16
    for wrong in ({**row, "card": "22"}, {**row, "credit": ""}, {"version": 1, "card": "22" * 16}):
        path.write_text(json.dumps({"serial_number": "000000000001", "keys": [wrong]}))
        with pytest.raises(HostingError):
            read_keys(path)
