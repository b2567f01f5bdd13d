"""Account operations by wire: plans, sale keys, the key version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.settings import Settings
from meterctl.errors import (
    OverDailyLimitError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import EntryState, Journal
from meterctl.operations.credit import (
    MAX_SALE_KEY,
    advance_key_version,
    go_on,
    known_sale,
    plan,
    rehearse,
    require_sale_key,
    sale_begun_before,
)
from meterctl.operations.exactly_once import Sale
from protocols.data_model.words import AccountState
from protocols.quantities import LEDGER
from protocols.sealed_message import MessageKind
from tests.support.setup import METER
from tests.support.wire import connect
from tests.support.wire_sales import RING, begun, credit, meter_of, session_of, sold

CREDIT, CONFIRMED, REFUSED = MessageKind.CREDIT, EntryState.CONFIRMED, EntryState.REFUSED


def test_an_account_from_opening_to_closing(journal: Journal) -> None:
    meter = meter_of(opened=False)
    session = session_of(meter)
    sold(session, journal, 3000, MessageKind.OPEN, "000000001001")
    sold(session, journal, 500)
    sold(session, journal, 200, MessageKind.REFUND)
    sold(session, journal, 1000, MessageKind.DEBT)
    assert (credit(meter), meter.state.account.debt) == (3300, 10 * LEDGER)
    closed = sold(session, journal, 0, MessageKind.CLOSE)
    assert closed.receipt is not None
    assert closed.receipt.settlement == 33 * LEDGER
    assert meter.state.account.state == AccountState.CLOSED
    assert [entry.state for entry in journal.entries()] == [CONFIRMED] * 5
    assert [entry.sequence for entry in journal.entries()] == [1, 2, 3, 4, 5]


def test_planning_and_rehearsing_write_and_send_nothing(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    planned = plan(session, journal, CREDIT, 5000)
    assert rehearse(session, journal, planned).credit_sequence == 0
    assert journal.entries() == []
    assert credit(meter) == 0


def test_an_account_that_is_not_open_takes_no_credit(journal: Journal) -> None:
    with pytest.raises(RefusedError, match="is unopened and takes no credit"):
        sold(session_of(meter_of(opened=False)), journal)
    assert journal.entries() == []


def test_the_daily_limit_is_held_before_anything_is_sealed(journal: Journal) -> None:
    session = session_of(meter_of(), ring=replace(RING, daily_limit=5000))
    with pytest.raises(OverDailyLimitError):
        plan(session, journal, CREDIT, 5001)
    plan(session, journal, MessageKind.REFUND, 5001)
    plan(session, journal, CREDIT, 5000)


def test_the_same_sale_key_again_answers_the_first_sale(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    first = sold(session, journal, reference="key")
    again = sold(session, journal, reference="key")
    assert again.entry.id == first.entry.id
    assert credit(meter) == 5000


@pytest.mark.parametrize(
    ("kind", "cents", "meter"),
    [(CREDIT, 5001, METER), (MessageKind.REFUND, 5000, METER), (CREDIT, 5000, "000000000043")],
)
def test_a_sale_key_is_of_one_amount_kind_and_meter(
    journal: Journal, kind: MessageKind, cents: int, meter: str
) -> None:
    entry = sold(session_of(meter_of()), journal, reference="key").entry
    assert known_sale(journal, "key", CREDIT, 5000, METER) == entry
    assert known_sale(journal, "key", CREDIT, 5000, None) == entry
    assert known_sale(journal, "", kind, cents, meter) is None
    with pytest.raises(UsageError, match="nothing was sold"):
        known_sale(journal, "key", kind, cents, meter)


def test_the_key_of_an_open_sale_goes_on_with_it(journal: Journal) -> None:
    meter = meter_of()
    entry, session = begun(meter, journal, "key"), session_of(meter)
    hint = session.identify()
    assert sale_begun_before(session, journal, hint, Sale(CREDIT, 5000, reference="new")) is None
    assert sale_begun_before(session, journal, hint, Sale(CREDIT, 5000)) is None
    assert sale_begun_before(session, journal, hint, Sale(CREDIT, 5000, reference="key")) == entry
    assert go_on(session, journal, hint, entry).entry.state is CONFIRMED
    assert credit(meter) == 5000


def test_the_key_of_a_refused_sale_sells_nothing_more(journal: Journal) -> None:
    meter = meter_of(settings=Settings(max_credit=LEDGER))
    session = session_of(meter)
    for told in ("exceeds_max_credit", "a new sale needs a new key"):
        with pytest.raises(RefusedError, match=told):
            sold(session, journal, reference="key")
    assert [entry.state for entry in journal.entries() if entry.kind == "credit"] == [REFUSED]


@pytest.mark.parametrize("key", ["a", "a b", "k" * MAX_SALE_KEY, "票据-1"])
def test_a_sale_key_is_any_printable_text(key: str) -> None:
    assert require_sale_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "k" * (MAX_SALE_KEY + 1), "a\nb", "\0"])
def test_what_cannot_be_shown_is_no_sale_key(key: str) -> None:
    with pytest.raises(UsageError, match="1 to 64 printable characters"):
        require_sale_key(key)


def test_advancing_the_key_version_spends_a_sequence_and_no_credit(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    settled = advance_key_version(session, journal, session.identify())
    assert (settled.entry.kind, settled.entry.state) == ("void", CONFIRMED)
    assert meter.state.security.key_version == 2
    assert (meter.state.security.credit_sequence, credit(meter)) == (1, 0)


@pytest.mark.parametrize(("kind", "refused"), [(CREDIT, True), (MessageKind.DEBT, False)])
def test_no_sale_on_a_card_is_voided_for_credit_that_a_closed_account_takes_not(
    journal: Journal, kind: MessageKind, refused: bool
) -> None:
    meter = meter_of()
    sold(session_of(meter), journal, 0, MessageKind.CLOSE)
    session = session_of(meter)
    on_card = journal.prepare(METER, 0xE0, 2, "credit", 500, b"x", 0, card="0011223344556677")
    if refused:
        with pytest.raises(RefusedError, match="is closed and takes no credit; nothing was voided"):
            plan(session, journal, kind, 100, withdrawing=[on_card])
    else:
        plan(session, journal, kind, 100, withdrawing=[on_card])
    assert journal.entry(on_card.id).is_open


def test_a_sale_of_a_known_key_stays_open_where_its_meter_does_not_answer(
    journal: Journal,
) -> None:
    meter = meter_of()
    entry = begun(meter, journal, reference="key")
    hint = session_of(meter).identify()
    silent = connect(meter, lambda *_: b"", ring=RING)[0]
    with pytest.raises(UnknownOutcomeError):
        go_on(silent, journal, hint, entry)
    assert journal.entry(entry.id).is_open
    settled = go_on(session_of(meter), journal, hint, entry)
    assert settled.entry.state is CONFIRMED
