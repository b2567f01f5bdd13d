"""The load client in Python, for machines without a C compiler.

Arguments and result are those of load_client.c. It is slower than the measured servers, so its
requests/s are no measure of a server; the server's CPU per request still is.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from collections import deque
from struct import Struct
from typing import NamedTuple

SILENCE_S = 2.0
UNIT = 1
_REQUEST = Struct(">HHHBBHH")
_HEAD = Struct(">HHHBBB")
_RTU = Struct(">BBHH")


class Question(NamedTuple):
    """What every request asks."""

    function: int
    address: int
    count: int


class Counts:
    """Counts of replies and of lost, wrong and unsent requests."""

    def __init__(self) -> None:
        self.replies = self.lost = self.wrong = self.unsent = 0
        self.first = self.last = time.monotonic()

    def show(self) -> str:
        """Return the result as one JSON object."""
        return json.dumps(
            {
                "replies": self.replies,
                "lost": self.lost,
                "wrong": self.wrong,
                "unsent": self.unsent,
                "seconds": self.last - self.first,
            }
        )


class Connection:
    """One TCP connection with its unanswered transactions, oldest first."""

    def __init__(
        self, wire: socket.socket, to_send: int, in_flight: int, question: Question
    ) -> None:
        self.wire, self.to_send, self._in_flight = wire, to_send, in_flight
        self._question = question
        self.unanswered: deque[int] = deque()
        self._next = 0
        self._have = b""

    def fill(self) -> None:
        """Send as many requests as may be in flight, in one write."""
        out = b""
        while len(self.unanswered) < self._in_flight and self.to_send:
            out += _REQUEST.pack(self._next, 0, 6, UNIT, *self._question)
            self.unanswered.append(self._next)
            self._next = self._next + 1 & 0xFFFF
            self.to_send -= 1
        if out:
            self.wire.sendall(out)

    def give_up(self, counts: Counts) -> None:
        """Count the unanswered requests as lost and the rest as unsent."""
        counts.lost += len(self.unanswered)
        counts.unsent += self.to_send
        self.unanswered.clear()
        self.to_send = 0

    def readable(self, counts: Counts) -> bool:
        """Read received bytes; False when the connection is finished."""
        data = self.wire.recv(65_536)
        self._have += data
        while len(self._have) >= 6:
            _, protocol, length = Struct(">HHH").unpack_from(self._have)
            if protocol or length > 254:
                counts.wrong += 1
                data = b""
                break
            if len(self._have) < 6 + length:
                break
            self._check(self._have[: 6 + length], counts)
            self._have = self._have[6 + length :]
        if not data:
            self.give_up(counts)
            return False
        counts.last = time.monotonic()
        self.fill()
        return bool(self.unanswered)

    def _check(self, frame: bytes, counts: Counts) -> None:
        transaction = int.from_bytes(frame[:2], "big")
        if transaction not in self.unanswered:
            counts.wrong += 1  # a reply without a request
            return
        while self.unanswered.popleft() != transaction:
            counts.lost += 1
        function, _, count = self._question
        wanted = (transaction, 0, 3 + 2 * count, UNIT, function, 2 * count)
        if len(frame) == 9 + 2 * count and _HEAD.unpack_from(frame) == wanted:
            counts.replies += 1
        else:
            counts.wrong += 1


def tcp(
    host: str, port: int, connections: int, in_flight: int, requests: int, question: Question
) -> Counts:
    """Load a TCP server."""
    everyone = [
        Connection(
            socket.create_connection((host, port), 5),
            requests // connections,
            in_flight,
            question,
        )
        for _ in range(connections)
    ]
    with selectors.DefaultSelector() as selector:
        for one in everyone:
            one.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one.wire, selectors.EVENT_READ, one)
        counts = Counts()
        for one in everyone:
            one.fill()
        while selector.get_map():
            ready = selector.select(SILENCE_S)
            if not ready:
                break
            for key, _ in ready:
                if not key.data.readable(counts):
                    selector.unregister(key.fileobj)
                    key.data.wire.close()
    for one in everyone:
        one.give_up(counts)
        one.wire.close()
    return counts


def crc16(data: bytes) -> int:
    """Return the CRC of Modbus RTU."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def rtu(path: str, requests: int, question: Question) -> Counts:
    """Load a serial line."""
    file = os.open(path, os.O_RDWR | os.O_NOCTTY)
    function, _, count = question
    request = _RTU.pack(UNIT, *question)
    request += crc16(request).to_bytes(2, "little")
    wanted = 5 + 2 * count
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        counts = Counts()
        for sent in range(requests):
            os.write(file, request)
            reply = b""
            while len(reply) < wanted and selector.select(SILENCE_S):
                reply += os.read(file, 4096)
            if len(reply) < wanted:
                counts.lost, counts.unsent = counts.lost + 1, requests - sent - 1
                break
            counts.last = time.monotonic()
            right = (
                len(reply) == wanted
                and reply[:3] == bytes((UNIT, function, 2 * count))
                and crc16(reply) == 0
            )
            counts.replies += right
            counts.wrong += not right
    return counts


def main(arguments: list[str]) -> None:
    """Run the load of the arguments and print the counts."""
    kind, target, *numbers = arguments
    if kind == "tcp":
        port, connections, in_flight, requests, *question = map(int, numbers)
        counts = tcp(target, port, connections, in_flight, requests, Question(*question))
    else:
        requests, *question = map(int, numbers)
        counts = rtu(target, requests, Question(*question))
    print(counts.show())


if __name__ == "__main__":
    main(sys.argv[1:])
