"""switch interrupt|permit|restore, guarantee, moratorium, tamper."""

from __future__ import annotations

from typing import Annotated

import typer

from meterctl.cli.options import options
from meterctl.cli.output import print_json, print_table
from meterctl.errors import RefusedError, UsageError
from meterctl.operations.command import CommandDone, execute_command, plan_command
from protocols.data_model import items
from protocols.data_model.words import Cause, SupplyState, cause_words
from protocols.quantities import format_date, format_money, parse_date
from protocols.sealed_message import MessageKind, SwitchAction, encode_number

_switch = typer.Typer(no_args_is_help=True, help="The supply control switch: interrupt, permit, restore.")
_moratorium = typer.Typer(no_args_is_help=True, help="No disconnection for credit until a date.")
_tamper = typer.Typer(no_args_is_help=True, help="Tamper causes.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_switch, name="switch")
    app.command("guarantee")(guarantee)
    app.add_typer(_moratorium, name="moratorium")
    app.add_typer(_tamper, name="tamper")


@_switch.command("interrupt")
def interrupt(context: typer.Context) -> None:
    """Open the supply until it is permitted or restored."""
    _command(context, MessageKind.SWITCH, SwitchAction.INTERRUPT, "interrupt the supply")


@_switch.command("permit")
def permit(context: typer.Context) -> None:
    """Let the customer close the supply with the button."""
    _command(context, MessageKind.SWITCH, SwitchAction.PERMIT, "permit reconnection")


@_switch.command("restore")
def restore(context: typer.Context) -> None:
    """Close the supply now; exit 3 names the causes that keep it open all the same."""
    done = _command(context, MessageKind.SWITCH, SwitchAction.DIRECT, "restore the supply")
    if done is None:
        return
    left, state, amount = _standing(context, done)
    if left or state is not SupplyState.CONNECTED:
        raise RefusedError(
            f"meter {done.meter.serial_number}: the supply stays {state.name.lower()}: "
            f"{', '.join(cause_words(left)) or 'no cause'}; amount_to_reconnect {format_money(amount)}"
        )


def guarantee(context: typer.Context, state: Annotated[str, typer.Argument(help="on or off")]) -> None:
    """Power guarantee (保电): nothing but overload and tamper opens the supply while it is on."""
    on = items.GUARANTEE.kind.parse(state)
    _command(context, MessageKind.GUARANTEE, on, f"power guarantee {'on' if on else 'off'}")


@_moratorium.command("until")
def until(context: typer.Context, date: Annotated[str, typer.Argument(help="Local date, such as 2026-12-31.")]) -> None:
    """No disconnection for credit before this date, 00:00 local."""
    days = parse_date(date)
    if days <= 0:
        raise UsageError(f"{date}: a date after 1970-01-01 is allowed")
    _command(context, MessageKind.MORATORIUM, days, f"moratorium until {format_date(days)}")


@_moratorium.command("off")
def off(context: typer.Context) -> None:
    """End the moratorium now."""
    _command(context, MessageKind.MORATORIUM, 0, "end the moratorium")


@_tamper.command("clear")
def clear(context: typer.Context) -> None:
    """Clear a tamper cause."""
    _command(context, MessageKind.CLEAR_TAMPER, None, "clear tamper")


def _command(context: typer.Context, kind: MessageKind, number: int | None, question: str) -> CommandDone | None:
    given = options(context)
    parameters = b"" if number is None else encode_number(kind, number)
    with given.session(seals=True) as session:
        meter, message = plan_command(session, kind, parameters)
        if not given.confirm(f"meter {meter.serial_number}: {question}"):
            return None
        done = execute_command(session, meter, message)
        values = session.driver.read([items.SUPPLY_STATE, items.SUPPLY_CAUSES, items.AMOUNT_TO_RECONNECT])
    fragments = {
        "meter": f'"{meter.serial_number}"', "kind": f'"{kind.word}"', "outcome": '"accepted"',
        "sequence": str(done.receipt.sequence), **{item.name: item.kind.json(v) for item, v in values.items()},
    }  # fmt: skip
    if given.json:
        print_json(fragments)
    else:
        print_table("", ("field", "value"), [(n, v.strip('"')) for n, v in fragments.items()], ("value",))
    return done


def _standing(context: typer.Context, done: CommandDone) -> tuple[Cause, SupplyState, int]:
    """Return what stands after a command: from its answer, or read where the answer was lost."""
    if done.answer is not None:
        return done.answer.causes, done.answer.supply_state, done.answer.amount_to_reconnect
    with options(context).session() as session:
        values = session.driver.read([items.SUPPLY_STATE, items.SUPPLY_CAUSES, items.AMOUNT_TO_RECONNECT])
    causes, state = Cause(values[items.SUPPLY_CAUSES]), SupplyState(values[items.SUPPLY_STATE])
    return causes, state, values[items.AMOUNT_TO_RECONNECT]
