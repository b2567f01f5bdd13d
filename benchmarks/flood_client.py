"""A client that floods a Modbus TCP server: `python -m benchmarks.flood_client HOST PORT COUNT`.

Each of its COUNT connections sends requests as fast as they are taken and reads the replies. It
prints a line when the flood runs and ends with SIGTERM, or when the server closed all connections.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from struct import Struct

BEGINNING_S = 0.5
REQUESTS = 2_000
SEND_SIZE, RECEIVE_SIZE = 1 << 16, 1 << 20
_READ, _UNKNOWN = Struct(">HHHBBHH"), Struct(">HHHBB")


def main() -> None:
    """Flood until the process is ended."""
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    stream = b"".join(
        _READ.pack(number, 0, 6, 1, 3, 64, 10)
        + _READ.pack(number, 0, 6, 1, 3, 64, 125)
        + _UNKNOWN.pack(number, 0, 2, 1, 0x55)
        for number in range(REQUESTS)
    )
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            wire = socket.create_connection((host, port), 10)
            wire.setblocking(False)
            selector.register(wire, selectors.EVENT_READ | selectors.EVENT_WRITE, [0])
        tell_at: float | None = time.monotonic() + BEGINNING_S
        while selector.get_map():
            for key, events in selector.select(1):
                if not _exchange(key.fileobj, key.data, events, stream):  # type: ignore[arg-type]
                    selector.unregister(key.fileobj)
            if tell_at is not None and time.monotonic() > tell_at:
                tell_at = None
                print("flooding", flush=True)


def _exchange(wire: socket.socket, at: list[int], events: int, stream: bytes) -> bool:
    """Send and receive what can be; return whether the connection is open."""
    try:
        if events & selectors.EVENT_READ and not wire.recv(RECEIVE_SIZE):
            return False
        if events & selectors.EVENT_WRITE:
            at[0] = (at[0] + wire.send(stream[at[0] : at[0] + SEND_SIZE])) % len(stream)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
