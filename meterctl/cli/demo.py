"""demo: a household day on a real virtual serial port, every figure read over the wire."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("demo")(demo)


def demo(
    price: Annotated[str, typer.Option(help="Price per kWh.")] = "0.5283",
    load: Annotated[
        str, typer.Option(help="Load of the household, as `meter-sim run --load`.")
    ] = "household",
    credit: Annotated[str, typer.Option(help="Opening balance.")] = "3.20",
    speed: Annotated[
        int | None, typer.Option(help="Meter time per wall time; chosen to take 20 s.")
    ] = None,
) -> None:
    """Watch a household consume its credit: warning, trips, top-up, reconnection, books."""
    from meterctl.demo.story import run_demo

    raise typer.Exit(run_demo(price, load, credit, speed))
