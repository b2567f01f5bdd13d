"""What the reports of profile, freezes and usage share: their options, tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from meterctl.cli.options import Options
from meterctl.drivers import Reader
from meterctl.errors import UsageError
from protocols.command_line import Option
from protocols.data_model import items
from protocols.data_model.kinds import MONEY, MONEY_EXACT
from protocols.data_model.tables import Table
from protocols.data_model.words import account_unit_text
from protocols.quantities import CENT

FromOption = Annotated[
    str | None,
    Option(
        "--from",
        metavar="MOMENT",
        help="Begin here: 2026-01-31, 2026-01-31T08:00 in the meter's local time, or with an "
        "offset as 2026-01-31T08:00+01:00.",
    ),
]
ToOption = Annotated[
    str | None,
    Option(
        "--to",
        metavar="MOMENT",
        help="End here; a date ends at its first instant, so that --from 2026-01-01 "
        "--to 2026-02-01 is January.",
    ),
]
PlotOption = Annotated[
    Path | None,
    Option("--plot", metavar="FILE.svg", help="Draw it into a file too; needs matplotlib."),
]
ROUNDED = "rows are rounded; the total is exact"
NATIVE = "native"
"""The map of a meter without --map."""


def require_rows(given: Options, driver: Reader, table: Table, what: str) -> None:
    """Raise UsageError where the map of the meter does not have a table."""
    if not driver.has_rows(table):
        raise UsageError(f"map {given.map_name or NATIVE} has no {what}; nothing was sent")


def require_plot(given: Options, path: Path | None) -> None:
    """Raise UsageError where a plot that is wanted cannot be made."""
    if path is not None:
        from meterctl.cli.plots import require_drawable

        require_drawable(path, given.own_files)


def shown_serial_number(driver: Reader) -> str:
    """Return the serial number for a title; empty where the map does not have it."""
    if not driver.holds(items.SERIAL_NUMBER):
        return ""
    return str(driver.read([items.SERIAL_NUMBER])[items.SERIAL_NUMBER])


def rounded(cost: int) -> int:
    """Return a cost in ledger units rounded to 0.01, half up."""
    return (cost + CENT // 2) // CENT * CENT


def cost_fragments(cost: int | None, name: str = "cost") -> dict[str, str]:
    """Return a cost as JSON values: rounded half up to 0.01, and to the last unit."""
    if cost is None:
        return {name: "null", f"{name}_exact": "null"}
    return {name: MONEY.json(rounded(cost)), f"{name}_exact": MONEY_EXACT.json(cost)}


def adds_up(costs: Sequence[int | None], whole: int | None) -> bool:
    """Return whether rounded costs have the rounded sum, as far as both are known."""
    known = [rounded(cost) for cost in costs if cost is not None]
    return whole is None or len(known) != len(costs) or sum(known) == rounded(whole)


def shown_account_unit(driver: Reader) -> str:
    """Return the unit of the account, such as CNY; empty where the map does not have it."""
    if not driver.holds(items.ACCOUNT_UNIT):
        return ""
    unit = driver.read([items.ACCOUNT_UNIT])[items.ACCOUNT_UNIT]
    return "" if unit is None else account_unit_text(unit)
