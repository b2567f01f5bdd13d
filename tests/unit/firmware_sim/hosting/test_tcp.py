"""TCP connections: a bounded number of requests a turn, in order; the oldest unused gives way."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic_ns
from typing import Any, cast

import pytest

from firmware_sim.assembly import rack_of
from firmware_sim.hosting import tcp
from firmware_sim.hosting.notices import ConnectionNotices
from firmware_sim.hosting.tcp import SHORT, TcpConnection, TcpConnections
from firmware_sim.hosting.turns import PIECE, PIECES_A_TURN
from firmware_sim.hosting.wires import Tap
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from protocols.modbus.tcp import HEADER_SIZE, encode
from tests.support.loops import SteppedLoop
from tests.support.racks import tcp_server

READ = b"\x03\x00\x40\x00\x0a"
MOST_FRAMES = PIECES_A_TURN * (PIECE // (HEADER_SIZE + 1) + 1)
"""Frames of a turn at most, where each is the shortest that there is."""


class Transport:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written, self.reading, self.closing = b"", True, False

    def set_write_buffer_limits(self, high: int) -> None:
        """Take the limit of unsent bytes."""

    def write(self, data: bytes) -> None:
        """Keep bytes."""
        self.written += data

    def pause_reading(self) -> None:
        """Read no more."""
        self.reading = False

    def resume_reading(self) -> None:
        """Read again."""
        self.reading = True

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return self.closing

    def close(self) -> None:
        """Close."""
        self.closing = True

    abort = close


class FakeHost:
    """The part of a host that connections use."""

    tap: Tap | None = None

    def __init__(self) -> None:
        self.steps = SteppedLoop()
        self.loop: asyncio.AbstractEventLoop = self.steps.as_loop
        self.said: list[str] = []
        self.rack: Rack = rack_of(MeterDescription("000000000001"), 0, 0)
        self.connections = TcpConnections(self, ConnectionNotices(self.loop, self.said.append))

    def fail(self, error: Exception) -> None:
        """Fail: no connection ends a host."""
        raise AssertionError from error

    def connect(self) -> tuple[TcpConnection, Transport]:
        """Return a connection and its transport."""
        connection = TcpConnection(self, Line(tcp_server(self.rack)), self.connections)
        transport = Transport()
        connection.connection_made(cast(Any, transport))
        return connection, transport


def requests(count: int, pdu: bytes = READ) -> bytes:
    """Return so many requests, numbered."""
    return b"".join(encode(number % 65_536, 1, pdu) for number in range(count))


def replies(data: bytes) -> list[int]:
    """Return the transactions of replies."""
    found, at = [], 0
    while at < len(data):
        found.append(int.from_bytes(data[at : at + 2], "big"))
        at += 6 + int.from_bytes(data[at + 4 : at + 6], "big")
    return found


@pytest.mark.parametrize("count", [1, 10, 50])
@pytest.mark.parametrize("pdu", [READ, b"\x55", b"\x03\x20\x00\x00\x01"], ids=["read", "tiny", "1"])
def test_connections_that_send_without_pause_have_a_bounded_number_of_requests_a_turn(
    count: int, pdu: bytes
) -> None:
    host = FakeHost()
    several = [host.connect() for _ in range(count)]
    for connection, _ in several:
        connection.data_received(requests(400, pdu))

    def answered() -> int:
        return sum(len(replies(transport.written)) for _, transport in several)

    before = answered()
    assert before <= MOST_FRAMES
    while not host.steps.idle:
        host.steps.turn()
        assert answered() - before <= MOST_FRAMES, "all connections share a turn"
        before = answered()
    for _, transport in several:
        assert replies(transport.written) == list(range(400)), "each request once, in order"
        assert transport.reading


def test_connections_that_wait_have_their_turns_one_after_the_other() -> None:
    host = FakeHost()
    several = [host.connect() for _ in range(PIECES_A_TURN)]
    for connection, _ in several:
        connection.data_received(requests(200))
    host.steps.turn()
    lengths = [len(replies(transport.written)) for _, transport in several]
    assert min(lengths) == max(lengths) == PIECE // 12


@pytest.mark.parametrize("size", [1, 3, 8, SHORT - 1, SHORT, SHORT + 1, PIECE, PIECE + 1, 5_000])
def test_however_the_bytes_arrive_the_replies_are_those_of_the_server(size: int) -> None:
    mixed = b"".join(
        encode(number, number % 3, pdu)
        for number, pdu in enumerate(
            [READ, b"\x55", b"\x10\x20\x00\x00\x02\x04abcd", b"\x03\x20\x00\x00\x02", READ] * 40
        )
    )
    host = FakeHost()
    connection, transport = host.connect()
    for at in range(0, len(mixed), size):
        connection.data_received(mixed[at : at + size])
        while not transport.reading:
            host.steps.turn()
    alone = tcp_server(rack_of(MeterDescription("000000000001"), 0, 0))
    assert transport.written == alone.receive(mixed, 0)


def test_one_request_at_a_time_is_answered_at_once_beside_a_flood() -> None:
    host = FakeHost()
    flood, _ = host.connect()
    flood.data_received(requests(5_000))
    polite, transport = host.connect()
    for number in range(3):
        polite.data_received(encode(number, 1, READ))
        assert replies(transport.written)[-1] == number
        host.steps.turn()


def test_a_stream_that_cannot_be_followed_is_closed_and_its_rest_not_executed() -> None:
    host = FakeHost()
    connection, transport = host.connect()
    connection.data_received(requests(50) + b"\xff" * 600 + requests(50))
    while not host.steps.idle:
        host.steps.turn()
    assert transport.closing
    assert replies(transport.written) == list(range(50))


def test_a_connection_that_closes_while_its_requests_wait_is_forgotten() -> None:
    host = FakeHost()
    connection, transport = host.connect()
    connection.data_received(requests(5_000))
    host.steps.turn()
    answered = len(replies(transport.written))
    transport.closing = True
    connection.connection_lost(None)
    host.steps.turn()
    host.steps.turn()
    assert host.steps.idle
    assert len(replies(transport.written)) == answered
    assert not connection.in_work


def test_reading_is_paused_while_requests_wait() -> None:
    host = FakeHost()
    connection, transport = host.connect()
    connection.data_received(requests(100))
    assert not transport.reading
    assert connection.in_work
    while not host.steps.idle:
        host.steps.turn()
    assert transport.reading
    assert not connection.in_work


# ---- more connections than may be open


class Pool:
    """A host on a loop that runs, with clients; at most three connections are open."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        self.address = listening.getsockname()
        host.connections.listen([listening], lambda: Line(tcp_server(host.rack)))
        self.clients: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self) -> None:
        """Open a connection; it is the last of `clients`."""
        self.clients.append(await asyncio.open_connection(*self.address))

    async def is_answered(self, index: int) -> bool:
        """Return whether a client has a reply, rather than the end of its connection."""
        reader, writer = self.clients[index]
        try:
            writer.write(encode(1, 1, READ))
            return bool(await asyncio.wait_for(reader.read(100), 30))
        except ConnectionError:
            return False

    def pass_time(self, *heard_before_s: float) -> None:
        """Set how long ago each open connection, in the order of opening, was last heard."""
        ordered = sorted(self.host.connections._open, key=lambda one: one.heard_ns)
        for one, seconds in zip(ordered, heard_before_s, strict=True):
            one.heard_ns = monotonic_ns() - int(seconds * 1e9)

    def end(self) -> None:
        """Close everything."""
        self.host.connections.end()
        for _, writer in self.clients:
            writer.close()


async def _pool_of_three(monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 3)
    host = FakeHost()
    host.loop = asyncio.get_running_loop()
    pool = Pool(host)
    for index in range(3):
        await pool.connect()
        assert await pool.is_answered(index)
    return pool


def test_the_connection_unused_for_longest_gives_way_to_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play() -> None:
        pool = await _pool_of_three(monkeypatch)
        pool.pass_time(5, 9, 2)
        await pool.connect()
        assert await pool.is_answered(3)
        assert [await pool.is_answered(index) for index in range(3)] == [True, False, True]
        assert pool.host.said == ["meter-sim: connections unused and closed for new ones: 1"]
        pool.end()

    asyncio.run(play())


def test_a_new_connection_is_refused_where_none_is_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        pool = await _pool_of_three(monkeypatch)
        pool.pass_time(0, 0.5, -60)
        await pool.connect()
        assert not await pool.is_answered(3)
        assert all([await pool.is_answered(index) for index in range(3)])
        assert pool.host.said == [
            "meter-sim: connections refused, since all that may be open are in use: 1"
        ]
        pool.end()

    asyncio.run(play())


def test_a_connection_whose_requests_wait_is_not_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        pool = await _pool_of_three(monkeypatch)
        pool.pass_time(9, 8, 7)
        oldest = min(pool.host.connections._open, key=lambda one: one.heard_ns)
        oldest._unread = b"waits"
        await pool.connect()
        assert await pool.is_answered(3)
        assert [await pool.is_answered(index) for index in range(3)] == [True, False, True]
        oldest._unread = b""
        pool.end()

    asyncio.run(play())


def test_a_master_that_lost_its_power_is_found_by_keep_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play() -> None:
        pool = await _pool_of_three(monkeypatch)
        for one in pool.host.connections._open:
            assert one._transport is not None
            accepted = one._transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            for name, value in tcp.KEEP_ALIVE:
                if hasattr(socket, name):
                    number = getattr(socket, name)
                    assert accepted.getsockopt(socket.IPPROTO_TCP, number) == value
        pool.end()

    asyncio.run(play())
