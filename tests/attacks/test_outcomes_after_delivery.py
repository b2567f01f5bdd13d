"""A message that may have reached its meter: the exit code is 7 until a proof settles it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import (
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryState, Journal
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import advance_key_version, execute, plan
from meterctl.operations.resolution import resolve
from meterctl.operations.withdrawal import withdraw_cards
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.data_model.words import SupplyState
from protocols.sealed_message import Answer, MessageKind, Outcome, SwitchAction, code_of
from tests.attacks.wires import (
    OTHER,
    after_delivery,
    breaks,
    lying,
    make,
    no_key,
    session_of,
    silence,
    top_up,
)
from tests.support.setup import Setup


def another_meter(session: Session) -> None:
    other = session_of(make(serial=OTHER))
    breaks(session, status=other.driver.status)


def garbage(session: Session) -> None:
    breaks(session, status=lambda *_: bytes(134))


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
    """Return a connection that locks the journal for all other writers."""
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


def test_a_journal_that_cannot_be_written_after_the_card_leaves_the_outcome_open(
    setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise UsageError("journal: database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(setup.journal, "audit", locked)
        with pytest.raises(UnknownOutcomeError, match="the sale is journal entry 2"):
            setup.sell(card, 1000)
        assert [
            entry.outcome
            for entry in withdraw_cards(setup.session(), setup.journal, erased_only=False).entries
        ] == ["voided"], "and what is owed is told"


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
        match=r"refused, expired, but its sealed status names command sequence 1",
    ):
        execute_command(lied, journal, planned)
    assert meter.state.supply.state is not SupplyState.CONNECTED

    def refuse(sealed: bytes) -> Delivery:
        return Delivery(Answer(Outcome.EXPIRED, 2, code_of(sealed)), b"")

    with pytest.raises(RefusedError, match="expired; nothing was changed"):
        execute_command(lying(session, deliver=refuse), journal, planned)
