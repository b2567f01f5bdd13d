"""Adapters as faults of a line: the exact pieces and their times, either way, alone and together.

At 9600 baud a byte takes 1041 us. Drawn positions and timers are drawn again here, from the seed.
"""

from __future__ import annotations

import pytest

from firmware_sim.faults.in_force import Faults
from firmware_sim.servers.line import Line
from firmware_sim.servers.outbox import Outbox
from firmware_sim.servers.transit import PACKET_US, _in_packets
from protocols.faults import FaultPlan, FaultRule, RandomDraws, Way

BYTE_US = 1_041
SEED = 3
REQUEST, REPLY = bytes(range(8)), bytes(range(100, 200))
Pieces = list[tuple[int, bytes]]


class Recorder:
    """A server that answers when it has a whole request, and keeps what it was given."""

    closed = False

    def __init__(self, reply: bytes = REPLY) -> None:
        self.reply, self.heard, self._left = reply, list[tuple[int, bytes]](), len(REQUEST)

    def receive(self, data: bytes, at_us: int) -> bytes:
        self.heard.append((at_us, data))
        had, self._left = self._left, self._left - len(data)
        return self.reply if had > 0 >= self._left else b""

    def wake(self, at_us: int) -> bytes:
        return b""

    def next_wake(self) -> int | None:
        return None

    def unit_of(self, data: bytes) -> int | None:
        return data[0] if data else None


def drawn(number: int, name: str, *bounds: int) -> int:
    """Return the last of the numbers that the rule of this number in the plan draws."""
    draws = RandomDraws(SEED, f"{number}/{name}")
    return [draws.below(bound) for bound in bounds][-1]


def played(
    *rules: FaultRule, reply: bytes = REPLY, at_us: int = 0, response_delay_us: int = 0
) -> tuple[Pieces, Pieces]:
    """Send a request; return the pieces that the server was given, and those the host was."""
    server = Recorder(reply)
    line = Line(server, response_delay_us, Faults(FaultPlan(rules, SEED)))
    got = [(at_us, line.receive(REQUEST, at_us))]
    while (due := line.next_wake()) is not None:
        got.append((due, line.wake(due)))
    return server.heard, [piece for piece in got if piece[1]]


def shifted(pieces: Pieces, by_us: int) -> Pieces:
    """Return pieces that much later."""
    return [(at + by_us, piece) for at, piece in pieces]


def test_a_packet_goes_when_it_is_full_and_at_the_timer() -> None:
    timer = drawn(1, "packets", PACKET_US)
    rule = FaultRule("packets", way=Way.REPLY)
    heard, got = played(rule)
    assert heard == [(0, REQUEST)]
    assert got == [(0, REPLY[:62]), (timer, REPLY[62:])]
    heard, got = played(FaultRule("packets", way=Way.REQUEST))
    assert heard == [(timer, REQUEST)]
    assert got == [(timer, REPLY)]


@pytest.mark.parametrize("size", [1, 7, 8, 9])
def test_the_size_of_a_packet_is_its_value(size: int) -> None:
    rule = FaultRule("packets", size, way=Way.REPLY)
    timer = drawn(1, "packets", PACKET_US)
    _, got = played(rule, reply=REPLY[:8])
    full = [REPLY[i : i + size] for i in range(0, 8 - size + 1, size)]
    rest = REPLY[:8][len(b"".join(full)) :]
    assert got == [(0, b"".join(full))] * bool(full) + [(timer, rest)] * bool(rest)


def test_packets_hold_what_a_paced_line_brought_in_16_ms() -> None:
    rules = FaultRule("pacing", way=Way.REPLY), FaultRule("packets", way=Way.REPLY)
    for each in (rules, rules[::-1]):
        timer = drawn(each.index(rules[1]) + 1, "packets", PACKET_US)
        _, got = played(*each)
        arrived = [(index + 1) * BYTE_US for index in range(len(REPLY))]
        ticks = [timer + n * PACKET_US for n in range(8)]
        expected = [
            (
                tick,
                bytes(
                    byte
                    for at, byte in zip(arrived, REPLY, strict=True)
                    if tick - PACKET_US < at <= tick
                ),
            )
            for tick in ticks
        ]
        assert got == [packet for packet in expected if packet[1]]
        assert {len(packet) for _, packet in got[1:-1]} == {15, 16}


def test_a_packet_is_full_before_the_timer_on_a_fast_line() -> None:
    rules = FaultRule("pacing", 115_200, way=Way.REPLY), FaultRule("packets", way=Way.REPLY)
    timer, byte_us = drawn(2, "packets", PACKET_US), 86
    _, got = played(*rules)
    first = min(62, timer // byte_us)
    assert got[0] == (62 * byte_us if first == 62 else timer, REPLY[:first])
    assert b"".join(piece for _, piece in got) == REPLY
    assert got[-1][0] in (timer, timer + PACKET_US)


def test_a_byte_at_the_tick_of_the_timer_belongs_to_its_packet() -> None:
    pieces = [(0, b"a"), (5, b"b"), (6, b"c"), (16_005, b"d"), (16_006, b"e"), (80_000, b"f")]
    assert _in_packets(pieces, 62, 5) == [
        (5, b"ab"),
        (16_005, b"cd"),
        (32_005, b"e"),
        (80_005, b"f"),
    ]
    assert _in_packets(pieces, 2, 5) == [
        (5, b"ab"),
        (16_005, b"cd"),
        (32_005, b"e"),
        (80_005, b"f"),
    ]
    assert _in_packets([], 2, 5) == []


def test_a_stall_holds_the_rest_of_a_transmission_and_gives_it_at_once() -> None:
    place = 1 + drawn(1, "stall", len(REPLY) - 1)
    rule = FaultRule("stall", way=Way.REPLY)
    _, got = played(rule)
    assert got == [(0, REPLY[:place]), (50_000, REPLY[place:])]
    heard, _ = played(FaultRule("pacing"), FaultRule("stall", 20, way=Way.REQUEST))
    place = 1 + drawn(2, "stall", len(REQUEST) - 1)
    begins = place * BYTE_US
    assert heard == [
        *(((n + 1) * BYTE_US, REQUEST[n : n + 1]) for n in range(place)),
        (begins + 20_000, REQUEST[place:]),
    ]


def test_a_stall_that_ends_before_the_transmission_does_holds_nothing_longer() -> None:
    _, got = played(FaultRule("pacing", way=Way.REPLY), FaultRule("stall", 20, way=Way.REPLY))
    place = 1 + drawn(2, "stall", len(REPLY) - 1)
    until = place * BYTE_US + 20_000
    late = [n for n in range(place, len(REPLY)) if (n + 1) * BYTE_US <= until]
    assert got == [
        *(((n + 1) * BYTE_US, REPLY[n : n + 1]) for n in range(place)),
        (until, REPLY[place : place + len(late)]),
        *(((n + 1) * BYTE_US, REPLY[n : n + 1]) for n in range(place + len(late), len(REPLY))),
    ]


def test_a_stall_holds_the_other_way_too() -> None:
    """A delayed reply is under way when the stall of the next request begins."""
    server = Recorder()
    rules = FaultRule("stall", count=1, way=Way.REQUEST, begins=1)
    line = Line(server, 5_000, Faults(FaultPlan((rules,), SEED)))
    assert line.receive(REQUEST, 0) == b""
    place = 1 + drawn(1, "stall", len(REQUEST) - 1)
    assert line.receive(REQUEST, 1_000) == b""
    assert server.heard == [(0, REQUEST), (1_000, REQUEST[:place])]
    assert [line.wake(at) for at in (5_000, 50_999)] == [b"", b""]
    assert line.next_wake() == 51_000
    assert line.wake(51_000) == REPLY
    assert server.heard[2:] == [(51_000, REQUEST[place:])]
    assert line.receive(REQUEST, 60_000) == b"", "and the stall is over"
    assert server.heard[3:] == [(60_000, REQUEST)]


def test_bytes_that_are_made_in_a_stall_wait_for_its_end() -> None:
    server = Recorder()
    rule = FaultRule("stall", way=Way.REQUEST)
    line = Line(server, 0, Faults(FaultPlan((rule,), SEED)))
    place = 1 + drawn(1, "stall", len(REQUEST) - 1)
    line.receive(REQUEST, 0)
    line.receive(REQUEST, 49_999)
    assert server.heard == [(0, REQUEST[:place])]
    assert line.wake(50_000) == REPLY
    assert server.heard[1:] == [(50_000, REQUEST[place:] + REQUEST)], "no stall within a stall"


def test_an_echo_comes_in_pieces_like_other_bytes() -> None:
    heard, got = played(FaultRule("echo"), FaultRule("pacing"))
    assert heard[-1][0] == 8 * BYTE_US
    assert got[:8] == [((n + 1) * BYTE_US, REQUEST[n : n + 1]) for n in range(8)]
    assert got[8:] == [((n + 9) * BYTE_US, REPLY[n : n + 1]) for n in range(100)]
    timer = drawn(2, "packets", PACKET_US)
    rules = FaultRule("echo"), FaultRule("packets", 3, way=Way.REPLY)
    _, got = played(*rules)
    assert drawn(2, "packets", PACKET_US, PACKET_US) < timer
    assert got == [(0, REQUEST[:6]), (timer, REQUEST[6:] + REPLY)], "no byte overtakes another"


def test_an_echo_has_faults_of_its_own() -> None:
    cut = 1 + drawn(2, "delay", len(REQUEST) - 1)
    heard, got = played(FaultRule("echo"), FaultRule("delay", 30, way=Way.REPLY, count=1))
    assert heard == [(0, REQUEST)]
    assert got == [(0, REQUEST[:cut]), (30_000, REQUEST[cut:] + REPLY)]
    heard, got = played(FaultRule("echo"), FaultRule("truncate", way=Way.REPLY, count=1))
    assert heard == [(0, REQUEST)]
    assert got == [(0, REQUEST[: drawn(2, "truncate", len(REQUEST))] + REPLY)]


def test_an_echo_is_of_requests_and_counts_them_alone() -> None:
    server = Recorder()
    line = Line(server, 0, Faults(FaultPlan((FaultRule("echo", count=2),), SEED)))
    assert [line.receive(REQUEST, at) for at in (0, 1, 2)] == [REQUEST + REPLY, REQUEST, b""]


def test_the_meter_hears_its_own_reply_when_it_is_sent() -> None:
    heard, got = played(FaultRule("meter_echo"), response_delay_us=7_000)
    assert heard == [(0, REQUEST), (7_000, REPLY)]
    assert got == [(7_000, REPLY)]
    heard, got = played(FaultRule("meter_echo"), FaultRule("pacing", way=Way.REQUEST))
    asked = 8 * BYTE_US
    assert got == [(asked, REPLY)]
    assert heard[8:] == [(asked + (n + 1) * BYTE_US, REPLY[n : n + 1]) for n in range(100)]


def test_an_echo_at_both_ends_is_not_echoed_again() -> None:
    heard, got = played(FaultRule("echo"), FaultRule("meter_echo"))
    assert heard == [(0, REQUEST), (0, REPLY)]
    assert got == [(0, REQUEST + REPLY)]


def test_a_connection_has_no_echo() -> None:
    server = Recorder()
    rules = FaultRule("echo"), FaultRule("meter_echo")
    line = Line(server, 0, Faults(FaultPlan(rules, SEED)), can_echo=False)
    assert line.receive(REQUEST, 0) == REPLY
    assert line.next_wake() is None
    assert server.heard == [(0, REQUEST)]


def test_a_line_that_hangs_up_at_an_echo_loses_the_request_too() -> None:
    server = Recorder()
    rules = FaultRule("echo"), FaultRule("hang_up", 100, way=Way.REPLY)
    line = Line(server, 0, Faults(FaultPlan(rules, SEED)))
    assert line.receive(REQUEST, 1_000) == b""
    assert not server.heard
    assert line.closed
    assert line.returns_at_us == 101_000


def test_the_meter_is_known_to_hear_itself_while_the_rule_is_there() -> None:
    faults = Faults(FaultPlan((FaultRule("echo"), FaultRule("meter_echo", count=1))))
    assert faults.meter_hears_itself
    assert len(faults.on_line(Way.REPLY, None, 0)) == 1
    assert not faults.on_line(Way.REPLY, None, 0)
    assert faults.meter_hears_itself, "the last echo is still under way"
    faults.remove("meter_echo")
    assert not faults.meter_hears_itself


def test_an_outbox_postpones_what_is_due_within_a_time() -> None:
    box = Outbox()
    assert [box.put(at, bytes((at,))) for at in (10, 11, 19, 15, 20)] == [10, 11, 19, 19, 20]
    assert box.put(30, b"") == 30
    box.postpone(10, 20)
    assert box.put(12, b"x") == 20
    taken = box.take(100)
    assert [at for at, _ in taken] == [10, 20, 20, 20, 20, 20]
    assert b"".join(data for _, data in taken) == bytes((10, 11, 19, 15, 20)) + b"x"
    box.put(200, b"y")
    box.postpone(199, 300)
    assert box.put(250, b"z") == 300
