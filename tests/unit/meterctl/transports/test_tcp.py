"""A TCP connection of the host: what ends it is told, and it is made again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from meterctl.errors import NoAnswerError
from meterctl.transports.tcp import TcpTransport


@contextmanager
def serving(*answers: bytes) -> Iterator[str]:
    """Yield the port of a server that sends one answer on each connection, then closes it."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def received(transport: TcpTransport) -> bytes:
    """Return what answers a byte."""
    transport.prepare(3000)
    transport.send(b"?", 3000)
    return transport.receive(3000)


def test_a_connection_that_was_closed_is_made_again() -> None:
    with serving(b"one", b"two") as port:
        transport = TcpTransport(port)
        assert received(transport) == b"one"
        with pytest.raises(NoAnswerError, match=r"the other side closed the connection$"):
            transport.receive(3000)
        assert received(transport) == b"two"
        transport.close()


def test_a_connection_closed_before_any_answer_says_what_may_be_the_reason() -> None:
    with serving(b"") as port:
        transport = TcpTransport(port)
        with pytest.raises(NoAnswerError, match="as many connections as it can serve"):
            received(transport)


def test_a_server_that_is_gone_is_told() -> None:
    with serving(b"one") as port:
        transport = TcpTransport(port)
        received(transport)
        with pytest.raises(NoAnswerError):
            transport.receive(3000)
    with pytest.raises(NoAnswerError, match="cannot be made again: Connection refused"):
        transport.prepare(200)


def test_all_waits_for_a_server_that_is_gone_have_one_limit() -> None:
    with serving(b"one") as port:
        transport = TcpTransport(port, 0.3)
        received(transport)
        with pytest.raises(NoAnswerError):
            transport.receive(3000)
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(NoAnswerError, match="cannot be made again"):
            transport.prepare(1000)
    assert time.monotonic() - began < 20


def test_a_side_that_takes_no_bytes_is_given_up() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    transport = TcpTransport(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    with pytest.raises(NoAnswerError, match="takes no bytes"):
        transport.send(bytes(64 << 20), 200)
    transport.close()
    server.close()
