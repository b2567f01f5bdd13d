"""The working days of the desk: China's holidays as its table has them, from chinesecalendar."""

from __future__ import annotations

from datetime import date
from functools import cache

from chinese_calendar import constants
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.organisation import Holiday
from meterctl.utility.rules.calendar import SATURDAY, WorkingDays


@cache
def differing_days() -> dict[date, bool]:
    """Return each date whose kind differs from its weekday's, and whether it is worked."""
    off = {on: False for on in constants.holidays if on.weekday() < SATURDAY}
    worked = {on: True for on in constants.workdays if on.weekday() >= SATURDAY}
    return off | worked


def working_days(session: Session) -> WorkingDays:
    """Return which dates are worked; the holidays of a year are known when some of it are."""
    differing = {row.on: row.works for row in session.scalars(select(Holiday))}
    last = max(differing, default=date.min)
    return WorkingDays(differing, date(last.year, 12, 31))
