"""Cards in PC/SC readers, through pyscard (extra `card`); a card is held exclusively while in use.

A reader may never answer: every call runs on a thread of its own, and after a time-out the card
counts as removed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from meterctl.card_readers import CardPort
from meterctl.errors import NoAnswerError, UsageError
from protocols.card.apdu import SHORTEST
from protocols.errors import ApduError, CardGoneError

VIRTUAL = "Virtual PCD"
"""Name prefix of vsmartcard's readers, whose cards are simulated."""
_SHARING_VIOLATION = 0x8010000B
_Result = TypeVar("_Result")


def reader_names() -> list[str]:
    """Return the names of all readers; raises UsageError if PC/SC is not available."""
    return [str(reader) for reader in _readers()]


@contextmanager
def open_reader(wanted: str | None, seconds: float) -> Iterator[CardPort]:
    """Power the card in a reader.

    Args:
        wanted: beginning of the reader's name; None is the only reader, or the only one with a
            card.
        seconds: longest time for one response of the card.

    Raises:
        UsageError: no such reader, or another program holds its card.
        NoAnswerError: there is no card in it, or the card does not answer.
    """
    reader = _the_one(wanted)
    from smartcard.Exceptions import CardConnectionException, NoCardException, SmartcardException
    from smartcard.pcsc.PCSCExceptions import BaseSCardException

    connection = _connected(reader, seconds)
    silent = False

    def transmit(command: bytes) -> bytes:
        nonlocal silent
        if len(command) < SHORTEST:
            raise ApduError(
                f"{len(command)} bytes are no command: some reader drivers hang on them, "
                f"nothing was sent"
            )
        try:
            data, sw1, sw2 = _within(seconds, lambda: connection.transmit(list(command)))
        except (CardConnectionException, NoCardException) as error:
            raise CardGoneError(f"reader {reader}: the card gave no response: {error}") from error
        except TimeoutError as error:
            silent = True
            raise CardGoneError(
                f"reader {reader}: the card gave no response within {seconds:g} s"
            ) from error
        return bytes((*data, sw1, sw2))

    try:
        yield CardPort(str(reader), transmit, str(reader).startswith(VIRTUAL))
    finally:
        if not silent:  # releasing a silent card would block too
            with suppress(SmartcardException, BaseSCardException):  # it may be removed already
                connection.release()


def _connected(reader: Any, seconds: float) -> Any:
    """Power the card in a reader for this program alone; raises as `open_reader`."""
    from smartcard.Exceptions import NoCardException, SmartcardException
    from smartcard.pcsc.PCSCExceptions import BaseSCardException
    from smartcard.scard import SCARD_SHARE_EXCLUSIVE, SCARD_UNPOWER_CARD

    def connect() -> Any:
        connection = reader.createConnection()
        connection.connect(mode=SCARD_SHARE_EXCLUSIVE, disposition=SCARD_UNPOWER_CARD)
        return connection

    try:
        return _within(seconds, connect)
    except NoCardException as error:
        raise NoAnswerError(f"reader {reader}: no card is in it; nothing was changed") from error
    except TimeoutError as error:
        raise NoAnswerError(
            f"reader {reader}: its card does not answer; nothing was changed"
        ) from error
    except (SmartcardException, BaseSCardException) as error:
        if getattr(error, "hresult", 0) & 0xFFFF_FFFF == _SHARING_VIOLATION:
            raise UsageError(
                f"reader {reader}: another program holds the card; nothing was sent"
            ) from error
        raise NoAnswerError(f"reader {reader}: {error}; nothing was changed") from error


def _the_one(wanted: str | None) -> Any:
    """Return the selected reader; raises UsageError if none or several match."""
    there = _readers()
    found = [reader for reader in there if wanted is None or str(reader).startswith(wanted)]
    if wanted is None and len(found) > 1:
        occupied = _with_a_card([str(reader) for reader in found])
        found = [reader for reader in found if str(reader) in occupied] or found
    if len(found) != 1:
        names = (
            ", ".join(map(str, found))
            or f"none (there are: {', '.join(map(str, there)) or 'no readers'})"
        )
        raise UsageError(
            f"reader {wanted or '(none named)'}: found {names}; name one with --reader. "
            f"Nothing was sent"
        )
    return found[0]


def _with_a_card(names: list[str]) -> list[str]:
    """Return the readers that hold a card, without connecting to any."""
    from smartcard import scard

    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result != scard.SCARD_S_SUCCESS:
        return []
    try:
        _, states = scard.SCardGetStatusChange(
            context, 0, [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        )
    finally:
        scard.SCardReleaseContext(context)
    return [name for name, state, _ in states if state & scard.SCARD_STATE_PRESENT]


def _within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Run `work` on a thread of its own; raises TimeoutError after `seconds`."""
    done: SimpleQueue[tuple[_Result | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:
            done.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _readers() -> list[Any]:
    try:
        from smartcard.Exceptions import SmartcardException
        from smartcard.pcsc.PCSCExceptions import BaseSCardException
        from smartcard.System import readers
    except ImportError as error:
        raise UsageError(
            "PC/SC needs pyscard: pip install 'prepaid-meter[card]' (it builds with swig "
            "and libpcsclite-dev); "
            "a simulated card needs only --file"
        ) from error
    try:
        return list(readers())
    except (SmartcardException, BaseSCardException) as error:
        raise UsageError(f"PC/SC: {error}; is pcscd running?") from error
