"""A session: an open port, the driver on it, and who the meter is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from meterctl.drivers import Driver
from meterctl.errors import CorruptAnswerError, NotPermittedError
from meterctl.key_ring import KeyRing
from protocols.data_model import items
from protocols.data_model.words import AccountState
from protocols.keys import MeterKeys

_IDENTITY = (
    items.SERIAL_NUMBER, items.EPOCH, items.ACCOUNT_UNIT, items.CUSTOMER_NUMBER, items.ACCOUNT_STATE,
    items.CREDIT_SEQUENCE, items.COMMAND_SEQUENCE, items.KEY_VERSION, items.KEY_CHECK_VALUE, items.CLOCK,
    items.UTC_OFFSET, items.AVAILABLE_CREDIT, items.STATUS,
)  # fmt: skip
READINGS = 4
"""Readings beyond the first, of which two in a row must be alike."""


@dataclass(frozen=True, slots=True)
class MeterIdentity:
    """Who the meter says it is and where its sequences stand; a wire is never trusted, so all of it is only a hint."""

    serial_number: str
    epoch: int
    account_unit: int
    customer_number: str
    account_state: AccountState
    credit_sequence: int
    command_sequence: int
    key_version: int
    key_check_value: int
    clock: int
    utc_offset_minutes: int
    available_credit: int
    status: int


@dataclass(frozen=True, slots=True)
class Session:
    """What operations work on. `now` is the host's clock in s since 1970 UTC, for dates; `ticks` are monotonic ms."""

    driver: Driver
    ring: KeyRing
    now: Callable[[], int]
    ticks: Callable[[], int]

    def identify(self) -> MeterIdentity:
        """Read who the meter is, as it stands now."""
        values = self.driver.read(_IDENTITY)
        plain = [values[item] for item in _IDENTITY]
        try:
            plain[4] = AccountState(plain[4])
        except ValueError as error:
            raise CorruptAnswerError(f"meter {plain[0]}: account state {plain[4]} cannot be") from error
        return MeterIdentity(*plain)

    def identify_surely(self) -> MeterIdentity:
        """Read who the meter is until two readings are alike; its clock, credit and status may move between.

        Raises:
            CorruptAnswerError: no two readings in a row were alike.
        """
        before = self.identify()
        for _ in range(READINGS):
            meter = self.identify()
            if (
                replace(before, clock=meter.clock, available_credit=meter.available_credit, status=meter.status)
                == meter
            ):
                return meter
            before = meter
        raise CorruptAnswerError(f"meter {before.serial_number}: no two readings of who it is were alike")

    def keys(self, meter: MeterIdentity) -> MeterKeys:
        """Return the keys for a meter; raises NotPermittedError where the ring cannot be the right one."""
        keys = self.ring.meter_keys(meter.serial_number, meter.key_version)
        if keys.check_value != meter.key_check_value:
            raise NotPermittedError(
                f"meter {meter.serial_number}: its keys have check value {meter.key_check_value:06x}, "
                f"those of this key ring {keys.check_value:06x}. Nothing was sent; give the right --keys"
            )
        return keys
