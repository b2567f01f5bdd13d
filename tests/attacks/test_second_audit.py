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
from meterctl.operations.bulk_sales import Wanted, parse_sales, sell_all
from meterctl.operations.credit import close_by_hand, resolve, withdraw_cards
from protocols.card.applet import Card
from protocols.card.files import CardType
from protocols.card.insertion import InsertionError
from protocols.data_model.words import AccountState
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.test_at_the_counter import states
from tests.attacks.test_counter_findings import NEIGHBOUR, error, outcome, replaced, topped_up
from tests.support.town import CUSTOMER, METER, OTHER, Contacts, Town

THIRD = bytes.fromhex("0303030303030303")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Journal:
    """Another vending point's journal."""
    return Journal(tmp_path / "elsewhere.sqlite")


def erased(town: Town, card: Card) -> list[str]:
    with town.counter(card) as counter:
        return [
            entry.state.value
            for entry in card_issuing.plan_erasure(counter, town.journal).carry_out()
        ]


def test_a_sale_that_was_taken_is_not_finished_again_where_another_journal_sold_since(
    town: Town, card: Card, elsewhere: Journal
) -> None:
    own = town.journal
    town.sell(card, 1000)
    town.insert(card)
    town.journal = elsewhere
    town.sell(card, 500)
    town.insert(card)
    town.journal = own
    for cents in (700, 1000):
        with pytest.raises(
            NotPermittedError, match=r"has that sequence behind it.*journal resolve 2"
        ):
            town.sell(card, cents)
    assert town.credit == 4500
    resolve(town.session(), town.journal)
    assert states(town.journal) == ["confirmed", "confirmed"]
    town.sell(card, 1000)
    town.insert(card)
    assert town.credit == 5500


def test_a_sale_whose_receipt_the_meter_no_longer_keeps_is_proved_by_its_journals_row(
    town: Town, card: Card
) -> None:
    contacts = Contacts(card)
    town.sell(card, 1000)
    contacts.breaks_after = 10
    town.insert(card, contacts)
    assert town.credit == 4000
    other = Journal(town.journal.path.with_name("other.sqlite"))
    own, town.journal = town.journal, other
    for _ in range(17):
        topped_up(town, 100)
    town.journal = own
    town.insert(card)
    with pytest.raises(NotPermittedError, match="behind it"):
        town.sell(card, 1000)
    (ended,) = withdraw_cards(town.session(), town.journal, erased_only=False).entries
    assert (ended.state, ended.receipt) == (EntryState.CONFIRMED, b"")
    town.sell(card, 1000)


def test_a_seventeenth_journal_leaves_an_old_sale_to_a_persons_word(town: Town, card: Card) -> None:
    contacts = Contacts(card)
    town.sell(card, 1000)
    contacts.breaks_after = 10
    town.insert(card, contacts)
    own = town.journal
    for index in range(17):
        town.journal = Journal(own.path.with_name(f"other{index}.sqlite"))
        topped_up(town, 100)
    town.journal = own
    mine = town.journal.open_entries(METER)[0]
    (left,) = resolve(town.session(), town.journal)
    assert (left.entry.state, isinstance(left.error, NotPermittedError)) == (
        EntryState.ON_CARD,
        True,
    )
    with pytest.raises(UnknownOutcomeError, match="no proof of what it took is left"):
        withdraw_cards(town.session(), town.journal, erased_only=False)
    close_by_hand(town.journal, town.journal.entry(mine.id), EntryState.CONFIRMED, town.now)
    town.sell(card, 1000, session=town.session())


def test_an_old_card_and_an_old_meter_refute_no_opening_of_a_new_storage(tmp_path: Path) -> None:
    town = Town(tmp_path, SimulatedNvram())
    old, new = town.formatted(), town.formatted(OTHER)
    town.open(old)
    town.insert(old)
    town.read(old)
    before = town.session()
    town.meter = town.build(SimulatedNvram(), epoch=0xE1)
    town.open(new, again=True)
    town.read(old)
    (left,) = resolve(before, town.journal)
    assert isinstance(left.error, NotPermittedError)
    assert left.entry.state is EntryState.ON_CARD
    assert states(town.journal) == ["confirmed", "on_card"]
    assert outcome(town.insert(new)) is Outcome.ACCEPTED
    assert [entry.epoch for entry in town.read(new)] == [0xE1]
    assert states(town.journal) == ["confirmed", "confirmed"]


def test_what_can_never_be_taken_is_said_to_be_owed(
    town: Town, card: Card, elsewhere: Journal
) -> None:
    town.sell(card, 1000)
    own, town.journal = town.journal, elsewhere
    topped_up(town, 300)
    town.journal = own
    assert outcome(town.insert(card)) is Outcome.SEQUENCE_CONFLICT
    with town.counter(card) as counter:
        card_sales.sell(counter, town.journal, 500)
        assert any("10.00 is owed to the customer" in notice for notice in counter.notices)
    assert [
        (line.amount, line.card) for line in town.journal.audit_lines() if line.what == "owed"
    ] == [(1000, card.state.serial.hex())]


@pytest.mark.parametrize("breaks_after", range(2, 30, 3))
def test_an_interrupted_sale_on_a_new_replacement_still_binds(
    town: Town, card: Card, breaks_after: int
) -> None:
    town.read(card)
    new = replaced(town)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    try:
        town.sell(new, 1000, contacts)
    except (UnknownOutcomeError, NotPermittedError):
        assert len(states(town.journal)) == 2
    except Exception:
        assert len(states(town.journal)) == 1
    if contacts.broke:
        try:
            town.sell(new, 1000)
        except NotPermittedError as whole:
            assert "unconsumed" in str(whole)  # noqa: PT017
    assert error(town.insert(new)) is None
    assert town.credit == 4000


@pytest.mark.parametrize("breaks_after", range(4, 40, 3))
def test_a_torn_replacement_of_an_opening_card_is_finished_as_one(
    town: Town, breaks_after: int
) -> None:
    lost, new = town.formatted(), town.formatted(OTHER)
    town.open(lost)
    contacts = Contacts(new)
    contacts.breaks_after = breaks_after
    with town.counter(new, contacts) as counter:
        try:
            card_issuing.plan_replacement(counter, town.journal, METER).carry_out()
        except Exception:
            assert contacts.broke
    if contacts.broke:
        try:
            town.sell(new, 3000)
        except NotPermittedError as error_:
            told: str | None = str(error_)
        else:
            told = None
        if told is not None:
            replaced_again(town, new)
    assert outcome(town.insert(new)) is Outcome.ACCEPTED
    assert town.credit == 3000


def replaced_again(town: Town, card: Card) -> None:
    with town.counter(card) as counter:
        card_issuing.plan_replacement(counter, town.journal, METER).carry_out()


def test_presets_on_a_replacement_leave_it_one(town: Town, card: Card) -> None:
    town.read(card)
    new = replaced(town)
    with town.counter(new) as counter:
        commands = [(MessageKind.CLEAR_EVENTS, b"")]
        card_issuing.plan_preset(counter, town.journal, commands, town.session()).carry_out()
    inserted = town.insert(new)
    assert (error(inserted), inserted.card_type) == (None, CardType.REPLACEMENT)


def test_a_replacement_never_carries_an_opening_that_was_taken(tmp_path: Path) -> None:
    town = Town(tmp_path, SimulatedNvram())
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.read(card)
    town.meter = town.build(SimulatedNvram(), epoch=0xE1)
    assert error(town.insert(replaced(town))) is InsertionError.REPLACEMENT_CARD_UNOPENED
    assert town.meter.state.account.state == AccountState.UNOPENED


def test_a_bulk_row_whose_key_is_another_customers_is_no_sale_before(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000, reference="k1")
    town.insert(card)
    town.read(card)
    neighbour = town.formatted(OTHER)
    town.open(neighbour, 100, meter=NEIGHBOUR)
    cards = {Path("a"): card, Path("b"): neighbour}

    def sold(name: str) -> Any:
        def opened(file: Path) -> Any:
            if file not in cards:
                raise UsageError(f"card {file}: No such file or directory")
            return town.counter(cards[file])

        (done,) = sell_all([Wanted("k1", Path(name), 1000)], town.journal, opened)
        return done

    assert isinstance(sold("b").error, UsageError)
    assert sold("a").before
    assert sold("gone").before, "its card is with the customer"


def test_a_journal_that_cannot_be_written_after_the_card_leaves_the_outcome_open(
    town: Town, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise UsageError("journal: database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(town.journal, "audit", locked)
        with pytest.raises(UnknownOutcomeError, match="stands in the journal as entry 2"):
            town.sell(card, 1000)
        assert [
            entry.outcome
            for entry in withdraw_cards(town.session(), town.journal, erased_only=False).entries
        ] == ["voided"], "and what is owed is told"


def test_a_sale_refused_by_hand_that_was_taken_gives_way_to_its_proof(
    town: Town, card: Card
) -> None:
    town.sell(card, 1000)
    kept = replaced(town)
    erased(town, kept)
    close_by_hand(town.journal, town.journal.entry(2), EntryState.REFUSED, town.now)
    again = replaced(town, THIRD)
    town.sell(again, 500)
    assert outcome(town.insert(card)) is Outcome.ACCEPTED
    with town.counter(card) as counter:
        standing = counter.read()
        assert standing.back is not None
        counter.settle(town.journal, standing.back)
    assert states(town.journal) == ["confirmed", "confirmed", "refused"]


def test_what_another_program_settled_meanwhile_is_neither_moved_nor_finished(
    town: Town, card: Card
) -> None:
    contacts = Contacts(card)
    contacts.breaks_after = 12
    with pytest.raises(UnknownOutcomeError):
        town.sell(card, 1000, contacts)
    new = town.formatted(OTHER)
    with town.counter(new) as counter, town.counter(card) as here:
        moving = card_issuing.plan_replacement(counter, town.journal, METER)
        finishing = card_sales.plan_sale(here, town.journal, 1000)
        assert withdraw_cards(town.session(), town.journal, erased_only=False).owed == 1000
        for planned in (moving, finishing):
            with pytest.raises(NotPermittedError, match="settled"):
                planned.carry_out()
    assert states(town.journal) == ["confirmed", "refused"]


def test_no_opening_is_sold_for_a_sequence_that_was_voided(town: Town) -> None:
    wrong = town.formatted()
    town.open(wrong, customer="000000009999")
    erased(town, wrong)
    resolve(town.session(), town.journal)
    entry = town.open(wrong)
    assert (entry.epoch, entry.sequence) == (town.meter.state.identity.epoch, 2), (
        "where the meter stands was proved"
    )
    assert outcome(town.insert(wrong)) is Outcome.ACCEPTED
    assert town.credit == 3000


def test_a_wrong_word_blocks_no_account(town: Town, card: Card) -> None:
    town.sell(card, 1000)
    erased(town, card)
    close_by_hand(town.journal, town.journal.entry(2), EntryState.CONFIRMED, town.now)
    topped_up(town, 700)
    assert town.credit == 3700


def test_of_two_lives_the_living_sale_is_replaced(tmp_path: Path) -> None:
    town = Town(tmp_path, SimulatedNvram())
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.sell(card, 1000)
    town.meter = town.build(SimulatedNvram(), epoch=0xE1, opened=True, customer_number=CUSTOMER)
    lost = replaced(town, OTHER, session=town.session())
    town.insert(lost)
    town.sell(lost, 500, session=town.session())
    third = replaced(town, THIRD, session=town.session())
    before = town.credit
    assert outcome(town.insert(third)) is Outcome.ACCEPTED
    assert town.credit == before + 500


def test_a_write_back_of_a_storage_that_is_gone_sells_nothing(tmp_path: Path) -> None:
    town = Town(tmp_path, SimulatedNvram())
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.read(card)
    town.meter = town.build(SimulatedNvram(), epoch=0xE1, opened=True, customer_number=CUSTOMER)
    topped_up(town, 200)
    with pytest.raises(NotPermittedError, match=r"is of epoch 000000e0.*insert the card first"):
        town.sell(card, 100)


def test_a_card_that_opened_a_new_storage_is_the_card_in_use(tmp_path: Path) -> None:
    town = Town(tmp_path, SimulatedNvram())
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.read(card)
    town.now += 60
    town.insert(replaced(town))
    town.now += 60
    town.meter = town.build(SimulatedNvram(), epoch=0xE1)
    third = town.formatted(THIRD)
    town.open(third, again=True)
    town.insert(third)
    town.sell(third, 100)


def test_a_replacement_is_newer_than_the_card_whose_vendors_clock_was_ahead(town: Town) -> None:
    town.now += 600
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.read(card)
    town.now -= 300
    assert error(town.insert(replaced(town))) is None


def test_a_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    (one,) = parse_sales("\ufeffsale, file, amount\nk, c.img, 5.00\n", tmp_path)
    assert one == Wanted("k", tmp_path / "c.img", 500)
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
    town = Town(tmp_path, device)
    card = town.formatted()
    town.open(card)
    town.insert(card)
    town.read(card)
    before = bytes(device.data)
    topped_up(town, 500)
    town.sell(card, 100, session=town.session())
    town.meter = town.build(SimulatedNvram(before))
    assert outcome(town.insert(card)) is Outcome.SEQUENCE_GAP
    with pytest.raises(
        NotPermittedError, match="it stands at sequence 1, sequence 2 was proved earlier"
    ):
        town.sell(card, 100)
