"""desk card present."""

from __future__ import annotations

import os
from typing import Annotated

from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import say
from meterctl.errors import MeterctlError, UsageError
from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import CardPlace, Presented, Problem
from meterctl.utility.meters.leases import Leases, new_holder
from meterctl.utility.meters.readers import finish_card, present_card
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.rights import require_anywhere
from protocols.command_line import Argument, Context, Program

_card = Program("The cards of customers, where no worker serves the reader.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_card, name="card")


@_card.command("present")
def present(
    context: Context,
    card: Annotated[
        str, Argument(metavar="CARD", help="The card's file, or the reader in which it lies.")
    ],
) -> None:
    """Read a card, and book what its write-back proves.

    A sale that was interrupted while it was written on it is written whole. `work --reader` does
    the same with every card that is inserted.
    """
    given = desk_options(context)
    if given.dry_run:
        raise Invalid("dry_run", "what a card proves stands: this command has no dry run")
    with signed_in(given) as desk:
        require_anywhere(desk.actor, Action.SALE_RESOLVE)
        gateway = gateway_of(desk)
        worker = Leases(desk.database, new_holder()).worker_of(
            gateway.journal_number, str(gateway.journal_path)
        )
        place = CardPlace(os.path.abspath(card) if os.path.exists(card) else card)
        execution = Execution(desk.database, gateway, worker)
        presented = present_card(execution, place)
        if not presented.card:
            raise _no_card(card, place, presented)
        finish_card(execution, place, presented)
        for notice in presented.notices:
            say(notice)
        values = {
            "card": presented.card,
            "meter": presented.meter or None,
            "customer": presented.customer or None,
            "consumption": presented.consumption.value,
            "settled": [outcome.key for outcome in presented.settled],
            "problem": presented.problem.value,
            "cause": presented.cause,
        }
        settled = ", ".join(outcome.key for outcome in presented.settled)
        message = f"card {presented.card}: its sale is {presented.consumption.value}"
        print_done(
            given, desk.record(values), f"{message}{'; settled ' if settled else ''}{settled}"
        )


def _no_card(named: str, place: CardPlace, presented: Presented) -> MeterctlError:
    """Return the error of a place where no card could be read."""
    cause = presented.cause or f"{named}: there is no card"
    if presented.problem is not Problem.LOCAL:
        return Refused("card", cause)
    if not place.is_file:
        return UsageError(f"{named}: there is no such file, and as the name of a reader: {cause}")
    return UsageError(cause)
