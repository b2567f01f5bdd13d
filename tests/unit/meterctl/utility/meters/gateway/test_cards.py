"""Cards at a counter: what the journal says of a key that is on a card, moved, erased, settled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.card_readers import CardPort
from meterctl.card_readers.image import create_image
from meterctl.errors import UsageError
from meterctl.utility.meters.gateway import (
    CardPlace,
    Consumption,
    CreditKind,
    Gateway,
    JournalWord,
    MeterPlace,
    Outcome,
    Problem,
)
from protocols.card.applet import Card
from protocols.data_model.items import LOW_CREDIT_1
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, encode_limits
from tests.support.desk_lines import URL, DeskLine, place_of
from tests.support.meters import Host, make
from tests.support.setup import CUSTOMER, METER, OTHER, SERIAL, Contacts, blank, insert_into

ONE, TWO = CardPlace("one"), CardPlace("two")
MAX_CREDIT = 4


class Counter:
    """A counter with two cards, and a meter that was never opened."""

    def __init__(self, folder: Path) -> None:
        self.meter = make(serial_number=METER, opened=False, credit=0, epoch=0xE0)
        self.line = DeskLine(self.meter)
        self.cards = {"one": blank(SERIAL), "two": blank(OTHER)}
        self.contacts: dict[str, Contacts] = {}
        self.gateway: Gateway = self.line.gateway(folder, open_card=self._open)
        self.place: MeterPlace = place_of(self.meter)
        for place in (ONE, TWO):
            assert self.gateway.cards.format(place).is_done

    @contextmanager
    def _open(self, place: CardPlace) -> Iterator[CardPort]:
        card = self.cards[place.reader]
        card.power_on()
        yield CardPort(place.reader, self.contacts.get(place.reader, Contacts(card)), True)
        card.power_off()

    def pulling(self, place: CardPlace, after: int) -> None:
        """Let a card be pulled after so many commands; 0 is never."""
        contacts = self.contacts[place.reader] = Contacts(self.cards[place.reader])
        contacts.breaks_after = after or None

    def open(self, key: str = "O-1", card: CardPlace = ONE, amount: int = 3000) -> Outcome:
        """Sell an opening card."""
        return self.gateway.cards.sell(card, self.place, key, CreditKind.OPEN, amount, CUSTOMER)

    def sell(
        self,
        key: str = "S-1",
        card: CardPlace = ONE,
        amount: int = 1000,
        epoch: int | None = None,
    ) -> Outcome:
        """Sell credit on a card."""
        return self.gateway.cards.sell(
            card, self.place, key, CreditKind.CREDIT, amount, epoch=epoch
        )

    def exchange(self, epoch: int) -> None:
        """Give the meter a new storage, in which its account is open."""
        self.meter = make(serial_number=METER, credit=0, epoch=epoch)
        self.meter.state.account.customer_number = CUSTOMER
        self.line.connect(self.meter)

    def insert(self, card: CardPlace = ONE) -> None:
        """Insert a card in the meter."""
        held: Card = self.cards[card.reader]
        insert_into(self.meter, held, lambda size: bytes(range(size)))

    def begin(self) -> None:
        """Open the account by a card."""
        assert self.open().state is JournalWord.ON_CARD
        self.insert()
        assert self.gateway.cards.present(ONE).problem is Problem.NONE

    @property
    def credit(self) -> int:
        """The meter's credit, 0.01."""
        return self.meter.state.account.credit // CENT


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path)


def test_a_sale_is_on_the_card_until_it_comes_back(counter: Counter) -> None:
    sold = counter.open()
    assert (sold.state, sold.problem) == (JournalWord.ON_CARD, Problem.NONE)
    assert (sold.card, sold.epoch, sold.sequence) == (SERIAL.hex(), 0, 1)
    assert counter.gateway.find("O-1") == sold
    untaken = counter.gateway.cards.present(ONE)
    assert (untaken.consumption, untaken.sale, untaken.back) == (Consumption.UNCONSUMED, sold, None)
    assert (untaken.meter, untaken.customer, untaken.card) == (METER, CUSTOMER, SERIAL.hex())
    counter.insert()
    assert counter.gateway.find("O-1").state is JournalWord.ON_CARD, "it was not seen yet"
    back = counter.gateway.cards.present(ONE)
    (settled,) = back.settled
    assert (settled.key, settled.state, settled.epoch) == ("O-1", JournalWord.CONFIRMED, 0xE0)
    assert settled.effect is not None
    assert settled.effect.credit_after == 30 * LEDGER
    assert (back.consumption, back.sale) == (Consumption.ACCEPTED, settled)
    assert back.back is not None
    assert (back.back.serial, back.back.credit_sequence, back.back.cumulative) == (METER, 1, 3000)
    assert (back.back.account_state, back.back.credit_exact) == (AccountState.OPEN, 30 * LEDGER)
    assert back.back.answered == "accepted"
    assert counter.gateway.cards.present(ONE).settled == ()


def test_the_same_key_on_the_same_card_is_sold_once(counter: Counter) -> None:
    counter.begin()
    first = counter.sell()
    assert first.state is JournalWord.ON_CARD
    assert counter.sell() == first
    counter.insert()
    counter.insert()
    counter.gateway.cards.present(ONE)
    assert counter.sell().state is JournalWord.CONFIRMED
    assert counter.credit == 4000


def test_a_key_of_another_sale_is_refused(counter: Counter) -> None:
    counter.begin()
    counter.sell()
    with pytest.raises(UsageError, match="the journal has it"):
        counter.sell(amount=1001)
    with pytest.raises(UsageError, match="needs a wire"):
        counter.gateway.cards.sell(ONE, counter.place, "R-1", CreditKind.REFUND, 5)


def test_a_card_that_is_pulled_keeps_its_sale_in_the_journal_and_is_finished(
    counter: Counter,
) -> None:
    counter.begin()
    reached = set()
    for after in range(1, 200):
        counter.pulling(ONE, after)
        outcome = counter.sell()
        reached.add(outcome.state)
        broke = counter.contacts["one"].broke
        assert outcome.problem is (Problem.NO_ANSWER if broke else Problem.NONE)
        if not broke:
            break
    assert reached == {JournalWord.ABSENT, JournalWord.ON_CARD}
    counter.insert()
    counter.pulling(ONE, 0)
    counter.gateway.cards.present(ONE)
    assert counter.gateway.find("S-1").state is JournalWord.CONFIRMED
    assert counter.credit == 4000


def test_an_unconsumed_card_is_in_the_way_of_other_sales(counter: Counter) -> None:
    counter.begin()
    counter.sell("S-1")
    for outcome in (counter.sell("S-2", amount=5), counter.sell("S-2", TWO, 5)):
        assert outcome.state is JournalWord.ABSENT
        assert outcome.problem in (Problem.NOT_PERMITTED, Problem.ENTRY_OPEN)
    with counter.gateway.wire(URL) as wire:
        by_wire = wire.sell(counter.place, "S-3", CreditKind.CREDIT, 5)
        asked = wire.resolve(counter.place, "S-1")
    assert (by_wire.problem, by_wire.in_the_way) == (Problem.ENTRY_OPEN, "S-1")
    assert (asked.state, asked.problem) == (JournalWord.ON_CARD, Problem.NOT_PERMITTED)


def test_a_wire_settles_what_the_meter_took_from_a_card(counter: Counter) -> None:
    counter.begin()
    counter.sell()
    counter.insert()
    with counter.gateway.wire(URL) as wire:
        outcome = wire.resolve(counter.place, "S-1")
    assert (outcome.state, outcome.card) == (JournalWord.CONFIRMED, SERIAL.hex())
    assert outcome.effect is not None


def test_a_card_sale_is_voided_by_wire(counter: Counter) -> None:
    counter.begin()
    counter.sell()
    with counter.gateway.wire(URL) as wire:
        outcome = wire.void(counter.place, "S-1")
    assert (outcome.state, outcome.word) == (JournalWord.REFUSED, "voided")
    counter.insert()
    assert counter.credit == 3000
    assert counter.sell("S-1").state is JournalWord.REFUSED, "its card is not even read"


def test_a_lost_card_is_replaced_and_its_sale_moves(counter: Counter) -> None:
    counter.begin()
    counter.sell()
    done = counter.gateway.cards.replace(TWO, counter.place)
    (moved,) = done.outcomes
    assert (done.is_done, done.card) == (True, OTHER.hex())
    assert (moved.key, moved.state, moved.card) == ("S-1", JournalWord.ON_CARD, OTHER.hex())
    assert counter.gateway.find("S-1") == moved
    counter.insert(TWO)
    assert counter.gateway.cards.present(TWO).settled[0].state is JournalWord.CONFIRMED
    counter.insert(ONE)
    assert counter.credit == 4000, "both cards carried identical bytes"


@pytest.mark.parametrize("was_taken", [True, False])
def test_an_erased_card_leaves_its_sale_unknown_until_a_wire_proves_it(
    counter: Counter, was_taken: bool
) -> None:
    counter.begin()
    counter.sell()
    if was_taken:
        held = counter.cards["one"]
        memory = bytes(held._memory._memory.data)  # type: ignore[attr-defined]
        counter.insert()
        held._memory._memory.data[:] = memory  # type: ignore[attr-defined]
        counter.cards["one"] = Card(held._memory._memory, lambda size: bytes(range(size)))
    done = counter.gateway.cards.erase(ONE)
    (erased,) = done.outcomes
    assert (erased.key, erased.state, erased.word) == ("S-1", JournalWord.UNKNOWN, "erased")
    assert counter.gateway.find("S-1") == erased
    again = counter.sell()
    assert (again.state, again.problem) == (JournalWord.UNKNOWN, Problem.NOT_PERMITTED)
    with counter.gateway.wire(URL) as wire:
        outcome = wire.resolve(counter.place, "S-1")
    expected = JournalWord.CONFIRMED if was_taken else JournalWord.REFUSED
    assert outcome.state is expected
    assert counter.credit == (4000 if was_taken else 3000)


def test_a_card_that_its_meter_has_no_room_for_stays_open(counter: Counter) -> None:
    counter.begin()
    Host(counter.meter).send(
        MessageKind.LIMITS, parameters=encode_limits({MAX_CREDIT: 35 * LEDGER})
    )
    counter.sell()
    counter.insert()
    assert counter.gateway.cards.present(ONE).consumption is Consumption.UNCONSUMED
    assert counter.gateway.find("S-1").state is JournalWord.ON_CARD, "it may be inserted later"
    with counter.gateway.wire(URL) as wire:
        assert wire.void(counter.place, "S-1").state is JournalWord.REFUSED


def test_a_card_that_came_after_another_message_is_refused(counter: Counter) -> None:
    counter.begin()
    counter.sell()
    Host(counter.meter).send(MessageKind.CREDIT, amount=1)
    counter.insert()
    presented = counter.gateway.cards.present(ONE)
    assert presented.consumption is Consumption.REFUSED
    (settled,) = presented.settled
    assert (settled.key, settled.state) == ("S-1", JournalWord.REFUSED)
    assert settled.word == "sequence_conflict"
    assert presented.back is not None
    assert presented.back.answered == "sequence_conflict"
    assert any("is owed to the customer" in notice for notice in presented.notices)


def test_a_card_of_another_meter_and_no_card_are_problems(counter: Counter) -> None:
    counter.begin()
    counter.place = replace(counter.place, serial="000000000043")
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.ANOTHER_METER)
    missing = CardPlace("/nowhere/card.img")
    gateway = Gateway(counter.gateway.journal_path)
    assert gateway.cards.present(missing).problem is Problem.LOCAL
    assert not gateway.cards.erase(missing).is_done


def test_a_meter_that_was_set_back_is_told_by_its_card(counter: Counter) -> None:
    counter.begin()
    counter.sell()
    counter.insert()
    counter.gateway.cards.present(ONE)
    with counter.gateway.journal() as journal:
        (proved,) = journal.proofs.of(METER).values()
    assert proved.sequence == 2
    counter.sell("S-2")
    counter.meter = make(serial_number=METER, credit=0, epoch=0xE0)
    counter.meter.state.account.customer_number = CUSTOMER
    counter.meter.state.security.credit_sequence = 1
    counter.insert()
    presented = counter.gateway.cards.present(ONE)
    assert (presented.problem, presented.card) == (Problem.SET_BACK, SERIAL.hex())
    assert presented.back is not None


def test_nothing_is_written_for_another_storage_than_the_books_know(counter: Counter) -> None:
    counter.begin()
    other = counter.sell(epoch=0xE1)
    assert (other.state, other.problem) == (JournalWord.ABSENT, Problem.EPOCH_CHANGED)
    assert "another storage (epoch 000000e0)" in other.cause
    assert "nothing was written" in other.cause
    assert counter.gateway.cards.present(ONE).consumption is Consumption.ACCEPTED
    assert counter.sell(epoch=0xE0).state is JournalWord.ON_CARD


def test_a_card_from_before_a_new_storage_goes_into_the_meter_first(counter: Counter) -> None:
    counter.begin()
    counter.exchange(0xE1)
    with counter.gateway.wire(URL) as wire:
        assert wire.reading(counter.place).problem is Problem.NONE
    old = counter.sell(epoch=0xE1)
    assert (old.state, old.problem) == (JournalWord.ABSENT, Problem.NOT_PERMITTED)
    assert "insert the card" in old.cause


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_meter_that_was_opened_elsewhere_gets_a_card_that_takes_sales(
    counter: Counter, is_asked: bool
) -> None:
    counter.exchange(0xE1)
    with counter.gateway.wire(URL) as wire:
        assert wire.reading(counter.place).problem is Problem.NONE
        done = counter.gateway.cards.replace(ONE, counter.place, wire=wire if is_asked else None)
    assert (done.is_done, done.outcomes, done.cause) == (True, (), "")
    assert counter.gateway.cards.issued(METER) == SERIAL.hex()
    assert counter.sell(epoch=0xE1).state is JournalWord.ON_CARD
    counter.insert()
    assert counter.gateway.cards.present(ONE).settled[0].state is JournalWord.CONFIRMED
    assert counter.credit == 1000


def test_limits_are_preset_on_a_card_and_its_write_back_tells_of_them(counter: Counter) -> None:
    counter.begin()
    done = counter.gateway.cards.preset(ONE, counter.place, {LOW_CREDIT_1: 1000 * CENT})
    assert (done.is_done, done.sequences) == (True, (1,))
    counter.insert()
    back = counter.gateway.cards.present(ONE).back
    assert back is not None
    assert (back.command_sequence, back.commands) == (1, "accepted")


def test_a_card_is_sold_with_its_meter_on_a_wire(counter: Counter) -> None:
    with counter.gateway.wire(URL) as wire:
        outcome = counter.gateway.cards.sell(
            ONE, counter.place, "O-1", CreditKind.OPEN, 500, CUSTOMER, wire=wire
        )
        assert (outcome.state, outcome.epoch) == (JournalWord.ON_CARD, 0xE0)
    counter.insert()
    assert counter.credit == 500


def test_a_simulated_card_is_in_a_file(tmp_path: Path) -> None:
    create_image(tmp_path / "card.img", SERIAL)
    place = CardPlace(str(tmp_path / "card.img"))
    gateway = Gateway(tmp_path / "journal.sqlite")
    assert gateway.cards.format(place).card == SERIAL.hex()
    sold = gateway.cards.sell(place, MeterPlace(METER, ""), "O-1", CreditKind.OPEN, 0, CUSTOMER)
    assert sold.state is JournalWord.ON_CARD
