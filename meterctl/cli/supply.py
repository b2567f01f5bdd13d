"""switch interrupt|permit|restore, guarantee, moratorium, tamper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from meterctl.cli.arguments import (
    SUPPLY,
    PayeeOption,
    SetBackOption,
    ValidForOption,
    valid_for_s,
)
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import options
from meterctl.cli.output import print_result, say
from meterctl.cli.values import offered
from meterctl.errors import MeterctlError, RefusedError, UsageError
from meterctl.operations.command import CommandDone, execute_command, plan_command, rehearse_command
from meterctl.operations.moratorium import require_later
from meterctl.session import MeterIdentity, Session
from protocols.command_line import Argument, Context, Exit, Program
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import Cause, SupplyState, cause_words
from protocols.quantities import format_date, format_money, parse_date
from protocols.sealed_message import MessageKind, SwitchAction, encode_number

_switch = Program("Interrupt the supply, permit the customer to close it, or restore it.")
_moratorium = Program("No disconnection for lack of credit until a date.")
_tamper = Program("Clear the cause that an opened cover or a magnet has left.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_switch, name="switch", rich_help_panel=SUPPLY)
    app.command("guarantee", rich_help_panel=SUPPLY)(guarantee)
    app.add_typer(_moratorium, name="moratorium", rich_help_panel=SUPPLY)
    app.add_typer(_tamper, name="tamper", rich_help_panel=SUPPLY)


@dataclass(frozen=True, slots=True)
class Terms:
    """Payee and lifetime of a command, as typed."""

    payee: str | None
    set_back: bool
    valid_for: str | None


@_switch.command("interrupt")
def interrupt(
    context: Context,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Open the supply until it is permitted or restored."""
    terms = Terms(meter, set_back, valid_for)
    _command(context, terms, MessageKind.SWITCH, SwitchAction.INTERRUPT, "interrupt the supply")


@_switch.command("permit")
def permit(
    context: Context,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Permit the customer to close the supply with the button."""
    terms = Terms(meter, set_back, valid_for)
    _command(context, terms, MessageKind.SWITCH, SwitchAction.PERMIT, "permit reconnection")


@_switch.command("restore")
def restore(
    context: Context,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Close the supply now; exit code 3 names the causes that keep it open."""
    terms = Terms(meter, set_back, valid_for)
    _command(
        context, terms, MessageKind.SWITCH, SwitchAction.DIRECT, "restore the supply", closes=True
    )


def guarantee(
    context: Context,
    state: Annotated[
        str,
        Argument(
            metavar="on|off",
            help="Whether the power guarantee is on.",
            autocompletion=offered("on", "off"),
        ),
    ],
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Power guarantee: while it is on, only overload and tamper open the supply."""
    on = items.GUARANTEE.kind.parse(state)
    terms = Terms(meter, set_back, valid_for)
    _command(context, terms, MessageKind.GUARANTEE, on, f"power guarantee {'on' if on else 'off'}")


@_moratorium.command("until")
def until(
    context: Context,
    date: Annotated[
        str,
        Argument(
            help="The meter may disconnect again from 00:00 of this local date, such as 2026-12-31."
        ),
    ],
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """No disconnection for credit before this date, 00:00 local."""
    days = parse_date(date)
    if days <= 0:
        raise UsageError(f"{date}: a date after 1970-01-01 is allowed")
    terms = Terms(meter, set_back, valid_for)
    _command(
        context,
        terms,
        MessageKind.MORATORIUM,
        days,
        f"moratorium until {format_date(days)}",
        check=lambda meter: require_later(meter, days),
    )


@_moratorium.command("off")
def off(
    context: Context,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """End the moratorium now."""
    _command(
        context, Terms(meter, set_back, valid_for), MessageKind.MORATORIUM, 0, "end the moratorium"
    )


@_tamper.command("clear")
def clear(
    context: Context,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
    valid_for: ValidForOption = None,
) -> None:
    """Clear the tamper cause, so that the supply may be restored."""
    _command(
        context, Terms(meter, set_back, valid_for), MessageKind.CLEAR_TAMPER, None, "clear tamper"
    )


def _command(
    context: Context,
    terms: Terms,
    kind: MessageKind,
    number: int | None,
    question: str,
    *,
    closes: bool = False,
    check: Callable[[MeterIdentity], None] = lambda _: None,
) -> None:
    """Execute a command and print the supply state; `closes`: exit 3 if the supply stays open.

    `check` refuses a command by what the meter shows, before anything is sealed.
    """
    given = options(context)
    parameters = b"" if number is None else encode_number(kind, number)
    lives = valid_for_s(terms.valid_for)
    with (
        given.session(seals=True, payee=terms.payee, set_back=terms.set_back) as session,
        given.open_journal() as journal,
    ):
        planned = plan_command(session, journal, kind, parameters, lives)
        serial = planned.meter.serial_number
        check(planned.meter)
        if given.dry_run:
            rehearse_command(session, journal, planned)
        if not given.confirm(f"meter {serial}: {question}", serial):
            return
        with carrying_out(f"meter {serial}", journal, meter=serial):
            done = execute_command(session, journal, planned)
        standing = _standing(session, done)
    fragments = {
        "meter": f'"{serial}"',
        "kind": f'"{kind.word}"',
        "outcome": '"accepted"',
        "sequence": str(done.receipt.sequence),
        **{item.name: item.kind.json(v) for item, v in standing.items()},
    }
    stays = _stays_open(serial, standing) if closes and standing else ""
    code = RefusedError.exit_code if stays else 0
    print_result(fragments, given.json, serial_number=serial, message=stays, exit_code=code)
    if stays:
        say(f"meterctl: {stays}")
        raise Exit(code)


_STANDING = (items.SUPPLY_STATE, items.SUPPLY_CAUSES, items.AMOUNT_TO_RECONNECT)


def _standing(session: Session, done: CommandDone) -> Mapping[Item, Any]:
    """Return the supply state after a command, read or from its answer; empty if unknown."""
    try:
        return session.driver.read(_STANDING)
    except MeterctlError as error:
        answer = done.answer
        if answer is not None:
            values = (answer.supply_state, answer.causes, answer.amount_to_reconnect)
            return dict(zip(_STANDING, values, strict=True))
        say(f"the command was accepted; the supply state is not known: {error}")
        return {}


def _stays_open(serial: str, standing: Mapping[Item, Any]) -> str:
    """Return why the supply stays open, empty if it is connected."""
    left, state = (
        Cause(standing[items.SUPPLY_CAUSES] or 0),
        SupplyState(standing[items.SUPPLY_STATE]),
    )
    if not left and state is SupplyState.CONNECTED:
        return ""
    return (
        f"meter {serial}: the supply stays {state.name.lower()}: "
        f"{', '.join(cause_words(left)) or 'no cause'}; "
        f"amount_to_reconnect {format_money(standing[items.AMOUNT_TO_RECONNECT])}"
    )
