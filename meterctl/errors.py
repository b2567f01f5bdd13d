"""The error tree of the host side; every error carries its exit code (DESIGN.md 5.3).

MeterctlError            1  internal fault
├── UsageError           2  usage, or a local file or port that cannot be used
├── RefusedError         3  the meter refused, or an expectation failed
│   └── LostStorageError      the meter has lost its storage
├── NoAnswerError        4  no answer in time
│   └── StillWorkingError     the meter has the request and works on it
├── CorruptAnswerError   5  the received bytes cannot be the answer
│   └── NotFiniteValuesError  floats that are no numbers, beside values that are right
├── NotPermittedError    6  not permitted: keys, rules of the journal
│   ├── AnotherMeterError     another meter answers than the one that was named
│   ├── AnotherStorageError   the meter has another storage than the one that is expected
│   ├── BusyError             another process works on the meter
│   ├── CopiedJournalError    the journal is a copy, or was restored
│   ├── OpenEntryError        a journal entry of the meter is open
│   ├── OverDailyLimitError   the daily limit of a key ring
│   └── SetBackError          the meter's storage was set back, or it is a clone
└── UnknownOutcomeError  7  the message may have been applied; the journal entry stays open
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocols.data_model.items import Item


class MeterctlError(Exception):
    """Root of the tree. The text names the failure, the meter, what is unchanged and what to try.

    `outcome` is the word of METER.md 7 if the meter named one, `entry` the number of the journal
    entry, `fields` are lists of words for the object of --json.
    """

    exit_code = 1

    def __init__(
        self,
        text: str,
        *,
        outcome: str | None = None,
        serial_number: str | None = None,
        entry: int | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(text)
        self.fields = fields or {}
        self.outcome, self.serial_number, self.entry = outcome, serial_number, entry


class UsageError(MeterctlError):
    """Usage, or a local file or port that cannot be used."""

    exit_code = 2


class RefusedError(MeterctlError):
    """The meter refused, or an expectation failed."""

    exit_code = 3


class LostStorageError(RefusedError):
    """The meter has lost its storage, and takes nothing until it gets a new one."""


class NoAnswerError(MeterctlError):
    """No answer in time."""

    exit_code = 4


class StillWorkingError(NoAnswerError):
    """The meter acknowledged a request and works on it still; its outcome is not known yet."""


class CorruptAnswerError(MeterctlError):
    """The received bytes cannot be the answer."""

    exit_code = 5


class NotFiniteValuesError(CorruptAnswerError):
    """Values that were read, of which some are NaN or infinite.

    `values` are the others, `items` those that are no numbers.
    """

    def __init__(self, where: str, values: Mapping[Item, Any], items: frozenset[Item]) -> None:
        names = ", ".join(sorted(item.name for item in items))
        super().__init__(f"{where}: no finite number stands for {names}")
        self.values, self.items = values, items


class NotPermittedError(MeterctlError):
    """Not permitted: a wrong key ring, an open journal entry, a meter that was set back."""

    exit_code = 6


class BusyError(NotPermittedError):
    """Another process of the same journal works on the meter and did not finish in time."""


class AnotherMeterError(NotPermittedError):
    """Another meter answers than the one that was named."""


class AnotherStorageError(NotPermittedError):
    """The meter has another storage than the one that the caller expects."""


class CopiedJournalError(NotPermittedError):
    """The journal is a copy or was restored: the meter took a message that it does not hold."""


class OpenEntryError(NotPermittedError):
    """A journal entry of the meter is open, and has to be settled first."""


class OverDailyLimitError(NotPermittedError):
    """A sale would exceed the daily limit of its key ring."""


class SetBackError(NotPermittedError):
    """The meter's storage was set back, or it is a clone."""


class UnknownOutcomeError(MeterctlError):
    """The message may have been applied; `meterctl journal resolve` settles it."""

    exit_code = 7
