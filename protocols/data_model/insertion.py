"""The 21 insertion errors of DL/T 645 and the groups in which a meter displays them."""

from __future__ import annotations

from enum import IntEnum


class InsertionError(IntEnum):
    """Insertion error word (facts of DL/T 645 meters, section 8.2)."""

    VOLTAGE_LOW = 1
    SECURITY_MODULE_ACCESS = 2
    SECURITY_MODULE_RESET = 3
    CARD_RESET = 4
    CARD_AUTHENTICATION = 5
    METER_AUTHENTICATION = 6
    CARD_NOT_ISSUED = 7
    CARD_TYPE = 8
    NOT_AUTHORISED = 9
    CODE_WRONG = 10
    METER_NUMBER = 11
    CUSTOMER_NUMBER = 12
    CARD_SERIAL = 13
    FILE_FORMAT = 14
    PURCHASE_CARD_UNOPENED = 15
    REPLACEMENT_CARD_UNOPENED = 16
    COUNT = 17
    WRITE_BACK_NOT_EMPTY = 18
    COMMUNICATION = 19
    PULLED_EARLY = 20
    EXCEEDS_MAX_CREDIT = 21

    @property
    def word(self) -> str:
        """The error's name in events and output."""
        return self.name.lower()

    @property
    def display(self) -> str:
        """The text on the display: Err-31 to Err-36."""
        return f"Err-{next(group for last, group in _GROUPS if self <= last)}"

    @property
    def illegal(self) -> bool:
        """Whether the error counts as an illegal insertion.

        These are a foreign object, a wrong key or code, or another meter's card.
        """
        return self in _ILLEGAL


_GROUPS = ((3, 31), (10, 32), (13, 33), (18, 34), (20, 35), (21, 36))
_ILLEGAL = frozenset(
    {
        InsertionError.CARD_RESET,
        InsertionError.CARD_AUTHENTICATION,
        InsertionError.METER_AUTHENTICATION,
        InsertionError.CODE_WRONG,
        InsertionError.METER_NUMBER,
    }
)
