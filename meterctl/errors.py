"""The error tree of the host's side; every error carries its exit code (DESIGN.md 5.3).

MeterctlError            1  internal fault
├── UsageError           2  usage, or a local file or port that cannot be used
├── RefusedError         3  the meter refused, or an expectation failed
├── NoAnswerError        4  nobody answered
├── CorruptAnswerError   5  something answered that cannot be the answer
├── NotPermittedError    6  this must not be done: keys, rules of the journal
│   └── OverDailyLimitError   the day's limit of a key ring
└── UnknownOutcomeError  7  it may have happened; the journal keeps it open
"""

from __future__ import annotations


class MeterctlError(Exception):
    """Root: the text says what failed, on which meter, what is unchanged, and what to try.

    `outcome` is the word of METER.md 7 where the meter named one, `entry` the number of the
    journal's entry.
    """

    exit_code = 1

    def __init__(
        self,
        text: str,
        *,
        outcome: str | None = None,
        serial_number: str | None = None,
        entry: int | None = None,
    ) -> None:
        super().__init__(text)
        self.outcome, self.serial_number, self.entry = outcome, serial_number, entry


class UsageError(MeterctlError):
    """Usage, or a local file or port that cannot be used."""

    exit_code = 2


class RefusedError(MeterctlError):
    """The meter refused, or an expectation failed."""

    exit_code = 3


class NoAnswerError(MeterctlError):
    """Nobody answered in time."""

    exit_code = 4


class CorruptAnswerError(MeterctlError):
    """What came cannot be the answer."""

    exit_code = 5


class NotPermittedError(MeterctlError):
    """This must not be done: a wrong key ring, an open journal entry, a meter that went back."""

    exit_code = 6


class BusyError(NotPermittedError):
    """Another process of the same journal is at work on the meter, and did not end in time."""


class OverDailyLimitError(NotPermittedError):
    """A sale would pass what may be sold in a day with a key ring."""


class UnknownOutcomeError(MeterctlError):
    """It may have happened; `meterctl journal resolve` finds out."""

    exit_code = 7
