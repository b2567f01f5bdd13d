"""desk pay AGREEMENT AMOUNT, pay take|move|bounce, refund."""

from __future__ import annotations

from typing import Annotated, Any

from meterctl.cli.arguments import cents_of
from meterctl.cli.desk.desk_money import print_money, shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.orders_seen_through import see_through
from meterctl.cli.desk.sale import (
    PayingShiftOption,
    PayoutChannelOption,
    ToOption,
    naming_till,
    told_of_payout,
)
from meterctl.cli.desk.sell import AgreementArgument
from meterctl.cli.desk.shared_options import ReasonOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.values import offered
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import payments, payouts
from protocols.command_line import Argument, CommandGroup, Context, Option, Program


class _PayGroup(CommandGroup):
    """`pay AGREEMENT AMOUNT` is `pay take AGREEMENT AMOUNT`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words up to the command; `take` need not be typed."""
        named = any(word in self.commands for word in args)
        if args and not named and not {"-h", "--help"} & set(args[:1]):
            args = ["take", *args]
        return super().parse_args(ctx, args)


_pay = Program("Payments that stand in advance, and pay the bills.", group=_PayGroup)
PaymentArgument = Annotated[
    str, Argument(metavar="PAYMENT", help="Number of the payment (P3), or of its receipt.")
]
AmountArgument = Annotated[str, Argument(metavar="AMOUNT", help="Such as 120.00.")]
_CHANNELS = [channel.value for channel in PaymentChannel]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_pay, name="pay")
    app.command("refund")(refund)


@_pay.command("take")
def take(
    context: Context,
    agreement: AgreementArgument,
    amount: AmountArgument,
    channel: Annotated[
        str,
        Option(
            "--channel",
            metavar="CHANNEL",
            help="How it is paid; a till takes cash.",
            autocompletion=offered(*_CHANNELS),
        ),
    ] = PaymentChannel.CASH.value,
) -> None:
    """Take cash: it pays the open bills, the oldest first, and the rest stands in advance."""
    given = desk_options(context)
    paid, by = cents_of(amount, "no money was taken"), word(PaymentChannel, channel, "channel")
    with signed_in(given) as desk:
        answer = desk.ask(
            "pay",
            {"agreement": agreement, "amount": paid, "channel": by},
            lambda work: payments.pay(work, agreement=agreement, amount=paid, channel=by),
            money=True,
        )
        told = {**answer.values, "replayed": answer.replayed}
        message = f"receipt {told['receipt_number']}: {shown(paid)} taken; {_standing(told)}"
        print_money(given, desk.database.zone, told, message)


@_pay.command("move")
def move(context: Context, payment: PaymentArgument, to: ToOption) -> None:
    """Move a payment that was booked on the wrong agreement."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "pay move",
            {"payment": payment, "to": to},
            lambda work: payments.move(work, payment=payment, to=to),
            money=True,
        )
        told = answer.values
        message = f"{told['payment']} stands on {told['agreement']} now; {_standing(told)}"
        print_money(given, desk.database.zone, told, message)


@_pay.command("bounce")
def bounce(context: Context, payment: PaymentArgument, reason: ReasonOption = "") -> None:
    """Take a payment back whose money was not good; what is missing becomes a claim."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "pay bounce",
            {"payment": payment, "reason": reason},
            lambda work: payments.bounce(work, payment=payment, reason=reason),
            money=True,
        )
        told = answer.values
        message = f"{told['payment']} is {told['state']}; {_standing(told)}"
        if told["claim"] is not None:
            message += f"; claim {told['claim']} of {shown(told['claimed'])}"
        print_money(given, desk.database.zone, told, message)


def refund(
    context: Context,
    agreement: AgreementArgument,
    amount: AmountArgument,
    channel: PayoutChannelOption = PaymentChannel.CASH.value,
    shift: PayingShiftOption = None,
) -> None:
    """Give money back: what is owed or in advance at once, else credit of the meter by an order.

    An accountant decides it. A vendor's till pays where --shift names it; the audit names both.
    """
    given = desk_options(context)
    wanted, by = cents_of(amount, "nothing was paid"), word(PaymentChannel, channel, "channel")
    with signed_in(given) as desk, naming_till():
        answer = desk.ask(
            "refund",
            {"agreement": agreement, "amount": wanted, "channel": by, "shift": shift},
            lambda work: payouts.refund(
                work, agreement=agreement, amount=wanted, channel=by, shift=shift
            ),
            money=True,
        )
        told = answer.values
        if "task" in told:
            message = f"{told['task']}: another person approves it first"
        elif "order" in told:
            see_through(desk, [told["order"]])
            message = f"{told['order']} asks the meter for {shown(wanted)}: {told['next']}"
        else:
            message = told_of_payout(told)
        print_money(given, desk.database.zone, told, message)


def _standing(told: dict[str, Any]) -> str:
    """Return what stands in advance, and what is open."""
    return f"{shown(told['advance'])} in advance, {shown(told['open'])} open"
