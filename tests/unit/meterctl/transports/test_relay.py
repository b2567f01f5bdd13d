"""Connections are relayed as they are, and what passes is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from meterctl.errors import UsageError
from meterctl.transports.relay import TcpRelay
from meterctl.transports.wires import open_relay
from protocols.decoded_frames import RelayedData, RelayEvent
from protocols.faults import Way

WAIT_MS = 2000


class Setup(NamedTuple):
    """A relay, and the server of the meter behind it."""

    relay: TcpRelay
    meter: socket.socket
    said: list[str]

    def host(self) -> socket.socket:
        """Return a host that is connected to the relay."""
        name, _, port = self.relay.address.rpartition(":")
        host = socket.create_connection((name, int(port)), 2)
        assert [each.event for each in self.passed()] == [RelayEvent.OPENED]
        return host

    def passed(self) -> list[RelayedData]:
        """Return what passes next."""
        return self.relay.receive(WAIT_MS)


@pytest.fixture
def setup() -> Iterator[Setup]:
    with socket.create_server(("127.0.0.1", 0)) as meter:
        meter.settimeout(2)
        said: list[str] = []
        port = f"tcp://127.0.0.1:{meter.getsockname()[1]}"
        relay = open_relay("127.0.0.1:0", port, said.append)
        yield Setup(relay, meter, said)
        relay.close()


def test_what_one_side_sends_the_other_gets_and_is_told(setup: Setup) -> None:
    with setup.host() as host:
        meter, _ = setup.meter.accept()
        with meter:
            host.sendall(b"ask")
            (asked,) = setup.passed()
            assert (asked.event, asked.way, asked.data) == (RelayEvent.DATA, Way.REQUEST, b"ask")
            assert meter.recv(10) == b"ask"
            meter.sendall(b"answer")
            (answer,) = setup.passed()
            assert (answer.way, answer.data) == (Way.REPLY, b"answer")
            assert host.recv(10) == b"answer"
            assert answer.host == host.getsockname()
            assert answer.connection == asked.connection == 1


def test_an_end_of_one_side_ends_the_other(setup: Setup) -> None:
    host = setup.host()
    meter, _ = setup.meter.accept()
    meter.close()
    (ended,) = setup.passed()
    assert (ended.event, ended.way) == (RelayEvent.ENDED, Way.REPLY)
    host.settimeout(2)
    assert host.recv(10) == b""
    host.close()
    with setup.host():
        assert setup.relay.receive(0) == [], "the next host is served"


def test_hosts_are_kept_apart(setup: Setup) -> None:
    with setup.host() as first, setup.host() as second:
        second.sendall(b"2")
        assert [each.connection for each in setup.passed()] == [2]
        first.sendall(b"1")
        assert [each.connection for each in setup.passed()] == [1]


def test_a_meter_that_is_not_there_is_named_and_the_host_is_sent_away(setup: Setup) -> None:
    setup.meter.close()
    name, _, port = setup.relay.address.rpartition(":")
    with socket.create_connection((name, int(port)), 2) as host:
        assert setup.passed() == []
        assert host.recv(10) == b""
    assert "no connection (Connection refused); a host was sent away" in setup.said[0]


def test_addresses_that_cannot_be_used_are_refused(setup: Setup) -> None:
    for listen, port, text in (
        ("127.0.0.1:0", "/dev/ttyUSB0", "only a tcp://"),
        ("5020", "tcp://127.0.0.1:502", "write HOST:PORT"),
        ("127.0.0.1:99999", "tcp://127.0.0.1:502", "write HOST:PORT"),
        (setup.relay.address, "tcp://127.0.0.1:502", "in use"),
    ):
        with pytest.raises(UsageError, match=text):
            open_relay(listen, port)
