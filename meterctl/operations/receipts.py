"""Receipts as proofs, from a wire or in a write-back, by their own seal alone (METER.md 8)."""

from __future__ import annotations

from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from protocols.errors import AuthenticationError, MalformedMessageError
from protocols.keys import MessageClass
from protocols.sealed_message import Receipt, verify


def verified_receipt(
    ring: KeyRing, journal: Journal, sealed: bytes, meter: str, message_class: MessageClass
) -> Receipt | None:
    """Return a meter's receipt if it is valid under a key version that may prove, else None."""
    if not sealed:
        return None
    try:
        receipt = Receipt.decode(sealed)
        if receipt.serial_number != meter or not ring.may_use(
            receipt.key_version, journal.proofs.floor(meter)
        ):
            return None
        verify(sealed, ring.meter_keys(meter, receipt.key_version).key(message_class))
    except (MalformedMessageError, AuthenticationError):
        return None
    if receipt.kind.message_class is not message_class:
        return None
    journal.proofs.raise_floor(meter, receipt.key_version)
    return receipt
