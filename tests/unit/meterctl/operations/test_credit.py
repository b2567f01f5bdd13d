"""Account operations by wire: plans, sale keys, resolve, closing by hand, withdrawn card sales."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from firmware_sim.meter import Meter
from firmware_sim.settings import Settings
from meterctl.errors import (
    NoAnswerError,
    NotPermittedError,
    OverDailyLimitError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryOutcome, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.credit import (
    MAX_SALE_KEY,
    advance_key_version,
    execute,
    go_on,
    known_sale,
    plan,
    rehearse,
    require_sale_key,
    sale_begun_before,
)
from meterctl.operations.entry_results import Settled
from meterctl.operations.exactly_once import Sale
from meterctl.operations.resolution import close_by_hand, living_text, resolve
from meterctl.operations.withdrawal import Withdrawn, carried_by_cards, withdraw_cards
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.data_model.words import AccountState
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind
from protocols.sealed_status import StatusQuestion
from tests.support.meters import make
from tests.support.setup import METER, Setup
from tests.support.wire import connect

MASTERS = {1: bytes(range(16)), 2: bytes(range(16, 32))}
RING = KeyRing(MASTERS, Path("keys.json"))
CREDIT, CONFIRMED, REFUSED = MessageKind.CREDIT, EntryState.CONFIRMED, EntryState.REFUSED


def meter_of(**description: Any) -> Meter:
    keys = {version: derive_meter_keys(MASTERS[version], METER, version) for version in MASTERS}
    return make(serial_number=METER, epoch=0xE0, keys=keys, **{"credit": 0, **description})


def session_of(meter: Meter, **changed: Any) -> Session:
    return replace(connect(meter, ring=RING)[0], **changed)


def sold(
    session: Session,
    journal: Journal,
    cents: int = 5000,
    kind: MessageKind = CREDIT,
    customer: str | None = None,
    reference: str = "",
) -> Settled:
    return execute(
        session, journal, plan(session, journal, kind, cents, customer, reference=reference)
    )


def credit(meter: Meter) -> int:
    return meter.state.account.credit // CENT


class SilentDriver:
    """A driver whose messages reach the meter, and nothing is heard of them afterwards."""

    def __init__(self, session: Session) -> None:
        self._driver, self._delivered = session.driver, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def deliver(self, sealed: bytes) -> NoReturn:
        self._delivered = True
        self._driver.deliver(sealed)
        raise NoAnswerError("silence")

    def receipt(self, *_: object) -> NoReturn:
        raise NoAnswerError("silence")

    def status(self, question: StatusQuestion) -> bytes:
        if self._delivered:
            raise NoAnswerError("silence")
        return self._driver.status(question)


def begun(meter: Meter, journal: Journal, reference: str = "") -> Entry:
    """Return the open entry of a top-up of 50.00 that the meter accepted without an answer."""
    silent = SilentDriver(session_of(meter))
    with pytest.raises(UnknownOutcomeError):
        sold(session_of(meter, driver=silent), journal, reference=reference)
    (entry,) = journal.open_entries(METER)
    return entry


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
    for told in ("EXCEEDS_MAX_CREDIT", "a new sale needs a new key"):
        with pytest.raises(RefusedError, match=told):
            sold(session, journal, reference="key")
    assert [entry.state for entry in journal.entries() if entry.kind == "credit"] == [REFUSED]


@pytest.mark.parametrize("key", ["a", " a", "k" * MAX_SALE_KEY, "票据-1"])
def test_a_sale_key_is_any_printable_text(key: str) -> None:
    assert require_sale_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "k" * (MAX_SALE_KEY + 1), "a\nb", "\0"])
def test_what_cannot_be_shown_is_no_sale_key(key: str) -> None:
    with pytest.raises(UsageError, match="1 to 64 printable characters"):
        require_sale_key(key)


def test_an_open_entry_blocks_a_further_sale_until_it_is_resolved(journal: Journal) -> None:
    meter = meter_of()
    begun(meter, journal)
    session = session_of(meter)
    with pytest.raises(NotPermittedError, match="journal resolve"):
        plan(session, journal, CREDIT, 100)
    resolve(session, journal)
    sold(session, journal, 100)
    assert credit(meter) == 5100


def test_resolving_one_entry_names_it(journal: Journal) -> None:
    meter = meter_of()
    entry = begun(meter, journal)
    session = session_of(meter)
    with pytest.raises(UsageError, match="no entry 99"):
        resolve(session, journal, 99)
    foreign = journal.prepare("000000000043", 1, 1, "credit", 100, b"x", 0)
    with pytest.raises(UsageError, match="is of meter 000000000043"):
        resolve(session, journal, foreign.id)
    (resolved,) = resolve(session, journal, entry.id)
    assert resolved.entry.state is CONFIRMED
    assert resolve(session, journal, entry.id) == [], "a settled entry is left alone"


def test_resolving_on_a_silent_port_leaves_an_open_entry_unknown(journal: Journal) -> None:
    meter = meter_of()
    entry = begun(meter, journal)
    silent = replace(connect(meter, lambda *_: b"", ring=RING)[0])
    with pytest.raises(UnknownOutcomeError):
        resolve(silent, journal, entry.id)
    assert journal.entry(entry.id).state is EntryState.UNKNOWN
    with pytest.raises(NoAnswerError):
        resolve(silent, journal)


@pytest.mark.parametrize("state", [CONFIRMED, REFUSED])
def test_a_closing_by_hand_is_audited_and_done_once(journal: Journal, state: EntryState) -> None:
    entry = begun(meter_of(), journal)
    closed = close_by_hand(journal, entry, state, 9)
    assert (closed.state, closed.outcome) == (state, EntryOutcome.BY_HAND)
    (line,) = journal.audit_lines()
    assert (line.what, line.amount) == ("closed_by_hand", 5000)
    assert "sequence 1" in line.detail
    with pytest.raises(UsageError, match="already"):
        close_by_hand(journal, entry, state, 9)


def test_the_bytes_of_an_opening_for_epoch_0_live_in_any_unopened_storage(setup: Setup) -> None:
    entry = setup.open(setup.formatted())
    assert "any storage of the meter that was never opened" in living_text(entry)


def test_advancing_the_key_version_spends_a_sequence_and_no_credit(journal: Journal) -> None:
    meter = meter_of()
    session = session_of(meter)
    settled = advance_key_version(session, journal, session.identify())
    assert (settled.entry.kind, settled.entry.state) == ("void", CONFIRMED)
    assert meter.state.security.key_version == 2
    assert (meter.state.security.credit_sequence, credit(meter)) == (1, 0)


def test_a_withdrawn_card_sale_is_owed_to_the_customer(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    told: list[Entry] = []
    session = setup.session()
    assert len(carried_by_cards(session, setup.journal, erased_only=False)) == 1
    assert carried_by_cards(session, setup.journal, erased_only=True) == []
    withdrawn = withdraw_cards(session, setup.journal, erased_only=False, tell=told.append)
    assert [entry.state for entry in withdrawn.entries] == [REFUSED]
    assert withdrawn.owed == 1000
    assert told == withdrawn.entries
    setup.insert(card)
    assert setup.credit == 3000


def test_a_card_sale_that_was_taken_is_confirmed_and_nothing_is_owed(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    withdrawn = withdraw_cards(setup.session(), setup.journal, erased_only=False)
    assert [entry.state for entry in withdrawn.entries] == [CONFIRMED]
    assert withdrawn.owed == 0


def test_without_card_sales_the_meter_is_not_even_asked(journal: Journal) -> None:
    silent = connect(meter_of(), lambda *_: b"", ring=RING)[0]
    assert withdraw_cards(silent, journal, erased_only=False) == Withdrawn()
