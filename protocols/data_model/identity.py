"""The items by which a host knows a meter before it seals a message for it."""

from __future__ import annotations

from protocols.data_model import items

IDENTITY = (
    items.SERIAL_NUMBER,
    items.EPOCH,
    items.ACCOUNT_UNIT,
    items.CUSTOMER_NUMBER,
    items.ACCOUNT_STATE,
    items.CREDIT_SEQUENCE,
    items.COMMAND_SEQUENCE,
    items.KEY_VERSION,
    items.KEY_CHECK_VALUE,
    items.CLOCK,
    items.UTC_OFFSET,
    items.AVAILABLE_CREDIT,
    items.STATUS,
)
"""What a host reads of a meter before it seals a message for it."""
