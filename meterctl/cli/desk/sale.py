"""desk sale show|list|cancel|payout|sell-again|move|settle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from meterctl.cli.arguments import cents_of
from meterctl.cli.desk.counter_card import place_of_card, require_deliverable_again
from meterctl.cli.desk.desk_money import money_record, print_money, shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.sale_delivery import SHOWN, print_sale, seen_through, told_of
from meterctl.cli.desk.sell import CardOption, ReaderOption
from meterctl.cli.desk.shared_options import ROWS, LimitOption, ReasonOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import say
from meterctl.cli.values import offered
from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.money import Carrier, PaymentChannel
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import payouts, sale_lists, sale_moves, sales, settling
from meterctl.utility.services.settling import SettledAs
from protocols.command_line import Argument, Context, Exit, Option, Program

_sale = Program("Sales: how they stand, and what is done about those that went wrong.")
UNCHANGED = "nothing was changed"
SaleArgument = Annotated[str, Argument(metavar="SALE", help="Number of the sale (S17), or key.")]
ToOption = Annotated[
    str, Option("--to", metavar="AGREEMENT", help="Number of the right agreement.")
]
_CHANNELS = [channel.value for channel in payouts.CHANNELS]
PayoutChannelOption = Annotated[
    str,
    Option(
        "--channel",
        metavar="|".join(_CHANNELS),
        help="From a till, or by the bank.",
        autocompletion=offered(*_CHANNELS),
    ),
]
PayingShiftOption = Annotated[
    str | None,
    Option(
        "--shift",
        metavar="SHIFT",
        help="Number of the open shift whose till pays; its vendor hands the money over.",
        show_default="your own",
    ),
]
_FURTHER = (
    "follows", "given_back", "paid_now", "still_owed", "paid_out", "channel", "till",
    "payment",
    "payout_receipt", "to", "claim", "as", "task",
)  # fmt: skip
"""What people get of a command on a sale beside the sale."""
_STATES = [state.value for state in SaleState]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_sale, name="sale")


@_sale.command("show")
def show(context: Context, sale: SaleArgument) -> None:
    """Show a sale: its receipt, what its meter proved, what is owed and what comes next."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        told = sale_lists.show(session, desk.actor, sale)
        print_record(given, money_record(told, desk.database.zone))


@_sale.command("list")
def list_(
    context: Context,
    state: Annotated[
        str | None,
        Option(
            "--state",
            metavar="STATE",
            help=f"Only those in this state: {', '.join(_STATES)}.",
            autocompletion=offered(*_STATES),
        ),
    ] = None,
    agreement: Annotated[
        str | None,
        Option("--agreement", metavar="AGREEMENT", help="Only those of this agreement."),
    ] = None,
    shift: Annotated[
        str | None, Option("--shift", metavar="SHIFT", help="Only those of this shift.")
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """List the sales at your nodes, the newest first."""
    given = desk_options(context)
    wanted = None if state is None else word(SaleState, state, "state")
    columns = (
        "sale", "agreement", "meter", "amount", "carrier", "state", "owed", "taken_at", "cause",
    )  # fmt: skip
    with signed_in(given) as desk, desk.reading() as session:
        found = sale_lists.list_(
            session, desk.actor, state=wanted, agreement=agreement, shift=shift, limit=limit
        )
        records = [money_record(row, desk.database.zone) for row in found]
        print_records(given, records, columns, ("amount", "owed"), "there is no such sale")


@_sale.command("cancel")
def cancel(context: Context, sale: SaleArgument, reason: ReasonOption = "") -> None:
    """Cancel a sale that no worker has begun; in its shift the money goes back."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "sale cancel",
            {"sale": sale, "reason": reason},
            lambda work: sales.cancel(work, sale=sale, reason=reason),
            money=True,
        )
        told = answer.values
        back, owed = shown(told["given_back"]), shown(told["owed"])
        end = f"give {back} back" if told["given_back"] else f"{owed} is owed"
        print_money(
            given,
            desk.database.zone,
            told,
            f"{told['sale']} is {told['state']}: {end}",
            shown_fields=(*SHOWN, *_FURTHER),
        )


@_sale.command("payout")
def payout(
    context: Context,
    sale: SaleArgument,
    channel: PayoutChannelOption = PaymentChannel.CASH.value,
    shift: PayingShiftOption = None,
) -> None:
    """Pay out a sale that its meter did not get; above 500.00 another person approves it.

    An accountant decides it. A vendor's till pays where --shift names it; the audit names both.
    """
    given = desk_options(context)
    by = word(PaymentChannel, channel, "channel")
    with signed_in(given) as desk, naming_till():
        answer = desk.ask(
            "sale payout",
            {"sale": sale, "channel": by, "shift": shift},
            lambda work: payouts.payout(work, sale=sale, channel=by, shift=shift),
            money=True,
        )
        told = answer.values
        paid = (
            f"{told['task']}: another person approves it first"
            if "task" in told
            else told_of_payout(told)
        )
        print_money(
            given,
            desk.database.zone,
            told,
            f"{told['sale']}: {paid}",
            shown_fields=(*SHOWN, *_FURTHER),
        )


@_sale.command("sell-again")
def sell_again(
    context: Context,
    sale: SaleArgument,
    to: Annotated[
        str | None,
        Option(
            "--to",
            metavar="AGREEMENT",
            help="Number of the other agreement.",
            show_default="its own",
        ),
    ] = None,
    amount: Annotated[
        str | None,
        Option(
            "--amount",
            metavar="AMOUNT",
            help="More is paid in cash; what is less stays owed.",
            show_default="all that is owed",
        ),
    ] = None,
    card: CardOption = None,
    reader: ReaderOption = None,
) -> None:
    """Let what is owed for a sale pay a new one, and bring that to the meter, as `sell` does."""
    given = desk_options(context)
    wanted = None if amount is None else cents_of(amount, UNCHANGED)
    place = place_of_card(card, reader, UNCHANGED)
    carrier = Carrier.WIRE if place is None else Carrier.CARD
    body = {"sale": sale, "to": to, "amount": wanted, "carrier": carrier, "reader": place}
    with signed_in(given) as desk:
        require_deliverable_again(desk, sale, to, wanted, place, UNCHANGED)
        answer = desk.ask(
            "sale sell-again",
            body,
            lambda work: sales.sell_again(
                work, sale=sale, agreement=to, amount=wanted, carrier=carrier, reader=place
            ),
            money=True,
        )
        told = answer.values
        message = f"{told['sale']} would follow {told['follows']}"
        if not given.dry_run:
            if told["paid_now"] and not answer.replayed:
                say(f"receipt {told['receipt_number']}: {shown(told['paid_now'])} taken")
            further = {name: told[name] for name in ("paid_now", "still_owed")}
            told = {**seen_through(desk, told), **further, "replayed": answer.replayed}
            message = told_of(told)
        if told["still_owed"]:
            message += f"; {shown(told['still_owed'])} stays owed: `desk refund` pays it out"
        code = print_sale(desk, told, message, _FURTHER)
    if code:
        raise Exit(code)


@_sale.command("move")
def move(context: Context, sale: SaleArgument, to: ToOption) -> None:
    """Propose to move a delivered sale to the agreement for which it was paid."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "sale move",
            {"sale": sale, "to": to},
            lambda work: sale_moves.move(work, sale=sale, to=to),
            money=True,
        )
        told = answer.values
        message = (
            f"{told['task']}: when another person has approved it, the meter gives "
            f"{shown(told['given_back'])} back, and {shown(told['claim'])} becomes a claim"
        )
        print_money(given, desk.database.zone, told, message, shown_fields=(*SHOWN, *_FURTHER))


@_sale.command("settle")
def settle(
    context: Context,
    sale: SaleArgument,
    as_: Annotated[
        str,
        Option(
            "--as",
            metavar="delivered|dead",
            help="What is known of it.",
            autocompletion=offered(*(each.value for each in SettledAs)),
        ),
    ],
    reason: ReasonOption = "",
) -> None:
    """Propose how a sale ends that stays unknown; a later proof corrects it."""
    given = desk_options(context)
    said = word(SettledAs, as_, "--as")
    with signed_in(given) as desk:
        answer = desk.ask(
            "sale settle",
            {"sale": sale, "as": said, "reason": reason},
            lambda work: settling.settle(work, sale=sale, as_=said, reason=reason),
            money=True,
        )
        told = answer.values
        message = f"{told['task']}: another person approves that {told['sale']} is {said}"
        print_money(given, desk.database.zone, told, message, shown_fields=(*SHOWN, *_FURTHER))


@contextmanager
def naming_till() -> Iterator[None]:
    """Say to who may not give money back how it is paid from a vendor's till."""
    try:
        yield
    except NotPermitted as error:
        raise NotPermitted(
            error.code,
            f"{error}. An accountant does it; --shift SHIFT names the open shift whose till pays",
        ) from error


def told_of_payout(told: dict[str, Any]) -> str:
    """Return in words what was paid out, and from which till."""
    place = "by the bank" if told["till"] is None else f"from the till of shift {told['till']}"
    return f"{shown(told['paid_out'])} paid out {place} ({told['payment']})"
