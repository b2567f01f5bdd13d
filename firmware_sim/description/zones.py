"""The offset changes of a time zone: the core sees no zone."""

from __future__ import annotations

from functools import cache

from firmware_sim.clock import Transitions
from protocols.quantities import DAY, MINUTE, SECOND
from protocols.toml_values import ConfigurationError

LAST_YEAR = 2106
"""The last year with changes: stamps of seconds end in it, a clock cannot be set beyond 2099."""
STEP_S = 4 * DAY // SECOND
"""No zone of the database has two changes within six days since 1970."""

_OF_THE_MACHINE = ("localtime", "posixrules", "Factory")
"""Zone names whose rules are a setting of the machine, so they differ between machines."""


@cache
def transitions(zone_name: str) -> Transitions:
    """Return all offset changes that a clock can meet, from 1970 to 2106.

    The first entry is the offset of 1970-01-01T00:00Z. Offsets are whole minutes, rounded down: of
    Africa/Monrovia before 1972 they are not.

    Raises:
        ConfigurationError: no such zone is known on this machine, or it is the machine's own.
    """
    if zone_name in _OF_THE_MACHINE:
        raise ConfigurationError(
            f"time_zone = {zone_name!r}: it is another zone on another machine; name a place, such "
            f"as Europe/Berlin"
        )
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(zone_name)
    # OSError: the name of a folder of zones, such as Europe
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"time_zone = {zone_name!r}: no such time zone is known here"
        ) from error
    moment = datetime.fromtimestamp
    begin, end = 0, int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
    offset = moment(begin, zone).utcoffset()
    found = [(begin, offset)]
    for high in range(begin + STEP_S, end, STEP_S):
        if moment(high, zone).utcoffset() == offset:
            continue
        low, at = high - STEP_S, high
        while at - low > 1:
            middle = (low + at) // 2
            if moment(middle, zone).utcoffset() == offset:
                low = middle
            else:
                at = middle
        offset = moment(at, zone).utcoffset()
        found.append((at, offset))
    return tuple(
        (at * SECOND, int(offset.total_seconds()) * SECOND // MINUTE)
        for at, offset in found
        if offset is not None
    )
