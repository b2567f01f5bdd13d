"""Durable top-ups over TCP on one meter; the peer is a write and fdatasync on the same disk.

The messages are sealed beforehand; each is sent and answered in one exchange of function 23. An
answer other than `accepted` ends the benchmark: only accepted top-ups count.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from benchmarks.figures import BenchmarkError, Figure, Reach, beside
from benchmarks.processes import Child, meter_sim
from protocols.data_model import items
from protocols.keys import MessageClass, development_keys
from protocols.modbus import tcp
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function, read_request
from protocols.modbus.sealed_windows import ANSWER_HEAD_REGISTERS, MESSAGE_HEAD
from protocols.sealed_message import Answer, MessageKind, Outcome, SealedMessage

REACH = Reach(0.5, at_least=True)
SERIAL_NUMBER = "000000000001"
UNIT = 1
ANSWER_WITHIN_S = 10.0
PAGE = bytes(4096)
PLACES = (4096, 4096 + (1 << 17), 4096 + (2 << 17))
"""Offsets of the bare writes in turn, spread like a meter's records."""
DISK = Path("/var/tmp")
"""A folder on a disk; /tmp may be in memory."""
_READ_WRITE = Struct(">BHHHHB")


def measure(quick: bool) -> Iterator[Figure]:
    """Measure both alternately, round by round."""
    rounds, each = (3, 50) if quick else (9, 200)
    place = DISK if DISK.is_dir() else None
    with contextlib.ExitStack() as running:
        folder = Path(
            running.enter_context(tempfile.TemporaryDirectory(prefix="meter-bench-", dir=place))
        )
        sim = meter_sim(
            "--modbus-tcp", "127.0.0.1:0", "--state", str(folder / "meter.nv"), "--speed", "1"
        )
        child, ready = running.enter_context(sim)
        host, _, port = ready["modbus_tcp"][0].rpartition(":")
        wire = running.enter_context(socket.create_connection((host, int(port)), ANSWER_WITHIN_S))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        messages = _messages(_epoch(wire), rounds * each)
        top_ups: list[float | None] = []
        cpu: list[float | None] = []
        bare: list[float | None] = []
        bare_cpu: list[float | None] = []
        for index in range(rounds):
            rate, cost = _bare(folder / "bare", each)
            bare.append(rate)
            bare_cpu.append(cost)
            top_ups.append(
                _top_up_rate(wire, messages[index * each : (index + 1) * each], child, cpu)
            )
    peer = "write 4 KiB + fdatasync"
    yield beside("Durable top-ups over TCP, one meter", "a second", top_ups, bare, peer, REACH)
    yield beside("Durable top-ups over TCP: server CPU each", "us", cpu, bare_cpu, peer)


def _messages(epoch: int, count: int) -> list[bytes]:
    keys = development_keys(SERIAL_NUMBER)
    key = keys.key(MessageClass.CREDIT)
    messages = (
        SealedMessage(
            MessageKind.CREDIT, SERIAL_NUMBER, epoch, sequence, 1, key_version=keys.version
        )
        for sequence in range(1, count + 1)
    )
    return [message.seal(key) for message in messages]


def _epoch(wire: socket.socket) -> int:
    place = NATIVE_MAP.best_registers[items.EPOCH][0]
    epoch: int = place.unpack(_exchange(wire, read_request(3, place.address, place.width))[2:])
    return epoch


def _top_up_rate(
    wire: socket.socket, messages: list[bytes], child: Child, cpu: list[float | None]
) -> float:
    requests = [_request(message) for message in messages]
    before, began = child.cpu_us(), time.perf_counter()
    for request in requests:
        reply = _exchange(wire, request)
        answer = Answer.decode(reply[4 : 4 + Answer.SIZE])
        if answer.outcome is not Outcome.ACCEPTED:
            raise BenchmarkError(f"a top-up was answered {answer.outcome.name.lower()}")
    took, after = time.perf_counter() - began, child.cpu_us()
    cpu.append(
        (after - before) / len(messages) if before is not None and after is not None else None
    )
    return len(messages) / took


def _request(message: bytes) -> bytes:
    windows = NATIVE_MAP.windows
    assert windows is not None
    part = MESSAGE_HEAD.pack(len(message), 0, len(message), 1) + message + bytes(len(message) % 2)
    size = len(part)
    head = (
        Function.READ_WRITE_MULTIPLE_REGISTERS,
        windows.answer,
        ANSWER_HEAD_REGISTERS,
        windows.message,
        size // 2,
    )
    return _READ_WRITE.pack(*head, size) + part


def _exchange(wire: socket.socket, pdu: bytes) -> bytes:
    """Return the reply PDU of a request, received within the socket's time-out."""
    wire.sendall(tcp.encode(1, UNIT, pdu))
    buffer = bytearray()
    while True:
        data = wire.recv(4096)
        buffer += data
        frames, lost = tcp.take(buffer)
        if frames:
            if frames[0].pdu[0] != pdu[0]:
                raise BenchmarkError(f"function {pdu[0]} was answered {frames[0].pdu.hex()}")
            return frames[0].pdu
        if lost or not data:
            raise BenchmarkError("the meter closed the connection")


def _bare(path: Path, count: int) -> tuple[float, float]:
    """Return the durable writes a second on this disk, and the CPU time of each, us."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for place in PLACES:
            os.pwrite(file, PAGE, place)
        os.fsync(file)
        began, before = time.perf_counter(), time.process_time()
        for number in range(count):
            os.pwrite(file, PAGE, PLACES[number % len(PLACES)])
            os.fdatasync(file)
        return count / (time.perf_counter() - began), (time.process_time() - before) / count * 1e6
    finally:
        os.close(file)
