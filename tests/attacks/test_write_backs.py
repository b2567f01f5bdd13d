"""Write-backs: forged, edited, of another card, or under a passed key version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import EntryEvent, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.sales import plan_sale, sell
from meterctl.operations.credit import advance_key_version
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.card.files import RETURN_SLOT, CardFile, checked
from protocols.card.write_back import WriteBack, split_write_back
from protocols.data_model.insertion import InsertionError
from protocols.keys import CARD_LABEL, derive_key, derive_meter_keys
from protocols.quantities import LEDGER
from protocols.sealed_message import MessageKind, Outcome
from protocols.sealed_status import SealedStatus, StatusQuestion
from tests.attacks.cards import back_of, error, outcome, states
from tests.attacks.wires import RING
from tests.support.meters import Host
from tests.support.setup import MASTER, METER, OTHER, Contacts, Setup


def test_row_12_credit_that_the_journal_never_sold_is_named(setup: Setup, card: Card) -> None:
    keys = setup.meter.authenticator.keys(1)
    Host(setup.meter, keys).send(MessageKind.VOID)
    setup.journal.prepare(METER, 0xE0, 2, "void", 0, b"", 0)
    setup.journal.settle(setup.journal.entries()[-1], EntryEvent.RECEIPT, 0)
    setup.sell(card, 100, session=setup.session())
    setup.meter.state.account.cumulative += 777 * LEDGER
    setup.insert(card)
    with pytest.raises(
        NotPermittedError, match=r"it has taken 808\.00 in all, the journal has sold it 31\.00"
    ):
        setup.sell(card, 100)


@pytest.mark.parametrize("at", [2, 30, 45, 60, 75, 90, 115, 130, 200, 220, 229])
def test_row_21_an_edited_write_back_is_refused_and_nothing_is_sold(
    setup: Setup, card: Card, at: int
) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    slot = bytearray(split_write_back(card.state.file(CardFile.RETURN)).newest or b"")
    slot[at] ^= 1
    forged = checked(bytes(slot[:-4]))
    card._memory.commit(card.state.with_file(CardFile.RETURN, forged + bytes(RETURN_SLOT)))
    with pytest.raises(NotPermittedError, match="forged"):
        setup.sell(card, 500)
    assert states(setup.journal) == ["confirmed", "on_card"]


def test_row_21_a_write_back_of_another_card_is_refused(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    back = WriteBack.decode(split_write_back(card.state.file(CardFile.RETURN)).newest or b"")
    key = derive_key(MASTER, CARD_LABEL, METER, 1)
    other = replace(back, card_serial=OTHER).seal(key)
    card._memory.commit(card.state.with_file(CardFile.RETURN, other + bytes(RETURN_SLOT)))
    with pytest.raises(NotPermittedError, match="cloned"):
        setup.sell(card, 500)


def test_a_key_change_between_a_sale_and_its_insertion_proves_the_sale_dead(tmp_path: Path) -> None:
    masters = {1: bytes(16), 2: bytes(range(1, 17))}
    setup = Setup(tmp_path, masters=masters)
    whole, setup.ring = setup.ring, KeyRing({1: masters[1]}, setup.ring.path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    setup.ring = whole
    newer = derive_meter_keys(masters[2], METER, 2)
    Host(setup.meter, newer).send(MessageKind.CLEAR_EVENTS)
    assert error(setup.insert(card)) is InsertionError.NOT_AUTHORISED
    assert back_of(card).outcome == Outcome.UNKNOWN_KEY_VERSION
    assert (back_of(card).key_version, back_of(card).meter_key_version) == (2, 2)
    with setup.presented(card) as presented:
        sell(setup.case(presented), 500)
        assert any("10.00 is owed to the customer" in notice for notice in presented.notices)
    assert [(e.state.value, e.outcome, e.key_version) for e in setup.journal.entries()] == [
        ("confirmed", "accepted", 1),
        ("refused", "unknown_key_version", 1),
        ("on_card", "", 2),
    ]
    assert outcome(setup.insert(card)) is Outcome.ACCEPTED
    assert setup.credit == 3500


def test_a_card_put_in_again_after_a_key_change_is_written_back_again(tmp_path: Path) -> None:
    masters = {1: bytes(16), 2: bytes(range(1, 17))}
    setup = Setup(tmp_path, masters=masters)
    whole, setup.ring = setup.ring, KeyRing({1: masters[1]}, setup.ring.path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    setup.ring = whole
    contacts = Contacts(card)
    contacts.breaks_after = 10  # the credit is in, the write-back is not
    setup.insert(card, contacts)
    Host(setup.meter, derive_meter_keys(masters[2], METER, 2)).send(MessageKind.CLEAR_EVENTS)
    assert outcome(setup.insert(card)) is Outcome.ALREADY_ACCEPTED
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]
    assert setup.credit == 4000


def test_a_write_back_below_the_floor_of_key_versions_proves_nothing(tmp_path: Path) -> None:
    masters = {1: bytes(16), 2: bytes(range(1, 17))}
    setup = Setup(tmp_path, masters=masters)
    whole, setup.ring = setup.ring, KeyRing({1: masters[1]}, setup.ring.path)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.ring = whole
    session = setup.session()
    with pytest.raises(NotPermittedError, match="unconsumed"):
        advance_key_version(session, setup.journal, session.identify())
    other = Journal(tmp_path / "other.sqlite")
    advance_key_version(session, other, session.identify())
    setup.journal.proofs.note_status(*_asked(session, setup.journal))
    with pytest.raises(NotPermittedError, match=r"has passed it \(2\): it proves nothing"):
        setup.read(card)
    assert states(setup.journal) == ["on_card"]
    setup.insert(card)
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]


def _asked(session: Session, journal: Journal) -> tuple[SealedStatus, bytes]:
    sealed = session.driver.status(StatusQuestion(bytes(8), journal.numbers.current, 2))
    return SealedStatus.decode(sealed), sealed


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
        sold = plan_sale(setup.case(presented), 2000).carry_out()
        assert any("is ignored" in notice for notice in presented.notices)
    assert sold.entry.key_version == 2
    setup.insert(card)
    assert setup.credit == 5000
