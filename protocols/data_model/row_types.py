"""The type of the rows of each table, and the kinds of its columns."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, get_type_hints

from protocols.data_model.kinds import Kind
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    UTC_OFFSETS,
    Event,
    Freeze,
    OffsetChange,
    ProfileRecord,
    Purchase,
)

ROW_TYPES: Mapping[str, Any] = {
    PURCHASES.name: Purchase,
    EVENTS.name: Event,
    PROFILE.name: ProfileRecord,
    DAILY_FREEZES.name: Freeze,
    BILLING_FREEZES.name: Freeze,
    UTC_OFFSETS.name: OffsetChange,
}
"""Name of a table -> the type of its rows."""


@cache
def kinds_of(row_type: Hashable) -> Mapping[str, Kind]:
    """Return the kind of each column of a type of rows, in order."""
    hints = get_type_hints(row_type, include_extras=True)
    annotated = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: kinds[0] for name, kinds in annotated.items() if kinds}
