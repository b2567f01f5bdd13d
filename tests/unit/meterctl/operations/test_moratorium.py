"""A moratorium that has ended by the meter's clock is refused before anything is sent."""

from __future__ import annotations

import pytest

from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.requests import LoseClock
from firmware_sim.settings import Settings
from meterctl.errors import RefusedError, UsageError
from meterctl.journal import NOWHERE, Journal
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.moratorium import require_later
from protocols.quantities import DAY, HOUR
from protocols.sealed_message import MessageKind, encode_number
from tests.support.meters import make
from tests.support.wire import connect

TODAY = DEFAULT_START // DAY
LATE = DEFAULT_START + 20 * HOUR


@pytest.mark.parametrize(
    ("date", "minutes", "refused"),
    [
        (1, 0, True),
        (TODAY, 0, True),
        (TODAY + 1, 0, False),
        (TODAY + 1, 480, True),
        (TODAY + 2, 480, False),
        (TODAY, -60, True),
    ],
)
def test_a_date_that_is_not_after_the_clock_is_refused_with_that_clock(
    date: int, minutes: int, refused: bool
) -> None:
    meter = make(start=LATE, settings=Settings(utc_offset_minutes=minutes))
    shown = connect(meter)[0].identify()
    if not refused:
        require_later(shown, date)
        return
    with pytest.raises(UsageError) as caught:
        require_later(shown, date)
    assert "by its clock it is 2026-01-0" in str(caught.value)
    assert str(caught.value).endswith("nothing was sent")


def test_a_meter_that_has_lost_its_clock_is_not_asked() -> None:
    meter = make()
    meter.handle(LoseClock())
    require_later(connect(meter)[0].identify(), 1)


def test_the_refusal_of_a_meter_says_what_is_allowed() -> None:
    session, _ = connect(make())
    journal = Journal(NOWHERE)
    past = encode_number(MessageKind.MORATORIUM, TODAY)
    command = plan_command(session, journal, MessageKind.MORATORIUM, past)
    with pytest.raises(RefusedError, match=r"out_of_range \(allowed is a date after the meter's"):
        execute_command(session, journal, command)
