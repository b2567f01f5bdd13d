"""Addresses: typos, IPv6, a name with several addresses; accepting without descriptors."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from firmware_sim.hosting import listener
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.listener import (
    ACCEPTS_A_TURN,
    PAUSE_S,
    ROOM_S,
    Listener,
    listen_tcp,
    parse_address,
    show_address,
)
from tests.support.loops import SteppedLoop


@pytest.mark.parametrize(
    ("address", "name", "port"),
    [
        ("127.0.0.1:5020", "127.0.0.1", 5020),
        ("localhost:0", "localhost", 0),
        ("[::1]:65535", "::1", 65_535),
        ("::1:502", "::1", 502),
        ("[fe80::1%eth0]:502", "fe80::1%eth0", 502),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, name: str, port: int) -> None:
    assert parse_address(address) == (name, port)


@pytest.mark.parametrize(
    "address",
    [
        "",
        ":5020",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:²",
        "127.0.0.1:５０２０",
        "127.0.0.1: 502",
        "[]:502",
        "[::1:502",
        "::1]:502",
        "[::1]x:502",
        "127.0.0..1:5020",
        "a" * 64 + ".example:5020",
        "a\udcffb:5020",
        "ä" * 80 + ":5020",
    ],
)
def test_a_typo_in_an_address_is_named_in_one_sentence(address: str) -> None:
    with pytest.raises(HostingError, match=r"^address ") as raised:
        listen_tcp(address)
    assert "\n" not in str(raised.value)


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert show_address("::1", 502) == "[::1]:502"
    assert show_address("localhost", 502) == "localhost:502"


class Sockets:
    """Sockets that bind in memory; `taken` are the (host, port) in use, `absent` hosts not here."""

    AF_INET6, AF_INET = socket.AF_INET6, socket.AF_INET

    def __init__(self) -> None:
        self.bound: list[tuple[str, int]] = []
        self.taken: set[tuple[str, int]] = set()
        self.absent: set[str] = set()
        self.open = 0
        self.free = iter(range(40_000, 50_000))

    def __call__(self, family: int, kind: int) -> FakeSocket:
        return FakeSocket(self)


class FakeSocket:
    """One of them."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets, self._place = sockets, ("", 0)
        sockets.open += 1

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.open -= 1

    def setsockopt(self, *_: object) -> None:
        """Take an option."""

    def setblocking(self, _: bool) -> None:
        """Take the mode."""

    def listen(self, _: int) -> None:
        """Listen."""

    def bind(self, place: tuple[Any, ...]) -> None:
        """Bind, or refuse."""
        host, port = place[0], place[1] or next(self._sockets.free)
        if host in self._sockets.absent:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        if (host, port) in self._sockets.taken:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._place = (host, port)

    def getsockname(self) -> tuple[str, int]:
        """Return the place."""
        return self._place


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sockets]:
    """Return sockets in memory; localhost is ::1 and 127.0.0.1."""
    made = Sockets()

    def getaddrinfo(name: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [six, four, four]

    monkeypatch.setattr(listener.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(listener.socket, "socket", made)
    return made  # type: ignore[return-value]


def places(found: list[socket.socket]) -> list[tuple[str, int]]:
    """Return where sockets are bound."""
    return [one.getsockname() for one in found]


def test_a_name_with_two_addresses_has_one_free_port(sockets: Sockets) -> None:
    shown, found = listen_tcp("localhost:0")
    assert shown == "localhost:40000"
    assert places(found) == [("::1", 40_000), ("127.0.0.1", 40_000)]


def test_a_free_port_that_another_address_has_in_use_is_not_taken(sockets: Sockets) -> None:
    sockets.taken = {("127.0.0.1", 40_000), ("127.0.0.1", 40_001)}
    shown, found = listen_tcp("localhost:0")
    assert shown == "localhost:40002"
    assert places(found) == [("::1", 40_002), ("127.0.0.1", 40_002)]
    assert sockets.open == 2, "those of the attempts before are closed"


def test_a_name_without_a_port_free_at_all_its_addresses_is_refused(sockets: Sockets) -> None:
    sockets.taken = {("127.0.0.1", port) for port in range(40_000, 50_000)}
    with pytest.raises(HostingError, match="Address already in use"):
        listen_tcp("localhost:0")
    assert sockets.open == 0


def test_a_port_in_use_is_refused_at_once(sockets: Sockets) -> None:
    sockets.taken = {("127.0.0.1", 5020)}
    with pytest.raises(HostingError, match=r"^address localhost:5020: Address already in use$"):
        listen_tcp("localhost:5020")
    assert sockets.open == 0


def test_an_address_that_this_machine_lacks_is_left_out(sockets: Sockets) -> None:
    sockets.absent = {"::1"}
    shown, found = listen_tcp("localhost:5020")
    assert (shown, places(found)) == ("localhost:5020", [("127.0.0.1", 5020)])
    sockets.absent = {"::1", "127.0.0.1"}
    with pytest.raises(HostingError, match="Cannot assign requested address"):
        listen_tcp("localhost:5020")


# ---- accepting


class Accepting:
    """A listening socket: each of `outcomes` is an accepted connection or an error."""

    def __init__(self, *outcomes: int | None) -> None:
        self.outcomes = list(outcomes)
        self.closed = False

    def accept(self) -> tuple[Accepting, None]:
        """Return a connection, or raise."""
        if not self.outcomes:
            raise BlockingIOError
        number = self.outcomes.pop(0)
        if number is not None:
            raise OSError(number, os.strerror(number))
        return self, None

    def setblocking(self, _: bool) -> None:
        """Take the mode."""

    def close(self) -> None:
        """Close."""
        self.closed = True


class Accepted:
    """A listener, its loop and its connections."""

    def __init__(self, listening: Accepting, room: bool = False) -> None:
        self.loop, self.connections, self.asked_for_room = SteppedLoop(), 0, 0
        self.listening, self._room = listening, room
        self.listener = Listener(
            self.loop.as_loop, [cast(socket.socket, listening)], self._take, self._make_room
        )

    def _take(self, _: socket.socket) -> None:
        self.connections += 1

    def _make_room(self) -> bool:
        self.asked_for_room += 1
        return self._room

    def turn(self) -> None:
        """Let the loop see that the socket can be read."""
        self.loop.readers[self.listening]()


def test_a_burst_of_connections_leaves_other_wires_their_turn() -> None:
    accepted = Accepted(Accepting(*[None] * 100))
    accepted.turn()
    assert accepted.connections == ACCEPTS_A_TURN
    for _ in range(10):
        accepted.turn()
    assert accepted.connections == 100


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_without_a_descriptor_it_pauses_and_then_goes_on(number: int) -> None:
    accepted = Accepted(Accepting(None, number, None))
    accepted.turn()
    assert (accepted.connections, accepted.asked_for_room) == (1, 1)
    assert accepted.loop.readers == {}, "the loop does not spin"
    assert accepted.loop.waits_s == [PAUSE_S]
    accepted.loop.expire()
    accepted.turn()
    assert accepted.connections == 2


def test_where_room_was_made_it_goes_on_soon() -> None:
    accepted = Accepted(Accepting(errno.EMFILE, None), room=True)
    accepted.turn()
    assert accepted.loop.waits_s == [ROOM_S]


def test_a_client_that_has_gone_before_it_was_accepted_is_no_failure() -> None:
    accepted = Accepted(Accepting(errno.ECONNABORTED, None))
    accepted.turn()
    assert accepted.loop.waits_s == []
    accepted.turn()
    assert accepted.connections == 1


def test_a_listener_that_pauses_can_be_closed() -> None:
    accepted = Accepted(Accepting(errno.EMFILE))
    accepted.turn()
    accepted.listener.end()
    assert accepted.listening.closed
    accepted.loop.expire()
    assert accepted.loop.readers == {}
