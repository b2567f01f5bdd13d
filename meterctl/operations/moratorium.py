"""A moratorium ends after the meter's clock; a slip in the year would end the customer's."""

from __future__ import annotations

from meterctl.errors import UsageError
from meterctl.session import MeterIdentity
from protocols.data_model.words import Status
from protocols.quantities import DAY, MINUTE, format_date


def require_later(meter: MeterIdentity, date: int) -> None:
    """Refuse a local date (days since 1970) that is not after the clock that the meter shows.

    A meter whose clock is known lost is not asked: the clock tells nothing.

    Raises:
        UsageError: nothing was sent.
    """
    if meter.status & Status.CLOCK_INVALID:
        return
    today = (meter.clock + meter.utc_offset_minutes * MINUTE) // DAY
    if date <= today:
        raise UsageError(
            f"meter {meter.serial_number}: a moratorium until {format_date(date)} has ended: by "
            f"its clock it is {format_date(today)}. Write a later date, or `moratorium off`; "
            f"nothing was sent",
            serial_number=meter.serial_number,
        )
