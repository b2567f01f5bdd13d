"""A session: an open port, the driver on it, and the payee options of the command."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from meterctl.drivers import Driver
from meterctl.errors import CorruptAnswerError
from meterctl.key_ring import KeyRing
from protocols.data_model.identity import IDENTITY
from protocols.data_model.words import AccountState


@dataclass(frozen=True, slots=True)
class MeterIdentity:
    """Identity and sequences as the meter's registers show them, unsealed.

    For display and as a hint; no message is sealed from it.
    """

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


def answer_no(_: str) -> bool:
    """Answer no: there is no user at a terminal."""
    return False


def no_pause(_: int) -> None:
    """Do not wait."""


@dataclass(frozen=True, slots=True)
class Session:
    """The environment of an operation.

    `now` is the host's clock in s since 1970 UTC, for dates; `ticks` is monotonic ms; `pause` waits
    that many ms; `random` returns that many random bytes; `ask` asks the user at a terminal. `port`
    names the port with its protocol and unit, empty if the journal shall not store it; `payee` is
    the serial number of --meter; `set_back` accepts a meter whose storage was set back; `now_ms` is
    the host's clock in ms, where it is that fine.
    """

    driver: Driver
    ring: KeyRing
    now: Callable[[], int]
    ticks: Callable[[], int]
    pause: Callable[[int], None] = no_pause
    random: Callable[[int], bytes] = os.urandom
    ask: Callable[[str], bool] = answer_no
    port: str = ""
    payee: str | None = None
    set_back: bool = False
    now_ms: Callable[[], int] | None = None

    def host_clock_ms(self) -> int:
        """Return the host's clock, ms since 1970 UTC, in whole seconds if it is no finer."""
        return self.now() * 1000 if self.now_ms is None else self.now_ms()

    def identify(self) -> MeterIdentity:
        """Read the identity that the meter shows, for display and as a hint."""
        values = self.driver.read(IDENTITY)
        plain = [values[item] for item in IDENTITY]
        try:
            plain[4] = AccountState(plain[4])
        except ValueError as error:
            raise CorruptAnswerError(
                f"meter {plain[0]}: account state {plain[4]} is not defined"
            ) from error
        return MeterIdentity(*plain)
