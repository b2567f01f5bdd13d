"""Orders that a command has written, carried out by the worker of their port or here."""

from __future__ import annotations

from collections.abc import Iterable

from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.signed_in import SignedIn
from meterctl.cli.output import say
from meterctl.errors import MeterctlError
from meterctl.utility.meters.run_now import carry_out
from meterctl.utility.rules.transitions import CommandState

COMMAND_EXIT_CODES = {
    CommandState.DONE: 0,
    CommandState.REFUSED: 3,
    CommandState.EXPIRED: 3,
    CommandState.QUEUED: 4,
    CommandState.RUNNING: 4,
    CommandState.SILENT: 4,
}
"""Exit code by the state in which an order of the command class is at the end of its command."""


def see_through(desk: SignedIn, orders: Iterable[str]) -> None:
    """Carry out orders one after the other; what hinders it is said on stderr, and they wait."""
    if desk.given.dry_run:
        return
    for number in orders:
        try:
            carry_out(desk.database, lambda: gateway_of(desk), int(number.removeprefix("O")))
        except MeterctlError as error:
            say(f"{number} waits: {error}")
            return
