"""The error of a live meter's calls, under the import path that docs/testing.md names."""

from __future__ import annotations

from firmware_sim.vending import SILENCE
from protocols.sealed_message import Outcome


class RefusedError(Exception):
    """The meter refused an order; `outcome` is its word, the text says what is allowed."""

    def __init__(self, words: str, outcome: Outcome | None, reason: str = "") -> None:
        told = outcome.name.lower() if outcome is not None else SILENCE
        super().__init__(f"{words}: {told}{f' ({reason})' if reason else ''}")
        self.outcome = outcome
