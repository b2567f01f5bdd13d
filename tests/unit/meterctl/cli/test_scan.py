"""meterctl scan: what it prints, and how it ends, on lines in virtual time."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from meterctl.cli import scan as command
from meterctl.cli.csv_lines import BYTE_ORDER_MARK
from meterctl.cli.options import Options
from meterctl.cli.scan_progress import ScanProgress
from meterctl.drivers.table import MODBUS
from meterctl.errors import NoAnswerError, UsageError
from meterctl.operations.scan import Progress, Setting
from protocols.command_line import Program, command_of
from protocols.modbus.shipped_maps import shipped
from tests.support.scanned_lines import Device, ScannedLine, registers_of
from tests.unit.meterctl.drivers.test_modbus_prober import THREE_PHASES

KEYS = [
    "unit",
    "address",
    "baud",
    "parity",
    "framing",
    "map",
    "serial_number",
    "vendor",
    "latency_ms",
    "also_fits",
]
NATIVE = registers_of(shipped("native").register_map, THREE_PHASES)
EASTRON = registers_of(shipped("sdm630").register_map, THREE_PHASES)


class Scanned:
    """Runs the command on a line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.line = ScannedLine({2: Device(NATIVE), 4: Device(EASTRON), 5: Device()})
        self.opened: list[str] = []
        self._capsys = capsys
        monkeypatch.setattr("meterctl.transports.wires.open_transport", self._open)
        monkeypatch.setattr("meterctl.transports.wires.monotonic_ms", lambda: self.line.now)

    def _open(self, port: str, **_: Any) -> ScannedLine:
        self.opened.append(port)
        return self.line

    def run(self, *words: str, port: str = "m1.tty", json: bool = False, dry: bool = False) -> None:
        """Run `scan` with some words."""
        app = Program("Commands of a test.")
        app.callback()(lambda: None)
        command.add_to(app)
        given = Options(port, MODBUS, 1, None, None, 1000, json, False, False, dry, False)
        with command_of(app).make_context("meterctl", ["scan", *words], obj=given) as context:
            context.command.invoke(context)

    @property
    def printed(self) -> tuple[str, str]:
        """What was printed since."""
        printed = self._capsys.readouterr()
        return printed.out, printed.err


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scanned:
    """A line with a native meter, one of Eastron, and a device that refuses everything."""
    return Scanned(monkeypatch, capsys)


def test_each_device_is_an_object(scanned: Scanned) -> None:
    scanned.run("--units", "1-6", port="m1.tty?parity=E", json=True)
    native, eastron, unknown = map(json.loads, scanned.printed[0].splitlines())
    assert list(native) == KEYS
    assert (native["unit"], native["map"], native["serial_number"]) == (2, "native", "000000000042")
    assert (native["address"], native["baud"], native["parity"]) == ("m1.tty?parity=E", 9600, "E")
    assert (eastron["map"], eastron["also_fits"]) == ("sdm630", ["sdm120"])
    assert (unknown["unit"], unknown["map"], unknown["vendor"]) == (5, None, None)


def test_the_longest_time_is_said_before(scanned: Scanned) -> None:
    scanned.run()
    first = scanned.printed[1].splitlines()[0]
    assert first.startswith("asking units 1-247 (9600 N) takes at most 54 s where no unit answers")


def test_people_get_a_table_and_the_command_to_go_on_with(scanned: Scanned) -> None:
    scanned.run("--units", "1-6", port="/dev/ttyUSB0?baud=19200")
    out, err = scanned.printed
    assert "sdm630" in out
    assert "unit 4: sdm120 fits too" in err
    start = "go on with: meterctl --port '/dev/ttyUSB0?baud=19200' --unit"
    assert f"{start} 2 read\n" in err
    assert f"{start} 4 --map sdm630 read\n" in err


def test_the_same_as_comma_separated_values(scanned: Scanned) -> None:
    scanned.run("--units", "4", "--csv")
    heading, row = scanned.printed[0].splitlines()
    assert heading == ",".join(KEYS)
    assert row.startswith("4,m1.tty,9600,N,rtu,sdm630,,,")
    assert row.endswith(",sdm120")
    scanned.run("--units", "4", "--csv-excel")
    assert scanned.printed[0].startswith(BYTE_ORDER_MARK + heading + "\r\n")
    with pytest.raises(UsageError, match="give one of --json, --csv and --csv-excel"):
        scanned.run("--csv", json=True)


@pytest.mark.parametrize("columns", ["40", "80"])
def test_the_table_fits_the_screen(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    scanned.run("--units", "1-6")
    assert max(map(len, scanned.printed[0].splitlines())) <= int(columns)


def test_nothing_found_is_no_answer_and_names_what_was_tried(scanned: Scanned) -> None:
    with pytest.raises(NoAnswerError, match=r"no answer from units 10-12 \(9600 N\)"):
        scanned.run("--units", "10-12")
    assert scanned.printed[0] == ""


def test_a_port_that_vanishes_prints_what_was_found(scanned: Scanned) -> None:
    scanned.line.vanishes_after = 8
    with pytest.raises(NoAnswerError, match=r"went away.*; 4 units were asked, 2 found") as raised:
        scanned.run("--units", "1-6")
    assert raised.value.exit_code == 4
    *_, native, broken, _ = scanned.printed[0].splitlines()
    assert "native" in native
    assert broken.split("│")[1:3] == ["    4 ", " -      "]


def test_an_interrupt_prints_what_was_found(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = scanned.line.send

    def interrupted(data: bytes, timeout_ms: int) -> None:
        if data[0] == 3:
            raise KeyboardInterrupt
        send(data, timeout_ms)

    monkeypatch.setattr(scanned.line, "send", interrupted)
    with pytest.raises(KeyboardInterrupt, match="interrupted; 3 units were asked, 1 found"):
        scanned.run("--units", "1-6")
    assert "native" in scanned.printed[0]


def test_a_dry_run_says_what_it_would_ask_and_opens_nothing(scanned: Scanned) -> None:
    scanned.run(dry=True)
    assert "asking units 1-247" in scanned.printed[1]
    assert scanned.opened == []


def test_the_port_of_a_setting_is_opened_as_other_commands_take_it(scanned: Scanned) -> None:
    scanned.line.devices = {}
    with pytest.raises(NoAnswerError):
        scanned.run("--units", "1", port="p?baud=9600,2400&parity=N,E")
    assert scanned.opened == ["p", "p?parity=E", "p?baud=2400", "p?baud=2400&parity=E"]


def test_a_scan_needs_a_port(scanned: Scanned) -> None:
    with pytest.raises(UsageError, match="give --port"):
        scanned.run(port="")


def test_a_bar_on_a_terminal_that_vanished_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vanished(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Vanished())
    monkeypatch.setenv("TERM", "xterm")
    with ScanProgress() as bar:
        bar.show(Progress(1, 247, 1000, Setting("m1.tty", 9600, "E", "rtu", 200, 0), 1))
        bar.say("unit 1")
