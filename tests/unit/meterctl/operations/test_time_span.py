"""--from and --to: instants by the meter's local time, in every hour of the year."""

from __future__ import annotations

import pytest

from firmware_sim.settings import Settings
from meterctl.errors import UsageError
from meterctl.operations.local_time import Offsets
from meterctl.operations.time_span import Span, bound_of, date_of, span_of
from protocols.quantities import MINUTE, parse_moment
from tests.support.days import Days
from tests.support.meters import make
from tests.support.wire import connect


def span(first: str | None, last: str | None) -> Span:
    session, _ = connect(Days().meter)
    return span_of(session.driver, bound_of("--from", first), bound_of("--to", last))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", "2026-01-30T23:00:00Z"),
        ("2026-01-31T08:00", "2026-01-31T07:00:00Z"),
        ("2026-07-31 08:00", "2026-07-31T06:00:00Z"),
        ("2026-01-31T08:00Z", "2026-01-31T08:00:00Z"),
        ("2026-01-31T08:00+05:30", "2026-01-31T02:30:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
    ],
)
def test_a_moment_without_an_offset_is_local_and_of_a_repeated_hour_the_first(
    text: str, instant: str
) -> None:
    assert span(text, None) == Span(parse_moment(instant), None)


def test_a_moment_that_local_time_skips_is_refused() -> None:
    with pytest.raises(UsageError, match=r"2026-03-29T02:30: the meter's local time skips it"):
        span("2026-03-29T02:30", None)


def test_a_date_that_begins_with_a_skipped_hour_begins_at_its_first_instant() -> None:
    change = parse_moment("2026-03-29T00:00:00Z")
    offsets = Offsets(((0, 0), (change, 60)))
    midnight = parse_moment("2026-03-29T00:00:00Z")
    assert offsets.instant_of(midnight) is None
    assert offsets.first_instant(midnight) == change
    assert offsets.date(change) == midnight // (24 * 60 * MINUTE)


def test_a_meter_without_a_zone_has_its_own_offset() -> None:
    session, _ = connect(make(settings=Settings(utc_offset_minutes=-210)))
    found = span_of(session.driver, bound_of("--from", "2026-01-31"), None)
    assert found.begin == parse_moment("2026-01-31T03:30:00Z")


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(UsageError, match="--from 2026-02-01 is not before --to 2026-01-31"):
        span("2026-02-01", "2026-01-31")


def test_what_is_no_moment_is_refused_before_a_byte_is_sent() -> None:
    with pytest.raises(UsageError, match=r"--to .*'yesterday' is not a date and time.*nothing"):
        bound_of("--to", "yesterday")
    with pytest.raises(UsageError, match=r"--from .*T08:00' is not a date.*nothing was sent"):
        date_of("--from", "2026-01-31T08:00")
