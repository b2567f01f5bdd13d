"""Numbers that the desk gives, numbers of persons that it checks, and how it masks them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_10
from stdnum.util import clean

from meterctl.utility.errors import Invalid

MAX_POINT = 9_999_999
"""Highest serial of a supply point at a station: seven digits."""
MIN_SHOWN = 8
"""Shorter numbers are masked as a whole."""
_CHARACTERS = frozenset("0123456789ABCDEFGHJKLMNPQRTUWXY")
"""Of the numbers of parties."""


def customer_number(station: str, serial: int) -> str:
    """Return the 户号 of a supply point, the customer number in its meter.

    12 digits: 4 of its station, 7 of the serial there, and a check digit (ISO 7064 mod 11,10).

    Raises:
        Invalid: a station of other than 4 digits, or a serial that has no place
            (`customer_number`).
    """
    if not (len(station) == 4 and _is_digits(station) and 1 <= serial <= MAX_POINT):
        raise Invalid(
            "customer_number",
            f"station {station!r} and serial {serial} make no customer number: 4 digits and 1 to "
            f"{MAX_POINT} do",
        )
    number = f"{station}{serial:07d}"
    return number + mod_11_10.calc_check_digit(number)


def checked_customer_number(text: str) -> str:
    """Return a 户号 as typed: spaces and hyphens are left out, full-width digits are digits.

    Raises:
        Invalid: not 12 digits (`customer_number`), or a wrong check digit (`check_digit`).
    """
    number = clean(text, " -").strip()
    if len(number) != 12 or not _is_digits(number):
        raise Invalid("customer_number", f"{text!r} is no customer number: it has 12 digits")
    if not mod_11_10.is_valid(number):
        raise Invalid(
            "check_digit", f"customer number {number}: a digit is wrong, its check digit says"
        )
    return number


class PartyNumberKind(StrEnum):
    """Kind of a party's number."""

    RESIDENT_IDENTITY = "resident_identity"
    UNIFIED_SOCIAL_CREDIT = "unified_social_credit"


class PartyNumber(NamedTuple):
    """Number of a person or an organisation, in capitals, without separators."""

    kind: PartyNumberKind
    number: str


def party_number(text: str) -> PartyNumber:
    """Return a resident identity number (18 characters) or a unified social credit code.

    Length, characters, check digit and date of birth are checked. The place of birth is not: its
    codes change, and a customer is not refused for a list that is not up to date.

    Raises:
        Invalid: it is neither (`party_number`), or its check digit is wrong (`check_digit`).
    """
    number = uscc.compact(text)
    if len(number) == 18 and set(number) <= _CHARACTERS:
        if _is_digits(number[:17]) and number[17] == ric.calc_check_digit(number):
            return PartyNumber(PartyNumberKind.RESIDENT_IDENTITY, _with_birth_date(number))
        if uscc.is_valid(number):
            return PartyNumber(PartyNumberKind.UNIFIED_SOCIAL_CREDIT, number)
        raise Invalid("check_digit", f"{text!r}: a character is wrong, its check digit says")
    raise Invalid(
        "party_number",
        f"{text!r} is neither a resident identity number (17 digits and a check digit) nor a "
        f"unified social credit code (18 characters)",
    )


def _with_birth_date(number: str) -> str:
    """Return a resident identity number; refuse one whose date of birth is none."""
    try:
        ric.get_birth_date(number)
    except ValidationError as error:
        raise Invalid("party_number", f"{number!r}: {number[6:14]} is no date of birth") from error
    return number


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def shift_number(station: str, serial: int) -> str:
    """Return the number of a shift: its station's code and the serial there."""
    return f"{station}-{serial:06d}"


def receipt_number(shift: str, serial: int) -> str:
    """Return the number of a receipt: its shift's number and the serial there, without a gap."""
    return f"{shift}-{serial:04d}"


def agreement_number(station: str, year: int, serial: int) -> str:
    """Return the number of an agreement: its station's code, the year and the serial in it."""
    return f"{station}-{year}-{serial:06d}"


def masked_phone(number: str) -> str:
    """Return a telephone number with its middle hidden: 138****5678."""
    return _masked(number, 3, 4)


def masked_party_number(number: str) -> str:
    """Return a party's number with its middle hidden: 110************42X."""
    return _masked(number, 3, 3)


def shown_name(name: str, party_number_: str | None) -> str:
    """Return a name as a counter shows it: an organisation's whole, another one's masked.

    Of a masked one the first character of each word is left: 王**, L* M**.

    Args:
        party_number_: the party's number; None: not known.
    """
    if party_number_ is not None and uscc.is_valid(party_number_):
        return name
    return " ".join(word[:1] + "*" * (len(word) - 1) for word in name.split())


def masked_account(number: str) -> str:
    """Return the number of a bank account with its last four digits alone: ********4321."""
    return _masked(number, 0, 4)


def _masked(text: str, first: int, last: int) -> str:
    if len(text) < MIN_SHOWN:
        return "*" * len(text)
    return text[:first] + "*" * (len(text) - first - last) + text[-last:]
