"""A scan in virtual time: how long it takes, when it ends, what is asked a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from meterctl.drivers.probing import Prober
from meterctl.drivers.table import MODBUS
from meterctl.errors import CorruptAnswerError, NoAnswerError, UsageError
from meterctl.operations.scan import (
    OPENING_MS,
    FoundMeter,
    Notice,
    Progress,
    Scan,
    Setting,
    nothing_found,
    units_text,
)
from meterctl.transports import LineTiming
from protocols.modbus import rtu
from protocols.modbus.areas import Area
from protocols.modbus.pdu import exception_reply
from tests.support.scanned_lines import Device, ScannedLine

UNITS = tuple(range(1, 248))
TIMEOUT_MS = 200


def setting(baud: int = 9600, parity: str = "N") -> Setting:
    """Return a setting of a serial line."""
    line = ScannedLine({}, baud=baud)
    timing = LineTiming(line.character_us, line.silence_ms, 0)
    cost = MODBUS.prober().silent_ms(timing, TIMEOUT_MS)
    linger_ms = MODBUS.prober().linger_ms(TIMEOUT_MS)
    return Setting(f"port?baud={baud}", baud, parity, "rtu", cost, linger_ms)


HOST = Setting("tcp://host", None, None, "tcp", TIMEOUT_MS, 400, (255,))
LINE, FAST, SLOW = setting(), setting(19_200), setting(2400)


class ScannedPort:
    """A port whose devices answer under one setting each."""

    def __init__(self, lines: Mapping[Setting, ScannedLine]) -> None:
        self.lines, self.opened = lines, list[Setting]()
        self.unusable: Setting | None = None

    @contextmanager
    def open(self, wanted: Setting) -> Iterator[Prober]:
        """Open the port."""
        if wanted == self.unusable:
            raise UsageError("the other side refuses its settings")
        self.opened.append(wanted)
        line = self.lines.get(wanted) or ScannedLine({}, baud=wanted.baud or 9600)
        yield MODBUS.prober().open(line, TIMEOUT_MS, line.clock, None)

    def scan(self, *settings: Setting, units: tuple[int, ...] = UNITS, every: bool = False) -> Scan:
        """Return a scan of this port."""
        return Scan(settings or (*self.lines,), units, self.open, every)


def finished(scan: Scan) -> list[str]:
    """Run a scan; return its notices."""
    return [step.text for step in scan.run() if isinstance(step, Notice)]


def units(scan: Scan) -> list[int]:
    """Return the units that were found."""
    return [one.unit for one in scan.found]


def test_a_full_sweep_takes_as_long_as_its_silences_and_no_longer_than_it_said() -> None:
    line = ScannedLine({})
    scan = ScannedPort({LINE: line}).scan()
    finished(scan)
    assert scan.longest_ms == 247 * (200 + 4 + 9) + 400 + OPENING_MS
    assert 0.95 * scan.longest_ms < line.now <= scan.longest_ms
    assert line.asked == list(UNITS)


def test_several_settings_and_the_host_itself_take_no_longer_than_was_said() -> None:
    lines = {LINE: ScannedLine({}), SLOW: ScannedLine({}, baud=2400)}
    scan = ScannedPort(lines).scan()
    finished(scan)
    waited_ms = sum(line.now for line in lines.values())
    assert 0.95 * scan.longest_ms < waited_ms <= scan.longest_ms
    host = ScannedLine({}, framed=True)
    scan = ScannedPort({HOST: host}).scan(units=(1,))
    finished(scan)
    assert host.now == 2 * (200 + 400) < scan.longest_ms


def test_progress_counts_up_while_the_time_left_goes_down() -> None:
    steps = [
        step
        for step in ScannedPort({LINE: ScannedLine({})}).scan().run()
        if isinstance(step, Progress)
    ]
    assert [step.asked for step in steps] == list(range(247))
    assert steps[0].left_ms == 247 * LINE.silent_ms + 400 + OPENING_MS
    assert steps[-1].left_ms == LINE.silent_ms + 400 + OPENING_MS


def test_a_meter_is_told_as_it_is_found() -> None:
    scan = ScannedPort({LINE: ScannedLine({3: Device()})}).scan()
    for step in scan.run():
        if isinstance(step, FoundMeter):
            break
    assert (scan.asked, units(scan)) == (3, [3])


def test_a_refusal_counts_and_a_gateway_without_the_unit_does_not() -> None:
    missing = exception_reply(3, 0x0B)
    line = ScannedLine({7: Device()}, framed=True, absent=missing, absent_ms=20)
    scan = ScannedPort({HOST: line}).scan(units=tuple(range(1, 20)))
    finished(scan)
    assert units(scan) == [7]


def test_the_late_unit_is_found_and_its_neighbours_are_not() -> None:
    line = ScannedLine({5: Device(latency_ms=(350,))})
    scan = ScannedPort({LINE: line}).scan(units=tuple(range(1, 10)))
    finished(scan)
    assert units(scan) == [5]
    assert line.asked.count(5) > 1


def test_the_last_unit_may_answer_late_too() -> None:
    scan = ScannedPort({LINE: ScannedLine({5: Device(latency_ms=(350,))})}).scan(units=(5,))
    finished(scan)
    assert units(scan) == [5]


def test_a_unit_with_damaged_bytes_is_asked_again_with_more_time() -> None:
    once = iter([b"\x05\x83\x02\x00\x00"])
    line = ScannedLine({5: Device(answers=lambda frame: next(once, frame))})
    scan = ScannedPort({LINE: line}).scan(units=(4, 5, 6))
    assert finished(scan) == []
    assert units(scan) == [5]


def test_two_meters_of_one_number_are_reported_and_are_no_meter() -> None:
    line = ScannedLine({5: Device(answers=lambda frame: bytes(len(frame))), 6: Device()})
    scan = ScannedPort({LINE: line}).scan(units=(5, 6))
    (text,) = finished(scan)
    assert "unit 5: damaged bytes, twice: two meters may have this number" in text
    assert units(scan) == [6]


def test_damaged_bytes_everywhere_are_a_hint_at_the_setting_and_are_not_asked_for_again() -> None:
    line = ScannedLine(
        {unit: Device(answers=lambda _: b"\xf8\x80\x00\xfe\x1e") for unit in range(1, 31)}
    )
    scan = ScannedPort({LINE: line}).scan(units=tuple(range(1, 31)))
    (text,) = finished(scan)
    assert "damaged bytes at 30 of 30 units: another speed or parity may be right" in text
    assert (len(line.sent), scan.found) == (30, [])


def test_a_few_bytes_of_garbage_are_a_hint_and_no_meter() -> None:
    line = ScannedLine({5: Device(answers=lambda _: b"\xf8\x80")})
    scan = ScannedPort({LINE: line}).scan(units=(5,))
    (text,) = finished(scan)
    assert "2 bytes came that are no answer: another speed or parity may be right" in text
    assert isinstance(nothing_found(scan), NoAnswerError)


def test_another_host_on_the_line_is_reported() -> None:
    line = ScannedLine({5: Device(answers=lambda frame: rtu.encode(99, b"\x83\x02") + frame)})
    (text,) = finished(ScannedPort({LINE: line}).scan(units=(5,)))
    assert "frames that were not asked for: another host may be asking on this line" in text


# ---- several settings


def test_the_scan_ends_with_the_setting_that_has_meters_when_all_its_units_were_asked() -> None:
    right = ScannedLine({3: Device(), 200: Device()}, baud=19_200)
    port = ScannedPort({FAST: right})
    scan = port.scan(LINE, FAST, SLOW)
    finished(scan)
    assert units(scan) == [3, 200]
    assert port.opened == [LINE, FAST, FAST]
    assert sorted(set(right.asked)) == list(UNITS)


def test_the_first_units_are_asked_under_every_setting_before_the_others() -> None:
    line = ScannedLine({})
    port = ScannedPort({LINE: line, SLOW: ScannedLine({200: Device()}, baud=2400)})
    scan = port.scan(LINE, SLOW)
    finished(scan)
    assert port.opened == [LINE, SLOW, LINE, SLOW]
    assert (units(scan), line.asked) == ([200], list(UNITS))


def test_every_setting_is_scanned_to_the_end_where_that_is_asked_for() -> None:
    port = ScannedPort({LINE: ScannedLine({1: Device()}), SLOW: ScannedLine({2: Device()})})
    scan = port.scan(LINE, SLOW, units=(1, 2), every=True)
    finished(scan)
    assert [(one.setting, one.unit) for one in scan.found] == [(LINE, 1), (SLOW, 2)]


def test_a_speed_that_the_adapter_refuses_is_passed_over() -> None:
    port = ScannedPort({SLOW: ScannedLine({1: Device()}, baud=2400)})
    port.unusable = FAST
    scan = port.scan(LINE, FAST, SLOW, units=(1, 2))
    assert "19200 N cannot be tried: the other side refuses" in finished(scan)[0]
    assert units(scan) == [1]


def test_a_port_that_cannot_be_opened_ends_the_scan() -> None:
    port = ScannedPort({})
    port.unusable = LINE
    with pytest.raises(UsageError):
        finished(port.scan(LINE))


# ---- hosts


def test_a_host_is_asked_for_itself_where_no_unit_answers() -> None:
    host = ScannedLine({255: Device()}, framed=True)
    scan = ScannedPort({HOST: host}).scan(units=(1, 2, 3))
    finished(scan)
    assert (units(scan), host.asked[:4]) == ([255], [1, 2, 3, 255])


def test_a_host_that_answers_every_unit_is_reported_once() -> None:
    host = ScannedLine({unit: Device() for unit in range(1, 31)}, framed=True)
    (text,) = finished(ScannedPort({HOST: host}).scan(units=tuple(range(1, 31))))
    assert "every unit answered: the host is likely to ignore the unit number" in text


# ---- ends


def test_a_wire_that_breaks_leaves_what_was_found() -> None:
    line = ScannedLine({1: Device(), 9: Device()}, vanishes_after=40)
    scan = ScannedPort({LINE: line}).scan()
    with pytest.raises(NoAnswerError, match="went away"):
        finished(scan)
    assert units(scan) == [1, 9]


def test_nothing_found_says_what_was_tried() -> None:
    scan = ScannedPort({}).scan(LINE, FAST, units=(1, 2, 3, 7))
    finished(scan)
    error = nothing_found(scan)
    assert (error.exit_code, "units 1-3, 7 (9600 N, 19200 N)" in str(error)) == (4, True)


def test_only_damaged_bytes_are_a_corrupt_answer() -> None:
    scan = ScannedPort({LINE: ScannedLine({5: Device(answers=lambda _: bytes(7))})}).scan(
        units=(5,)
    )
    finished(scan)
    assert isinstance(nothing_found(scan), CorruptAnswerError)


@pytest.mark.parametrize(
    ("numbers", "text"), [((1,), "unit 1"), (UNITS, "units 1-247"), ((5, 1, 2), "units 1-2, 5")]
)
def test_units_in_short(numbers: tuple[int, ...], text: str) -> None:
    assert units_text(numbers) == text


@pytest.mark.parametrize("latency_ms", [300, 700, 1500])
def test_every_unit_of_a_slow_line_is_found_the_last_one_too(latency_ms: int) -> None:
    line = ScannedLine({unit: Device(latency_ms=(latency_ms,)) for unit in range(1, 7)})
    scan = ScannedPort({LINE: line}).scan(units=(1, 2, 3, 4, 5, 6))
    finished(scan)
    assert units(scan) == [1, 2, 3, 4, 5, 6]


def test_every_unit_of_a_slow_host_is_found() -> None:
    devices = {unit: Device(latency_ms=(1500,)) for unit in range(1, 7)}
    scan = ScannedPort({HOST: ScannedLine(devices, framed=True)}).scan(units=(1, 2, 3, 4, 5, 6))
    finished(scan)
    assert units(scan) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("framed", [True, False])
def test_units_that_are_slow_cost_a_time_with_a_bound_and_are_named(framed: bool) -> None:
    zeros = {(area, one): bytes(2) for area in (Area.HOLDING, Area.INPUT) for one in range(9999)}
    slow = {unit: Device(zeros, latency_ms=(1500,)) for unit in range(1, 7)}
    line = ScannedLine(slow, framed=framed)
    scan = ScannedPort({HOST if framed else LINE: line}).scan(units=(1, 2, 3, 4, 5, 6))
    (notice,) = finished(scan)
    assert "units 1-6 too slow to be asked for all maps" in notice
    assert units(scan) == [1, 2, 3, 4, 5, 6]
    assert line.now < scan.longest_ms + 6 * 15_000


@pytest.mark.parametrize("replies", [1, 2, 3, 4, 5])
def test_a_host_that_closes_after_some_replies_hides_no_unit(replies: int) -> None:
    class Closing(ScannedLine):
        """The connection ends with every n-th reply; what is sent then is lost."""

        left = replies

        def prepare(self, timeout_ms: int) -> None:
            self.left = replies

        def send(self, data: bytes, timeout_ms: int) -> None:
            if not self.left:
                raise NoAnswerError("the other side closed the connection")
            super().send(data, timeout_ms)

        def receive(self, timeout_ms: int) -> bytes:
            data = super().receive(timeout_ms)
            self.left -= bool(data)
            return data

    line = Closing({unit: Device() for unit in range(1, 7)}, framed=True)
    scan = ScannedPort({HOST: line}).scan(units=(1, 2, 3, 4, 5, 6))
    finished(scan)
    assert units(scan) == [1, 2, 3, 4, 5, 6]
