"""Loads as a person names them: a power, a CSV file, or the household that is shipped."""

from __future__ import annotations

import csv
from importlib.resources import files

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_text
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load, OnEnd, split
from firmware_sim.metrology.load_csv import parse_load
from protocols.errors import QuantityError
from protocols.quantities import parse_power

HOUSEHOLD = "household"


def read_load(
    text: str, phases: int, clock: int, origin: int = 0, on_end: OnEnd = OnEnd.REPEAT
) -> Load:
    """Return the load that `text` names, from the elapsed time `origin` on, where the meter's clock
    shows `clock`.

    Raises:
        HostingError: a file that is not there or is no load; a text that is neither.
    """
    if text == HOUSEHOLD:
        return parse_load(
            files("firmware_sim.data").joinpath("household.csv").read_text(),
            phases,
            clock,
            on_end,
            origin,
        )
    if text.lower().endswith(".csv"):
        rows = read_text(text, "load")
        try:
            return parse_load(rows, phases, clock, on_end, origin)
        except (ValueError, QuantityError, csv.Error, OverflowError) as error:
            raise HostingError(f"load {text}: {error}") from error
    try:
        return Load.constant(split(parse_power(text), phases))
    except QuantityError as error:
        raise HostingError(
            f"load {text!r}: allowed is a power (2kW, 350W, -1.5kW), FILE.csv or household"
        ) from error


def load_for(text: str, meter: Meter) -> Load:
    """Return the load that `text` names, for a running meter, from its present instant on."""
    phases = len(meter.demand.phases)
    return read_load(text, phases, meter.clock, meter.state.elapsed_ms)
