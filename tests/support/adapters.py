"""Adapters and gateways between a host and a meter, each in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import termios
import threading
import time
import tty
from collections.abc import Iterator

_TURN_S = 0.05


@contextlib.contextmanager
def in_thread(work: object, closing: list[int]) -> Iterator[None]:
    """Run `work(stop)` in a thread for the block; then close descriptors."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        for file in closing:
            os.close(file)


@contextlib.contextmanager
def echoing_adapter(port: str, chunk: int) -> Iterator[str]:
    """Yield a port whose adapter returns to the host what it sends, `chunk` bytes at a time."""
    master, slave = os.openpty()
    tty.setraw(slave)
    meter = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(meter)

    def serve(stop: threading.Event) -> None:
        while not stop.is_set():
            ready, _, _ = select.select([master, meter], [], [], _TURN_S)
            if master in ready:
                data = os.read(master, 1024)
                _in_pieces(master, data, chunk)
                os.write(meter, data)
            if meter in ready:
                _in_pieces(master, os.read(meter, 1024), chunk)

    with in_thread(serve, [master, slave, meter]):
        yield os.ttyname(slave)


def _in_pieces(file: int, data: bytes, size: int) -> None:
    for at in range(0, len(data), size):
        os.write(file, data[at : at + size])
        time.sleep(0.001)


@contextlib.contextmanager
def deaf_port() -> Iterator[str]:
    """Yield a port that takes no bytes: its output is stopped, as after XOFF."""
    master, slave = os.openpty()
    tty.setraw(slave)
    termios.tcflow(slave, termios.TCOOFF)
    try:
        yield os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


@contextlib.contextmanager
def silent_port() -> Iterator[str]:
    """Yield a port that takes all bytes and never answers."""
    master, slave = os.openpty()
    tty.setraw(slave)

    def serve(stop: threading.Event) -> None:
        while not stop.is_set():
            if select.select([master], [], [], _TURN_S)[0]:
                os.read(master, 1024)

    with in_thread(serve, [master, slave]):
        yield os.ttyname(slave)


@contextlib.contextmanager
def transparent_gateway(port: str) -> Iterator[str]:
    """Yield HOST:PORT of a gateway that passes bytes of one connection to a serial port and back.

    After a connection has ended it takes another one.
    """
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(_TURN_S)
    meter = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(meter)

    def pass_on(connection: socket.socket, stop: threading.Event) -> None:
        while not stop.is_set():
            ready, _, _ = select.select([connection, meter], [], [], _TURN_S)
            if connection in ready:
                if not (data := connection.recv(1024)):
                    return
                os.write(meter, data)
            if meter in ready:
                connection.sendall(os.read(meter, 1024))

    def serve(stop: threading.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError, ConnectionError):
                connection, _ = server.accept()
                with connection:
                    pass_on(connection, stop)

    with in_thread(serve, [meter]):
        yield f"127.0.0.1:{server.getsockname()[1]}"
    server.close()


@contextlib.contextmanager
def closing_gateway(meter: tuple[str, int], replies: int, *, resets: bool) -> Iterator[str]:
    """Yield the port of a gateway that closes each connection after some replies."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(_TURN_S)

    def pass_on(connection: socket.socket) -> None:
        with connection, socket.create_connection(meter) as upstream:
            for _ in range(replies):
                request = connection.recv(1024)
                if not request:
                    break
                upstream.sendall(request)
                connection.sendall(upstream.recv(1024))
            if resets:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def serve(stop: threading.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                with contextlib.suppress(OSError):
                    pass_on(connection)

    with in_thread(serve, []):
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.close()
