"""What the host knows to be refused is refused before it is sent, in a dry run too."""

from __future__ import annotations

import pytest

from meterctl.errors import RefusedError
from protocols.errors import QuantityError
from protocols.quantities import parse_written_moment
from tests.support.setup import Setup
from tests.unit.meterctl.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("card")
dry_and_not = pytest.mark.parametrize("dry_run", [True, False])


@dry_and_not
@pytest.mark.parametrize("moment", ["2500-01-01T10:00", "2100-01-01T00:00Z", "1969-01-01T00:00Z"])
def test_a_clock_outside_of_its_years_is_refused(
    run: Run, setup: Setup, moment: str, dry_run: bool
) -> None:
    before = setup.meter.state.security
    with pytest.raises(RefusedError, match="1970 to 2099; nothing was sent") as raised:
        run("clock", "clock", "set", moment, dry_run=dry_run)
    assert (raised.value.outcome, setup.meter.state.security) == ("out_of_range", before)


@dry_and_not
@pytest.mark.parametrize(
    "words",
    [("low_credit_threshold_1=1", "low_credit_threshold_2=5"), ("low_credit_threshold_2=900",)],
)
def test_a_pair_of_limits_that_is_not_allowed_is_refused(
    run: Run, words: tuple[str, ...], dry_run: bool
) -> None:
    run("limits", "limits", "set", "low_credit_threshold_1=10")
    with pytest.raises(RefusedError, match="allowed is the same or more; nothing was sent"):
        run("limits", "limits", "set", *words, dry_run=dry_run)


def test_an_offset_of_more_than_a_day_is_refused_in_words() -> None:
    for text in ("2026-10-25T02:30+25:00", "2026-10-25T02:30-24:00"):
        with pytest.raises(QuantityError, match="an offset is at most 23:59"):
            parse_written_moment(text)
