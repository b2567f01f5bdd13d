"""Whether the holder of a lease lives."""

from __future__ import annotations

import pytest

from meterctl.utility.rules.leases import LATEST_MS, LEASE_MS, lives

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("until", "is_alive"),
    [
        (None, False),
        (NOW - 1, False),
        (NOW, True),
        (NOW + LEASE_MS, True),
        (NOW + LATEST_MS, True),
        (NOW + LATEST_MS + 1, False),
    ],
)
def test_a_lease_holds_until_its_end_and_ends_no_later_than_one_can(
    until: int | None, is_alive: bool
) -> None:
    assert lives(until, NOW) is is_alive
