"""The answer to reset (ISO/IEC 7816-3 section 8), a card's first bytes after power-on.

     0   1   [TA1 TB1 TC1] TD1 ...      historical bytes   TCK
    +---+---+--------------------------+------------------+-----+
    |TS |T0 | as the bits of T0 and TDi| low 4 bits of T0 | xor |
    +---+---+--------------------------+------------------+-----+

TCK is absent where only T=0 is offered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import xor

from protocols.errors import ApduError

HISTORICAL = b"PPC1\x01"
"""Application and its version."""
MAX_SIZE = 33


class Transmission(IntEnum):
    """Transmission protocol of the contacts."""

    T0 = 0
    T1 = 1


ANSWERS = {
    Transmission.T0: b"\x3b\x05" + HISTORICAL,
    Transmission.T1: b"\x3b\x85\x80\x01"
    + HISTORICAL
    + bytes((reduce(xor, b"\x85\x80\x01" + HISTORICAL),)),
}
"""The answer of our card for each transmission protocol."""


@dataclass(frozen=True, slots=True)
class AnswerToReset:
    """Offered transmission protocols and historical bytes of an answer."""

    transmissions: tuple[int, ...]
    historical: bytes


def parse_answer(data: bytes) -> AnswerToReset:
    """Return the fields of an answer to reset; raises ApduError for other bytes."""
    if not 2 <= len(data) <= MAX_SIZE or data[0] not in (0x3B, 0x3F):
        raise ApduError(f"{data.hex() or 'silence'} is no answer to reset")
    position, offered, indicator = 2, [], data[1]
    while True:
        position += (indicator >> 4 & 0b0111).bit_count()
        if not indicator & 0x80:
            break
        if position >= len(data):
            raise ApduError("the answer to reset ends within its interface bytes")
        indicator = data[position]
        offered.append(indicator & 0x0F)
        position += 1
    end = position + (data[1] & 0x0F)
    checked = any(offered)
    if len(data) != end + checked or (checked and reduce(xor, data[1:])):
        raise ApduError("the answer to reset has a wrong length or check byte")
    return AnswerToReset(
        tuple(dict.fromkeys(t for t in offered if t != 15)) or (0,), data[position:end]
    )
