"""The offset changes of a time zone: the core sees no zone."""

from __future__ import annotations

from firmware_sim.description.toml import ConfigurationError
from protocols.quantities import DAY, MINUTE

YEARS_OF_TRANSITIONS = 40


def transitions(zone_name: str, start: int) -> tuple[tuple[int, int], ...]:
    """Return (ms since 1970 UTC, offset in minutes from then on), from a day before `start`.

    Raises:
        ConfigurationError: no such zone is known on this machine.
    """
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(zone_name)
    # OSError: the name of a folder of zones, such as Europe
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"time_zone = {zone_name!r}: no such time zone is known here"
        ) from error

    def offset(ms: int) -> int:
        delta = datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone).utcoffset()
        assert delta is not None
        return int(delta.total_seconds()) // 60

    found = [(start - DAY, offset(start))]
    day = start
    for _ in range(YEARS_OF_TRANSITIONS * 366):
        if offset(day + DAY) != offset(day):
            low, high = day, day + DAY
            while high - low > MINUTE:
                middle = (low + high) // (2 * MINUTE) * MINUTE
                low, high = (low, middle) if offset(middle) != offset(low) else (middle, high)
            found.append((high, offset(high)))
        day += DAY
    return tuple(found)
