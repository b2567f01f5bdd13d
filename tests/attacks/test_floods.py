"""One master that floods its connections starves no other wire, nor the control socket."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_sim.hosting.control_socket import ask
from protocols.modbus.tcp import encode
from tests.support.programs import TIMEOUT_S, meterctl, running

SEALED = encode(1, 1, b"\x10\x14\x00\x00\x36\x6c" + b"\0\x64\0\0\0\x64\0\1" + bytes(100))
"""A sealed message of noise: the meter compares its code and answers."""
STATUS = encode(2, 1, b"\x03\x17\x88\x00\x40")
READ, TINY = encode(3, 1, b"\x03\x00\x40\x00\x7d"), encode(4, 1, b"\x55")


@contextmanager
def flooding(address: tuple[str, int], connections: int) -> Iterator[None]:
    """Send requests as fast as they are taken, and read the replies, for the block."""
    stream = (SEALED + STATUS + READ + TINY) * 500
    done = threading.Event()

    def flood() -> None:
        with selectors.DefaultSelector() as selector:
            for _ in range(connections):
                each = socket.create_connection(address)
                each.setblocking(False)
                selector.register(each, selectors.EVENT_READ | selectors.EVENT_WRITE, [0])
            while not done.is_set():
                for key, events in selector.select(1):
                    if events & selectors.EVENT_READ:
                        assert key.fileobj.recv(1 << 20), "a flood is slowed, not ended"  # type: ignore[union-attr]
                    if events & selectors.EVENT_WRITE:
                        at = key.data[0]
                        sent = key.fileobj.send(stream[at : at + 65_536])  # type: ignore[union-attr]
                        key.data[0] = (at + sent) % len(stream)
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_flood_of_requests_leaves_other_wires_their_turn(tmp_path: Path) -> None:
    """A read ends within the tries of a controller with its default time-out."""
    wires = ("--modbus-rtu", "m.tty", "--modbus-tcp", "127.0.0.1:0", "--control", "c.sock")
    with running(*wires, cwd=tmp_path) as ready:
        host, _, port = ready["modbus_tcp"][0].rpartition(":")
        with flooding((host, int(port)), 10):
            meterctl("--port", "m.tty", "read", "serial_number", cwd=tmp_path)
            (answer,) = ask(tmp_path / "c.sock", ["state"], None)
            assert answer.error is None
            with socket.create_connection((host, int(port)), TIMEOUT_S) as polite:
                for _ in range(20):
                    polite.sendall(READ)
                    assert polite.recv(1000)[:2] == READ[:2]
