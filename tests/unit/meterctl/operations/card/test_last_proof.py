"""The state of a meter without a port: its write-back and the proofs of the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, Journal, ProvedStorage
from meterctl.journal.proofs import ProvedStorages
from meterctl.key_ring import KeyRing
from meterctl.operations.card.case import Case
from meterctl.operations.card.last_proof import meter_of_journal, where_it_stands
from meterctl.operations.credit import execute, plan
from meterctl.operations.status import ask_status
from protocols.card.applet import Card
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind
from tests.support.meters import Host
from tests.support.setup import CUSTOMER, MASTER, METER, Setup


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
    confirmed, newest = Journal.confirmed, ProvedStorages.newest

    def without_receipts(journal: Journal, meter: str, epoch: int) -> list[Entry]:
        return [replace(entry, receipt=b"") for entry in confirmed(journal, meter, epoch)]

    def without_proof(proofs: ProvedStorages, meter: str) -> ProvedStorage | None:
        found = newest(proofs, meter)
        return found and replace(found, proof=b"")

    monkeypatch.setattr(ProvedStorages, "newest", without_proof)
    with setup.presented(card) as presented:
        assert meter_of_journal(setup.case(presented), METER) is not None
        monkeypatch.setattr(Journal, "confirmed", without_receipts)
        assert meter_of_journal(setup.case(presented), METER) is None
