"""EF04, the write-back (返写): the meter's message to its vendor, sealed by the meter's card key.

It answers the credit transfer of the card, names the state of the meter's account, and encloses the
sealed receipt of that transfer where the meter has one. The receipt settles the host's journal; the
host compares the totals. An empty file means that the card was not inserted in its meter since the
last sale.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Self

from protocols.card.files import LAYOUT, RETURN_SLOT, Slots, checked, digits_of
from protocols.errors import CardFormatError
from protocols.fixed_width import SaturatingStruct
from protocols.keys import CODE_SIZE, authentication_code, bcd, verify_code
from protocols.sealed_message import Receipt

_LENGTH = 1
_CHECK = 4


@dataclass(frozen=True, slots=True)
class WriteBack:
    """Fields of one write-back.

    Money in ledger units, energy in mWh, `clock` and `elapsed_ms` in ms. `answered_sequence`,
    `answered_code` and `outcome` are of the card's transfer (0 without one), `error` is the
    insertion error (0 is none), `command_outcome` that of the last sealed command of the parameter
    file.
    """

    PACKING: ClassVar[SaturatingStruct] = SaturatingStruct("BBIB6sI6s8sI4sBBBIIBHqqqIQQQBHII")

    layout: int
    key_version: int
    number: int
    meter_key_version: int
    meter: bytes
    epoch: int
    customer: bytes
    card_serial: bytes
    answered_sequence: int
    answered_code: bytes
    outcome: int
    error: int
    command_outcome: int
    credit_sequence: int
    command_sequence: int
    account_state: int
    account_unit: int
    credit: int
    debt: int
    cumulative: int
    purchases: int
    energy_mwh: int
    clock: int
    elapsed_ms: int
    supply_state: int
    causes: int
    status: int
    illegal_insertions: int
    receipt: bytes = b""

    @classmethod
    def of(
        cls, number: int, key_version: int, meter: str, customer: str, **values: int | bytes
    ) -> Self:
        """Return a write-back of this layout; serial and customer number are packed as BCD."""
        known: dict[str, int | bytes] = {
            "layout": LAYOUT,
            "number": number,
            "key_version": key_version,
            "meter": bcd(meter),
            "customer": bcd(customer),
        }
        return cls(**{**known, **values})  # type: ignore[arg-type]

    @property
    def meter_digits(self) -> str:
        """The meter's serial number."""
        return digits_of(self.meter)

    @property
    def customer_digits(self) -> str:
        """The customer number of the meter's account."""
        return digits_of(self.customer)

    def seal(self, key: bytes) -> bytes:
        """Return one slot, sealed under the meter's card key."""
        *fields, receipt = astuple(self)
        body = (
            self.PACKING.saturate(*fields)
            + bytes((len(receipt),))
            + receipt.ljust(Receipt.SIZE, b"\0")
        )
        slot = (body + authentication_code(key, body)).ljust(RETURN_SLOT - _CHECK, b"\0")
        return checked(slot)

    @classmethod
    def decode(cls, slot: bytes) -> Self:
        """Return the fields of a valid slot without verifying the seal; raises CardFormatError."""
        if (
            len(slot) != RETURN_SLOT
            or slot[0] != LAYOUT
            or slot[cls.PACKING.size] not in (0, Receipt.SIZE)
        ):
            raise CardFormatError("the write-back is of another layout")
        begin = cls.PACKING.size + _LENGTH
        values: list[Any] = [
            *cls.PACKING.unpack_from(slot),
            slot[begin : begin + slot[cls.PACKING.size]],
        ]
        back = cls(*values)
        digits_of(back.meter + back.customer)
        return back


def verify_write_back(slot: bytes, key: bytes) -> None:
    """Raise AuthenticationError unless a slot is sealed under a meter's card key."""
    end = WriteBack.PACKING.size + _LENGTH + Receipt.SIZE
    verify_code(key, slot[:end], slot[end : end + CODE_SIZE])


def split_write_back(data: bytes) -> Slots:
    """Return the slots of the file."""
    return Slots.split(data, RETURN_SLOT, 2)
