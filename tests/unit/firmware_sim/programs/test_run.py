"""`meter-sim run` around a host without wires: the ready line, faults, state paths, refusals."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.loads import load_for
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs import run as module
from firmware_sim.programs.meter_names import meter_names
from firmware_sim.programs.ready import ready_line
from firmware_sim.programs.run import RunOptions, run
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.wire_kinds import MODBUS_RTU, MODBUS_TCP, WireKind
from protocols.faults import RandomDraws
from protocols.quantities import LEDGER
from tests.support.maps import SMALL_MAP, map_text
from tests.support.meters import make

ONE = MeterDescription().serial_number
TWO = "000000000002"


class FakeHost:
    """A host that opens nothing and stops as soon as it is ready."""

    made: FakeHost

    def __init__(
        self,
        rack: Rack,
        operator: Operator,
        loop: object,
        silent_unknown_units: bool = False,
        say: Callable[[str], None] = print,
    ) -> None:
        FakeHost.made = self
        self.rack, self.operator = rack, operator
        self.silent_unknown_units = silent_unknown_units
        self.opened: dict[WireKind, list[str]] = {}
        self.closed = False

    def names(self, kind: WireKind) -> list[str]:
        return self.opened.get(kind, [])

    def add_wires(self, wires: dict[WireKind, tuple[str, ...]]) -> None:
        self.opened = {kind: list(names) for kind, names in wires.items()}

    def add_control(self, path: Path) -> None:
        self.control = path

    def serve(self, ready: Callable[[], None]) -> None:
        ready()

    def close(self) -> None:
        for station in self.rack.stations:
            station.save()
        self.closed = True


@pytest.fixture(autouse=True)
def _without_wires(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(loop: asyncio.AbstractEventLoop) -> None:
        loop.close()

    monkeypatch.setattr(module, "Host", FakeHost)
    monkeypatch.setattr(module, "finish", closed)


def host_of(*units: int) -> FakeHost:
    meters = [(unit, make(serial_number=f"{unit:012d}")) for unit in units]
    rack = Rack(meters, 0)
    return FakeHost(
        rack, Operator(rack, lambda *_: meters[0][1].installation.load, lambda: 0), None, False
    )


def several(folder: Path) -> MeterFlags:
    """Return the flags of two meters."""
    for number, serial in enumerate((ONE, TWO), 1):
        (folder / f"{number}.toml").write_text(f'serial_number = "{serial}"\nunit = {number}\n')
    return MeterFlags(config=(str(folder / "1.toml"), str(folder / "2.toml")))


def test_the_ready_line_for_people_names_meters_and_wires(
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = host_of(1, 2)
    host.add_wires({MODBUS_TCP: ("127.0.0.1:5020",)})
    print(ready_line(host, "ctl", False))  # type: ignore[arg-type]
    assert capsys.readouterr().out == (
        f"ready: meter {ONE} (unit 1), {TWO} (unit 2) on Modbus TCP 127.0.0.1:5020, control ctl\n"
    )


def test_the_ready_line_without_wires_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print(ready_line(host_of(1), None, False))  # type: ignore[arg-type]
    assert capsys.readouterr().out == f"ready: meter {ONE} (unit 1) on no wire\n"


def test_the_ready_line_names_the_meters_with_unsafe_writes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    meters = [(1, make(serial_number=ONE)), (2, make(serial_number=TWO, unsafe_writes=True))]
    rack = Rack(meters, 0)
    operator = Operator(rack, lambda *_: meters[0][1].installation.load, lambda: 0)
    host = FakeHost(rack, operator, None, False)
    print(ready_line(host, None, False))  # type: ignore[arg-type]
    assert capsys.readouterr().out == (
        f"ready: meter {ONE} (unit 1), {TWO} (unit 2) on no wire; "
        f"unsafe_writes: meter {TWO} (unit 2)\n"
    )
    print(ready_line(host, None, True))  # type: ignore[arg-type]
    assert json.loads(capsys.readouterr().out)["meters"] == [
        {"serial_number": ONE, "unit": 1},
        {"serial_number": TWO, "unit": 2, "unsafe_writes": True},
    ]


def test_the_ready_line_in_json_has_every_kind_of_wire(capsys: pytest.CaptureFixture[str]) -> None:
    host = host_of(1)
    host.add_wires({MODBUS_RTU: ("/tmp/a b", "/tmp/c")})
    print(ready_line(host, None, True))  # type: ignore[arg-type]
    assert json.loads(capsys.readouterr().out) == {
        "event": "ready",
        "modbus_rtu": ["/tmp/a b", "/tmp/c"],
        "modbus_tcp": [],
        "dlt645": [],
        "control": None,
        "meters": [{"serial_number": ONE, "unit": 1}],
        "pid": os.getpid(),
    }


def test_the_ready_line_names_maps_that_are_not_native() -> None:
    host = host_of(1, 2)
    host.rack.stations[1].register_map = SMALL_MAP
    named = ready_line(host, None, False)  # type: ignore[arg-type]
    assert named == f"ready: meter {ONE} (unit 1), {TWO} (unit 2, map small) on no wire"
    shown = json.loads(ready_line(host, None, True))  # type: ignore[arg-type]
    assert shown["meters"] == [
        {"serial_number": ONE, "unit": 1},
        {"serial_number": TWO, "unit": 2, "map": "small"},
    ]


def test_the_ready_line_of_many_meters_names_their_maps_once() -> None:
    meters = [(f"{number:012d}", number) for number in range(1, 11)]
    native = "10 meters, 000000000001 (unit 1) to 000000000010 (unit 10)"
    assert meter_names(meters, ["native"] * 10) == meter_names(meters) == native
    assert meter_names(meters, ["small"] * 10) == f"{native}, map small"
    assert meter_names(meters, ["small", *["native"] * 9]) == f"{native}, maps native, small"


def test_a_state_file_never_overrides_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text(map_text("one"))
    Path("meter.toml").write_text('map = "one.toml"\n')
    options = RunOptions(control="ctl", state="m.nv", speed=0)
    run(MeterFlags(), options)
    for flags in (MeterFlags(maps=("one.toml",)), MeterFlags(("meter.toml",))):
        capsys.readouterr()
        run(flags, options)
        shown = capsys.readouterr()
        assert shown.out == f"ready: meter {ONE} (unit 1, map one) on control ctl\n"
        assert "ignored" not in shown.err


def test_a_run_prints_one_ready_line_and_says_what_is_in_force(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(
        MeterFlags(values={"credit": "5.00"}),
        RunOptions(control="ctl", speed=0, silent_unknown_units=True),
    )
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [f"ready: meter {ONE} (unit 1) on control ctl"]
    assert "the published development key" not in shown.err, "there is no terminal"
    assert "available_credit=5.00" in shown.err
    assert FakeHost.made.closed
    assert FakeHost.made.silent_unknown_units


def test_the_development_key_is_told_once_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(MeterFlags(values={"credit": "5.00"}), RunOptions(control="ctl", speed=0))
    assert capsys.readouterr().err.count("the published development key is in force") == 1


def test_a_state_file_is_made_and_the_meter_goes_on_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = RunOptions(control="ctl", state=str(tmp_path / "a.nv"), speed=0)
    run(MeterFlags(values={"credit": "5.00"}), options)
    capsys.readouterr()
    run(MeterFlags(values={"credit": "7.00", "serial_number": TWO}), options)
    said = capsys.readouterr().err
    assert f"a.nv holds meter {ONE}" in said
    assert "ignored" in said
    assert "available_credit=5.00" in said


@pytest.mark.parametrize(
    ("of_file", "wanted"),
    [("three_phase", (1_000_000,) * 3), ("single_phase", (3_000_000,))],
)
def test_a_meter_that_goes_on_draws_the_load_of_the_flags_on_its_own_phases(
    tmp_path: Path, of_file: str, wanted: tuple[int, ...]
) -> None:
    options = RunOptions(control="ctl", state=str(tmp_path / "a.nv"), speed=0)
    for kind in ("single_phase", "three_phase"):
        (tmp_path / f"{kind}.toml").write_text(f'meter_type = "{kind}"\nserial_number = "{ONE}"\n')
    other = {"single_phase": "three_phase", "three_phase": "single_phase"}[of_file]
    run(MeterFlags(config=(str(tmp_path / f"{of_file}.toml"),)), options)
    flags = MeterFlags(config=(str(tmp_path / f"{other}.toml"),), values={"load": "3kW"})
    run(flags, options)
    (station,) = FakeHost.made.rack.stations
    assert station.meter.demand.phases == wanted
    assert load_for("3kW", station.meter).at(0)[0].phases == wanted


def test_a_directory_holds_a_file_a_meter_by_its_serial_number(tmp_path: Path) -> None:
    folder = tmp_path / "states"
    run(several(tmp_path), RunOptions(control="ctl", state=str(folder), speed=0))
    assert sorted(path.name for path in folder.iterdir()) == [f"{ONE}.nv", f"{TWO}.nv"]


def test_one_meter_takes_its_file_in_a_directory_that_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "states"
    folder.mkdir()
    run(MeterFlags(), RunOptions(control="ctl", state=str(folder), speed=0))
    assert [path.name for path in folder.iterdir()] == [f"{ONE}.nv"]


def test_several_meters_do_not_fit_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nv"
    path.write_bytes(b"something")
    with pytest.raises(HostingError, match="several meters need a directory"):
        run(several(tmp_path), RunOptions(control="ctl", state=str(path), speed=0))
    assert path.read_bytes() == b"something"


def test_a_foreign_state_file_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.nv"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(HostingError, match=r"a\.nv.*nothing was changed"):
        run(MeterFlags(), RunOptions(control="ctl", state=str(path), speed=0))
    assert path.read_bytes() == b"x" * 5000


def test_the_seed_of_the_flags_goes_over_that_of_the_fault_plan(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('seed = 5\n[[fault]]\nname = "flip"\n')
    for seed, wanted in ((None, 5), (9, 9)):
        run(MeterFlags(), RunOptions(control="ctl", faults=str(plan), speed=0, seed=seed))
        (flip,) = FakeHost.made.rack.faults.line
        assert flip.below(1 << 32) == RandomDraws(wanted, "1/flip").below(1 << 32)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[fault]]\nname = "no_such_fault"\n', "no_such_fault"),
        ('[[fault]]\nname = "storage_full"\n', "give `run` a --state"),
        ('[[fault]]\nname = "flip"\nunit = 9\n', "no meter here has unit 9"),
    ],
)
def test_a_fault_plan_that_cannot_be_is_refused_by_name(
    tmp_path: Path, text: str, told: str
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    with pytest.raises(HostingError, match=told):
        run(MeterFlags(), RunOptions(control="ctl", faults=str(plan), speed=0))


def test_events_that_a_meter_records_as_it_begins_follow_the_ready_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = MeterFlags(values={"low_credit_threshold_1": "25.00", "start": "2026-01-01T00:00:00Z"})
    for quiet, wanted in ((False, ["ready", "low_credit_warning"]), (True, ["ready"])):
        run(flags, RunOptions(control="ctl", speed=0, as_json=True, quiet=quiet))
        shown = capsys.readouterr()
        rows = [json.loads(line) for line in shown.out.splitlines()]
        assert [row["event"] for row in rows] == wanted
        assert "low_credit_warning" not in shown.err
    run(flags, RunOptions(control="ctl", speed=0))
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert "2026-01-01T00:00:00.000Z  low_credit_warning " in shown.err


def test_a_run_that_nothing_could_reach_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(HostingError, match=r"give a wire \(--modbus-rtu, .*\) or --control PATH"):
        run(MeterFlags(), RunOptions(state=str(tmp_path / "a.nv"), speed=0))
    assert not (tmp_path / "a.nv").exists()


def test_meters_that_go_on_are_told_once_with_the_flags_that_their_files_override(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = MeterFlags(values={"overdraft_limit": "9.00"}, count=30)
    options = RunOptions(control="ctl", state=str(tmp_path / "nv"), speed=0, quiet=True)
    run(flags, options)
    first = capsys.readouterr().err
    run(flags, options)
    again = capsys.readouterr().err
    note = "nv holds 30 of 30 meters, which go on: --overdraft-limit ignored for these"
    assert note not in first
    assert again.count(note) == 1
    assert len(again.splitlines()) < 12


def test_a_state_file_of_another_meter_is_not_taken_for_one_of_several(tmp_path: Path) -> None:
    options = RunOptions(control="ctl", state=str(tmp_path / "nv"), speed=0)
    run(MeterFlags(count=2), options)
    (tmp_path / "nv" / f"{TWO}.nv").rename(tmp_path / "nv" / f"{ONE}.nv")
    with pytest.raises(HostingError, match=f"it holds meter {TWO}, not {ONE}; nothing was changed"):
        run(MeterFlags(count=2), options)


def kept(folder: Path, text: str) -> tuple[MeterFlags, RunOptions]:
    """Return the flags of a file m.toml, whose meter is kept in m.nv."""
    (folder / "m.toml").write_text(text)
    flags = MeterFlags((str(folder / "m.toml"),))
    return flags, RunOptions(control="ctl", state=str(folder / "m.nv"), speed=0, quiet=True)


def test_a_state_file_of_another_meter_than_the_file_names_is_refused_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    run(*kept(tmp_path, f'serial_number = "{TWO}"\ncredit = "5.00"\n'))
    before = (tmp_path / "m.nv").read_bytes()
    with pytest.raises(HostingError, match=f"it holds meter {TWO}, not {ONE}; nothing was changed"):
        run(*kept(tmp_path, f'serial_number = "{ONE}"\n'))
    assert (tmp_path / "m.nv").read_bytes() == before


def test_a_serial_number_by_flag_beside_the_state_of_another_meter_is_named_and_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*kept(tmp_path, f'serial_number = "{TWO}"\n'))
    flags, options = kept(tmp_path, f'serial_number = "{ONE}"\n')
    run(MeterFlags(flags.config, {"serial_number": ONE}), options)
    assert f"m.nv holds meter {TWO}, not {ONE}" in capsys.readouterr().err


def test_the_keys_of_a_file_that_a_state_file_overrides_are_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'serial_number = "{ONE}"\nunit = 3\nload = "1kW"\n'
    of_state = 'credit = "7.00"\nlow_credit_threshold_1 = "2.00"\ntime_zone = "Asia/Tokyo"\n'
    run(*kept(tmp_path, text))
    assert "goes on" not in capsys.readouterr().err
    run(*kept(tmp_path, text))
    assert "goes on" not in capsys.readouterr().err, "nothing of the file is ignored"
    flags, options = kept(tmp_path, text + of_state)
    run(MeterFlags(flags.config, {"price": "0.6"}), options)
    names = f"credit, low_credit_threshold_1, time_zone of {tmp_path / 'm.toml'}"
    line = f"m.nv holds a meter that goes on: --price, {names} ignored\n"
    assert capsys.readouterr().err.count(line) == 1


def test_phase_energies_of_a_file_are_in_force_on_a_state_without_them_and_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def counters() -> object:
        (station,) = FakeHost.made.rack.stations
        return station.meter.state.registers.phase_energies

    text = 'meter_type = "three_phase"\nload = "3kW"\n'
    run(*kept(tmp_path, text))
    assert counters() is None
    run(*kept(tmp_path, text + "phase_energies = true\n"))
    assert counters() == (0,) * 9
    run(*kept(tmp_path, text + "phase_energies = false\n"))
    assert counters() == (0,) * 9, "they are kept once they were begun"
    ignored = f"m.nv holds a meter that goes on: meter_type of {tmp_path / 'm.toml'} ignored\n"
    assert capsys.readouterr().err.count(ignored) == 2


def test_keys_of_several_files_that_state_files_override_are_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = several(tmp_path)
    for path in flags.config:
        with open(path, "a") as file:
            file.write('credit = "3.00"\n')
    for _ in range(2):
        run(flags, RunOptions(control="ctl", state=str(tmp_path / "nv"), speed=0, quiet=True))
    note = "nv holds 2 of 2 meters, which go on: credit of their files ignored for these"
    assert capsys.readouterr().err.count(note) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_start_that_fails_leaves_no_new_state_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    def refused(_: FakeHost, __: object) -> None:
        raise HostingError("the port is busy; nothing was changed")

    state = str(tmp_path / "nv") + ("/" if count > 1 else "")
    options = RunOptions(control="ctl", state=state, speed=0)
    with monkeypatch.context() as patch:
        patch.setattr(FakeHost, "add_wires", refused)
        with pytest.raises(HostingError, match="busy"):
            run(MeterFlags(values={"credit": "5.00"}, count=count), options)
    assert list(tmp_path.iterdir()) == []
    run(MeterFlags(values={"credit": "7.00"}, count=count), options)
    for station in FakeHost.made.rack.stations:
        assert station.meter.state.account.credit == 7 * LEDGER


def test_a_start_that_fails_keeps_a_state_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: FakeHost, __: object) -> None:
        raise HostingError("the port is busy; nothing was changed")

    options = RunOptions(control="ctl", state=str(tmp_path / "m.nv"), speed=0)
    run(MeterFlags(), options)
    monkeypatch.setattr(FakeHost, "add_wires", refused)
    with pytest.raises(HostingError, match="busy"):
        run(MeterFlags(), options)
    assert (tmp_path / "m.nv").stat().st_size


def test_a_path_that_ends_in_a_slash_is_a_directory_also_for_one_meter(tmp_path: Path) -> None:
    options = RunOptions(control="ctl", state=f"{tmp_path}/nd/", speed=0)
    run(MeterFlags(), options)
    assert [path.name for path in (tmp_path / "nd").iterdir()] == [f"{ONE}.nv"]


def test_a_directory_that_is_a_file_is_refused_for_one_meter(tmp_path: Path) -> None:
    (tmp_path / "nd").write_text("text")
    with pytest.raises(HostingError, match="nd: it is no directory; nothing was changed"):
        run(MeterFlags(), RunOptions(control="ctl", state=f"{tmp_path}/nd/", speed=0))


def test_a_state_file_in_no_directory_is_refused_by_the_name_that_was_given(
    tmp_path: Path,
) -> None:
    path = tmp_path / "deep" / "er" / "m.nv"
    told = f"state file {path}: there is no directory {path.parent}; nothing was changed"
    with pytest.raises(HostingError) as refused:
        run(MeterFlags(), RunOptions(control="ctl", state=str(path), speed=0))
    assert str(refused.value) == told


def test_events_that_stdout_did_not_take_are_told_at_the_end_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = MeterFlags(values={"low_credit_threshold_1": "25.00"})
    for as_json, wanted in ((True, "2 lines of events were not taken"), (False, None)):
        with open("/dev/full", "w") as full, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", full)
            run(flags, RunOptions(control="ctl", speed=0, as_json=as_json))
        told = [line for line in capsys.readouterr().err.splitlines() if "not taken" in line]
        assert told == ([wanted] if wanted else [])
