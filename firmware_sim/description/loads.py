"""Loads as a person names them: a power, a CSV file, or the household that is shipped.

The rows of a file are read once a process and shared, packed, by all meters that draw them.
"""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.resources import files
from weakref import WeakValueDictionary

from firmware_sim.description.keys import LOAD_KIND
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_pieces
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load, LoadRows, OnEnd, split
from firmware_sim.metrology.load_csv import parse_rows, place
from firmware_sim.metrology.load_zone import UTC, Zone
from firmware_sim.state import State
from protocols.errors import QuantityError
from protocols.quantities import parse_power

HOUSEHOLD = "household"
_LIKE_A_FILE = re.compile(r"/|\.[A-Za-z]")
_Version = tuple[int, ...]
_read: WeakValueDictionary[_Version, LoadRows] = WeakValueDictionary()
"""Rows by the version of their file, for as long as a meter draws them."""


def read_load(
    text: str,
    phases: int,
    clock_ms: int,
    origin_ms: int = 0,
    on_end: OnEnd = OnEnd.REPEAT,
    zone: Zone = UTC,
) -> Load:
    """Return the load that `text` names, for a meter of so many phases.

    Args:
        clock_ms: the meter's clock at the elapsed time `origin_ms`, at which offsets begin.
        zone: the meter's local time.

    Raises:
        HostingError: a file that does not exist or is no load; a text that is neither.
    """
    if text == HOUSEHOLD:
        return place(_household(), phases, clock_ms, on_end, origin_ms)
    if LOAD_KIND.names_file(text):
        try:
            return place(_rows_of(text), phases, clock_ms, on_end, origin_ms, zone)
        except (ValueError, QuantityError, OverflowError) as error:
            told = str(error).splitlines() or [""]
            raise HostingError("\n".join(f"load {text}: {line}" for line in told)) from error
    try:
        return Load.constant(split(parse_power(text), phases))
    except QuantityError as error:
        raise HostingError(f"load {text!r}: {allowed_instead(text)}") from error


def allowed_instead(text: str) -> str:
    """Return what an error about a load says: the allowed forms, or the ending of a file."""
    reason = "the name of a load file ends in .csv; " if _LIKE_A_FILE.search(text) else ""
    return f"{reason}allowed is a power (2kW, 350W, -1.5kW), FILE.csv or household"


def outside_warning(text: str, load: Load | None, clock_ms: int) -> str | None:
    """Return a warning where no row of the file `text` is for the present clock, else None."""
    if load is None or text == HOUSEHOLD:
        return None
    found = load.outside(clock_ms)
    return None if found is None else f"load {text}: {found}"


def load_for(text: str, meter: Meter) -> Load:
    """Return the load that `text` names, for a running meter, from its present instant on."""
    phases = meter.state.identity.phases
    return read_load(text, phases, meter.clock, meter.state.elapsed_ms, zone=zone_of(meter.state))


def zone_of(state: State) -> Zone:
    """Return the local time of a meter."""
    return Zone(state.settings.utc_offset_minutes, state.identity.transitions)


@cache
def _household() -> LoadRows:
    return parse_rows(files("firmware_sim.data").joinpath("household.csv").read_text())


def _rows_of(path: str) -> LoadRows:
    version = _version(path)
    rows = None if version is None else _read.get(version)
    if rows is None:
        rows = parse_rows(read_pieces(path, "load"))
        if version is not None:
            _read[version] = rows
    return rows


def _version(path: str) -> _Version | None:
    """Return the version of a file's content, None for a file that cannot be read."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    times = status.st_mtime_ns, status.st_ctime_ns  # a copy may keep the first
    return status.st_dev, status.st_ino, status.st_size, *times
