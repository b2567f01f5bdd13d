"""The counter of tests, for checks of requests (`tests.support.desk_counter`)."""

from __future__ import annotations

from tests.support.desk_counter import counter, desk_with_world

__all__ = ["counter", "desk_with_world"]
