"""Cards in PC/SC readers, through pyscard (extra `card`); a card is held exclusively while it is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from meterctl.card_readers import CardPort
from meterctl.errors import NoAnswerError, UsageError
from protocols.card.apdu import SHORTEST
from protocols.errors import ApduError, CardGoneError

VIRTUAL = "Virtual PCD"
"""How the readers of vsmartcard are named: what lies in them is simulated."""
_SHARING_VIOLATION = 0x8010000B


def reader_names() -> list[str]:
    """Return the names of all readers; raises UsageError where PC/SC is not to be had."""
    return [str(reader) for reader in _readers()]


@contextmanager
def open_reader(wanted: str | None) -> Iterator[CardPort]:
    """Give the card in a reader power: the one whose name begins so, or the only one there is.

    Raises:
        UsageError: no such reader, or another program holds its card.
        NoAnswerError: no card is in it.
    """
    from smartcard.Exceptions import CardConnectionException, NoCardException, SmartcardException
    from smartcard.pcsc.PCSCExceptions import BaseSCardException
    from smartcard.scard import SCARD_SHARE_EXCLUSIVE, SCARD_UNPOWER_CARD

    found = [reader for reader in _readers() if wanted is None or str(reader).startswith(wanted)]
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise UsageError(f"reader {wanted or '(none named)'}: found {names}; name one with --reader. Nothing was sent")
    try:
        connection = found[0].createConnection()
        connection.connect(mode=SCARD_SHARE_EXCLUSIVE, disposition=SCARD_UNPOWER_CARD)
    except NoCardException as error:
        raise NoAnswerError(f"reader {found[0]}: no card is in it") from error
    except (SmartcardException, BaseSCardException) as error:
        if getattr(error, "hresult", 0) & 0xFFFF_FFFF == _SHARING_VIOLATION:
            raise UsageError(f"reader {found[0]}: another program holds the card; nothing was sent") from error
        raise NoAnswerError(f"reader {found[0]}: {error}") from error

    def transmit(command: bytes) -> bytes:
        if len(command) < SHORTEST:
            raise ApduError(f"{len(command)} bytes are no command: some reader drivers hang on them, nothing was sent")
        try:
            data, sw1, sw2 = connection.transmit(list(command))
        except (CardConnectionException, NoCardException) as error:
            raise CardGoneError(f"reader {found[0]}: the card gave no response: {error}") from error
        return bytes((*data, sw1, sw2))

    try:
        yield CardPort(str(found[0]), transmit, str(found[0]).startswith(VIRTUAL))
    finally:
        with suppress(SmartcardException, BaseSCardException):  # it may be gone already
            connection.release()


def _readers() -> list[Any]:
    try:
        from smartcard.Exceptions import SmartcardException
        from smartcard.pcsc.PCSCExceptions import BaseSCardException
        from smartcard.System import readers
    except ImportError as error:
        raise UsageError(
            "PC/SC needs pyscard: pip install 'prepaid-meter[card]' (it builds with swig and libpcsclite-dev); "
            "a simulated card needs only --file"
        ) from error
    try:
        return list(readers())
    except (SmartcardException, BaseSCardException) as error:
        raise UsageError(f"PC/SC: {error}; is pcscd running?") from error
