"""desk sell."""

from __future__ import annotations

from typing import Annotated, Any

from meterctl.cli.arguments import cents_of
from meterctl.cli.desk.counter_card import place_of_card, require_deliverable
from meterctl.cli.desk.desk_money import print_money, shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.sale_delivery import print_sale, seen_through, told_of
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import say
from meterctl.utility.model.money import Carrier
from meterctl.utility.services import sales
from protocols.command_line import Argument, Context, Exit, Option, Program, examples
from protocols.quantities import format_money

AgreementArgument = Annotated[
    str,
    Argument(
        metavar="AGREEMENT", help="Number of the agreement, or of its supply point (户号) or meter."
    ),
]
CardOption = Annotated[
    str | None,
    Option("--card", metavar="FILE", help="Sell on a simulated card: its file."),
]
ReaderOption = Annotated[
    str | None,
    Option("--reader", metavar="NAME", help="Sell on the card in this reader, by the name of it."),
]
UNCHANGED = "no money was taken"
_EXAMPLES = examples(
    ("meterctl desk sell 0011-2026-000001 50.00", "Take 50.00 and deliver it by wire."),
    ("meterctl desk sell A 50.00 --key K-1", "The same command again sells nothing twice."),
    ("meterctl desk sell A 50.00 --card card.bin", "Write it on a card."),
    ("meterctl desk sell A 50.00 --dry-run", "Show what the meter would make of it."),
)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("sell", epilog=_EXAMPLES)(sell)


def sell(
    context: Context,
    agreement: AgreementArgument,
    amount: Annotated[str, Argument(metavar="AMOUNT", help="The cash, such as 50.00.")],
    card: CardOption = None,
    reader: ReaderOption = None,
) -> None:
    """Take cash for credit and bring it to the meter, by wire or on a card.

    The money is taken first, with a receipt; then the command waits up to 15 s for the worker of
    the meter's port, and sends the credit itself where none lives. It ends with 0 when the meter
    or the card has it, with 7 while that is not known: the receipt counts, delivery goes on.
    """
    given = desk_options(context)
    paid = cents_of(amount, UNCHANGED)
    place = place_of_card(card, reader, UNCHANGED)
    carrier = Carrier.WIRE if place is None else Carrier.CARD
    with signed_in(given) as desk:
        require_deliverable(desk, agreement, paid, place, UNCHANGED)
        answer = desk.ask(
            "sell",
            {"agreement": agreement, "amount": paid, "carrier": carrier, "reader": place},
            lambda work: sales.take(
                work, agreement=agreement, amount=paid, carrier=carrier, reader=place
            ),
            money=True,
        )
        taken = answer.values
        if given.dry_run:
            before = f"{taken['sale']} was sold under this key, nothing would be sold"
            print_money(
                given,
                desk.database.zone,
                {**taken, "replayed": answer.replayed},
                before if answer.replayed else _forecast(taken),
                shown_fields=("agreement", "meter", "kind", "amount"),
            )
            return
        of_receipt = f"receipt {taken['receipt_number']}"
        if answer.replayed:
            say(f"{of_receipt} is the first one's: {shown(paid)} for {taken['sale']}")
        else:
            say(f"{of_receipt}: {shown(paid)} taken for {taken['sale']}")
        told = {**seen_through(desk, taken), "replayed": answer.replayed}
        code = print_sale(desk, told, told_of(told))
    if code:
        raise Exit(code)


def _forecast(told: dict[str, Any]) -> str:
    """Return what the meter would make of an amount, from what it proved last."""
    expected = told["expected"]
    parts = (
        ("old debt", expected["to_debt_exact"]),
        ("overdraft", expected["to_overdraft_exact"]),
        ("credit", expected["to_credit_exact"]),
    )
    split = ", ".join(f"{format_money(part)} {name}" for name, part in parts if part)
    supply = "; supply returns" if expected["supply_returns"] else ""
    waits = f"; it waits for {told['waits_for']}" if told["waits_for"] else ""
    return f"of {shown(told['amount'])}: {split}{supply}{waits}"
