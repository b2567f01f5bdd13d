"""What a second audit of the counter found: proofs of other lives, journals side by side, races,
and half words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from meterctl.errors import NotPermittedError, UnknownOutcomeError, UsageError
from meterctl.journal import EntryState, Journal
from meterctl.operations import card_issuing, card_sales
from meterctl.operations.bulk_sales import RequestedSale, parse_sales, sell_all
from meterctl.operations.credit import close_by_hand, resolve, withdraw_cards
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.card.insertion import InsertionError
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.test_at_the_counter import states
from tests.attacks.test_counter_findings import NEIGHBOUR, error, outcome, replaced, topped_up
from tests.support.setup import CUSTOMER, METER, OTHER, Contacts, Setup

THIRD = bytes.fromhex("0303030303030303")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Journal:
    """Another vending point's journal."""
    return Journal(tmp_path / "elsewhere.sqlite")


def erased(setup: Setup, card: Card) -> list[str]:
    with setup.presented(card) as presented:
        return [
            entry.state.value
            for entry in card_issuing.plan_erasure(presented, setup.journal).carry_out()
        ]


def test_a_sale_that_was_taken_is_not_finished_again_where_another_journal_sold_since(
    setup: Setup, card: Card, elsewhere: Journal
) -> None:
    own = setup.journal
    setup.sell(card, 1000)
    setup.insert(card)
    setup.journal = elsewhere
    setup.sell(card, 500)
    setup.insert(card)
    setup.journal = own
    for cents in (700, 1000):
        with pytest.raises(
            NotPermittedError, match=r"the meter is already at sequence.*journal resolve 2"
        ):
            setup.sell(card, cents)
    assert setup.credit == 4500
    resolve(setup.session(), setup.journal)
    assert states(setup.journal) == ["confirmed", "confirmed"]
    setup.sell(card, 1000)
    setup.insert(card)
    assert setup.credit == 5500


def test_a_sale_whose_receipt_the_meter_no_longer_keeps_is_proved_by_its_journals_row(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    setup.sell(card, 1000)
    contacts.breaks_after = 10
    setup.insert(card, contacts)
    assert setup.credit == 4000
    other = Journal(setup.journal.path.with_name("other.sqlite"))
    own, setup.journal = setup.journal, other
    for _ in range(17):
        topped_up(setup, 100)
    setup.journal = own
    setup.insert(card)
    with pytest.raises(NotPermittedError, match="already at sequence"):
        setup.sell(card, 1000)
    (ended,) = withdraw_cards(setup.session(), setup.journal, erased_only=False).entries
    assert (ended.state, ended.receipt) == (EntryState.CONFIRMED, b"")
    setup.sell(card, 1000)


def test_a_seventeenth_journal_leaves_an_old_sale_to_a_persons_word(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    setup.sell(card, 1000)
    contacts.breaks_after = 10
    setup.insert(card, contacts)
    own = setup.journal
    for index in range(17):
        setup.journal = Journal(own.path.with_name(f"other{index}.sqlite"))
        topped_up(setup, 100)
    setup.journal = own
    mine = setup.journal.open_entries(METER)[0]
    (left,) = resolve(setup.session(), setup.journal)
    assert (left.entry.state, isinstance(left.error, NotPermittedError)) == (
        EntryState.ON_CARD,
        True,
    )
    with pytest.raises(UnknownOutcomeError, match="keeps no proof of that one"):
        withdraw_cards(setup.session(), setup.journal, erased_only=False)
    close_by_hand(
        setup.journal,
        setup.journal.entry(mine.id),
        EntryState.CONFIRMED,
        setup.now,
    )
    setup.sell(card, 1000, session=setup.session())


def test_an_old_card_and_an_old_meter_refute_no_opening_of_a_new_storage(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    old, new = setup.formatted(), setup.formatted(OTHER)
    setup.open(old)
    setup.insert(old)
    setup.read(old)
    before = setup.session()
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    setup.open(new, again=True)
    setup.read(old)
    (left,) = resolve(before, setup.journal)
    assert isinstance(left.error, NotPermittedError)
    assert left.entry.state is EntryState.ON_CARD
    assert states(setup.journal) == ["confirmed", "on_card"]
    assert outcome(setup.insert(new)) is Outcome.ACCEPTED
    assert [entry.epoch for entry in setup.read(new)] == [0xE1]
    assert states(setup.journal) == ["confirmed", "confirmed"]


def test_what_can_never_be_taken_is_said_to_be_owed(
    setup: Setup, card: Card, elsewhere: Journal
) -> None:
    setup.sell(card, 1000)
    own, setup.journal = setup.journal, elsewhere
    topped_up(setup, 300)
    setup.journal = own
    assert outcome(setup.insert(card)) is Outcome.SEQUENCE_CONFLICT
    with setup.presented(card) as presented:
        card_sales.sell(presented, setup.journal, 500)
        assert any("10.00 is owed to the customer" in notice for notice in presented.notices)
    assert [
        (line.amount, line.card) for line in setup.journal.audit_lines() if line.what == "owed"
    ] == [(1000, card.state.serial.hex())]


@pytest.mark.parametrize("breaks_after", range(2, 30, 3))
def test_an_interrupted_sale_on_a_new_replacement_still_binds(
    setup: Setup, card: Card, breaks_after: int
) -> None:
    setup.read(card)
    new = replaced(setup)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    try:
        setup.sell(new, 1000, contacts)
    except (UnknownOutcomeError, NotPermittedError):
        assert len(states(setup.journal)) == 2
    except Exception:
        assert len(states(setup.journal)) == 1
    if contacts.broke:
        try:
            setup.sell(new, 1000)
        except NotPermittedError as whole:
            assert "unconsumed" in str(whole)  # noqa: PT017
    assert error(setup.insert(new)) is None
    assert setup.credit == 4000


@pytest.mark.parametrize("breaks_after", range(4, 40, 3))
def test_a_torn_replacement_of_an_opening_card_is_finished_as_one(
    setup: Setup, breaks_after: int
) -> None:
    lost, new = setup.formatted(), setup.formatted(OTHER)
    setup.open(lost)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    with setup.presented(new, contacts) as presented:
        try:
            card_issuing.plan_replacement(presented, setup.journal, METER).carry_out()
        except Exception:
            assert contacts.broke
    if contacts.broke:
        try:
            setup.sell(new, 3000)
        except NotPermittedError as error_:
            told: str | None = str(error_)
        else:
            told = None
        if told is not None:
            replaced_again(setup, new)
    assert outcome(setup.insert(new)) is Outcome.ACCEPTED
    assert setup.credit == 3000


def replaced_again(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        card_issuing.plan_replacement(presented, setup.journal, METER).carry_out()


def test_presets_on_a_replacement_leave_it_one(setup: Setup, card: Card) -> None:
    setup.read(card)
    new = replaced(setup)
    with setup.presented(new) as presented:
        commands = [(MessageKind.CLEAR_EVENTS, b"")]
        card_issuing.plan_preset(presented, setup.journal, commands, setup.session()).carry_out()
    inserted = setup.insert(new)
    assert (error(inserted), inserted.card_type) == (None, CardType.REPLACEMENT)


def test_a_replacement_never_carries_an_opening_that_was_taken(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    assert error(setup.insert(replaced(setup))) is InsertionError.REPLACEMENT_CARD_UNOPENED
    assert setup.meter.state.account.state == AccountState.UNOPENED


def test_a_bulk_row_whose_key_is_another_customers_is_no_sale_before(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000, reference="k1")
    setup.insert(card)
    setup.read(card)
    neighbour = setup.formatted(OTHER)
    setup.open(neighbour, 100, meter=NEIGHBOUR)
    cards = {Path("a"): card, Path("b"): neighbour}

    def sold(name: str) -> Any:
        def opened(file: Path) -> Any:
            if file not in cards:
                raise UsageError(f"card {file}: No such file or directory")
            return setup.presented(cards[file])

        (done,) = sell_all([RequestedSale("k1", Path(name), 1000)], setup.journal, opened)
        return done

    assert isinstance(sold("b").error, UsageError)
    assert sold("a").before
    assert sold("gone").before, "its card is with the customer"


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


def test_a_sale_refused_by_hand_that_was_taken_gives_way_to_its_proof(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    kept = replaced(setup)
    erased(setup, kept)
    close_by_hand(setup.journal, setup.journal.entry(2), EntryState.REFUSED, setup.now)
    again = replaced(setup, THIRD)
    setup.sell(again, 500)
    assert outcome(setup.insert(card)) is Outcome.ACCEPTED
    with setup.presented(card) as presented:
        card_files = presented.read()
        assert card_files.back is not None
        presented.settle(setup.journal, card_files.back)
    assert states(setup.journal) == ["confirmed", "confirmed", "refused"]


def test_what_another_program_settled_meanwhile_is_neither_moved_nor_finished(
    setup: Setup, card: Card
) -> None:
    contacts = Contacts(card)
    contacts.breaks_after = 12
    with pytest.raises(UnknownOutcomeError):
        setup.sell(card, 1000, contacts)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented, setup.presented(card) as here:
        moving = card_issuing.plan_replacement(presented, setup.journal, METER)
        finishing = card_sales.plan_sale(here, setup.journal, 1000)
        assert withdraw_cards(setup.session(), setup.journal, erased_only=False).owed == 1000
        for planned in (moving, finishing):
            with pytest.raises(NotPermittedError, match="settled"):
                planned.carry_out()
    assert states(setup.journal) == ["confirmed", "refused"]


def test_no_opening_is_sold_for_a_sequence_that_was_voided(setup: Setup) -> None:
    wrong = setup.formatted()
    setup.open(wrong, customer="000000009999")
    erased(setup, wrong)
    resolve(setup.session(), setup.journal)
    entry = setup.open(wrong)
    assert (entry.epoch, entry.sequence) == (setup.meter.state.identity.epoch, 2), (
        "where the meter stands was proved"
    )
    assert outcome(setup.insert(wrong)) is Outcome.ACCEPTED
    assert setup.credit == 3000


def test_a_wrong_word_blocks_no_account(setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)
    erased(setup, card)
    close_by_hand(setup.journal, setup.journal.entry(2), EntryState.CONFIRMED, setup.now)
    topped_up(setup, 700)
    assert setup.credit == 3700


def test_of_two_lives_the_living_sale_is_replaced(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1, opened=True, customer_number=CUSTOMER)
    lost = replaced(setup, OTHER, session=setup.session())
    setup.insert(lost)
    setup.sell(lost, 500, session=setup.session())
    third = replaced(setup, THIRD, session=setup.session())
    before = setup.credit
    assert outcome(setup.insert(third)) is Outcome.ACCEPTED
    assert setup.credit == before + 500


def test_a_write_back_of_a_storage_that_is_gone_sells_nothing(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1, opened=True, customer_number=CUSTOMER)
    topped_up(setup, 200)
    with pytest.raises(NotPermittedError, match=r"is of epoch 000000e0.*insert the card first"):
        setup.sell(card, 100)


def test_a_card_that_opened_a_new_storage_is_the_card_in_use(tmp_path: Path) -> None:
    setup = Setup(tmp_path, SimulatedNvram())
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.now += 60
    setup.insert(replaced(setup))
    setup.now += 60
    setup.meter = setup.build(SimulatedNvram(), epoch=0xE1)
    third = setup.formatted(THIRD)
    setup.open(third, again=True)
    setup.insert(third)
    setup.sell(third, 100)


def test_a_replacement_is_newer_than_the_card_whose_vendors_clock_was_ahead(
    setup: Setup,
) -> None:
    setup.now += 600
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    setup.now -= 300
    assert error(setup.insert(replaced(setup))) is None


def test_a_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    (one,) = parse_sales("\ufeffsale, file, amount\nk, c.img, 5.00\n", tmp_path)
    assert one == RequestedSale("k", tmp_path / "c.img", 500)
    for text, told in (
        ("sale;file;amount\n", "'sale;file;amount'"),
        ("sale,file,amount\n", "no sale"),
        ("sale,file,amount\n" + "x" * 200_000 + ",a,1\n", "larger than field limit"),
        ("sale,file,amount\n ,a,1.00\n", "key"),
    ):
        with pytest.raises(UsageError, match=told):
            parse_sales(text, tmp_path)


def test_a_meter_that_was_set_back_to_what_its_card_last_saw_is_named(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    before = bytes(device.data)
    topped_up(setup, 500)
    setup.sell(card, 100, session=setup.session())
    setup.meter = setup.build(SimulatedNvram(before))
    assert outcome(setup.insert(card)) is Outcome.SEQUENCE_GAP
    with pytest.raises(
        NotPermittedError, match="it stands at sequence 1, sequence 2 was proved earlier"
    ):
        setup.sell(card, 100)
