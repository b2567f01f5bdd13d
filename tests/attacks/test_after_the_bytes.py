"""Once a message may have reached its meter: no exit code, no text and no person's word hides what
became of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import (
    BusyError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import export_keys
from meterctl.operations.card_issuing import plan_erasure
from meterctl.operations.card_sales import Sold, plan_opening, plan_sale
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import (
    Sale,
    advance_key_version,
    close_by_hand,
    execute,
    go_on,
    plan,
    resolve,
    sale_begun_before,
    withdraw_cards,
)
from meterctl.operations.status import ask_status
from meterctl.session import Session
from protocols.data_model.words import SupplyState
from protocols.sealed_message import Answer, MessageKind, Outcome, SwitchAction, code_of
from tests.attacks.test_sellers_and_wires import (
    METER,
    OTHER,
    RING,
    credit,
    journal,
    journals,
    lying,
    make,
    prepared,
    session_of,
    shows,
    top_up,
)
from tests.support.setup import CUSTOMER, Setup

__all__ = ["journal", "journals"]


def after_delivery(session: Session, break_: Callable[[Session], None]) -> Session:
    """Return a session whose deliveries arrive and are not answered; then `break_` is done to its
    driver.
    """
    lied = lying(session)
    replaced = lied.driver._replaced  # type: ignore[attr-defined]

    def deliver(sealed: bytes) -> Delivery:
        session.driver.deliver(sealed)
        break_(lied)
        raise NoAnswerError("no answer")

    replaced["deliver"] = deliver
    replaced["receipt"] = lambda *_: b""
    return lied


def breaks(session: Session, **replaced: Callable[..., Any]) -> None:
    session.driver._replaced.update(replaced)  # type: ignore[attr-defined]


def no_key(session: Session) -> None:
    breaks(session, status=lambda *_: b"")


def another_meter(session: Session) -> None:
    other = session_of(make(serial=OTHER))
    breaks(session, status=other.driver.status)


def garbage(session: Session) -> None:
    breaks(session, status=lambda *_: bytes(134))


def silence(session: Session) -> None:
    def status(*_: object) -> bytes:
        raise NoAnswerError("no answer")

    breaks(session, status=status)


BREAKS = [no_key, another_meter, garbage, silence]


@pytest.mark.parametrize("break_", BREAKS)
@pytest.mark.parametrize("kind", [MessageKind.CREDIT, MessageKind.REFUND, MessageKind.DEBT])
def test_what_was_delivered_and_cannot_be_proved_is_7_whatever_the_wire_says_then(
    journal: Journal, break_: Callable[[Session], None], kind: MessageKind
) -> None:
    meter = make(credit=100 * 10**10)
    session = session_of(meter)
    lied = after_delivery(session, break_)
    with pytest.raises(
        UnknownOutcomeError, match=r"may have been applied; journal entry 1 stays open"
    ):
        execute(lied, journal, plan(lied, journal, kind, 1000))
    assert [entry.state for entry in journal.entries()] == [EntryState.UNKNOWN]
    (resolved,) = resolve(session, journal)
    assert resolved.entry.state is EntryState.CONFIRMED


@pytest.mark.parametrize("break_", BREAKS)
def test_a_key_change_that_was_delivered_and_cannot_be_proved_is_7_and_is_settled_by_resolve(
    journal: Journal, break_: Callable[[Session], None]
) -> None:
    meter = make()
    session = session_of(meter)
    lied = after_delivery(session, break_)
    with pytest.raises(UnknownOutcomeError):
        advance_key_version(lied, journal, session.identify())
    assert meter.state.security.key_version == 2
    with pytest.raises(NotPermittedError, match="still unknown"):
        top_up(session, journal)
    (resolved,) = resolve(session, journal)
    assert (resolved.entry.kind, resolved.entry.state) == ("void", EntryState.CONFIRMED)
    assert top_up(session, journal).key_version == 2


def test_resolve_on_a_silent_port_is_7_while_an_entry_is_open(journal: Journal) -> None:
    meter = make()
    session = replace(session_of(meter), port="a port")
    lied = after_delivery(session, silence)
    with pytest.raises(UnknownOutcomeError):
        top_up(lied, journal)

    def read(_: object) -> Any:
        raise NoAnswerError("no answer")

    silent = lying(session, read=read)
    for number in (None, 1):
        with pytest.raises(UnknownOutcomeError, match="journal entry 1 stays open"):
            resolve(silent, journal, number)
    assert [r.entry.state for r in resolve(session, journal)] == [EntryState.CONFIRMED]
    with pytest.raises(NoAnswerError):
        resolve(silent, journal)


def locked(journal: Journal) -> sqlite3.Connection:
    """Return a connection that holds the journal, so that nobody else can write it."""
    journal._db.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_a_journal_that_is_held_after_the_delivery_is_7_for_sales_commands_and_voids(
    tmp_path: Path,
) -> None:
    setup = Setup(tmp_path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    session, inner = setup.session(), setup.session().driver
    held: list[sqlite3.Connection] = []

    def deliver(sealed: bytes) -> Delivery:
        answer = inner.deliver(sealed)
        held.append(locked(setup.journal))
        return answer

    lied = lying(session, deliver=deliver)
    try:
        with pytest.raises(UnknownOutcomeError, match="database is locked"):
            withdraw_cards(lied, setup.journal, erased_only=False)
        held.pop().close()
        assert [r.entry.outcome for r in resolve(session, setup.journal)] == ["voided"]
        with pytest.raises(UnknownOutcomeError, match=r"may have been done.*database is locked"):
            execute_command(
                lied,
                setup.journal,
                plan_command(lied, setup.journal, MessageKind.CLEAR_TAMPER),
            )
        held.pop().close()
        with pytest.raises(UnknownOutcomeError, match="database is locked"):
            top_up(lied, setup.journal)
    finally:
        for connection in held:
            connection.close()
    assert [r.entry.state for r in resolve(session, setup.journal)] == [EntryState.CONFIRMED]
    assert setup.credit == 3000 + 5000


def test_a_command_that_was_done_and_is_answered_as_expired_is_7(journal: Journal) -> None:
    meter = make(credit=10**12)
    session = session_of(meter)

    def deliver(sealed: bytes) -> Delivery:
        session.driver.deliver(sealed)
        return Delivery(Answer(Outcome.EXPIRED, 1, code_of(sealed)), b"")

    lied = lying(session, deliver=deliver, receipt=lambda *_: b"")
    planned = plan_command(lied, journal, MessageKind.SWITCH, bytes((SwitchAction.INTERRUPT,)))
    with pytest.raises(
        UnknownOutcomeError,
        match=r"refused, EXPIRED, but its sealed status names command sequence 1",
    ):
        execute_command(lied, journal, planned)
    assert meter.state.supply.state is not SupplyState.CONNECTED

    def refuse(sealed: bytes) -> Delivery:
        return Delivery(Answer(Outcome.EXPIRED, 2, code_of(sealed)), b"")

    with pytest.raises(RefusedError, match="EXPIRED; nothing was changed"):
        execute_command(lying(session, deliver=refuse), journal, planned)


# ---- a person's word


def by_hand(session: Session, journal: Journal, state: EntryState, reference: str = "") -> int:
    """Leave a sale unknown that the meter took, and close it on a person's word; return its
    number.
    """
    lied = after_delivery(session, no_key)
    with pytest.raises(UnknownOutcomeError):
        execute(lied, journal, plan(lied, journal, MessageKind.CREDIT, 5000, reference=reference))
    entry = journal.entries()[-1]
    close_by_hand(journal, entry, state, 0)
    return entry.id


def test_the_next_status_overrules_a_persons_word_and_says_what_is_claimed_back(
    journal: Journal,
) -> None:
    meter = make()
    session = session_of(meter)
    number = by_hand(session, journal, EntryState.REFUSED)
    top_up(session, journal, 100)
    assert journal.entry(number).state is EntryState.CONFIRMED
    (line,) = [line for line in journal.audit_lines() if line.what == "overruled"]
    assert "50.00 is to be claimed back from the customer" in line.detail
    assert any("50.00 is to be claimed back" in notice for notice in journal.notices)
    assert credit(meter) == 5100


def test_the_key_of_a_sale_that_a_person_closed_is_proved_first(journal: Journal) -> None:
    meter = make()
    session = session_of(meter)
    by_hand(session, journal, EntryState.REFUSED, "K")
    hint = session.identify()
    known = sale_begun_before(session, journal, hint, Sale(MessageKind.CREDIT, 5000, None, "K"))
    assert known is not None
    silent = after_delivery(session, silence)
    silence(silent)
    with pytest.raises(UnknownOutcomeError, match="a person closed it as refused"):
        go_on(silent, journal, hint, known)
    settled = go_on(session, journal, hint, known)
    assert (settled.entry.state, settled.entry.outcome) == (EntryState.CONFIRMED, "accepted")
    assert credit(meter) == 5000


def test_a_refund_that_a_person_called_refused_is_not_claimed_back_from_the_customer(
    journal: Journal,
) -> None:
    meter = make(credit=100 * 10**10)
    session = session_of(meter)
    lied = after_delivery(session, no_key)
    with pytest.raises(UnknownOutcomeError):
        execute(lied, journal, plan(lied, journal, MessageKind.REFUND, 5000))
    close_by_hand(journal, journal.entry(1), EntryState.REFUSED, 0)
    ask_status(session, journal, session.identify())
    (notice,) = journal.notices
    assert "50.00 was taken back and is to be paid out" in notice


# ---- processes and numbers


def test_a_key_that_another_process_sells_under_is_7_and_not_refused(
    journal: Journal, tmp_path: Path
) -> None:
    session = session_of(make())
    entry = prepared(session, journal)
    journal._db.execute("UPDATE entries SET reference = 'K' WHERE id = ?", (entry.id,))
    wanted = Sale(MessageKind.CREDIT, 5000, None, "K")

    class Held(Journal):
        def alone_with(self, *_: Any, **__: Any) -> Any:
            raise BusyError("another process is at work")

    held = Held(tmp_path / "own.sqlite")
    with pytest.raises(UnknownOutcomeError, match="may have been applied"):
        sale_begun_before(session, held, session.identify(), wanted)
    with pytest.raises(BusyError):
        sale_begun_before(session, held, session.identify(), replace(wanted, reference="other"))
    held.close()


def test_a_key_of_another_meter_is_2_whatever_answers(journal: Journal) -> None:
    session = session_of(make())
    execute(session, journal, plan(session, journal, MessageKind.CREDIT, 5000, reference="K"))
    named = replace(session, payee=OTHER)
    with pytest.raises(
        UsageError, match=r"the journal has it as credit of 50\.00 for meter 000000000042"
    ):
        sale_begun_before(
            named, journal, session.identify(), Sale(MessageKind.CREDIT, 5000, None, "K")
        )


def test_an_entry_of_an_old_number_is_voided_under_the_new_one(journal: Journal) -> None:
    """The journal was copied and renewed while a sale was open: its void is sealed under the
    present number.
    """
    meter = make()
    session = session_of(meter)
    entry = prepared(session, journal)
    journal.renew(0)
    journal.move_to_card(entry, "00" * 8, 0)
    (ended,) = withdraw_cards(session, journal, erased_only=False).entries
    assert (ended.state, ended.outcome) == (EntryState.REFUSED, "voided")
    void = journal.entries()[-1]
    assert (void.kind, void.state, void.origin.journal) == (
        "void",
        EntryState.CONFIRMED,
        journal.number,
    )


def test_a_lied_serial_number_of_another_meter_after_the_bytes_is_no_permission(
    journal: Journal,
) -> None:
    meter = make()
    session = session_of(meter)
    entry = prepared(session, journal)
    with pytest.raises(
        MeterctlError, match=f"is of meter {METER}; {OTHER} is on this port"
    ) as error:
        resolve(lying(session, read=shows(session, serial_number=OTHER)), journal, entry.id)
    assert error.value.exit_code == 2


# ---- cards


def test_an_opening_that_was_voided_says_who_could_still_take_it_whichever_command_voids_it(
    tmp_path: Path,
) -> None:
    for void in ("withdraw", "resolve"):
        setup = Setup(tmp_path / void)
        card = setup.formatted()
        setup.open(card)
        if void == "withdraw":
            withdraw_cards(setup.session(), setup.journal, erased_only=False)
        else:
            with setup.presented(card) as presented:
                plan_erasure(presented, setup.journal).carry_out()
            resolve(setup.session(), setup.journal)
        assert [e.outcome for e in setup.journal.entries()] == ["voided", "accepted"]
        (notice,) = setup.journal.notices
        assert (
            "another storage of meter 000000000042 that was never opened would still accept it"
            in notice
        )


def test_the_key_of_an_opening_that_its_card_carries_shows_it_again(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    card = setup.formatted()

    def opened(key: str) -> Sold:
        with setup.presented(card) as presented:
            return plan_opening(
                presented, setup.journal, METER, CUSTOMER, 3000, 156, reference=key
            ).carry_out()

    first = opened("K")
    again = opened("K")
    assert (again.entry.id, again.before, first.before) == (first.entry.id, True, False)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        opened("another")
    setup.insert(card)
    assert setup.credit == 3000


def test_a_card_sale_whose_sequence_was_ended_meanwhile_is_not_written(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    with setup.presented(card) as presented:
        planned = plan_sale(presented, setup.journal, 2000)
        session = setup.session()
        top_up(session, Journal(tmp_path / "other.sqlite"), 100)
        ask_status(session, setup.journal, session.identify())
        with pytest.raises(
            NotPermittedError, match=r"has reached sequence 2 meanwhile; nothing was sold"
        ):
            planned.carry_out()
    assert [entry.kind for entry in setup.journal.entries()] == ["open"]


@pytest.mark.parametrize("retired", [frozenset(), frozenset({1})], ids=["passed", "retired"])
def test_a_card_that_was_last_in_before_the_key_change_is_sold_to_all_the_same(
    tmp_path: Path, retired: frozenset[int]
) -> None:
    masters = {1: bytes(range(16)), 2: bytes(range(16, 32))}
    setup = Setup(tmp_path, masters=masters)
    setup.ring, whole = replace(RING, masters={1: masters[1]}), setup.ring
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.ring = whole
    setup.read(card)
    session = setup.session()
    advance_key_version(session, setup.journal, session.identify())
    setup.ring = replace(whole, retired=retired)
    with setup.presented(card) as presented:
        sold = plan_sale(presented, setup.journal, 2000).carry_out()
        assert any("is ignored" in notice for notice in presented.notices)
    assert sold.entry.key_version == 2
    setup.insert(card)
    assert setup.credit == 5000


def test_keys_of_a_retired_version_are_not_exported(tmp_path: Path) -> None:
    ring = replace(RING, retired=frozenset({1}))
    assert [keys.version for keys in export_keys(ring, METER, tmp_path / "m.json")] == [2]
