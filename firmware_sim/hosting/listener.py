"""Listening sockets: all addresses of a name under one port; a bounded number of accepts a turn."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from firmware_sim.hosting.errors import HostingError

BACKLOG = 512
ACCEPTS_A_TURN = 16
"""New connections before other wires get their turn."""
PAUSE_S = 1.0
"""Pause after a connection could not be accepted for want of descriptors or memory."""
ROOM_S = 0.01
"""Pause after a connection was ended to make room: its descriptor is free soon."""
PORT_ATTEMPTS = 100
"""Limit: a free port of the first address that another address has in use, so often in a row."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""errno of an address of a name, such as ::1 of localhost, whose family this system lacks."""


def is_exhausted(error: OSError) -> bool:
    """Return whether the process or the system has no descriptor or memory left."""
    return error.errno in _EXHAUSTED


class Listener:
    """Accepts the connections of some sockets.

    Args:
        take: takes each connection.
        make_room: called where no descriptor is left; returns whether one is free soon.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: Sequence[socket.socket],
        take: Callable[[socket.socket], None],
        make_room: Callable[[], bool],
    ) -> None:
        self._loop, self._sockets = loop, sockets
        self._take, self._make_room = take, make_room
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}
        for each in sockets:
            loop.add_reader(each, self._accept, each)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                accepted, _address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                room = is_exhausted(error) and self._make_room()
                self._pause(listening, ROOM_S if room else PAUSE_S)
                return
            accepted.setblocking(False)
            self._take(accepted)

    def _pause(self, listening: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listening)
        self._paused[listening] = self._loop.call_later(seconds, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        del self._paused[listening]
        self._loop.add_reader(listening, self._accept, listening)

    def end(self) -> None:
        """Close the sockets."""
        for each in self._sockets:
            timer = self._paused.pop(each, None)
            if timer is not None:
                timer.cancel()
            else:
                self._loop.remove_reader(each)
            each.close()


def parse_address(address: str) -> tuple[str, int]:
    """Return (host, port) of HOST:PORT or [HOST]:PORT; raises HostingError."""
    name, _, port = address.rpartition(":")
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    is_port = port.isascii() and port.isdigit() and int(port) <= 65_535
    if not name or not is_port or "[" in name or "]" in name:
        raise HostingError(f"address {address!r}: write HOST:PORT, such as 127.0.0.1:5020")
    return name, int(port)


def show_address(name: str, port: int) -> str:
    """Return HOST:PORT, with an IPv6 address in brackets."""
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def listen_tcp(address: str) -> tuple[str, list[socket.socket]]:
    """Listen on all addresses of HOST:PORT, under one port; port 0 takes a free one.

    Returns the address with its port, and the sockets. Raises HostingError.
    """
    name, port = parse_address(address)
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        places = list(dict.fromkeys((family, place) for family, _, _, _, place in found))
        sockets = _bind_all(places, port)
    except OSError as error:
        raise HostingError(f"address {address}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise HostingError(f"address {address}: {name} is no name of a host") from error
    return show_address(name, sockets[0].getsockname()[1]), sockets


_Place = tuple[int, tuple[Any, ...]]
"""A family and an address of it, which begins with host and port."""


def _bind_all(places: Sequence[_Place], port: int) -> list[socket.socket]:
    """Bind all places under one port; raises OSError."""
    for attempt in range(PORT_ATTEMPTS):
        try:
            return _bind_each(places, port)
        except OSError as error:
            is_final = port != 0 or attempt == PORT_ATTEMPTS - 1
            if is_final or error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError("the last attempt returns or raises")


def _bind_each(places: Sequence[_Place], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    with contextlib.ExitStack() as opened:
        for family, place in places:
            try:
                one = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((place[0], port, *place[2:]))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            one.setblocking(False)
            one.listen(BACKLOG)
            port = one.getsockname()[1]
            sockets.append(one)
        if not sockets:
            raise missing or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        opened.pop_all()
    return sockets
