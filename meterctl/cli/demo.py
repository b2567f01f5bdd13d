"""demo: a household day on a real virtual serial port, every figure read over the wire."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.arguments import TRY
from meterctl.cli.values import offered
from protocols.command_line import Exit, Option, Program


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("demo", rich_help_panel=TRY)(demo)


def demo(
    price: Annotated[str, Option(metavar="PRICE", help="Price of a kWh.")] = "0.5283",
    load: Annotated[
        str,
        Option(
            metavar="LOAD",
            help="What the household draws: a power such as 2kW, a CSV file, or household for a "
            "year of a real one.",
            autocompletion=offered("household"),
        ),
    ] = "household",
    credit: Annotated[
        str, Option(metavar="AMOUNT", help="Credit of the household at the beginning.")
    ] = "3.20",
    speed: Annotated[
        int | None,
        Option(
            metavar="N",
            help="How much faster than the clock the meter runs.",
            show_default="as fast as the story takes 20 s",
        ),
    ] = None,
) -> None:
    """Watch a household consume its credit: warning, trips, top-up, reconnection, books.

    It starts a meter of its own; no port and no keys are needed."""
    from meterctl.demo.story import run_demo

    raise Exit(run_demo(price, load, credit, speed))
