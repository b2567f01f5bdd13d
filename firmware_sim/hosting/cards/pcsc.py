"""PC/SC reader as the card slot of a simulated meter (extra `card`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from firmware_sim.hosting.cards.slot import Contacts
from firmware_sim.hosting.errors import HostingError
from protocols.errors import CardGoneError


def connector(reader_name: str) -> Callable[[], Contacts]:
    """Return a function that powers the card in the reader whose name begins with `reader_name`.

    Raises:
        HostingError: pyscard is missing, PC/SC fails, or not exactly one reader matches.
    """
    try:
        from smartcard.Exceptions import (
            CardConnectionException,
            NoCardException,
            SmartcardException,
        )
        from smartcard.pcsc.PCSCExceptions import BaseSCardException
        from smartcard.scard import SCARD_UNPOWER_CARD
        from smartcard.System import readers
    except ImportError as error:
        raise HostingError("PC/SC needs pyscard: pip install 'prepaid-meter[card]'") from error
    try:
        found: list[Any] = [reader for reader in readers() if str(reader).startswith(reader_name)]
    except (SmartcardException, BaseSCardException) as error:
        raise HostingError(f"PC/SC: {error}; is pcscd running?") from error
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise HostingError(
            f"reader {reader_name!r}: {names} found; `meterctl card readers` lists them"
        )

    def connect() -> Contacts:
        try:
            connection = found[0].createConnection()
            connection.connect(disposition=SCARD_UNPOWER_CARD)
            answer = bytes(connection.getATR())
        except NoCardException as error:
            raise HostingError(
                f"reader {found[0]}: no card is in it; nothing was inserted"
            ) from error
        except (SmartcardException, BaseSCardException):
            return b"", _gone, _nothing
        return answer, lambda command: transmit(connection, command), lambda: give_back(connection)

    def give_back(connection: Any) -> None:
        with contextlib.suppress(SmartcardException, BaseSCardException):
            connection.release()

    def transmit(connection: Any, command: bytes) -> bytes:
        try:
            data, sw1, sw2 = connection.transmit(list(command))
        except (CardConnectionException, NoCardException) as error:
            raise CardGoneError(str(error)) from error
        return bytes((*data, sw1, sw2))

    return connect


def _gone(_: bytes) -> bytes:
    raise CardGoneError("no card is in the reader")


def _nothing() -> None:
    pass
