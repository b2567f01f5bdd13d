"""A change of an account: planned, confirmed, carried out exactly once, printed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import Options
from meterctl.cli.output import message_fragments, print_receipt, receipt_fragments, say
from meterctl.errors import MeterctlError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.credit import Plan, execute, go_on, plan, rehearse, sale_begun_before
from meterctl.operations.entry_results import Settled
from meterctl.operations.exactly_once import Sale
from meterctl.operations.local_time import read_offsets
from meterctl.operations.resolution import identify_for
from meterctl.operations.sealing import on_card_text
from meterctl.operations.status import ask_status, require_payee
from meterctl.operations.withdrawal import Withdrawn, carried_by_cards, withdraw_cards
from meterctl.session import MeterIdentity, Session
from protocols.data_model import items
from protocols.data_model.words import account_unit_text, cause_words
from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind


@dataclass(frozen=True, slots=True)
class RequestedTopUp:
    """A requested change of an account, in words too, and its options as typed.

    `void_card`: sales on cards are voided first; without it those of erased cards only.
    """

    sale: Sale
    verb: str
    payee: str | None
    set_back: bool
    void_card: bool = False


def change_account(given: Options, wanted: RequestedTopUp) -> None:
    """Carry out a change that the user confirms, and print it; a known sale key goes on."""
    with (
        given.session(seals=True, payee=wanted.payee, set_back=wanted.set_back) as session,
        given.open_journal() as journal,
    ):
        if _goes_on(given, session, journal, wanted.sale):
            return
        carried = carried_by_cards(session, journal, erased_only=not wanted.void_card)
        planned = _plan(session, journal, wanted.sale, carried)
        hint = planned.meter
        serial = hint.serial_number
        if given.dry_run and carried:
            ask_status(session, journal, hint).require_ours()
        elif given.dry_run:
            rehearse(session, journal, planned)
        if not given.confirm(_question(planned, wanted, carried), serial):
            return
        with carrying_out(f"meter {serial}", journal, meter=serial, begun=bool(carried)):
            if carried:
                settled, withdrawn = _carry_out_after_cards(session, journal, wanted)
            else:
                settled, withdrawn = execute(session, journal, planned), Withdrawn()
        _print_settled(given, settled, hint.utc_offset_minutes, withdrawn)


def _plan(session: Session, journal: Journal, sale: Sale, carried: list[Entry]) -> Plan:
    return plan(session, journal, sale.kind, sale.amount, sale.customer, carried, sale.reference)


def _question(planned: Plan, wanted: RequestedTopUp, carried: list[Entry]) -> str:
    meter, sale = planned.meter, wanted.sale
    unit = account_unit_text(meter.account_unit)
    amount = "" if sale.kind is MessageKind.CLOSE else f" {format_money(sale.amount * CENT)} {unit}"
    question = (
        f"meter {meter.serial_number} (credit {format_money(meter.available_credit)}): "
        f"{wanted.verb}{amount}"
    )
    if not carried:
        return question
    void = ", ".join(on_card_text(entry) for entry in carried)
    return f"void what was sold on cards: {void}; then {question}"


def _carry_out_after_cards(
    session: Session, journal: Journal, wanted: RequestedTopUp
) -> tuple[Settled, Withdrawn]:
    """Void the sales on cards, plan again and carry out; return both results.

    Raises:
        MeterctlError: its text names the amount that is owed for voided cards.
    """
    withdrawn = Withdrawn()

    def tell(entry: Entry) -> None:
        withdrawn.entries.append(entry)
        _tell_withdrawn(entry)

    try:
        withdraw_cards(session, journal, erased_only=not wanted.void_card, tell=tell)
        planned = _plan(session, journal, wanted.sale, [])
        return execute(session, journal, planned), withdrawn
    except MeterctlError as error:
        if withdrawn.owed:
            voided = format_money(withdrawn.owed * CENT)
            error.args = (f"{error}. Cards were voided before: {voided} is owed to the customer",)
        raise


def _tell_withdrawn(entry: Entry) -> None:
    amount = format_money(entry.amount * CENT)
    taken = entry.state is EntryState.CONFIRMED
    became = "the meter has taken it" if taken else f"it is void, {amount} is owed to the customer"
    say(f"card {entry.card} carried {amount} (journal entry {entry.id}): {became}")


# ---- a sale key that is known


def _goes_on(given: Options, session: Session, journal: Journal, sale: Sale) -> bool:
    """Go on with the sale of a known key; return whether there is one."""
    if not sale.reference:
        return False
    begun = journal.find_reference(sale.reference)
    hint = identify_for(session, journal, [begun] if begun is not None else [])
    known = sale_begun_before(session, journal, hint, sale)
    if known is None:
        return False
    require_payee(session, journal, hint.serial_number)
    _go_on(given, session, journal, hint, known)
    return True


def _go_on(
    given: Options, session: Session, journal: Journal, hint: MeterIdentity, known: Entry
) -> None:
    """Settle the sale of a known key, or show its result."""
    say(f"sale {known.reference}: it was begun before, as journal entry {known.id}")
    going_on = f"go on with journal entry {known.id}, which is {known.state.value}"
    if (known.is_open or known.is_closed_by_hand) and given.rehearses(going_on, known.meter):
        return
    if given.dry_run and known.state is EntryState.CONFIRMED:
        text = f"sale {known.reference} is sold already, as journal entry {known.id}; it stays so"
        given.rehearses(text, known.meter, entry=known.id)
        return
    with carrying_out(f"journal entry {known.id}", journal, meter=known.meter, begun=True):
        settled = go_on(session, journal, hint, known)
    offset = hint.utc_offset_minutes
    if settled.receipt is not None:  # it may be of another season
        with contextlib.suppress(MeterctlError):
            offset = read_offsets(session.driver, [settled.receipt.at]).at(settled.receipt.at)
    _print_settled(given, settled, offset, Withdrawn())


# ---- output


def _print_settled(
    given: Options, settled: Settled, utc_offset_minutes: int, withdrawn: Withdrawn
) -> None:
    entry, receipt, answer = settled.entry, settled.receipt, settled.answer
    fragments = {"id": str(entry.id), "outcome": json.dumps(entry.outcome)}
    if receipt is not None:
        fragments |= receipt_fragments(receipt, utc_offset_minutes)
    else:
        say(
            f"journal entry {entry.id}: it is proved without a receipt, which the meter "
            f"no longer keeps or did not give"
        )
        fragments |= message_fragments(entry)
    if withdrawn.entries:
        ended = [
            {"id": entry.id, "card": entry.card, "outcome": entry.outcome}
            for entry in withdrawn.entries
        ]
        fragments |= {"withdrawn": json.dumps(ended), "owed": format_money(withdrawn.owed * CENT)}
    if answer is not None:
        fragments |= {
            "supply_state": items.SUPPLY_STATE.kind.json(answer.supply_state),
            "supply_causes": items.SUPPLY_CAUSES.kind.json(answer.causes),
            "amount_to_reconnect": items.AMOUNT_TO_RECONNECT.kind.json(answer.amount_to_reconnect),
        }
    print_receipt(entry, fragments, given.json)
    if answer is not None and answer.causes:
        words = ", ".join(cause_words(answer.causes))
        say(
            f"supply stays {answer.supply_state.name.lower()}: {words}; "
            f"amount_to_reconnect {format_money(answer.amount_to_reconnect)}"
        )
