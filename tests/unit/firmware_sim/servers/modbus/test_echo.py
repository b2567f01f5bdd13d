"""A line that echoes: no transmission of the meter is answered, and no repeated write is lost."""

from __future__ import annotations

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from firmware_sim.servers.modbus.echo import MOST_REPEATS
from firmware_sim.servers.modbus.server import ModbusRtuServer
from firmware_sim.servers.seam import WireOptions, WireStations
from protocols.faults import FaultPlan, FaultRule
from protocols.modbus import rtu
from tests.support.meter_adapters import EchoingAdapter, cut

PDUS = {
    "coils": "01 0000 0010",
    "coils whose reply looks like a request": "01 0000 0010",
    "inputs": "02 0000 0018",
    "registers": "03 0040 0002",
    "input registers": "04 0000 007d",
    "coil": "05 0000 ff00",
    "register": "06 2000 0005",
    "loopback": "08 0000 a537",
    "some coils": "0f 0000 000a 02 ff03",
    "some registers": "10 2000 0001 02 0005",
    "server identifier": "11",
    "mask": "16 2000 00f2 0025",
    "write and read": "17 2000 0002 2000 0001 02 0007",
    "identification": "2b 0e 01 00",
    "a refusal": "06 0124 0001",
    "an unknown function": "41 0102",
}
REPEATED = ("coil", "register", "loopback", "mask")
"""Requests whose reply equals them."""
SIZES = [0, 1, 3, 4, 8, 62]
REAL = WireOptions(silence_us=100_000, real=True)


def frame(name: str) -> bytes:
    return rtu.encode(1, bytes.fromhex(PDUS[name]))


def serve(options: WireOptions, meters: int = 1) -> ModbusRtuServer:
    described = [MeterDescription(f"{unit:012}", unit) for unit in range(1, meters + 1)]
    rack = Rack([(each.unit, build(each)) for each in described], 0, options.faults)
    return ModbusRtuServer(WireStations(rack.stations), options)


# ---- lines that echo


@pytest.mark.parametrize("name", PDUS)
@pytest.mark.parametrize("size", SIZES)
def test_a_reply_that_comes_back_is_not_answered(name: str, size: int) -> None:
    line = EchoingAdapter(serve(REAL), size)
    for _ in range(3):
        assert len(line.ask(frame(name))) == 1


@pytest.mark.parametrize("size", SIZES)
def test_all_functions_are_answered_once_on_a_line_that_echoes(size: int) -> None:
    for options in (REAL, WireOptions()):
        line = EchoingAdapter(serve(options), size)
        names = [*PDUS, *reversed(PDUS), *REPEATED, *REPEATED]
        assert [len(line.ask(frame(name))) for name in names] == [1] * len(names)


@pytest.mark.parametrize("every_us", [16_000, 40_000, 90_000])
def test_an_echo_byte_by_byte_may_take_longer_than_a_copy_has_to_begin(every_us: int) -> None:
    line = EchoingAdapter(serve(REAL), 1, every_us)
    for name in [*PDUS, *PDUS]:
        assert len(line.ask(frame(name))) == 1


@pytest.mark.parametrize("name", PDUS)
@pytest.mark.parametrize("follows", [*REPEATED, "registers"])
def test_the_next_request_may_come_with_the_echo_in_one_read(name: str, follows: str) -> None:
    server = serve(REAL)
    echo = server.receive(frame(name), 0)
    for at in range(len(echo)):
        both = echo + frame(follows)
        out = server.receive(both[:at], 1_000) + server.receive(both[at:], 2_000)
        assert out == serve(REAL).receive(frame(follows), 0)
        server.receive(out, 3_000)
        echo = server.receive(frame(name), 1_000_000)


@pytest.mark.parametrize("size", SIZES)
def test_the_echo_of_replies_to_pipelined_requests_is_skipped_in_order(size: int) -> None:
    line = EchoingAdapter(serve(REAL), size)
    names = ["registers", "register", "register", "coil", "identification", "mask"] * 3
    assert len(line.ask(b"".join(map(frame, names)))) == 1
    assert len(line.ask(frame("coil"))) == 1


@pytest.mark.parametrize("delay_ms", [200, 600, 1200, 3000])
@pytest.mark.parametrize("name", REPEATED)
def test_a_reply_that_leaves_late_is_expected_late(name: str, delay_ms: int) -> None:
    by_line = WireOptions(100_000, real=True, delay_us=delay_ms * 1000)
    late = FaultRule("reply_late", delay_ms)
    by_fault = WireOptions(100_000, real=True, faults=Faults(FaultPlan((late,))))
    for options in (by_line, by_fault):
        line = EchoingAdapter(Line(serve(options), options.delay_us), 3)  # type: ignore[arg-type]
        assert [len(line.ask(frame(name))) for _ in range(3)] == [1, 1, 1]


def test_a_reply_sent_byte_by_byte_is_expected_whole() -> None:
    slowly = Faults(FaultPlan((FaultRule("byte_by_byte", 5),)))
    line = EchoingAdapter(serve(WireOptions(100_000, real=True, faults=slowly)))
    for name in [*REPEATED, "registers", *REPEATED]:
        assert b"".join(line.ask(frame(name))) == serve(REAL).receive(frame(name), 0)


def test_a_reply_with_the_unit_of_another_meter_of_the_line_is_not_answered() -> None:
    faults = Faults(FaultPlan((FaultRule("wrong_unit"),)))
    line = EchoingAdapter(serve(WireOptions(100_000, real=True, faults=faults), meters=2))
    assert [len(line.ask(frame(name))) for name in REPEATED] == [1] * len(REPEATED)


@pytest.mark.parametrize("name", PDUS)
def test_an_echo_that_a_silence_cuts_is_neither_answered_nor_refused(name: str) -> None:
    for cut_at in range(1, len(serve(REAL).receive(frame(name), 0))):
        line = EchoingAdapter(serve(REAL), cut_at, 150_000)
        assert len(line.ask(frame(name))) == 1


def test_a_line_that_is_known_to_echo_may_echo_late() -> None:
    line = EchoingAdapter(serve(REAL))
    line.ask(frame("registers"))
    line.gap_us = 1_500_000
    assert [len(line.ask(frame(name))) for name in [*REPEATED, *REPEATED]] == [1] * 8


def test_noise_in_an_echo_does_not_make_the_line_answer_itself() -> None:
    server = serve(REAL)
    line = EchoingAdapter(server)
    line.ask(frame("registers"))
    line.echoes = False
    for _ in range(2):
        (reply,) = line.ask(frame("register"))
        assert server.receive(reply[:3] + b"\xff" + reply[4:], line.now_us) == b""
    line.echoes = True
    assert len(line.ask(frame("register"))) == 1


def test_a_byte_in_front_of_an_echo_does_not_hide_it() -> None:
    server = serve(REAL)
    reply = server.receive(frame("register"), 0)
    assert server.receive(b"\0" + reply, 1_000) == b""


def test_a_virtual_port_that_was_seen_to_echo_skips_copies_of_writes() -> None:
    line = EchoingAdapter(serve(WireOptions()))
    for name in ["registers", *REPEATED]:
        assert len(line.ask(frame(name))) == 1


@pytest.mark.parametrize("name", REPEATED)
def test_a_meter_that_answers_itself_on_a_line_never_seen_before_stops_soon(name: str) -> None:
    line = EchoingAdapter(serve(WireOptions()))
    assert len(line.ask(frame(name))) == MOST_REPEATS + 1
    assert len(line.ask(frame(name))) == 1


# ---- lines that do not echo


@pytest.mark.parametrize("name", REPEATED)
def test_a_write_that_a_master_repeats_is_answered_on_a_line_that_does_not_echo(name: str) -> None:
    for options, first in ((WireOptions(), name), (WireOptions(), "coils"), (REAL, "coils")):
        server = serve(options)
        server.receive(frame(first), 0)
        for at_us in range(1_000, 60_000, 5_000):
            assert server.receive(frame(name), at_us) == frame(name)


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_write_that_is_repeated_a_second_later_is_answered_on_any_line(
    name: str, size: int
) -> None:
    server = serve(REAL)
    for second in range(5):
        pieces = cut(frame(name), size)
        out = [server.receive(piece, second * 1_000_000) for piece in pieces]
        assert b"".join(out) == frame(name)


@pytest.mark.parametrize("name", REPEATED)
def test_a_first_copy_on_a_real_line_is_skipped_only_while_it_can_be_an_echo(name: str) -> None:
    for after_us, wanted in ((1_000, b""), (200_000, b""), (400_000, frame(name))):
        server = serve(REAL)
        server.receive(frame(name), 0)
        assert server.receive(frame(name), after_us) == wanted
        assert server.receive(frame(name), after_us + 1_000_000) == frame(name)


def test_a_line_that_no_longer_echoes_is_learned() -> None:
    line = EchoingAdapter(serve(REAL))
    line.ask(frame("registers"))
    line.echoes = False
    for _ in range(5):
        line.ask(frame("registers"))
    for _ in range(20):
        assert line.ask(frame("coil")) == [frame("coil")]


def test_a_line_that_begins_to_echo_is_learned() -> None:
    line = EchoingAdapter(serve(WireOptions()))
    line.echoes = False
    for _ in range(5):
        line.ask(frame("registers"))
    line.echoes = True
    for name in ["registers", *REPEATED]:
        assert len(line.ask(frame(name))) == 1


def test_a_request_that_begins_like_the_last_reply_is_executed() -> None:
    server = serve(WireOptions())
    write = bytes.fromhex("10 2000 0003 06") + frame("registers")[1:7]
    server.receive(rtu.encode(1, write), 0)
    server.receive(rtu.encode(1, bytes.fromhex("03 2000 0003")), 1_000)
    for size in range(1, 8):
        for piece in cut(frame("registers"), size)[:-1]:
            assert server.receive(piece, 2_000) == b""
        assert server.receive(cut(frame("registers"), size)[-1], 2_000) != b""


@pytest.mark.parametrize("name", PDUS)
def test_a_virtual_port_whose_fault_echoes_is_known_to_echo(name: str) -> None:
    faults = Faults(FaultPlan((FaultRule("pacing"), FaultRule("meter_echo"))))
    server = serve(WireOptions(faults=faults))
    line, sent = Line(server, 0, faults), b""
    for at_us in (1_000_000, 3_000_000):
        sent += line.receive(frame(name), at_us)
        while (due := line.next_wake()) is not None and due < at_us + 1_900_000:
            sent += line.wake(due)
    assert sent == 2 * serve(WireOptions()).receive(frame(name), 0)
