"""A sale that was just taken, brought to its meter, and what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.desk_money import print_money, shown
from meterctl.cli.desk.signed_in import SignedIn
from meterctl.cli.output import say
from meterctl.errors import MeterctlError
from meterctl.utility.meters.run_now import carry_out
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.store.queries.sales import describe_sale
from protocols.quantities import format_money

DONE, REFUSED, UNKNOWN = 0, 3, 7
EXIT_CODES: dict[str, int] = {
    SaleState.TAKEN: UNKNOWN,
    SaleState.SENDING: UNKNOWN,
    SaleState.ON_CARD: DONE,
    SaleState.UNKNOWN: UNKNOWN,
    SaleState.DELIVERED: DONE,
    SaleState.CANCELLED: REFUSED,
    SaleState.DEAD: REFUSED,
    SaleState.HAND_DELIVERED: DONE,
    SaleState.HAND_DEAD: REFUSED,
    SaleState.REPAID: REFUSED,
    SaleState.REPLACED: REFUSED,
}
"""Exit code of a selling command by the state in which the sale is at its end."""


SHOWN = (
    "sale", "agreement", "meter", "receipt_number", "amount", "to_overdraft", "to_debt",
    "credit_after", "supply_state", "card", "state", "cause", "owed", "next",
)  # fmt: skip
"""What people get of a sale; --json has all."""


def seen_through(desk: SignedIn, taken: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a sale that was taken to its meter or card; return it as it stands then.

    What hinders it is said on stderr, and is its cause if it has no other: the money is taken, and
    the sale goes on.
    """
    hindered = ""
    sale, order = int(taken["sale"][1:]), int(taken["order"][1:])
    try:
        carry_out(desk.database, lambda: gateway_of(desk), order)
    except MeterctlError as error:
        say(f"{taken['sale']} is not sent yet: {error}")
        hindered = str(error)
    with desk.reading() as session:
        told = describe_sale(session, sale)
    if told["state"] == SaleState.TAKEN and not told["cause"]:
        told["cause"] = hindered
    return told


def told_of(sale: Mapping[str, Any]) -> str:
    """Return in words how a sale stands."""
    number, amount, cause = sale["sale"], shown(sale["amount"]), sale["cause"]
    why = f" ({cause})" if cause else ""
    match SaleState(sale["state"]):
        case SaleState.DELIVERED if sale["credit_after_exact"] is not None:
            credit = format_money(sale["credit_after_exact"])
            supply = f", {sale['supply_state']}" if sale["supply_state"] else ""
            return f"{number}: {amount} delivered, credit {credit}{supply}"
        case SaleState.DELIVERED | SaleState.HAND_DELIVERED:
            return f"{number}: {amount} delivered"
        case SaleState.ON_CARD:
            return f"{number}: {amount} is on card {sale['card']}"
        case SaleState.TAKEN | SaleState.SENDING | SaleState.UNKNOWN:
            return f"{number}: delivery pending, your receipt counts{why}"
        case SaleState.DEAD | SaleState.HAND_DEAD:
            return f"{number}: not delivered{why}; {shown(sale['owed'])} is owed"
        case SaleState.CANCELLED | SaleState.REPAID | SaleState.REPLACED:
            return f"{number} is {sale['state']}{why}"


def print_sale(
    desk: SignedIn, sale: Mapping[str, Any], message: str, further: Collection[str] = ()
) -> int:
    """Print the end of a command that sells; return its exit code, 0 of a dry run.

    Args:
        further: fields that people get beside those of the sale.
    """
    code = DONE if desk.given.dry_run else EXIT_CODES[sale["state"]]
    print_money(
        desk.given,
        desk.database.zone,
        sale,
        message,
        exit_code=code,
        outcome=sale["state"],
        shown_fields=(*SHOWN, *further),
    )
    return code
