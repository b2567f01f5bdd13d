"""The ring of a meter's records that holds each table."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.records.ring import (
    BILLING_RING,
    DAILY_RING,
    EVENT_RING,
    PROFILE_RING,
    PURCHASE_RING,
)
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    Table,
)

RINGS: Mapping[Table, int] = {
    PURCHASES: PURCHASE_RING,
    EVENTS: EVENT_RING,
    PROFILE: PROFILE_RING,
    DAILY_FREEZES: DAILY_RING,
    BILLING_FREEZES: BILLING_RING,
}
"""Index of each table's ring among the rings of a meter."""
