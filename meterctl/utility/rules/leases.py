"""Leases on journals and ports: how long one holds, and whether its holder lives (UTILITY 5)."""

from __future__ import annotations

LEASE_MS = 30_000
"""How long a lease holds that is not renewed."""
RENEW_MS = 10_000
"""How often it is renewed."""
LATEST_MS = LEASE_MS + RENEW_MS
"""No lease ends later than this from now on, with what the clocks of two hosts may differ by."""


def lives(until: int | None, now: int) -> bool:
    """Return whether the holder of a lease lives.

    One that ends later than a lease can was taken before the host's clock was set back; a living
    holder renews it by the new clock.

    Args:
        until: when it ends, ms by the host's clock; None: there is none.
    """
    return until is not None and now <= until <= now + LATEST_MS
