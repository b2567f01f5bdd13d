"""Files that are not regular files, or that other users may read or write."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim.description.key_files import read_keys
from firmware_sim.hosting import named_files as meter_files
from firmware_sim.hosting.cards.card_file import create_blank, open_card
from firmware_sim.hosting.errors import HostingError
from meterctl import named_files as host_files
from meterctl.card_readers.image import open_image
from meterctl.errors import NotPermittedError, UsageError
from meterctl.key_ring import create_ring, load_ring
from protocols.card.answer_to_reset import Transmission
from protocols.named_files import MAX_SIZE, NOT_REGULAR, TOO_LARGE
from tests.support.programs import meter_sim, meterctl, meterctl_json, running

SERIAL = "000000000042"
WIRES = ("--modbus-tcp", "127.0.0.1:0", "--control", "c.sock", "--speed", "0")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


KEYS_OF_A_METER = [{"version": 1, "credit": "11" * 16, "command": "22" * 16, "card": "33" * 16}]
Make = Callable[[Path], None]
NOT_FILES = (fifo, endless, folder)


# ---- only regular files of a limited size


@pytest.mark.parametrize("make", NOT_FILES)
def test_both_sides_refuse_what_is_no_regular_file(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "x"
    make(path)
    with pytest.raises(HostingError, match=f"^load {path}: {NOT_REGULAR}; nothing was changed$"):
        meter_files.read_text(path, "load")
    with pytest.raises(UsageError, match=f"^{NOT_REGULAR}$"):
        host_files.read_named(path)


def test_a_file_above_the_limit_is_refused_and_no_more_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    with pytest.raises(HostingError, match=TOO_LARGE):
        meter_files.read_text(path, "load")
    with pytest.raises(UsageError, match=TOO_LARGE):
        host_files.read_named(path)
    path.write_bytes(b"")
    read: list[int] = []

    def grows(_: int, size: int) -> bytes:
        read.append(size)
        return b"a" * size

    monkeypatch.setattr(os, "read", grows)
    readers = (lambda: meter_files.read_text(path, "load"), lambda: host_files.read_named(path))
    for refused in readers:
        read.clear()
        with pytest.raises((HostingError, UsageError), match=TOO_LARGE):
            refused()
        assert sum(read) <= MAX_SIZE + (1 << 20)


def test_a_text_keeps_its_signs_and_its_lines_end_alike(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes("剩余\r\n金额\n".encode())
    assert meter_files.read_text(path, "load") == "剩余\n金额\n"
    assert host_files.read_named(path).text == "剩余\n金额\n"
    path.write_bytes(b"\xff")
    with pytest.raises(HostingError, match="UTF-8"):
        meter_files.read_text(path, "load")
    with pytest.raises(UsageError, match="UTF-8"):
        host_files.read_named(path)


@pytest.mark.parametrize("make", NOT_FILES)
def test_a_meter_that_is_given_no_regular_file_says_so_and_goes_on(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "x.csv")
    with running(*WIRES, cwd=tmp_path) as ready:
        for words, kind in ((("load", "x.csv"), "load"), (("card", "insert", "x.csv"), "card")):
            said = meter_sim("control", "c.sock", *words, cwd=tmp_path, check=2).stderr
            assert f"{kind} {tmp_path / 'x.csv'}: " in said
            assert "nothing was changed" in said
        port = ("--port", f"tcp://{ready['modbus_tcp'][0]}")
        assert meterctl_json(*port, "read", "supply_state", cwd=tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--load", "x.csv"),
        ("run", "--config", "x.csv"),
        ("run", "--keys", "x.csv"),
        ("run", "--control", "c", "--faults", "x.csv"),
        ("run", "--control", "c", "--state", "x.csv"),
        ("run", "--config", "names.toml"),
        ("simulate", "--for", "1h", "--load", "x.csv"),
        ("scenario", "check", "x.csv"),
        ("scenario", "run", "x.csv"),
        ("card", "serve", "x.csv"),
        ("map", "check", "./x.csv"),
        ("map", "new", "m.toml", "--from-csv", "x.csv"),
    ],
)
def test_a_fifo_blocks_no_command_of_meter_sim(tmp_path: Path, words: tuple[str, ...]) -> None:
    fifo(tmp_path / "x.csv")
    (tmp_path / "names.toml").write_text('tariff = "x.csv"\n')
    said = meter_sim(*words, cwd=tmp_path, check=2).stderr
    assert f"x.csv: {NOT_REGULAR}" in said


@pytest.mark.parametrize(
    "words",
    [
        ("--keys", "x", "keys", "show"),
        ("card", "read", "--file", "x"),
        ("card", "sell", "--from", "x", "--yes"),
        ("card", "preset", "x", "--file", "y", "--yes"),
    ],
)
def test_a_fifo_blocks_no_command_of_meterctl(tmp_path: Path, words: tuple[str, ...]) -> None:
    fifo(tmp_path / "x")
    said = meterctl(*words, cwd=tmp_path, check=2).stderr
    assert f"x: {NOT_REGULAR}" in said


def test_a_card_file_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "card.img"
    create_blank(path, bytes(8), Transmission.T1)

    def fails(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fails)
    said = f"card {path}: it cannot be read: Input/output error; nothing was changed"
    with pytest.raises(HostingError, match=said), open_card(path):
        pass
    with pytest.raises(UsageError, match=said), open_image(path):
        pass


# ---- the mode of a key file


def test_a_key_ring_is_refused_or_warned_of_by_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    create_ring(path)
    assert load_ring(path).warning is None
    for mode in (0o620, 0o602, 0o666):
        path.chmod(mode)
        with pytest.raises(NotPermittedError, match="chmod 600"):
            load_ring(path)
    for mode in (0o640, 0o604, 0o644):
        path.chmod(mode)
        warning = load_ring(path).warning
        assert warning is not None
        assert "chmod 600" in warning


def test_meterctl_refuses_a_key_ring_that_others_may_write_and_warns_once_of_one_they_may_read(
    tmp_path: Path,
) -> None:
    meterctl("keys", "init", "--out", "k.json", cwd=tmp_path)
    keys = ("--keys", "k.json", "keys", "show")
    assert "may read" not in meterctl(*keys, cwd=tmp_path).stderr
    (tmp_path / "k.json").chmod(0o644)
    assert meterctl(*keys, cwd=tmp_path).stderr.count("other users may read this file") == 1
    card = ("--keys", "k.json", "card", "format", "--file", "c.img", "--card-serial", "1" * 16)
    assert meterctl(*card, cwd=tmp_path).stderr.count("other users may read this file") == 1
    (tmp_path / "k.json").chmod(0o666)
    assert "chmod 600 k.json" in meterctl(*keys, cwd=tmp_path, check=6).stderr


def test_a_meter_refuses_keys_that_others_may_write_and_warns_where_they_may_read(
    tmp_path: Path,
) -> None:
    meterctl("keys", "init", "--out", "k.json", cwd=tmp_path)
    export = ("keys", "export", "--meter", SERIAL, "--out", "m.json")
    meterctl("--keys", "k.json", *export, cwd=tmp_path)
    words = ("simulate", "--for", "1h", "--serial-number", SERIAL, "--keys", "m.json")
    run = ("run", "--serial-number", SERIAL, "--keys", "m.json")
    assert "may read" not in meter_sim(*words, cwd=tmp_path).stderr
    (tmp_path / "m.json").chmod(0o644)
    assert meter_sim(*words, cwd=tmp_path).stderr.count("other users may read this file") == 1
    (tmp_path / "m.json").chmod(0o606)
    for refused in (words, run):
        assert "chmod 600 m.json" in meter_sim(*refused, cwd=tmp_path, check=2).stderr


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_key_files_are_read_as_an_editor_saved_them(tmp_path: Path, codec: str) -> None:
    ring, exported = tmp_path / "ring.json", tmp_path / "meter.json"
    create_ring(ring)
    text = json.dumps({"serial_number": SERIAL, "keys": KEYS_OF_A_METER})
    exported.write_bytes(text.replace("\n", "\r\n").encode(codec))
    exported.chmod(0o600)
    assert read_keys(exported).serial_number == SERIAL
    ring.write_bytes(ring.read_text().encode(codec))
    assert load_ring(ring).masters


# ---- files whose content is not for the present


def test_a_load_of_another_time_is_taken_with_a_warning_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("time;power_w\n2031-01-01T00:00:00Z;1,5\n")
    done = meter_sim("simulate", "--load", "l.csv", "--for", "1h", "--json", cwd=tmp_path)
    assert done.stderr.startswith("load l.csv: its rows begin at 2031-01-01T00:00:00.000Z, after")
    assert len(done.stderr.splitlines()) == 1
    with running(*WIRES, cwd=tmp_path):
        told = meter_sim("control", "c.sock", "load", "l.csv", cwd=tmp_path)
        assert (told.stdout, len(told.stderr.splitlines())) == ("", 1)
        assert told.stderr.startswith(f"meter-sim control: load {tmp_path / 'l.csv'}: its rows")
        state = json.loads(meter_sim("control", "c.sock", "state", cwd=tmp_path).stdout)
        assert state["active_power_kw"] == 0.0015
        household = meter_sim("control", "c.sock", "load", "household", cwd=tmp_path)
        assert (household.stdout, household.stderr) == ("", "")


def test_a_moratorium_that_has_ended_is_refused_by_host_and_meter(tmp_path: Path) -> None:
    words = ("--start", "2026-11-30T12:00:00Z", *WIRES)
    with running(*words, cwd=tmp_path) as ready:
        port = ("--port", f"tcp://{ready['modbus_tcp'][0]}")
        meterctl(*port, "moratorium", "until", "2026-12-01", "--yes", cwd=tmp_path)
        for date in ("2025-12-01", "2026-11-30"):
            told = meterctl(*port, "moratorium", "until", date, "--yes", cwd=tmp_path, check=2)
            assert "by its clock it is 2026-11-30" in told.stderr
        (shown,) = meterctl_json(*port, "read", "moratorium_until", cwd=tmp_path)
        assert shown["moratorium_until"] == "2026-12-01"
