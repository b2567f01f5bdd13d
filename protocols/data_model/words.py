"""Enumerations of the standards that are sent as numbers. Numbers are stable; only append."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from protocols.data_model.kinds import Choice, Flags


class SupplyState(IntEnum):
    """Supply state (IEC 62055-31, METER.md 5), derived from position and causes; never stored."""

    CONNECTED = 0
    READY_FOR_RECONNECTION = 1
    DISCONNECTED = 2


class Cause(IntFlag):
    """Causes that keep the supply open; several may be open at once (METER.md 5)."""

    NONE = 0
    CREDIT_REMINDER = 1
    CREDIT_EXHAUSTED = 2
    REMOTE = 4
    OVERLOAD = 8
    TAMPER = 16
    ACCOUNT = 32


CREDIT_CAUSES = Cause.CREDIT_REMINDER | Cause.CREDIT_EXHAUSTED


class SwitchPosition(IntEnum):
    """Commanded or real position of the supply control switch."""

    OPEN = 0
    CLOSED = 1


class TripMode(IntEnum):
    """Trip mode of the purchase agreement (METER.md 4)."""

    TWO_STAGE = 0
    DIRECT = 1
    DELAYED = 2


class ReconnectMode(IntEnum):
    """How the switch closes once the last cause is cleared: by itself, or by hand."""

    AUTOMATIC = 0
    MANUAL = 1


class AccountState(IntEnum):
    """State of an account (METER.md 6)."""

    UNOPENED = 0
    OPEN = 1
    CLOSED = 2


class UnopenedSupply(IntEnum):
    """Supply of a meter without an open account."""

    CONNECTED = 0
    DISCONNECTED = 1


class Tamper(IntFlag):
    """Tamper sensors."""

    NONE = 0
    COVER = 1
    TERMINAL_COVER = 2
    MAGNET = 4


class MeterType(IntEnum):
    """Wiring of the meter."""

    SINGLE_PHASE = 0
    THREE_PHASE = 1

    @property
    def phases(self) -> int:
        """Number of phases."""
        return 3 if self is MeterType.THREE_PHASE else 1


PHASES_OF = {int(each): each.phases for each in MeterType}
"""Number of a meter type -> number of its phases: asked many times in a reading."""


class PhaseSummation(IntEnum):
    """How phase powers are summed into import and export (METER.md 3)."""

    ARITHMETIC = 0
    PER_PHASE = 1


class StepPeriod(IntEnum):
    """Period over which the consumption for the tariff steps is counted."""

    MONTH = 0
    YEAR = 1


class Carrier(IntEnum):
    """Token carrier of a credit transfer; PLAIN is a write without a key (METER.md 7)."""

    WIRE = 0
    CARD = 1
    KEYPAD = 2
    PLAIN = 3


class SwitchedBy(IntEnum):
    """Source of a closing of the switch or of a change to ready for reconnection."""

    AUTOMATIC = 0
    BUTTON = 1
    CARD = 2
    REMOTE = 3
    OVERLOAD_RECLOSING = 4


class Status(IntFlag):
    """Bits of the status word."""

    NONE = 0
    LOW_CREDIT_WARNING = 1 << 0
    TRIP_PENDING = 1 << 1
    GUARANTEE = 1 << 2
    MORATORIUM = 1 << 3
    FRIENDLY_WINDOW = 1 << 4
    OVERDRAFT = 1 << 5
    OVERLOAD = 1 << 6
    SWITCH_FAULT = 1 << 7
    COVER_OPEN = 1 << 8
    TERMINAL_COVER_OPEN = 1 << 9
    MAGNET_PRESENT = 1 << 10
    CLOCK_INVALID = 1 << 11
    STORAGE_LOST = 1 << 12
    AUTHENTICATION_ATTACK = 1 << 13
    MONEY_SATURATED = 1 << 14
    TARIFF_PENDING = 1 << 15
    REVERSE_POWER = 1 << 16


def choice(words: type[IntEnum]) -> Choice:
    """Return the kind of an enumeration whose members are numbered from 0."""
    return Choice(tuple(member.name.lower() for member in words))


def flags(words: type[IntFlag]) -> Flags:
    """Return the kind of a set of flags."""
    return Flags(tuple(name.lower() for name, member in words.__members__.items() if member.value))


def cause_words(causes: int) -> list[str]:
    """Return the names of the open causes, in the order of the table of METER.md 5."""
    return flags(Cause).names(causes)


ENERGY_ACCOUNT = 0
"""The unit of an account that is kept in kWh."""
ACCOUNT_UNITS: dict[int, str] = {
    ENERGY_ACCOUNT: "kWh",
    156: "CNY",
    710: "ZAR",
    356: "INR",
    826: "GBP",
    840: "USD",
    978: "EUR",
}
"""ISO 4217 numbers with a name here, and the energy account."""


def account_unit_text(number: int) -> str:
    """Return the letters of an account unit, or its number where it has no letters here."""
    return ACCOUNT_UNITS.get(number, f"{number:03d}")


def parse_account_unit(text: str) -> int | None:
    """Return the ISO 4217 number of "CNY", "kWh" or "156"; None where it is neither."""
    word = text.strip()
    for number, name in ACCOUNT_UNITS.items():
        if name.lower() == word.lower():
            return number
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 3 else None
