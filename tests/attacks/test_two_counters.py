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
from meterctl.operations.bulk_sales import Done, Wanted, sell_all
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
from tests.support.town import METER, OTHER, Contacts, Town


@pytest.fixture
def elsewhere(town: Town, card: Card, tmp_path: Path) -> Town:
    """The town with another vending point's journal in place, after the first one sold 10.00 on the
    card.
    """
    town.sell(card, 1000)
    town.journal.close()
    town.journal = Journal(tmp_path / "elsewhere.sqlite")
    return town


def audited(town: Town) -> list[str]:
    return [line.what for line in town.journal.audit_lines()]


def test_credit_of_another_journal_is_neither_written_over_nor_erased(
    elsewhere: Town, card: Card
) -> None:
    before = card.state.files
    with pytest.raises(
        NotPermittedError, match=r"carries 10\.00 for meter 000000000042 .*another journal"
    ):
        elsewhere.sell(card, 500)
    with elsewhere.counter(card) as counter:
        with pytest.raises(NotPermittedError, match="another journal"):
            card_issuing.plan_erasure(counter, elsewhere.journal).carry_out()
        with pytest.raises(NotPermittedError, match="another journal"):
            card_issuing.plan_replacement(
                counter, elsewhere.journal, METER, elsewhere.session()
            ).carry_out()
    assert card.state.files == before
    assert elsewhere.journal.entries() == []
    elsewhere.insert(card)
    assert elsewhere.credit == 4000


def test_credit_of_another_journal_is_erased_by_name_only_and_audited(
    elsewhere: Town, card: Card
) -> None:
    with elsewhere.counter(card) as counter:
        card_issuing.plan_erasure(counter, elsewhere.journal, unknown_sale=True).carry_out()
    line = elsewhere.journal.audit_lines()[0]
    assert line.what == "unknown_sale_erased"
    assert "10.00" in line.detail
    assert not any(any(card.state.file(file)) for file in CardFile if file is not CardFile.LOG)


def test_what_another_journal_sold_is_told_and_audited_once_and_the_customer_is_served(
    elsewhere: Town, card: Card
) -> None:
    elsewhere.insert(card)
    with elsewhere.counter(card) as counter:
        card_sales.sell(counter, elsewhere.journal, 500)
        assert any(
            "2 transfers that this journal does not know, 40.00 in all" in text
            for text in counter.notices
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
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    town.insert(card)
    town.read(card)
    town.journal._db.execute("DELETE FROM entries WHERE sequence = 1")
    town.journal._db.execute("UPDATE entries SET amount = 5000 WHERE sequence = 2")
    with pytest.raises(
        NotPermittedError, match=r"has taken 40\.00 in all, the journal has sold it 50\.00"
    ):
        town.sell(card, 100)


def test_a_card_whose_keys_are_blocked_gets_them_again_and_keeps_what_it_carries(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    before = card.state.files
    for reference in (KeyReference.VENDING, KeyReference.METER):
        for _ in range(8):
            card.power_on()
            terminal = Terminal(town.random)
            drive(terminal.select(), card.apdu)
            with pytest.raises(CardRefusedError):
                drive(terminal.authenticate(reference, bytes(16)), card.apdu)
    with town.counter(card) as counter, pytest.raises(NotPermittedError, match=r"blocked.*--again"):
        counter.read()
    with town.counter(card) as counter:
        with pytest.raises(NotPermittedError, match="formatted already"):
            card_issuing.plan_format(counter, town.journal)
        card_issuing.plan_format(counter, town.journal, again=True).carry_out()
    assert card.state.files == before
    town.insert(card)
    assert town.credit == 4000
    assert [entry.state for entry in town.read(card)] == [EntryState.CONFIRMED]


def test_nothing_is_voided_for_a_top_up_that_the_daily_limit_forbids(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    town.ring = KeyRing(town.ring.masters, town.ring.path, 4000)
    session = town.session()
    carried = carried_by_cards(session, town.journal, erased_only=False)
    with pytest.raises(NotPermittedError, match=r"daily limit is 40\.00"):
        plan(session, town.journal, MessageKind.CREDIT, 1, None, carried)
    assert audited(town)[-1] == "over_daily_limit"
    assert states(town.journal) == ["confirmed", "on_card"]


def test_nothing_is_voided_for_a_top_up_of_an_account_that_is_closed(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    town.journal.settle(town.journal.entries()[-1], EntryState.UNKNOWN, "", 0)
    Host(town.meter, town.meter.door.keys(1)).send(MessageKind.CLOSE)
    session = town.session()
    carried = town.journal.open_entries(METER)
    with pytest.raises(RefusedError, match="closed and takes no credit; nothing was voided"):
        plan(session, town.journal, MessageKind.CREDIT, 1, None, carried)


def test_a_sale_that_its_meter_has_behind_it_is_settled_first(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    town.insert(card)
    with pytest.raises(NotPermittedError, match="journal resolve 2, or meterctl card read"):
        plan(town.session(), town.journal, MessageKind.CREDIT, 100)


def test_commands_that_are_replaced_or_refused_are_told(town: Town, card: Card) -> None:
    town.read(card)
    presets = [(MessageKind.CLEAR_EVENTS, b"")]
    for _ in range(2):
        with town.counter(card) as counter:
            card_issuing.plan_preset(counter, town.journal, presets, town.session()).carry_out()
            told = counter.notices
    assert told == [
        f"card {card.state.serial.hex()}: 1 commands that its meter has not taken are replaced"
    ]
    Host(town.meter, town.meter.door.keys(1)).send(
        MessageKind.CLEAR_EVENTS
    )  # its sequence is spent by the wire
    inserted = town.insert(card)
    assert inserted.insertion is not None
    with town.counter(card) as counter:
        standing = counter.read()
        assert standing.back is not None
        outcome = Outcome(standing.back.command_outcome)
        counter.compare(town.journal, standing)
    assert not outcome.applied
    assert any(outcome.name.lower() in text for text in counter.notices)


def test_a_service_card_is_not_made_of_a_card_with_credit(elsewhere: Town, card: Card) -> None:
    with elsewhere.counter(card) as counter, pytest.raises(NotPermittedError):
        card_issuing.plan_service(counter, elsewhere.journal, METER).carry_out()
    other = elsewhere.formatted(OTHER)
    with elsewhere.counter(other) as counter:
        card_issuing.plan_service(counter, elsewhere.journal, METER).carry_out()
    assert elsewhere.insert(other).written_back


@pytest.mark.parametrize("interrupted_at", range(0, 30, 3))
def test_an_interrupt_ends_a_bulk_sale_and_the_next_run_sells_each_once(
    town: Town, card: Card, interrupted_at: int
) -> None:
    town.read(card)
    neighbour = town.formatted(OTHER)
    town.open(neighbour, 100, meter=NEIGHBOUR)
    contacts = Contacts(card)

    def tap(command: bytes) -> bytes:
        if contacts.count > interrupted_at:
            raise KeyboardInterrupt
        return command

    cards = {Path("a"): card, Path("b"): neighbour}
    wanted = [Wanted("s1", Path("a"), 500), Wanted("s2", Path("b"), 600)]
    contacts.tap = tap
    done: list[Done] = []
    with pytest.raises(KeyboardInterrupt):
        done.extend(
            sell_all(wanted, town.journal, lambda file: town.counter(cards[file], contacts))
        )
    assert [type(one.error) for one in done] in ([], [UnknownOutcomeError])
    again = list(sell_all(wanted, town.journal, lambda file: town.counter(cards[file])))
    assert again[0].error is None
    assert again[1].error is not None, "its opening was not taken yet"
    town.insert(card)
    assert town.credit == 3500
