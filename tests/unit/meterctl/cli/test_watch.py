"""watch in lines: objects, lines of a log, rows of a file, and how it ends."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.metrology.load import Load
from meterctl.cli.interruption import interrupts
from meterctl.cli.options import Options
from meterctl.cli.watch import add_to
from meterctl.cli.watching.values import wanted_items
from meterctl.drivers import Reader
from meterctl.drivers.modbus import ModbusDriver
from meterctl.drivers.table import MODBUS
from meterctl.errors import CorruptAnswerError, NoAnswerError, UsageError
from meterctl.operations.meter_watch import MeterWatch, Plan
from meterctl.transports import wires
from protocols.command_line import Program
from protocols.data_model import items
from protocols.quantities import LEDGER
from tests.support.meters import make
from tests.support.watched import BEGAN_MS, OTHER, FakeMeter, VirtualTime
from tests.support.wire import connect
from tests.unit.meterctl.cli.conftest import Printed

ITEMS = ("active_power_kw", "available_credit")


class Watched:
    """Meters that `watch` meets in virtual time; `then` are called after its readings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.time, self._capsys = VirtualTime(), capsys
        values = {items.ACTIVE_POWER: 1_000_000, items.AVAILABLE_CREDIT: 20 * LEDGER}
        self.meter = FakeMeter(self.time, {**values, items.EVENT_NUMBER: 0})
        self.meters: dict[int, FakeMeter] = {}
        self.then: list[Callable[[], None]] = []
        monkeypatch.setattr(wires, "wall_milliseconds", lambda: BEGAN_MS + self.time.ms)
        monkeypatch.setattr(wires, "monotonic_ms", lambda: self.time.ms)
        monkeypatch.setattr(wires, "pause_ms", self._pause)
        monkeypatch.setattr(Options, "readers", self._readers)

    def _pause(self, milliseconds: int) -> None:
        self.time.pause(milliseconds)
        if self.then:
            self.then.pop(0)()

    @contextlib.contextmanager
    def _readers(
        self, units: Sequence[int], _: Callable[[str], None]
    ) -> Iterator[Mapping[int, Callable[[], Reader]]]:
        yield {unit: self.meters.get(unit, self.meter).open for unit in units}

    def run(self, *words: str, json: bool = False) -> Printed:
        """Run it."""
        app = Program("The command of a test.")
        app.callback()(lambda: None)
        add_to(app)
        given = Options("port", MODBUS, 1, None, None, 1000, json, False, True, False, False)
        app(["watch", *words], obj=given, standalone_mode=False)
        return Printed(*self._capsys.readouterr())

    def objects(self, *words: str) -> list[dict[str, Any]]:
        """Return its objects."""
        return [json.loads(line) for line in self.run(*words, json=True).out.splitlines()]


@pytest.fixture
def watched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Watched]:
    handlers = {number: signal.getsignal(number) for number in interrupts()}
    yield Watched(monkeypatch, capsys)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def interrupt() -> None:
    """End the watch as Ctrl-C does."""
    raise KeyboardInterrupt


def test_a_reading_is_the_object_of_read_with_its_time(watched: Watched) -> None:
    first, second = watched.objects(*ITEMS, "--count", "2")
    assert first == {
        "at": "2026-01-01T00:00:00.000Z",
        "unit": 1,
        "record": "reading",
        "answer": "done",
        "active_power_kw": 1.0,
        "available_credit": 20.0,
    }
    assert second["at"] == "2026-01-01T00:00:01.000Z"


def test_a_silence_and_the_return_are_objects_too(watched: Watched) -> None:
    watched.then = [watched.meter.silent, lambda: setattr(watched.meter, "failure", None)]
    _, silence, after = watched.objects(*ITEMS, "--count", "3")
    assert silence == {
        "at": "2026-01-01T00:00:04.000Z",
        "unit": 1,
        "record": "reading",
        "answer": "no_answer",
        "since": "2026-01-01T00:00:00.000Z",
        "message": "fake unit 1: no answer within 1000 ms",
    }
    assert after["answer"] == "done"


def test_events_and_another_meter_are_objects(watched: Watched) -> None:
    meter = watched.meter
    watched.then = [
        lambda: meter.happens("low_credit_warning", 5 * LEDGER),
        lambda: meter.values.update({items.SERIAL_NUMBER: OTHER}),
    ]
    seen = watched.objects("event_number", "--count", "3")
    assert [one["record"] for one in seen] == [
        "reading", "reading", "event", "other_meter", "reading",
    ]  # fmt: skip
    assert seen[2] == {
        "at": "2026-01-01T00:00:01.000Z",
        "unit": 1,
        "record": "event",
        "serial_number": "000000000001",
        "number": 1,
        "event_at": "2026-01-01T00:00:01.000Z",
        "event": "low_credit_warning",
        "elapsed_ms": 1000,
        "threshold": 5.0,
    }
    assert (seen[3]["serial_number"], seen[3]["previous_serial_number"]) == (OTHER, "000000000001")


def test_on_change_prints_only_what_is_news(watched: Watched) -> None:
    def use() -> None:
        watched.meter.values[items.AVAILABLE_CREDIT] = 19 * LEDGER

    watched.then = [lambda: None, use, lambda: None, watched.meter.silent, lambda: None]
    seen = watched.objects("available_credit", "--on-change", "--count", "6")
    assert [one.get("available_credit", one["answer"]) for one in seen] == [20.0, 19.0, "no_answer"]


def test_a_log_has_a_line_a_reading_and_one_for_begin_and_end_of_a_silence(
    watched: Watched,
) -> None:
    watched.then = [
        watched.meter.silent,
        lambda: None,
        lambda: setattr(watched.meter, "failure", None),
    ]
    lines = watched.run(*ITEMS, "--count", "4").out.splitlines()
    assert lines == [
        "2026-01-01T00:00:00.000Z active_power_kw=1.000000 available_credit=20.00",
        "2026-01-01T00:00:04.000Z no_answer since 2026-01-01T00:00:00.000Z: "
        "fake unit 1: no answer within 1000 ms",
        "2026-01-01T00:00:09.000Z it answers again, after 9s",
        "2026-01-01T00:00:09.000Z active_power_kw=1.000000 available_credit=20.00",
    ]


def test_a_log_of_several_meters_names_the_unit(watched: Watched) -> None:
    lines = watched.run("active_power_kw", "--units", "3,1-3", "--count", "1").out.splitlines()
    assert [line.split()[1] for line in lines] == ["unit=3", "unit=1", "unit=2"]


def test_no_line_of_a_log_is_wider_than_the_screen(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    watched.then = [lambda: watched.meter.happens("supply_disconnected", 63), watched.meter.silent]
    lines = watched.run("event_number", *ITEMS, "--count", "4").out.splitlines()
    assert max(map(len, lines)) <= 40
    assert "  active_power_kw=1.000000" in lines


@pytest.mark.parametrize("error", [NoAnswerError("silent"), CorruptAnswerError("noise")])
def test_a_watch_that_ends_without_any_answer_fails_as_its_last_try(
    watched: Watched, error: NoAnswerError | CorruptAnswerError
) -> None:
    watched.meter.failure = error
    with pytest.raises(type(error)):
        watched.run(*ITEMS, "--for", "10s")


def test_a_meter_that_answered_once_is_no_failure_in_the_end(watched: Watched) -> None:
    watched.then = [watched.meter.silent]
    assert "no_answer" in watched.run(*ITEMS, "--count", "2").out


@pytest.mark.parametrize("answers", [True, False])
def test_an_interrupt_ends_it_well(watched: Watched, answers: bool) -> None:
    if not answers:
        watched.meter.silent()
    watched.then = [lambda: None, interrupt]
    watched.run(*ITEMS)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN, "a second one breaks nothing"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--every", "100ms"), "--every 100ms: allowed is 200ms to 1d"),
        (("--every", "0"), "--every 0: allowed is 200ms to 1d"),
        (("--count", "0"), "--count 0: allowed is 1 and more"),
        (("--for", "0s"), "--for 0s: allowed is above 0"),
        (("--units", "0"), "--units 0: allowed are numbers and ranges from 1 to 247"),
        (("--units", "5-3"), "--units 5-3: allowed are numbers and ranges"),
        (("--units", "1,x"), "such as 1,2,5-9"),
    ],
)
def test_a_pace_that_is_none_is_refused_before_the_port_is_opened(
    watched: Watched, words: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError, match=told) as error:
        watched.run(*words)
    assert "nothing was sent" in str(error.value)
    assert watched.meter.opened == 0


# ---- the file


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


def test_a_file_has_a_row_a_reading_and_one_heading_when_it_is_continued(
    watched: Watched, tmp_path: Path
) -> None:
    path = tmp_path / "w.csv"
    watched.then = [watched.meter.silent]
    watched.run(*ITEMS, "--count", "2", "--csv", str(path))
    watched.meter.failure = None
    watched.run(*ITEMS, "--count", "1", "--csv", str(path))
    heading, *rows = rows_of(path)
    assert heading == ["at", "unit", "answer", "serial_number", *ITEMS]
    assert [row[2:] for row in rows] == [
        ["done", "000000000001", "1.000000", "20.00"],
        ["no_answer", "", "", ""],
        ["done", "000000000001", "1.000000", "20.00"],
    ]


def test_a_file_for_a_spreadsheet_keeps_digits_and_has_one_mark(
    watched: Watched, tmp_path: Path
) -> None:
    path = tmp_path / "w.csv"
    for _ in range(2):
        watched.run(*ITEMS, "--count", "1", "--csv-excel", str(path))
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfat,")
    assert data.count(b"\xef\xbb\xbf") == 1
    assert data.count(b"\n") == data.count(b"\r\n") == 3
    assert b'"=""000000000001"""' in data


def test_a_file_of_other_columns_is_not_continued(watched: Watched, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    watched.run(*ITEMS, "--count", "1", "--csv", str(path))
    before = path.read_bytes()
    with pytest.raises(UsageError, match="its first line is not the heading of this watch"):
        watched.run("active_power_kw", "--count", "1", "--csv", str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("forms", [("--csv", "--csv-excel"), ("--csv-excel", "--csv")])
def test_a_file_of_the_other_form_is_not_continued(
    watched: Watched, tmp_path: Path, forms: tuple[str, str]
) -> None:
    path, (begun, other) = tmp_path / "w.csv", forms
    watched.run(*ITEMS, "--count", "1", begun, str(path))
    before = path.read_bytes()
    with pytest.raises(UsageError, match=f"it has the form of {begun}, not {other}; give a new"):
        watched.run(*ITEMS, "--count", "1", other, str(path))
    assert path.read_bytes() == before


def test_a_row_that_a_power_failure_cut_stays_apart_from_the_next(
    watched: Watched, tmp_path: Path
) -> None:
    path = tmp_path / "w.csv"
    watched.run(*ITEMS, "--count", "2", "--csv", str(path))
    path.write_bytes(path.read_bytes()[:-9])
    watched.run(*ITEMS, "--count", "1", "--csv", str(path))
    assert len(rows_of(path)) == 4
    assert rows_of(path)[-1][-1] == "20.00"


def test_a_disk_that_gets_full_is_told_and_the_watch_goes_on(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "w.csv"

    def fill() -> None:
        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("meterctl.written_files.os.write", full)

    watched.then = [fill]
    with pytest.raises(UsageError, match="no space left on device"):
        watched.run(*ITEMS, "--count", "4", "--csv", str(path))
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 4
    assert printed.err.count("the watch goes on without it") == 1
    assert [row[2] for row in rows_of(path)[1:]] == ["done"], "only whole rows"


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(
    watched: Watched, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=str(tmp_path)):
        watched.run(*ITEMS, "--csv", str(tmp_path))
    assert watched.meter.reads == []


def test_a_device_that_is_full_is_refused_before_anything_is_sent(watched: Watched) -> None:
    with pytest.raises(UsageError, match="/dev/full: no space left on device"):
        watched.run(*ITEMS, "--csv", "/dev/full")
    assert watched.meter.reads == []


# ---- what it asks of the line


@pytest.mark.parametrize("framed", [True, False])
def test_a_reading_of_the_native_map_is_two_requests_within_a_third_of_a_slow_line(
    framed: bool,
) -> None:
    session, transport = connect(make(load=Load.constant((1_000_000,))), framed=framed)
    assert session.driver
    sent: list[tuple[str, int]] = []
    driver = ModbusDriver(
        transport, 1, 1000, transport.clock, lambda way, data: sent.append((way, len(data)))
    )
    plan = Plan.of(driver, wanted_items((), past_events=6))
    meter = MeterWatch(1, lambda: driver, plan)
    for second in range(4):
        sent.clear()
        list(meter.observe(transport.clock, lambda now=second: now * 1000))  # type: ignore[misc]
    assert [way for way, _ in sent] == ["->", "<-"] * 2
    assert sum(size for _, size in sent) * 10 * 3 <= 9600
