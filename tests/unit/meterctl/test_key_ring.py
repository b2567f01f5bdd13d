"""The key ring: usable versions, its file and modes, retiring, exported keys (METER.md 7, 8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_sim.description.key_files import parse_keys
from meterctl.errors import NotPermittedError, UsageError
from meterctl.key_ring import (
    DailyLimit,
    KeyRing,
    create_ring,
    development_ring,
    export_keys,
    load_ring,
    parse_ring,
    with_retired,
    write_ring,
)

METER = "000000000042"
MASTERS = {version: bytes((version,)) * 16 for version in (1, 2, 3)}
PATH = Path("keys.json")
RING = KeyRing(MASTERS, PATH)
TEXT = json.dumps({"masters": {"1": "01" * 16}})


@pytest.mark.parametrize(
    ("retired", "floor", "usable"),
    [
        ((), 0, [3, 2, 1]),
        ((), 2, [3, 2]),
        ((2,), 0, [3, 1]),
        ((3,), 2, [2]),
        ((), 4, []),
    ],
)
def test_a_version_may_be_used_unless_it_is_retired_or_below_the_floor(
    retired: tuple[int, ...], floor: int, usable: list[int]
) -> None:
    ring = KeyRing(MASTERS, PATH, retired=frozenset(retired))
    assert ring.usable(floor) == usable
    assert [version for version in range(5) if ring.may_use(version, floor)] == usable[::-1]


def test_the_floor_does_not_apply_to_the_development_key() -> None:
    ring = development_ring()
    assert ring.is_development
    assert ring.usable(9) == [0]


def test_the_newest_version_is_not_a_retired_one() -> None:
    assert RING.newest == 3
    assert KeyRing(MASTERS, PATH, retired=frozenset({3})).newest == 2


def test_a_ring_keeps_its_name_when_it_gets_another_master() -> None:
    assert KeyRing({1: MASTERS[1]}, PATH).name == RING.name
    assert KeyRing({1: MASTERS[2]}, PATH).name != RING.name
    assert MASTERS[1].hex() not in RING.name
    assert KeyRing(MASTERS, PATH, 500).limit() == DailyLimit(RING.name, 500)


def test_a_ring_shows_no_master() -> None:
    assert "\\x01" not in repr(RING)
    assert "masters" not in repr(RING)


@pytest.mark.parametrize(
    ("ring", "version", "told"),
    [
        (RING, 4, "has 1, 2, 3"),
        (RING, 0, "leave --keys out"),
        (development_ring(), 1, "no --keys was given"),
    ],
)
def test_a_version_that_the_ring_lacks_is_named(ring: KeyRing, version: int, told: str) -> None:
    with pytest.raises(NotPermittedError, match=told):
        ring.meter_keys(METER, version)


def test_the_keys_of_a_meter_depend_on_meter_and_version() -> None:
    keys = {
        RING.meter_keys(meter, version).credit for meter in (METER, "1" * 12) for version in (1, 2)
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"masters": []}',
        '{"masters": {}}',
        '{"masters": {"1": "01"}}',
        '{"masters": {"x": "' + "01" * 16 + '"}}',
        '{"masters": {"256": "' + "01" * 16 + '"}}',
        '{"masters": {"-1": "' + "01" * 16 + '"}}',
        '{"masters": {"1": "' + "01" * 16 + '"}, "daily_limit": "much"}',
        "[" * 100_000,
    ],
)
def test_a_text_that_is_no_ring_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"keys keys\.json"):
        parse_ring(text, PATH)


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_ring_that_others_may_read_is_warned_about(
    tmp_path: Path, mode: int, warns: bool
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(TEXT)
    path.chmod(mode)
    ring = load_ring(path)
    assert ring.masters == {1: MASTERS[1]}
    assert (ring.warning is not None) is warns


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_ring_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    path.write_text(TEXT)
    path.chmod(mode)
    with pytest.raises(NotPermittedError, match="other users may write"):
        load_ring(path)


def test_an_absent_ring_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was sent"):
        load_ring(tmp_path / "absent.json")


def test_a_created_ring_is_private_and_never_overwrites_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = create_ring(path, daily_limit=12_345)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_ring(path) == ring
    before = path.read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        create_ring(path)
    assert path.read_bytes() == before


def test_a_written_ring_is_read_back_whole(tmp_path: Path) -> None:
    ring = KeyRing(MASTERS, tmp_path / "keys.json", 12_345, frozenset({1}))
    write_ring(ring)
    write_ring(ring)
    assert load_ring(tmp_path / "keys.json") == ring
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_a_retired_version_is_added_to_the_others() -> None:
    assert with_retired(with_retired(RING, 1), 2).retired == {1, 2}


@pytest.mark.parametrize(
    ("retired", "version", "told"), [((), 4, "no version 4"), ((1, 2), 3, "the last one")]
)
def test_the_last_usable_version_and_an_unknown_one_are_not_retired(
    retired: tuple[int, ...], version: int, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        with_retired(KeyRing(MASTERS, PATH, retired=frozenset(retired)), version)


def test_exported_keys_are_those_of_one_meter_and_name_no_master(tmp_path: Path) -> None:
    path = tmp_path / "meter.json"
    ring = KeyRing(MASTERS, PATH, retired=frozenset({2}))
    keys = export_keys(ring, METER, path)
    assert [key.version for key in keys] == [1, 3]
    assert path.stat().st_mode & 0o777 == 0o600
    assert parse_keys(path.read_text(), path) == ({key.version: key for key in keys}, METER)
    assert not any(master.hex() in path.read_text() for master in MASTERS.values())
