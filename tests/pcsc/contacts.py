"""The contacts of a card through pyscard, which is imported on use: it may not be installed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

SEEN_S = 5
"""The driver polls every 0.4 s for a card."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """A powered card in a reader."""

    connection: Any

    @property
    def answer_to_reset(self) -> bytes:
        """The answer to reset of the card."""
        return bytes(self.connection.getATR())

    def transmit(self, command: bytes) -> bytes:
        """Send a command to the card and return its response; pyscard's exceptions pass."""
        data, sw1, sw2 = self.connection.transmit(list(command))
        return bytes((*data, sw1, sw2))

    def __call__(self, text: str) -> str:
        """Send a command in hexadecimal digits; return the response in the same form."""
        return self.transmit(bytes.fromhex(text)).hex(" ").upper()


@contextmanager
def connected(reader: str) -> Iterator[Contacts]:
    """Power the card in a reader until the block ends."""
    from smartcard.Exceptions import CardConnectionException
    from smartcard.scard import SCARD_UNPOWER_CARD
    from smartcard.System import readers

    (found,) = (one for one in readers() if str(one) == reader)
    connection = found.createConnection()
    try:
        connection.connect(disposition=SCARD_UNPOWER_CARD)
        yield Contacts(connection)
    finally:
        # The card is removed.
        with suppress(CardConnectionException):
            connection.disconnect()
        connection.release()


def wait_for_card(reader: str, *, present: bool = True) -> None:
    """Wait until the reader has a card, or none; a reader whose pcscd has ended has none."""
    from smartcard import scard

    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result == scard.SCARD_E_NO_SERVICE and not present:
        return
    assert result == scard.SCARD_S_SUCCESS
    deadline, state = time.monotonic() + SEEN_S, scard.SCARD_STATE_UNAWARE
    try:
        while True:
            left = max(0, int((deadline - time.monotonic()) * 1000))
            result, states = scard.SCardGetStatusChange(context, left, [(reader, state)])
            assert result == scard.SCARD_S_SUCCESS, (
                f"{reader}: {scard.SCardGetErrorMessage(result)}"
            )
            state = states[0][1]
            if bool(state & scard.SCARD_STATE_PRESENT) == present:
                return
    finally:
        scard.SCardReleaseContext(context)
