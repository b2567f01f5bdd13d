"""Withdrawal of sales on cards: voided by wire, so that their meter can be topped up by wire."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from meterctl.errors import NotPermittedError, RefusedError, UsageError
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.entry_proofs import ask_for_proof
from meterctl.operations.entry_results import NOTHING_LEARNT, bytes_are_out, write_down
from meterctl.operations.sealing import on_card_text
from meterctl.operations.status import require_payee
from meterctl.operations.voids import require_voidable, void
from meterctl.session import MeterIdentity, Session


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The results of voiding a meter's card sales; `owed` to the customer in 0.01."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def owed(self) -> int:
        """The sum of the sales that can never be applied."""
        return sum(entry.amount for entry in self.entries if entry.state is EntryState.REFUSED)


def carried_by_cards(session: Session, journal: Journal, *, erased_only: bool) -> list[Entry]:
    """Return the sales on cards that the meter on the port could still accept, by its registers.

    Args:
        erased_only: only sales whose card was erased at the vending point.
    """
    if not journal.has_carried():
        return []
    hint = session.identify()
    carried = [
        e for e in journal.open_entries(hint.serial_number) if e.card and e.lives_in(hint.epoch)
    ]
    if erased_only:
        carried = [entry for entry in carried if entry.state is not EntryState.ON_CARD]
    return carried


def withdraw_cards(
    session: Session,
    journal: Journal,
    *,
    erased_only: bool,
    tell: Callable[[Entry], None] = lambda _: None,
) -> Withdrawn:
    """Void the sales on cards for the meter on the port, so that it can be topped up by wire.

    Args:
        tell: called with each entry as it is settled, also if a later one fails.

    Raises:
        NotPermittedError: the meter was set back, or the journal is a copy; no further sale was
            voided.
        UnknownOutcomeError: the outcome of a sale is not proved; it stays open.
    """
    withdrawn = Withdrawn()
    carried = carried_by_cards(session, journal, erased_only=erased_only)
    if not carried:
        return withdrawn
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    for entry in carried:
        ended = withdraw(session, journal, hint, entry)
        withdrawn.entries.append(ended)
        tell(ended)
        with suppress(
            UsageError
        ):  # the entry is settled: the amount owed is reported even if the journal is locked
            journal.audit(
                "withdrawn",
                session.now(),
                meter=entry.meter,
                card=entry.card,
                amount=ended.amount,
                detail=f"entry {entry.id} {ended.state.value}",
            )
    return withdrawn


def withdraw(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Entry:
    """Void a sale on a card, unless the meter has accepted it.

    Returns:
        The entry, confirmed or refused; refused, its amount is owed to the customer.

    Raises:
        NotPermittedError: the meter was set back, or the journal is a copy; nothing was voided.
        UnknownOutcomeError: neither was proved; the entry stays open.
    """
    with (
        journal.locks.alone_with(entry.meter, session.ticks, session.pause),
        bytes_are_out(session, journal, entry, NOTHING_LEARNT),
    ):
        entry = journal.entry(entry.id)
        if not entry.is_open:
            return entry
        conclusion, told, asked = ask_for_proof(session, journal, hint, entry)
        if conclusion is None:
            if not entry.lives_in(asked.meter.epoch):
                raise NotPermittedError(
                    f"{on_card_text(entry)}, for another storage of this meter; nothing was voided",
                    serial_number=entry.meter,
                    entry=entry.id,
                )
            require_voidable(session, journal, hint, entry, asked)
            entry = journal.settle(entry, EntryEvent.VOID_BEGUN, session.now())
            conclusion, told = void(session, journal, hint, entry, asked)
        with suppress(RefusedError):
            write_down(session, journal, entry, conclusion, told)
        return journal.entry(entry.id)
