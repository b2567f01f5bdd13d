"""The state of a meter without a port: its write-back and the proofs of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, Journal, ProvedStorage
from meterctl.journal.proofs import ProvedStorages
from meterctl.key_ring import KeyRing
from meterctl.operations.card import last_proof
from meterctl.operations.card.case import Case
from meterctl.operations.card.last_proof import meter_of_journal, where_it_stands
from meterctl.operations.credit import execute, plan
from meterctl.operations.status import ask_status
from meterctl.operations.withdrawal import withdraw_cards
from protocols.card.applet import Card
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind
from tests.support.meters import Host
from tests.support.setup import CUSTOMER, MASTER, METER, Setup


@contextmanager
def proofs_without_bytes() -> Iterator[None]:
    """Let the journal know the sequences of its meters, but neither status nor write-back."""
    newest = ProvedStorages.newest

    def without_proof(proofs: ProvedStorages, meter: str) -> ProvedStorage | None:
        found = newest(proofs, meter)
        return found and replace(found, proof=b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProvedStorages, "newest", without_proof)
        yield


def test_the_last_proof_of_the_journal_counts_where_it_is_newer_than_the_write_back(
    setup: Setup, card: Card
) -> None:
    session = setup.session()
    execute(session, setup.journal, plan(session, setup.journal, MessageKind.CREDIT, 700))
    with setup.presented(card) as presented:
        assert where_it_stands(setup.case(presented)).credit_sequence == 2


def test_the_higher_command_sequence_of_write_back_and_journal_counts(
    setup: Setup, card: Card
) -> None:
    Host(setup.meter, setup.ring.meter_keys(METER, 1)).send(MessageKind.CLEAR_EVENTS)
    session = setup.session()
    ask_status(session, setup.journal, session.identify())
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert case.back is not None
        assert case.back.command_sequence == 0
        assert where_it_stands(case).command_sequence == 1


def test_a_journal_that_knows_nothing_of_a_meter_says_so(setup: Setup, journal: Journal) -> None:
    card = setup.formatted()
    setup.open(card)
    with setup.presented(card) as presented:
        case = Case.read(presented, journal)
        assert meter_of_journal(case, METER) is None
        with pytest.raises(NotPermittedError, match="is not known; insert the card"):
            where_it_stands(case)


def test_a_write_back_alone_proves_a_meter_that_the_journal_does_not_know(
    setup: Setup, card: Card, journal: Journal
) -> None:
    with setup.presented(card) as presented:
        stands = where_it_stands(Case.read(presented, journal))
    assert (stands.epoch, stands.credit_sequence, stands.account_state) == (
        0xE0,
        1,
        AccountState.OPEN,
    )
    assert stands.customer_number == CUSTOMER


def test_the_journal_alone_proves_a_meter_by_its_receipts(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        meter = meter_of_journal(setup.case(presented), METER)
    assert meter is not None
    assert (meter.credit_sequence, meter.account_state) == (1, AccountState.OPEN)
    assert (meter.customer_number, meter.elapsed_ms) == (CUSTOMER, None)


def test_a_write_back_of_a_former_storage_is_refused_after_a_proof_of_the_new_one(
    setup: Setup, card: Card
) -> None:
    setup.meter = setup.build(epoch=0xE1)
    session = setup.session()
    ask_status(session, setup.journal, session.identify())
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match=r"is of epoch 000000e0, .* new storage"),
    ):
        where_it_stands(setup.case(presented))


def test_a_version_that_may_not_be_used_gives_way_to_the_lowest_usable_one_above_it(
    setup: Setup, card: Card
) -> None:
    masters = dict.fromkeys((1, 2, 3), MASTER)
    with setup.presented(card) as presented:
        case = setup.case(presented)
        presented.ring = KeyRing(masters, setup.ring.path, retired=frozenset({1}))
        assert where_it_stands(case).sealing_version == 2
        presented.ring = KeyRing({1: MASTER}, setup.ring.path, retired=frozenset({1}))
        with pytest.raises(NotPermittedError, match="nor one above it"):
            where_it_stands(case)


def test_an_entry_without_a_receipt_proves_no_account(
    setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = Journal.confirmed

    def without_receipts(journal: Journal, meter: str, epoch: int, above: int) -> list[Entry]:
        return [replace(entry, receipt=b"") for entry in confirmed(journal, meter, epoch, above)]

    with setup.presented(card) as presented, proofs_without_bytes():
        assert meter_of_journal(setup.case(presented), METER) is not None
        monkeypatch.setattr(Journal, "confirmed", without_receipts)
        assert meter_of_journal(setup.case(presented), METER) is None


def test_a_receipt_that_is_older_than_the_last_proof_does_not_count(
    setup: Setup, card: Card
) -> None:
    meter_keys = setup.ring.meter_keys(METER, 1)
    Host(setup.meter, meter_keys).send(MessageKind.CLOSE, sequence=2)
    session = setup.session()
    ask_status(session, setup.journal, session.identify())
    with setup.presented(card) as presented:
        meter = meter_of_journal(setup.case(presented), METER)
    assert meter is not None
    assert (meter.credit_sequence, meter.account_state) == (2, AccountState.CLOSED)


def test_a_later_receipt_keeps_the_command_sequence_of_the_last_proof(
    setup: Setup, card: Card
) -> None:
    Host(setup.meter, setup.ring.meter_keys(METER, 1)).send(MessageKind.CLEAR_EVENTS)
    session = setup.session()
    planned = plan(session, setup.journal, MessageKind.CLOSE, 0)
    execute(session, setup.journal, planned)
    with setup.presented(card) as presented:
        meter = meter_of_journal(setup.case(presented), METER)
    assert meter is not None
    assert (meter.credit_sequence, meter.command_sequence) == (2, 1)
    assert meter.account_state is AccountState.CLOSED
    assert (meter.account_unit, meter.customer_number) == (156, CUSTOMER)


def test_a_receipt_alone_proves_no_command(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented, proofs_without_bytes():
        meter = meter_of_journal(setup.case(presented), METER)
    assert meter is not None
    assert (meter.command_sequence, meter.account_state) == (0, AccountState.OPEN)


def test_the_receipt_of_a_void_proves_no_account(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    (void,) = setup.journal.voids_of(entry)
    assert void.receipt
    with setup.presented(card) as presented, proofs_without_bytes():
        meter = meter_of_journal(setup.case(presented), METER)
    assert meter is not None
    assert (meter.account_state, meter.account_unit) == (AccountState.OPEN, 156)
    assert meter.credit_sequence == 2, "the sequence is proved all the same"


def test_the_journal_proves_a_meter_whose_card_has_no_write_back(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)
        without = replace(case, files=replace(case.files, back=None))
        assert where_it_stands(without) == meter_of_journal(without, METER)


def test_a_stored_write_back_is_the_last_proof_of_a_meter(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)
        newest = setup.journal.proofs.newest(METER)
        assert newest is not None
        assert newest.proof == case.files.slot
        assert case.back is not None
        meter = meter_of_journal(case, METER)
        assert meter is not None
        assert meter.account_state is AccountState.OPEN
        stored = last_proof._meter_of_proof(case, newest.proof)
        assert stored == last_proof._meter_of_write_back(case, case.back)


@pytest.mark.parametrize("by_status", [False, True])
def test_a_proof_under_a_version_that_may_not_be_used_counts_no_more(
    setup: Setup, card: Card, by_status: bool
) -> None:
    if by_status:
        session = setup.session()
        ask_status(session, setup.journal, session.identify())
    with setup.presented(card) as presented:
        case = setup.case(presented)
        assert meter_of_journal(case, METER) is not None
        masters = dict.fromkeys((1, 2), MASTER)
        presented.ring = KeyRing(masters, setup.ring.path, retired=frozenset({1}))
        assert meter_of_journal(case, METER) is None


def test_a_version_below_the_current_one_is_never_sealed_under(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented)
        presented.ring = KeyRing(dict.fromkeys((1, 2, 3), MASTER), setup.ring.path)
        assert case.back is not None
        back = replace(case.back, meter_key_version=2)
        newer = replace(case, files=replace(case.files, back=back))
        assert where_it_stands(newer).sealing_version in (1, 2)
        assert last_proof._meter_of_write_back(newer, back).sealing_version == 2


def test_a_write_back_of_another_storage_counts_where_the_journal_never_saw_that_one(
    setup: Setup, card: Card, journal: Journal
) -> None:
    other = setup.build(epoch=0xE1)
    session = setup.session(other)
    ask_status(session, journal, session.identify())
    with setup.presented(card) as presented:
        stands = where_it_stands(Case.read(presented, journal))
    assert stands.epoch == 0xE0
