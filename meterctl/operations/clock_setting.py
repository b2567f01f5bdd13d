"""The moments that a meter's clock can be set to, and why it refuses one."""

from __future__ import annotations

from meterctl.errors import RefusedError
from meterctl.operations.command import Refusal
from protocols.quantities import DAY, LocalMoment, format_moment
from protocols.sealed_message import Outcome

FIRST_MS, LAST_MS = 1, 4_102_444_799_999
"""1970 to 2099, ms since 1970 UTC."""


def require_settable(moment: int | LocalMoment) -> None:
    """Refuse a moment that no meter's clock is set to; local time is exact to a day here.

    Raises:
        RefusedError: nothing was sent.
    """
    within = DAY if isinstance(moment, LocalMoment) else 0
    instant = moment.ms if isinstance(moment, LocalMoment) else moment
    if not FIRST_MS - within <= instant <= LAST_MS + within:
        shown = str(moment) if isinstance(moment, LocalMoment) else format_moment(moment)
        raise RefusedError(
            f"{shown}: a clock is set to a moment of 1970 to 2099; nothing was sent",
            outcome=Outcome.OUT_OF_RANGE.name.lower(),
        )


def explained(refusal: Refusal, moment: int | LocalMoment) -> Refusal:
    """Return a refusal with its true reason, where the meter refused local time in its range."""
    is_refused_time = refusal.answer.outcome is Outcome.OUT_OF_RANGE
    if not isinstance(moment, LocalMoment) or not is_refused_time:
        return refusal
    if not DAY <= moment.ms <= LAST_MS - DAY:
        return refusal
    return refusal.read_back(
        refusal.unchanged,
        f"{moment} is local time of the meter, in an hour that its zone skips: write another one, "
        f"or an offset",
    )
