"""meterctl desk: the desk of a utility. One file a group of commands; see `command_table`."""

from __future__ import annotations

from meterctl.cli.arguments import SELL
from meterctl.cli.desk.command_table import desk
from protocols.command_line import Program


def add_to(app: Program) -> None:
    """Add the commands of the desk."""
    app.add_typer(desk, name="desk", rich_help_panel=SELL)
