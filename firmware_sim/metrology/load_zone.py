"""Time stamps of a load file without an offset: local time of the meter that draws it (METER.md 1).

The rows of a file are shared by all meters; those of one zone share the rows with its instants too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from firmware_sim.clock import Transitions
from firmware_sim.metrology.load import LoadRows
from protocols.errors import QuantityError
from protocols.quantities import MINUTE, format_moment


class Zone(NamedTuple):
    """What says a meter's local time: an offset, or the changes of a time zone where it has one."""

    utc_offset_minutes: int = 0
    transitions: Transitions = ()


UTC = Zone()


def in_zone(rows: LoadRows, zone: Zone) -> LoadRows:
    """Return rows in local time as rows at instants (ms UTC); of a repeated hour it is the first.

    Raises:
        QuantityError: a local time that the zone skips.
    """
    return rows.dated(zone, lambda local_ms: _instants(local_ms, zone))


def _instants(local_ms: Sequence[int], zone: Zone) -> list[int]:
    """Return the instant of each local time; both rise."""
    changes = zone.transitions or ((0, zone.utc_offset_minutes),)
    found: list[int] = []
    for number, (begin_ms, minutes) in enumerate(changes):
        offset_ms = minutes * MINUTE
        # the zone has this offset until the next change; before the first change too
        last = number + 1 == len(changes)
        end = len(local_ms) if last else bisect_left(local_ms, changes[number + 1][0] + offset_ms)
        if end <= len(found):
            continue
        if number and local_ms[len(found)] < begin_ms + offset_ms:
            raise QuantityError(
                f"{format_moment(local_ms[len(found)])[:-1]}: the meter's local time skips this "
                f"hour; write an offset after the time"
            )
        found += [local - offset_ms for local in local_ms[len(found) : end]]
    return found
