"""Simulated card in the virtual reader of vsmartcard (vpcd), visible to every PC/SC program.

The protocol of vpcd, as observed from its driver: every message is a big-endian u16 length and a
body. The body 00 is power off, 01 power on, 02 reset (no reply to these), 04 requests the answer to
reset; every other body is a command.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from firmware_sim.hosting.errors import HostingError
from protocols.card.apdu import ResponseApdu, StatusWord
from protocols.card.applet import Card

FIRST_PORT = 35963
"""Port of the first slot, "Virtual PCD 00 00"; the second slot has the next port."""
FIRST_WORD_S = 5.0
"""Limit in s for the first message; a reader sends one every 0.4 s."""
_OFF, _ON, _RESET, _ASK = b"\x00", b"\x01", b"\x02", b"\x04"
_QUICK = getattr(socket, "TCP_QUICKACK", None)


def connect(address: tuple[str, int]) -> socket.socket:
    """Connect to a slot of the virtual reader; raises HostingError where none is listening."""
    try:
        return socket.create_connection(address, 3)
    except OSError as error:
        raise HostingError(
            f"virtual reader {address[0]}:{address[1]}: {error.strerror or error}; is "
            f"pcscd running with vpcd "
            f"(packages pcscd, vsmartcard-vpcd)?"
        ) from error


def serve(card: Card, wire: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serve a card until the reader closes the connection.

    Args:
        ready: called at the first message of the reader; a slot with another card sends none.

    Raises:
        HostingError: no first message, or a failed connection.
    """
    wire.settimeout(FIRST_WORD_S)
    spoken = False
    try:
        while (message := _receive(wire)) is not None:
            if not spoken:
                spoken = True
                wire.settimeout(None)
                ready()
            reply = _answer(card, message)
            if reply is not None:
                wire.sendall(len(reply).to_bytes(2, "big") + reply)
    except TimeoutError as error:
        raise HostingError(
            "virtual reader: another card is in this slot; use the other slot (--slot 0 or 1)"
        ) from error
    except OSError as error:
        raise HostingError(f"virtual reader: {error.strerror or error}") from error
    finally:
        card.power_off()


def _answer(card: Card, message: bytes) -> bytes | None:
    if message == _OFF:
        card.power_off()
    elif message in (_ON, _RESET):
        card.power_on()
    elif message == _ASK:
        return card.answer_to_reset
    else:
        try:
            return card.apdu(message)
        except Exception:  # a missing reply would eject the card
            return ResponseApdu(status=StatusWord.FAULT).encode()
    return None


def _receive(wire: socket.socket) -> bytes | None:
    head = _exactly(wire, 2)
    return None if head is None else _exactly(wire, int.from_bytes(head, "big"))


def _exactly(wire: socket.socket, size: int) -> bytes | None:
    """Return `size` bytes, None where the other side closed the connection.

    Acknowledgements are quick, since the driver sends each message in two pieces.
    """
    data = b""
    while len(data) < size:
        _hurry(wire)
        piece = wire.recv(size - len(data))
        _hurry(wire)
        if not piece:
            return None
        data += piece
    return data


def _hurry(wire: socket.socket) -> None:
    if _QUICK is not None:
        wire.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)
