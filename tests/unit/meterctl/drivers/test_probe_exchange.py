"""Requests of a scan: silence, late replies, damaged ones, echoes, gateways; in virtual time."""

from __future__ import annotations

import pytest

from meterctl.drivers.probe_exchange import SerialProbes, TcpProbes, silent_ms
from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.transports import LineTiming
from protocols.modbus import rtu
from protocols.modbus.areas import Area
from protocols.modbus.pdu import exception_reply, read_request
from tests.support.scanned_lines import Device, ScannedLine

READ = read_request(3, 0, 2)
NUMBERS = {(Area.HOLDING, 0): b"\x00\x07", (Area.HOLDING, 1): b"\x00\x08"}
REPLY = bytes.fromhex("030400070008")
TIMEOUT_MS = 200


def serial(line: ScannedLine) -> SerialProbes:
    """Return the requests on a serial line."""
    return SerialProbes(line, TIMEOUT_MS, line.clock)


def ask(line: ScannedLine, unit: int, probes: SerialProbes | None = None) -> bytes | None:
    """Ask a unit of a serial line."""
    return (probes or serial(line)).ask(unit, READ, TIMEOUT_MS)


def test_a_silent_unit_costs_its_time_out_and_its_request_no_more() -> None:
    line = ScannedLine({})
    assert ask(line, 5) is None
    assert line.now <= silent_ms(LineTiming(line.character_us, line.silence_ms, 0), TIMEOUT_MS)


def test_a_reply_is_taken_as_soon_as_it_is_whole() -> None:
    line = ScannedLine({5: Device(NUMBERS)})
    assert ask(line, 5) == REPLY
    assert line.now < 40


def test_a_refusal_is_an_answer() -> None:
    assert ask(ScannedLine({5: Device()}), 5) == exception_reply(3, 2)


def test_the_late_reply_of_one_unit_is_never_that_of_another() -> None:
    line = ScannedLine({5: Device(NUMBERS, latency_ms=(300,))})
    probes = serial(line)
    assert [ask(line, unit, probes) for unit in (5, 6, 7)] == [None, None, None]
    assert probes.late == {5: pytest.approx(320, abs=30)}


def test_a_late_reply_between_two_requests_is_noted_too() -> None:
    line = ScannedLine({5: Device(NUMBERS, latency_ms=(220,))})
    probes = serial(line)
    ask(line, 5, probes)
    probes.wait(100)
    assert list(probes.late) == [5]


def test_damaged_bytes_are_no_silence() -> None:
    line = ScannedLine({5: Device(NUMBERS, answers=lambda frame: frame[:-1] + b"\x00")})
    with pytest.raises(CorruptAnswerError, match="no frame in what was received: 05 03 04"):
        ask(line, 5)


def test_a_byte_or_two_of_a_driver_that_switches_are_silence() -> None:
    line = ScannedLine({5: Device(NUMBERS, answers=lambda _: b"\x00\xff")})
    probes = serial(line)
    assert ask(line, 5, probes) is None
    assert probes.noise == 2


def test_a_reply_behind_noise_is_found() -> None:
    line = ScannedLine({5: Device(NUMBERS, answers=lambda frame: b"\x00\x01\x83" + frame)})
    assert ask(line, 5) == REPLY


def test_the_echo_of_an_adapter_is_neither_an_answer_nor_damage() -> None:
    line = ScannedLine({5: Device(NUMBERS)}, echo=True)
    probes = serial(line)
    assert ask(line, 4, probes) is None
    assert ask(line, 5, probes) == REPLY
    assert (probes.noise, probes.unasked, dict(probes.late)) == (0, 0, {})


def test_frames_of_another_host_are_counted_and_no_answer() -> None:
    line = ScannedLine({5: Device(NUMBERS, answers=lambda _: rtu.encode(77, READ))})
    probes = serial(line)
    assert ask(line, 5, probes) is None
    assert probes.unasked == 1


def test_a_line_that_is_never_silent_is_left_after_the_time_out() -> None:
    line = ScannedLine({})
    line.coming = [(at, b"\x55") for at in range(0, 5000, 2)]
    with pytest.raises(CorruptAnswerError, match="never silent; nothing was sent"):
        ask(line, 5)
    assert (line.sent, line.now < 400) == ([], True)


def test_noise_after_a_request_ends_with_the_longest_frame() -> None:
    line = ScannedLine({})
    line.coming = [(at, b"\x55") for at in range(40, 5000, 2)]
    with pytest.raises(CorruptAnswerError):
        ask(line, 5)
    assert line.now < 700


def test_a_wire_that_breaks_is_no_silence() -> None:
    with pytest.raises(NoAnswerError, match="went away"):
        ask(ScannedLine({}, vanishes_after=0), 5)


def tcp(line: ScannedLine, timeout_ms: int = 500) -> TcpProbes:
    """Return the requests to a host."""
    return TcpProbes(line, timeout_ms, line.clock)


def test_on_tcp_a_late_reply_is_known_by_its_transaction() -> None:
    line = ScannedLine({5: Device(NUMBERS, latency_ms=(600, 200))}, framed=True)
    probes = tcp(line)
    assert probes.ask(5, READ, 500) is None
    assert probes.ask(5, read_request(3, 1, 1), 500) == b"\x03\x02\x00\x08"
    assert list(probes.late) == [5]
    assert probes.silent_ms == 500, "one slow unit makes no other one slow"


def test_a_gateway_that_takes_longer_to_say_that_there_is_no_unit_gets_more_time() -> None:
    gateway = ScannedLine({}, framed=True, absent=exception_reply(3, 0x0B), absent_ms=1000)
    probes = tcp(gateway)
    assert probes.ask(1, READ, 500) is None
    assert probes.ask(2, READ, 500) == exception_reply(3, 0x0B)
    assert probes.silent_ms == 1250
    assert probes.late == {}


def test_a_host_that_closes_after_a_wrong_unit_is_connected_again() -> None:
    class Closing(ScannedLine):
        closed = 0

        def receive(self, timeout_ms: int) -> bytes:
            if self.asked[-1] != 5:
                self.closed += 1
                raise NoAnswerError("the other side closed the connection")
            return super().receive(timeout_ms)

    line = Closing({5: Device(NUMBERS)}, framed=True)
    probes = tcp(line)
    assert [probes.ask(unit, READ, 500) for unit in (3, 4, 5)] == [None, None, REPLY]
    for unit in (6, 7, 8, 9):
        probes.ask(unit, READ, 500)
    with pytest.raises(NoAnswerError, match="closed"):
        probes.ask(10, READ, 500)
