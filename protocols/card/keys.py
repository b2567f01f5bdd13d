"""The keys of a card, diversified by its serial number: one opened card reveals no other's keys.

    issuing    master -> card                  formats, binds to a meter, changes keys
    vending    master -> card                  writes credit and parameters, clears the write-back
    meter      the meter's card key -> card    meter and card authenticate without a master

The meter's card key is derived from the master (`protocols.keys.derive_meter_keys`), so the host
can derive all three.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from protocols.errors import QuantityError
from protocols.keys import CARD_LABEL, derive, derive_key

SERIAL_SIZE = 8


class KeyReference(IntEnum):
    """Number of a key in the card (P2 of its commands)."""

    ISSUING = 1
    VENDING = 2
    METER = 3


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The keys of one card that a host derives from its masters."""

    issuing: bytes = field(repr=False)
    vending: bytes = field(repr=False)


def derive_card_keys(master: bytes, card_serial: bytes, key_version: int) -> CardKeys:
    """Return the issuing and vending keys of a card."""
    context = card_serial + bytes([key_version])
    return CardKeys(
        derive(master, "card issuing", context), derive(master, "card vending", context)
    )


def derive_meter_access(meter_card_key: bytes, card_serial: bytes) -> bytes:
    """Return the key by which one meter and one card authenticate to each other."""
    return derive(meter_card_key, "card access", card_serial)


def meter_access_of(
    master: bytes, serial_number: str, card_serial: bytes, key_version: int
) -> bytes:
    """Return the key between meter and card as the host derives it from the master."""
    return derive_meter_access(
        derive_key(master, CARD_LABEL, serial_number, key_version), card_serial
    )


def parse_card_serial(text: str) -> bytes:
    """Return the 8 bytes of 16 hexadecimal digits of a card serial; raises QuantityError."""
    try:
        serial = bytes.fromhex(text)
    except ValueError as error:
        raise QuantityError(
            f"{text!r} is no card serial: 16 hexadecimal digits are allowed"
        ) from error
    if len(serial) != SERIAL_SIZE or not any(serial):
        raise QuantityError(
            f"{text!r} is no card serial: 16 hexadecimal digits, not all 0, are allowed"
        )
    return serial
