"""What reading back after a command found, told the same for all that is set (METER.md 8)."""

from __future__ import annotations

from collections.abc import Sequence

from meterctl.errors import MeterctlError, RefusedError
from meterctl.operations.command import Refusal


def found_after_refusal(moved: Sequence[str]) -> str:
    """Return what reading back after a refusal found; `moved` are the names that changed."""
    if moved:
        return f"read back, {', '.join(moved)} CHANGED all the same"
    return "read back, nothing has changed"


def unread_refusal(refusal: Refusal, error: MeterctlError) -> RefusedError:
    """Return a refusal after which reading back was not answered."""
    return RefusedError(
        f"{refusal}; reading back was not answered: {error}",
        outcome=refusal.outcome,
        serial_number=refusal.serial_number,
    )


def not_as_asked(serial_number: str, wrong: Sequence[str]) -> RefusedError:
    """Return the error of names that were accepted and are other ones when they are read back."""
    return RefusedError(
        f"meter {serial_number}: accepted, but read back {', '.join(wrong)} is not as asked",
        outcome="accepted",
        serial_number=serial_number,
    )
