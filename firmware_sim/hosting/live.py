"""The error of a live meter's calls, under the import path that docs/testing.md names."""

from __future__ import annotations

from protocols.errors import PrepaidMeterError
from protocols.sealed_message import Outcome


class RefusedError(PrepaidMeterError):
    """The meter refused an order and carried nothing out; `outcome` is its word.

    The text says what is allowed, where the outcome alone does not.
    """

    def __init__(self, words: str, outcome: Outcome, reason: str = "") -> None:
        super().__init__(f"{words}: {outcome.name.lower()}{f' ({reason})' if reason else ''}")
        self.outcome = outcome
