"""purchases, events: which rows are asked for."""

from __future__ import annotations

import pytest

from meterctl.errors import UsageError
from tests.unit.meterctl.cli.conftest import Run


def test_an_event_number_below_zero_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="--from -1: allowed is 0, for the oldest kept, and more"):
        run("records", "events", "--from", "-1")


def test_the_help_of_purchases_promises_what_a_meter_keeps(run: Run) -> None:
    told = run("records", "purchases", "-h").out
    assert "at most ten" in told
    assert "50" not in told
