"""Moments in tables for people: shorter than in JSON, with the offset of each."""

from __future__ import annotations

from protocols.data_model.tables import OffsetAt
from protocols.quantities import MINUTE, format_moment


def short_moment(instant: int, offset_at: OffsetAt) -> str:
    """Return a moment such as 2026-01-31 08:00+01:00; seconds where they are not zero."""
    text = format_moment(instant, offset_at(instant))
    date, _, time = text.partition("T")
    clock = time[:5] if instant % MINUTE == 0 else time[:8]
    return f"{date} {clock}{time[12:]}"


def short_end(begin: int | None, end: int, offset_at: OffsetAt) -> str:
    """Return the end of an interval without the date that its begin has."""
    text = short_moment(end, offset_at)
    same = begin is not None and short_moment(begin, offset_at)[:10] == text[:10]
    return text[11:] if same else text
