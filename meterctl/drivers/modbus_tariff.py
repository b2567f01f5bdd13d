"""The tariff of a meter through its window."""

from __future__ import annotations

import zlib

from meterctl.drivers.modbus_requests import TRIES, AddressRefusedError, ModbusRequests
from meterctl.errors import CorruptAnswerError, RefusedError
from protocols.data_model.tariff import TariffChange, TariffSet
from protocols.errors import ProtocolError
from protocols.modbus.tariff_window import (
    TARIFF_QUESTION,
    TARIFF_REGISTERS,
    TariffPart,
    TariffWindow,
)

LARGEST_ENCODING = 4096
"""Bytes of the largest set that is read: those of today have at most 844."""


def read_tariff(requests: ModbusRequests, window: TariffWindow, which: TariffSet) -> TariffChange:
    """Return a set of one instant; one that changed between two parts is read again.

    Raises:
        RefusedError: the meter has no such window.
        CorruptAnswerError: the set changed each time.
        ProtocolError: the bytes are no tariff.
    """
    for _ in range(TRIES):
        encoding = _whole(requests, window, which)
        if encoding is not None:
            return TariffChange.decode_shown(encoding)
    raise CorruptAnswerError(f"{requests.where}: the tariff changed each time it was read")


def _whole(requests: ModbusRequests, window: TariffWindow, which: TariffSet) -> bytes | None:
    """Return the encoding of a set, None where it changed between two of its parts."""
    first = _part(requests, window, which, 0)
    encoding = first.data
    while len(encoding) < first.size:
        part = _part(requests, window, which, len(encoding))
        if (part.size, part.crc) != (first.size, first.crc):
            return None
        encoding += part.data
    if zlib.crc32(encoding) != first.crc:
        raise CorruptAnswerError(f"{requests.where}: the CRC of the tariff is wrong")
    return encoding


def _part(
    requests: ModbusRequests, window: TariffWindow, which: TariffSet, offset: int
) -> TariffPart:
    """Return the part from an offset on; a late reply to another question is not taken for it."""
    question = TARIFF_QUESTION.pack(which, offset)

    def ask(until: int) -> bytes:
        data = requests.exchange(
            window.read_address, TARIFF_REGISTERS, window.address, question, until
        )
        try:
            part = TariffPart.decode(data)
        except ProtocolError as error:
            raise CorruptAnswerError(f"{requests.where}: {error}") from error
        if (part.which, part.offset) != (which, offset):
            raise CorruptAnswerError(f"{requests.where}: another part of the tariff was asked for")
        if not 0 < part.size <= LARGEST_ENCODING:
            raise CorruptAnswerError(f"{requests.where}: a tariff has no {part.size} bytes")
        return data

    try:
        return TariffPart.decode(requests.confirmed(ask))
    except AddressRefusedError as error:
        raise RefusedError(
            f"{requests.where}: this meter shows no tariff: its build is older than the window; "
            f"nothing was changed"
        ) from error
