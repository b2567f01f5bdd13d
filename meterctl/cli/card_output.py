"""Output of cards, sales and write-backs: tables for people, JSON values for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meterctl.cli.forms import TableForm
from meterctl.cli.options import Options
from meterctl.cli.output import (
    message_fragments,
    print_result,
    print_rows,
    reporting_unprinted,
    say,
    table_of_fields,
)
from protocols.data_model import items
from protocols.data_model.kinds import Moment
from protocols.quantities import CENT, format_moment, format_money

if TYPE_CHECKING:
    from meterctl.operations.card.case import Case
    from meterctl.operations.card.sold import Sold
    from protocols.card.files import LogRow
    from protocols.card.write_back import WriteBack

LOG_COLUMNS = (
    *("at", "actor", "card_type", "outcome", "error"),
    *("error_name", "sequence", "amount", "available_credit"),
)


def print_sold(given: Options, sold: Sold) -> None:
    """Show a sale on a card, and say if no new sale was made."""
    from meterctl.operations.card.sales import NEAR_THE_END
    from protocols.sealed_message import LAST_SEQUENCE

    entry = sold.entry
    print_card_result(
        given,
        {
            "id": str(entry.id),
            "outcome": f'"{entry.state.value}"',
            "card": f'"{entry.card}"',
            **message_fragments(entry),
            "finished": json.dumps(sold.finished),
        },
        serial=entry.meter,
        entry=entry.id,
        outcome=entry.state.value,
    )
    if entry.sequence > NEAR_THE_END:
        say(
            f"meter {entry.meter}: its sequences end at {LAST_SEQUENCE}; it needs a new "
            f"epoch before"
        )
    if sold.before:
        say(f"sale {entry.reference} was made before (journal entry {entry.id}); nothing was sold")
    if sold.finished:
        say(f"an interrupted sale was finished (journal entry {entry.id}); nothing new was sold")


def standing_fragments(case: Case) -> dict[str, str]:
    """Return a card's identity, sale and write-back, as JSON values by name."""
    from meterctl.operations.card.sold import consumption
    from protocols.sealed_message import SealedMessage

    identity, credit = case.identity, case.credit
    message = (
        SealedMessage.decode(credit.message) if credit is not None and credit.message else None
    )
    entry = (
        case.journal.find_message(message.serial_number, credit.message)
        if credit and message
        else None
    )
    return {
        "card": f'"{case.serial}"',
        "card_type": f'"{credit.card_type.word}"' if credit is not None else "null",
        "meter": f'"{identity.meter}"' if identity else "null",
        "serial_number": f'"{identity.meter}"' if identity else "null",
        "customer": f'"{identity.customer}"' if identity else "null",
        "key_version": str(identity.key_version) if identity else "null",
        "kind": f'"{message.kind.word}"' if message else "null",
        "sequence": str(message.sequence) if message else "null",
        "amount": format_money(message.amount * CENT) if message else "0.00",
        "state": f'"{consumption(case, entry)}"',
        "commands": str(len(case.files.contents.parameters)),
        **_back_fragments(case.back),
    }


def _back_fragments(back: WriteBack | None) -> dict[str, str]:
    """Return the write-back under the names of its items; null for absent values."""
    from protocols.data_model.insertion import InsertionError
    from protocols.sealed_message import Outcome

    if back is None:
        return {"written_back": "false"}
    return {
        "written_back": "true",
        "outcome": json.dumps(Outcome(back.outcome).name.lower() if back.outcome else None),
        "error": str(back.error) if back.error else "null",
        "error_name": json.dumps(
            InsertionError(back.error).word if 1 <= back.error <= 21 else None
        ),
        "command_outcome": json.dumps(
            Outcome(back.command_outcome).name.lower() if back.command_outcome else None
        ),
        "epoch": items.EPOCH.kind.json(back.epoch),
        "credit_sequence": str(back.credit_sequence),
        "command_sequence": str(back.command_sequence),
        "account_state": items.ACCOUNT_STATE.kind.json(back.account_state),
        "available_credit": items.AVAILABLE_CREDIT.kind.json(back.credit),
        "debt": items.DEBT.kind.json(back.debt),
        "cumulative_purchased": items.CUMULATIVE_PURCHASED.kind.json(back.cumulative),
        "purchase_count": str(back.purchases),
        "energy_import_kwh": items.ENERGY_IMPORT.kind.json(back.energy_mwh),
        "clock": Moment().json(back.clock),
        "supply_state": items.SUPPLY_STATE.kind.json(back.supply_state),
        "supply_causes": items.SUPPLY_CAUSES.kind.json(back.causes),
        "illegal_insertions": str(back.illegal_insertions),
    }


def log_fragments(row: LogRow) -> dict[str, str]:
    """Return a row of a card's log, as JSON values by name; null for absent values."""
    from protocols.card.files import CardType, LogActor
    from protocols.data_model.insertion import InsertionError
    from protocols.sealed_message import Outcome

    by_meter = row.actor is LogActor.METER
    error = InsertionError(row.detail) if by_meter and 1 <= row.detail <= 21 else None
    kind = CardType(row.detail).word if not by_meter and 1 <= row.detail <= 5 else None
    outcome = Outcome(row.outcome).name.lower() if 1 <= row.outcome <= 20 else None
    return {
        "at": f'"{format_moment(row.at * 1000)}"',
        "actor": f'"{row.actor.name.lower()}"',
        "card_type": json.dumps(kind),
        "outcome": json.dumps(outcome),
        "error": str(int(error)) if error else "null",
        "error_name": json.dumps(error.word if error else None),
        "sequence": str(row.sequence),
        "amount": format_money(row.amount * CENT),
        "available_credit": format_money(row.credit * CENT) if by_meter else "null",
    }


def print_standing(
    given: Options,
    form: TableForm,
    fragments: dict[str, str],
    *,
    serial: str | None,
    entry: int | None,
) -> None:
    """Print a card as `print_card_result`; as CSV without the keys that end a command."""
    if not form.is_csv:
        print_card_result(given, fragments, serial=serial, entry=entry)
        return
    with reporting_unprinted(serial, entry):
        print_rows([fragments], form, table_of_fields(fragments))


def print_card_result(
    given: Options,
    fragments: dict[str, str],
    *,
    serial: str | None = None,
    entry: int | None = None,
    outcome: str | None = None,
) -> None:
    """Print the result of a card command: JSON values by name; raises as `print_result`.

    Args:
        serial: the serial number of the meter that it concerns.
    """
    print_result(fragments, given.json, "card", outcome=outcome, serial_number=serial, entry=entry)
