"""Turns of the event loop, divided among connections that send faster than they are served."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

PIECE = 260
"""Bytes executed at once: the largest frame of Modbus TCP, or 21 of its reads."""
PIECES_A_TURN = 16
"""Pieces of all connections together in one turn; then serial lines, the control socket, deadlines
and new connections have theirs."""


class Sender(Protocol):
    """A connection on which bytes wait."""

    def take(self, data: bytes) -> None:
        """Execute bytes."""
        ...

    def wait(self, data: bytes) -> None:
        """Keep bytes and read no more until they were executed."""
        ...

    def take_piece(self) -> bool:
        """Execute the next piece of the kept bytes; return whether bytes are left."""
        ...


class Turns:
    """Executes pieces of connections in the order in which they arrived."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._left = PIECES_A_TURN
        self._waiting: deque[Sender] = deque()
        self._planned = False

    def take(self, sender: Sender, data: bytes) -> None:
        """Execute bytes now where they are one piece and this turn has room, else later."""
        if self._left and not self._waiting and len(data) <= PIECE:
            self._left -= 1
            sender.take(data)
        else:
            sender.wait(data)
            self._waiting.append(sender)
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        pieces = min(PIECES_A_TURN, len(self._waiting))
        self._left = PIECES_A_TURN - pieces
        for _ in range(pieces):
            sender = self._waiting.popleft()
            if sender.take_piece():
                self._waiting.append(sender)
        self._planned = bool(pieces)
        if pieces:
            self._loop.call_soon(self._begin_turn)
