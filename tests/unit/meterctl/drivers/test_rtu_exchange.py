"""Late replies, echoes and probes on a serial line: no value under another name."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.drivers.modbus import ModbusDriver
from meterctl.drivers.rtu_exchange import RtuExchange
from meterctl.errors import CorruptAnswerError, MeterctlError, NoAnswerError
from protocols.data_model import items
from protocols.modbus import rtu
from tests.support.maps import MAGIC
from tests.support.slow_lines import MAX_MS, UNIT, SlowLine, read, right_reply

TRIES = 3


def contact(line: SlowLine) -> RtuExchange:
    """Return a new process on a line that has made its first read, as the driver does."""
    exchange = line.process()
    for _ in range(TRIES):
        with suppress(NoAnswerError, CorruptAnswerError):
            exchange.ask(read(0, 2), line.now + MAX_MS, is_recognised=True)
            break
    return exchange


def ask(exchange: RtuExchange, line: SlowLine, request: bytes) -> bytes | None:
    """Ask with the driver's tries; None where all fail."""
    until = line.now + MAX_MS
    for _ in range(TRIES):
        try:
            return exchange.ask(request, until)
        except (NoAnswerError, CorruptAnswerError):
            continue
    return None


@pytest.mark.parametrize("late_ms", [600, 990, 1010, 1200, 1500, 1990, 2010, 2500, 2900])
def test_a_device_slower_than_the_time_out_gives_right_values(late_ms: int) -> None:
    line = SlowLine([late_ms])
    exchange = line.process()
    for address in (10, 20, 30, 40):
        assert ask(exchange, line, read(address)) == right_reply(read(address))


def test_a_device_far_slower_than_all_tries_is_no_answer_and_never_another_value() -> None:
    line = SlowLine([7000])
    exchange = line.process()
    for address in (10, 20, 30, 40):
        assert ask(exchange, line, read(address)) in (None, right_reply(read(address)))


def test_one_slow_request_delays_only_itself() -> None:
    line = SlowLine([300, 300, 1300, 1300, 300])
    exchange = line.process()
    for address in range(10, 80, 10):
        assert ask(exchange, line, read(address)) == right_reply(read(address))


@given(
    takes=st.lists(st.none() | st.integers(0, 4000), min_size=1, max_size=12),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    echo=st.lists(st.integers(1, 8), max_size=4).map(tuple),
    knows=st.booleans(),
)
def test_whatever_is_late_or_lost_an_answer_is_the_right_one(
    takes: list[int | None], counts: list[int], echo: tuple[int, ...], knows: bool
) -> None:
    line = SlowLine(takes, echo, knows)
    exchange = contact(line)
    for index, count in enumerate(counts):
        request = read(100 * (index + 1), count)
        assert ask(exchange, line, request) in (None, right_reply(request))


@given(
    takes=st.lists(st.none() | st.integers(0, 3000), min_size=1, max_size=8),
    killed_after=st.integers(50, 2500),
    echo=st.sampled_from([(), (3,)]),
)
def test_what_a_killed_process_left_is_no_answer_to_the_next_one(
    takes: list[int | None], killed_after: int, echo: tuple[int, ...]
) -> None:
    line = SlowLine(takes, echo)
    line.process()
    line.send(read(500), 1000)
    line.now += killed_after
    exchange = contact(line)
    for address in (10, 20):
        assert ask(exchange, line, read(address)) in (None, right_reply(read(address)))


@given(
    takes=st.lists(st.none() | st.integers(0, 1900), min_size=1, max_size=12),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=8),
)
def test_without_function_8_an_answer_within_two_time_outs_is_the_right_one(
    takes: list[int | None], counts: list[int]
) -> None:
    line = SlowLine(takes)
    exchange = line.process(has_diagnostics=False)
    for index, count in enumerate(counts):
        line.free_at = 0  # one that works on nothing else
        request = read(100 * (index + 1), count)
        assert ask(exchange, line, request) in (None, right_reply(request))


def test_a_second_copy_of_a_reply_is_no_answer_to_the_next_request() -> None:
    line = SlowLine([10])
    exchange = line.process()
    assert exchange.ask(read(10), MAX_MS) == right_reply(read(10))
    line._arrives(line.now + 6, right_reply(read(10)))
    assert exchange.ask(read(20), 2 * MAX_MS) == right_reply(read(20))


def test_equal_contents_of_different_registers_are_both_taken() -> None:
    line = SlowLine([10])
    line.reply = lambda _: rtu.encode(UNIT, bytes((3, 4, 0, 0, 0, 0)))
    exchange = line.process()
    for address in (10, 20, 30):
        assert exchange.ask(read(address), line.now + MAX_MS) == line.reply(b"")


def test_a_second_copy_is_not_the_reply_to_a_request_that_was_lost() -> None:
    line = SlowLine([10, 10, None, 10])
    exchange = line.process()
    reply = exchange.ask(read(10), line.now + MAX_MS)
    line.coming.append((line.now + 20, reply))
    assert exchange.ask(read(20), line.now + MAX_MS) == right_reply(read(20))
    assert [frame[1] for frame in line.sent] == [8, 3, 3, 8, 3]


def test_a_write_is_not_sent_again_when_its_reply_may_be_a_second_copy() -> None:
    line = SlowLine([10, 10, None, 10])
    line.reply = lambda _: rtu.encode(UNIT, bytes((23, 2, 0, 0)))
    exchange = line.process()
    requests = [rtu.encode(UNIT, bytes((23, 0, n, 0, 1, 0, 9, 0, 1, 2, 0, n))) for n in (1, 2)]
    reply = exchange.ask(requests[0], line.now + MAX_MS)
    line.coming.append((line.now + 20, reply))
    with pytest.raises(CorruptAnswerError, match="may be the one before"):
        exchange.ask(requests[1], line.now + MAX_MS)
    assert exchange.ask(requests[1], line.now + MAX_MS) == line.reply(b""), "asked again: its own"


def test_a_line_that_never_stops_sending_whole_frames_ends_in_time() -> None:
    line = SlowLine([10])
    exchange = line.process()
    other = right_reply(read(10))
    line.coming.extend((at, other) for at in range(20, 60_000, 200))
    with suppress(MeterctlError):
        exchange.ask(read(10), line.now + MAX_MS)
    assert line.now <= MAX_MS


def test_a_settled_line_carries_requests_and_replies_only() -> None:
    line = SlowLine([10])
    exchange = line.process()
    for address in (10, 20, 30):
        exchange.ask(read(address), line.now + MAX_MS)
    assert [frame[1] for frame in line.sent] == [8, 3, 3, 3]


def test_a_silent_line_is_given_up_after_three_time_outs() -> None:
    line = SlowLine([None])
    exchange = line.process()
    assert ask(exchange, line, read(10)) is None
    assert line.now < 3 * 1000 + 100


def test_all_ends_at_the_time_given() -> None:
    line = SlowLine([None])
    exchange = line.process(7000)
    with pytest.raises(NoAnswerError):
        exchange.ask(read(10), 5000)
    assert line.now <= 5000


def test_a_device_that_refuses_function_8_is_read_all_the_same() -> None:
    line = SlowLine([10], knows_diagnostics=False)
    exchange = line.process()
    for address in (10, 20, 30):
        assert ask(exchange, line, read(address)) == right_reply(read(address))
    assert [frame[1] for frame in line.sent] == [8, 3, 3, 3]


@pytest.mark.parametrize("late_ms", [600, 1010, 1200, 1900])
def test_without_function_8_a_silence_of_a_time_out_separates_requests(late_ms: int) -> None:
    line = SlowLine([10, late_ms, 10])
    exchange = line.process(has_diagnostics=False)
    for address in (10, 20, 30, 40):
        assert ask(exchange, line, read(address)) == right_reply(read(address))
    assert 8 not in [frame[1] for frame in line.sent]


@pytest.mark.parametrize("echo", [(8,), (1,), (1,) * 7, (3, 3), (4,), (7,)])
def test_an_echo_in_pieces_is_skipped_once(echo: tuple[int, ...]) -> None:
    line = SlowLine([10], echo)
    exchange = contact(line)
    for address in (0x0400, 20, 30):
        assert exchange.ask(read(address), line.now + MAX_MS) == right_reply(read(address))


@pytest.mark.parametrize("echo", [(8,), (1,) * 8, (3, 5)])
def test_a_device_that_is_silent_behind_an_echo_is_silent(echo: tuple[int, ...]) -> None:
    line = SlowLine([None], echo)
    exchange = line.process()
    for is_recognised in (True, False):
        with pytest.raises(NoAnswerError, match="no answer within"):
            exchange.ask(read(10), line.now + MAX_MS, is_recognised=is_recognised)


@pytest.mark.parametrize("echo", [(8,), (1,) * 7])
def test_an_echo_is_not_the_return_of_a_probe(echo: tuple[int, ...]) -> None:
    line = SlowLine([10, 1500, 10, 10], echo)
    exchange = line.process()
    assert exchange.ask(read(10), line.now + MAX_MS, is_recognised=True) == right_reply(read(10))
    for address in (20, 30, 40):
        assert ask(exchange, line, read(address)) == right_reply(read(address))


def write(function: int, value: int = 0xFF00) -> bytes:
    """Return a frame of function 5 or 6, whose reply repeats it."""
    return rtu.encode(UNIT, bytes((function, 0, 20)) + value.to_bytes(2, "big"))


def repeating(request: bytes) -> bytes:
    """Return the right reply to a read, or to a write of function 5 or 6."""
    return request if request[1] in (5, 6) else right_reply(request)


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize("echo", [(), (8,), (1,) * 7])
@pytest.mark.parametrize("function", [5, 6])
def test_a_reply_that_repeats_its_request_is_no_echo_where_nothing_is_echoed(
    function: int, echo: tuple[int, ...], knows: bool
) -> None:
    line = SlowLine([10], echo)
    line.reply = repeating
    exchange = line.process(has_diagnostics=knows)
    assert exchange.ask(read(10), line.now + MAX_MS, is_recognised=True) == right_reply(read(10))
    for request in (write(function), read(20), write(function, 0), read(30), write(function)):
        assert exchange.ask(request, line.now + MAX_MS) == repeating(request)
    assert len(line.sent) == 6 + knows, "each is sent once, after one probe"
    line.takes = [None]
    with pytest.raises((NoAnswerError, CorruptAnswerError)):
        exchange.ask(write(function), line.now + MAX_MS)
    line.takes = [10]
    assert ask(exchange, line, read(40)) == right_reply(read(40))


@pytest.mark.parametrize("function", [5, 6])
def test_a_first_write_that_comes_back_once_is_not_confirmed_by_what_may_be_its_echo(
    function: int,
) -> None:
    echoing, plain, lost = SlowLine([10], (8,)), SlowLine([10]), SlowLine([10, None, 10], (8,))
    for line in (echoing, plain, lost):
        line.reply = repeating
        exchange = line.process()
        if line is echoing:
            assert exchange.ask(write(function), line.now + MAX_MS) == write(function)
        else:
            with pytest.raises(CorruptAnswerError, match="may be an adapter's echo"):
                exchange.ask(write(function), line.now + MAX_MS)
        for request in (read(20), write(function, 0), read(30)):
            assert ask(exchange, line, request) == repeating(request)


def test_a_refusal_behind_the_echo_of_a_first_write_is_the_reply() -> None:
    line = SlowLine([10], (8,))
    refusal = rtu.encode(UNIT, bytes((0x85, 2)))
    line.reply = lambda _: refusal
    assert line.process().ask(write(5), MAX_MS) == refusal


def test_the_time_out_knows_the_speed_of_the_line() -> None:
    slow = SlowLine([2000], character_us=9_167)  # 255 characters at 1200 baud, 8E1
    assert slow.process().ask(read(10, 120), MAX_MS, is_recognised=True)
    fast = SlowLine([2000], character_us=96)
    with pytest.raises(NoAnswerError):
        fast.process().ask(read(10, 120), MAX_MS, is_recognised=True)


def test_a_line_that_is_never_silent_is_told_before_anything_is_sent() -> None:
    line = SlowLine([10])
    for at in range(4000):
        line._arrives(at, b"\xff")
    with pytest.raises(CorruptAnswerError, match="never silent; nothing was sent"):
        line.process().ask(read(10), MAX_MS)
    assert not line.sent


def test_another_kind_of_reply_is_named() -> None:
    line = SlowLine([10])
    line.reply = lambda _: rtu.encode(UNIT, bytes((3, 2, 0, 0)))
    with pytest.raises(CorruptAnswerError, match="the reply has 4 bytes, 6 were asked for"):
        line.process().ask(read(10), MAX_MS)


def test_a_foreign_unit_is_no_answer() -> None:
    line = SlowLine([10])
    line.reply = lambda request: rtu.encode(9, right_reply(request)[1:-2])
    with pytest.raises(MeterctlError, match="not for us"):
        line.process().ask(read(10), MAX_MS)


NUMBERS = (items.ENERGY_IMPORT, items.AVAILABLE_CREDIT_EXACT, items.CUMULATIVE_PURCHASED)
"""Of the same length in the map."""


def with_mark(request: bytes) -> bytes:
    """Return the reply of a meter with the native map whose registers hold their addresses."""
    reply = right_reply(request)
    if request[2:4] != bytes(2):
        return reply
    return rtu.encode(UNIT, reply[1:3] + MAGIC + reply[3 + len(MAGIC) : -2])


@pytest.mark.parametrize("late_ms", [*range(1000, 1400, 25), 2000, 3000])
@pytest.mark.parametrize("which", range(2, 5))
def test_a_late_reply_that_was_overtaken_is_no_answer(which: int, late_ms: int) -> None:
    def values(takes: list[int | None]) -> list[object]:
        line = SlowLine(takes)
        line.in_order, line.reply = False, with_mark
        driver = ModbusDriver(line, UNIT, 1000, line.clock)
        return [driver.read([item])[item] for item in NUMBERS + NUMBERS]

    assert values([60] * which + [late_ms, 60]) == values([60])


@pytest.mark.parametrize("each", [7, 23, 60, 190])
def test_leftovers_of_the_process_before_are_no_values_of_this_one(each: int) -> None:
    """Frames of the lengths of its own reads come without pause, each fitting some request."""

    def values(leftovers: int) -> list[object]:
        line = SlowLine([30])
        line.reply = with_mark
        for index in range(leftovers):
            size = 2 * (1 + index % 60)
            frame = rtu.encode(UNIT, bytes((3, size)) + bytes(size))
            line.coming.append((index * each, frame))
        driver = ModbusDriver(line, UNIT, 1000, line.clock)
        read_items = driver.read(NUMBERS)
        return [read_items[item] for item in NUMBERS]

    assert values(1000 // each) == values(0)


def test_a_right_reply_that_comes_after_a_stray_of_its_length_has_all_read_again() -> None:
    line = SlowLine([10])
    line.reply = with_mark
    driver = ModbusDriver(line, UNIT, 1000, line.clock)
    right = driver.read(NUMBERS)
    answer = line.reply

    def replaced(request: bytes) -> bytes:
        reply = answer(request)
        if len(line.sent) > sent + 1:
            return reply
        line.coming.append((line.now + 5, rtu.encode(UNIT, reply[1:3] + bytes(len(reply) - 5))))
        return reply

    sent, line.reply = len(line.sent), replaced
    assert driver.read(NUMBERS) == right


class Traced:
    """A process on a line, whose trace and received bytes are kept."""

    def __init__(self, line: SlowLine) -> None:
        self.line, self.shown = line, list[tuple[str, bytes]]()
        self.received = b""
        self._receive, line.receive = line.receive, self._kept  # type: ignore[method-assign]
        self.exchange = RtuExchange(
            line, 1000, line.clock, lambda mark, data: self.shown.append((mark, data))
        )

    def _kept(self, timeout_ms: int) -> bytes:
        data = self._receive(timeout_ms)
        self.received += data
        return data

    def ask(self, request: bytes) -> None:
        """Ask, and let what is left be shown."""
        ask(self.exchange, self.line, request)
        self.exchange.pass_over_late(0, self.line.now)


def test_the_trace_shows_the_reply_to_a_probe() -> None:
    traced = Traced(SlowLine([5]))
    traced.ask(read(10))
    probe, reply, request, answer = traced.shown
    assert (probe[0], reply) == ("->", ("<-", probe[1]))
    assert (request, answer) == (("->", read(10)), ("<-", right_reply(read(10))))


def test_the_trace_shows_an_echo_beside_the_reply() -> None:
    traced = Traced(SlowLine([5], echo=(8,)))
    traced.ask(read(10))
    traced.ask(read(20))
    assert traced.shown[-3:] == [
        ("->", read(20)),
        ("<?", read(20)),
        ("<-", right_reply(read(20))),
    ]


def test_the_trace_shows_frames_of_another_unit() -> None:
    line = SlowLine([5])
    traced = Traced(line)
    traced.ask(read(10))
    other = rtu.encode(UNIT + 1, b"\x03\x02\x00\x01")
    line.reply = lambda request: other + right_reply(request)
    traced.ask(read(20))
    assert traced.shown[-2:] == [("<-", other), ("<-", right_reply(read(20)))]


@given(
    takes=st.lists(st.none() | st.integers(0, 3000), min_size=1, max_size=8),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    echo=st.lists(st.integers(1, 8), max_size=4).map(tuple),
    knows=st.booleans(),
    noise=st.binary(max_size=6),
)
def test_the_trace_shows_every_byte_that_is_received(
    takes: list[int | None],
    counts: list[int],
    echo: tuple[int, ...],
    knows: bool,
    noise: bytes,
) -> None:
    line = SlowLine(takes, echo, knows)
    line.reply = lambda request: noise + right_reply(request)
    traced = Traced(line)
    for index, count in enumerate(counts):
        traced.ask(read(100 * (index + 1), count))
    assert b"".join(data for mark, data in traced.shown if mark != "->") == traced.received
