"""Two vending points with a journal each, cards that were locked, and voids that must not be for
nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from meterctl.errors import NotPermittedError, RefusedError, UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations import card_issuing, card_sales
from meterctl.operations.bulk_sales import Done, RequestedSale, sell_all
from meterctl.operations.credit import carried_by_cards, plan
from protocols.card.applet import Card
from protocols.card.files import CardFile
from protocols.card.keys import KeyReference
from protocols.card.terminal import Terminal, drive
from protocols.errors import CardRefusedError
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.test_at_the_counter import states
from tests.attacks.test_counter_findings import NEIGHBOUR
from tests.support.meters import Host
from tests.support.setup import METER, OTHER, Contacts, Setup


@pytest.fixture
def elsewhere(setup: Setup, card: Card, tmp_path: Path) -> Setup:
    """The town with another vending point's journal in place, after the first one sold 10.00 on the
    card.
    """
    setup.sell(card, 1000)
    setup.journal.close()
    setup.journal = Journal(tmp_path / "elsewhere.sqlite")
    return setup


def audited(setup: Setup) -> list[str]:
    return [line.what for line in setup.journal.audit_lines()]


def test_credit_of_another_journal_is_neither_written_over_nor_erased(
    elsewhere: Setup, card: Card
) -> None:
    before = card.state.files
    with pytest.raises(
        NotPermittedError, match=r"carries 10\.00 for meter 000000000042 .*another journal"
    ):
        elsewhere.sell(card, 500)
    with elsewhere.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="another journal"):
            card_issuing.plan_erasure(presented, elsewhere.journal).carry_out()
        with pytest.raises(NotPermittedError, match="another journal"):
            card_issuing.plan_replacement(
                presented, elsewhere.journal, METER, elsewhere.session()
            ).carry_out()
    assert card.state.files == before
    assert elsewhere.journal.entries() == []
    elsewhere.insert(card)
    assert elsewhere.credit == 4000


def test_credit_of_another_journal_is_erased_by_name_only_and_audited(
    elsewhere: Setup, card: Card
) -> None:
    with elsewhere.presented(card) as presented:
        card_issuing.plan_erasure(presented, elsewhere.journal, unknown_sale=True).carry_out()
    line = elsewhere.journal.audit_lines()[0]
    assert line.what == "unknown_sale_erased"
    assert "10.00" in line.detail
    assert not any(any(card.state.file(file)) for file in CardFile if file is not CardFile.LOG)


def test_what_another_journal_sold_is_told_and_audited_once_and_the_customer_is_served(
    elsewhere: Setup, card: Card
) -> None:
    elsewhere.insert(card)
    with elsewhere.presented(card) as presented:
        card_sales.sell(presented, elsewhere.journal, 500)
        assert any(
            "2 transfers that this journal does not know, 40.00 in all" in text
            for text in presented.notices
        )
    assert audited(elsewhere).count("unknown_credit") == 1
    elsewhere.insert(card)
    elsewhere.read(card)
    assert elsewhere.credit == 4500
    assert audited(elsewhere).count("unknown_credit") == 2, (
        "the meter came forward, and they are still unknown"
    )
    elsewhere.read(card)
    assert audited(elsewhere).count("unknown_credit") == 2


def test_a_meter_that_has_taken_less_than_was_proved_is_named_even_where_others_sell_too(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    setup.read(card)
    setup.journal._db.execute("DELETE FROM entries WHERE sequence = 1")
    setup.journal._db.execute("UPDATE entries SET amount = 5000 WHERE sequence = 2")
    with pytest.raises(
        NotPermittedError, match=r"has taken 40\.00 in all, the journal has sold it 50\.00"
    ):
        setup.sell(card, 100)


def test_a_card_whose_keys_are_blocked_gets_them_again_and_keeps_what_it_carries(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    before = card.state.files
    for reference in (KeyReference.VENDING, KeyReference.METER):
        for _ in range(8):
            card.power_on()
            terminal = Terminal(setup.random)
            drive(terminal.select(), card.apdu)
            with pytest.raises(CardRefusedError):
                drive(terminal.authenticate(reference, bytes(16)), card.apdu)
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match=r"blocked.*--again"),
    ):
        presented.read()
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="formatted already"):
            card_issuing.plan_format(presented, setup.journal)
        card_issuing.plan_format(presented, setup.journal, again=True).carry_out()
    assert card.state.files == before
    setup.insert(card)
    assert setup.credit == 4000
    assert [entry.state for entry in setup.read(card)] == [EntryState.CONFIRMED]


def test_nothing_is_voided_for_a_top_up_that_the_daily_limit_forbids(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.ring = KeyRing(setup.ring.masters, setup.ring.path, 4000)
    session = setup.session()
    carried = carried_by_cards(session, setup.journal, erased_only=False)
    with pytest.raises(NotPermittedError, match=r"daily limit is 40\.00"):
        plan(session, setup.journal, MessageKind.CREDIT, 1, None, carried)
    assert audited(setup)[-1] == "over_daily_limit"
    assert states(setup.journal) == ["confirmed", "on_card"]


def test_nothing_is_voided_for_a_top_up_of_an_account_that_is_closed(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    setup.journal.settle(setup.journal.entries()[-1], EntryState.UNKNOWN, "", 0)
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(MessageKind.CLOSE)
    session = setup.session()
    carried = setup.journal.open_entries(METER)
    with pytest.raises(RefusedError, match="closed and takes no credit; nothing was voided"):
        plan(session, setup.journal, MessageKind.CREDIT, 1, None, carried)


def test_a_sale_that_its_meter_has_behind_it_is_settled_first(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    setup.insert(card)
    with pytest.raises(NotPermittedError, match="journal resolve 2, or meterctl card read"):
        plan(setup.session(), setup.journal, MessageKind.CREDIT, 100)


def test_commands_that_are_replaced_or_refused_are_told(setup: Setup, card: Card) -> None:
    setup.read(card)
    presets = [(MessageKind.CLEAR_EVENTS, b"")]
    for _ in range(2):
        with setup.presented(card) as presented:
            card_issuing.plan_preset(presented, setup.journal, presets, setup.session()).carry_out()
            told = presented.notices
    assert told == [
        f"card {card.state.serial.hex()}: 1 commands that its meter has not taken are replaced"
    ]
    Host(setup.meter, setup.meter.authenticator.keys(1)).send(
        MessageKind.CLEAR_EVENTS
    )  # its sequence is spent by the wire
    inserted = setup.insert(card)
    assert inserted.insertion is not None
    with setup.presented(card) as presented:
        card_files = presented.read()
        assert card_files.back is not None
        outcome = Outcome(card_files.back.command_outcome)
        presented.compare(setup.journal, card_files)
    assert not outcome.applied
    assert any(outcome.name.lower() in text for text in presented.notices)


def test_a_service_card_is_not_made_of_a_card_with_credit(elsewhere: Setup, card: Card) -> None:
    with elsewhere.presented(card) as presented, pytest.raises(NotPermittedError):
        card_issuing.plan_service(presented, elsewhere.journal, METER).carry_out()
    other = elsewhere.formatted(OTHER)
    with elsewhere.presented(other) as presented:
        card_issuing.plan_service(presented, elsewhere.journal, METER).carry_out()
    assert elsewhere.insert(other).written_back


@pytest.mark.parametrize("interrupted_at", range(0, 30, 3))
def test_an_interrupt_ends_a_bulk_sale_and_the_next_run_sells_each_once(
    setup: Setup, card: Card, interrupted_at: int
) -> None:
    setup.read(card)
    neighbour = setup.formatted(OTHER)
    setup.open(neighbour, 100, meter=NEIGHBOUR)
    contacts = Contacts(card)

    def tap(command: bytes) -> bytes:
        if contacts.count > interrupted_at:
            raise KeyboardInterrupt
        return command

    cards = {Path("a"): card, Path("b"): neighbour}
    wanted = [RequestedSale("s1", Path("a"), 500), RequestedSale("s2", Path("b"), 600)]
    contacts.tap = tap
    done: list[Done] = []
    with pytest.raises(KeyboardInterrupt):
        done.extend(
            sell_all(
                wanted,
                setup.journal,
                lambda file: setup.presented(cards[file], contacts),
            )
        )
    assert [type(one.error) for one in done] in ([], [UnknownOutcomeError])
    again = list(sell_all(wanted, setup.journal, lambda file: setup.presented(cards[file])))
    assert again[0].error is None
    assert again[1].error is not None, "its opening was not taken yet"
    setup.insert(card)
    assert setup.credit == 3500
