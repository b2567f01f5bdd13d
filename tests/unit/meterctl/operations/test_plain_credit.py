"""Credit that came by a plain write is named at the next status, and counted once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from firmware_sim.acceptance.plain import plain_credit
from firmware_sim.hal.nvram import Nvram, SimulatedNvram
from firmware_sim.meter import Meter
from meterctl.errors import NoAnswerError, NotPermittedError, UnknownOutcomeError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.comparison import compare
from meterctl.operations.credit import execute, plan
from meterctl.operations.plain_credit import known_plain_credit
from meterctl.operations.resolution import resolve_entry
from meterctl.operations.status import ask_status
from meterctl.operations.withdrawal import withdraw_cards
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.control import CutPower, ReturnPower
from protocols.keys import derive_meter_keys
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host, make
from tests.support.setup import MASTER, Setup
from tests.support.wire import connect

METER, EPOCH = "000000000042", 0xE0
RING = KeyRing({1: MASTER}, Path("keys.json"))


@pytest.fixture
def meter() -> Meter:
    """Return a meter that takes plain writes."""
    return meter_on(None)


def meter_on(nvram: Nvram | None) -> Meter:
    """Return a meter that takes plain writes, with the storage of a device."""
    keys = {1: derive_meter_keys(MASTER, METER, 1)}
    return make(nvram, serial_number=METER, epoch=EPOCH, keys=keys, unsafe_writes=True)


def session_of(meter: Meter) -> Session:
    """Return a session with a meter."""
    return connect(meter, ring=RING)[0]


def write_credit(meter: Meter, cents: int) -> None:
    """Credit a meter by a plain write."""
    reply = meter.handle(plain_credit(meter.state.account.purchases + 1, cents))
    assert reply is not None
    assert reply.answer is not None
    assert reply.answer.outcome is Outcome.ACCEPTED


def top_up(meter: Meter, journal: Journal, cents: int) -> None:
    """Sell by wire."""
    session = session_of(meter)
    execute(session, journal, plan(session, journal, MessageKind.CREDIT, cents))


def ask(meter: Meter, journal: Journal, *, set_back: bool = False) -> None:
    """Request a status; with `set_back` serve a meter that was set back."""
    session = replace(session_of(meter), set_back=set_back)
    ask_status(session, journal, session.identify())


def told(journal: Journal) -> list[str]:
    """Return the notices since the last call."""
    notices, journal.notices = journal.notices, []
    return notices


def audited(journal: Journal) -> list[int]:
    """Return the amounts of the audit lines of plain credit, 0.01."""
    return [line.amount for line in journal.audit_lines() if line.what == "plain_credit"]


def notice(amount: str) -> str:
    """Return the notice of an amount."""
    return (
        f"meter {METER}: credit of {amount} came by no sealed message: "
        "by a plain write, which its unsafe_writes allow"
    )


def test_a_plain_credit_is_named_at_the_next_top_up_and_only_once(
    meter: Meter, journal: Journal
) -> None:
    top_up(meter, journal, 1000)
    assert told(journal) == []
    write_credit(meter, 3000)
    top_up(meter, journal, 500)
    assert told(journal) == [notice("30.00")]
    top_up(meter, journal, 500)
    ask(meter, journal)
    assert told(journal) == []
    assert audited(journal) == [3000]
    assert known_plain_credit(journal, METER, EPOCH) == 3000
    assert known_plain_credit(journal, METER, EPOCH + 1) == 0


def test_a_plain_credit_before_the_first_contact_is_named(meter: Meter, journal: Journal) -> None:
    write_credit(meter, 1)
    write_credit(meter, 2)
    ask(meter, journal)
    assert told(journal) == [notice("0.03")]


def test_a_plain_credit_between_a_status_and_the_sale_that_it_sealed_is_named_later(
    meter: Meter, journal: Journal
) -> None:
    """The receipt of the sale proves a total that holds it already."""
    top_up(meter, journal, 100)
    session = session_of(meter)
    planned = plan(session, journal, MessageKind.CREDIT, 200)
    deliver = session.driver.deliver

    def late(message: bytes) -> object:
        if meter.state.account.purchases == 1:
            write_credit(meter, 700)
        return deliver(message)

    session.driver.deliver = late  # type: ignore[method-assign, assignment]
    execute(session, journal, planned)
    assert told(journal) == []
    ask(meter, journal)
    assert told(journal) == [notice("7.00")]


def test_a_sale_whose_receipt_was_lost_is_no_plain_credit(meter: Meter, journal: Journal) -> None:
    top_up(meter, journal, 100)
    session = session_of(meter)
    planned = plan(session, journal, MessageKind.CREDIT, 200)
    deliver = session.driver.deliver

    def torn(message: bytes) -> object:
        deliver(message)
        write_credit(meter, 900)
        meter.handle(CutPower())
        raise NoAnswerError("no power")

    session.driver.deliver = torn  # type: ignore[method-assign, assignment]
    with pytest.raises(UnknownOutcomeError):
        execute(session, journal, planned)
    (entry,) = journal.open_entries(METER)
    meter.handle(ReturnPower())
    session = session_of(meter)
    resolve_entry(session, journal, session.identify(), entry)
    assert told(journal) == [notice("9.00")]
    ask(meter, journal)
    assert told(journal) == []


def test_messages_that_are_no_purchase_are_none(meter: Meter, journal: Journal) -> None:
    top_up(meter, journal, 1000)
    session = session_of(meter)
    execute(session, journal, plan(session, journal, MessageKind.REFUND, 300))
    execute(session, journal, plan(session, journal, MessageKind.DEBT, 300))
    ask(meter, journal)
    assert told(journal) == []


def test_where_another_journal_sold_nothing_is_said_until_the_totals_are_known_again(
    meter: Meter, journal: Journal
) -> None:
    top_up(meter, journal, 1000)
    Host(meter, derive_meter_keys(MASTER, METER, 1)).send(MessageKind.CREDIT, amount=700)
    write_credit(meter, 300)
    ask(meter, journal)
    assert told(journal) == []
    write_credit(meter, 400)
    top_up(meter, journal, 100)
    assert told(journal) == [notice("4.00")]


def test_an_open_sale_of_before_the_last_proof_does_not_stand_for_another_journals_later_one(
    tmp_path: Path,
) -> None:
    """A card took it; its write-back has not come home, and others sold before and after."""
    setup = Setup(tmp_path, unsafe_writes=True)
    other = Host(setup.meter, derive_meter_keys(MASTER, METER, 1))
    card = opened(setup)
    other.send(MessageKind.VOID)
    session = setup.session()
    setup.sell(card, 1000, session=session)
    setup.insert(card)
    other.send(MessageKind.VOID)
    ask_status(session, setup.journal, session.identify())
    other.send(MessageKind.CREDIT, amount=6235)
    ask_status(session, setup.journal, session.identify())
    assert audited(setup.journal) == []


def test_a_meter_that_was_served_after_a_set_back_begins_again(
    meter: Meter, journal: Journal
) -> None:
    write_credit(meter, 300)
    ask(meter, journal)
    assert told(journal) == [notice("3.00")]
    journal.proofs.begin_again(METER, EPOCH, journal.last_id())
    ask(meter, journal)
    assert told(journal) == []
    write_credit(meter, 200)
    ask(meter, journal)
    assert told(journal) == [notice("2.00")]


@pytest.mark.parametrize("seed", range(6))
def test_the_plain_credit_that_is_named_is_the_plain_credit_that_was_written(
    meter: Meter, journal: Journal, seed: int
) -> None:
    rng, written = Random(f"plain/{seed}"), 0
    for _ in range(8):
        cents = rng.randrange(1, 2000)
        if rng.random() < 0.5:
            write_credit(meter, cents)
            written += cents
        else:
            top_up(meter, journal, cents)
    ask(meter, journal)
    assert sum(audited(journal)) == known_plain_credit(journal, METER, EPOCH) == written
    assert len(audited(journal)) <= len(told(journal)) + 1


# ---- storages that were set back


def unexplained(journal: Journal) -> list[int]:
    """Return the amounts of the audit lines of credit that other sales may have brought, 0.01."""
    return [line.amount for line in journal.audit_lines() if line.what == "unexplained_credit"]


def other_host(meter: Meter) -> Host:
    """Return a seller with another journal."""
    return Host(meter, derive_meter_keys(MASTER, METER, 1))


def set_back_by_others(journal: Journal) -> Meter:
    """Return a meter whose storage was set back, which the journal refused, and has caught up.

    The journal's own sale, its sequence 3, came again behind another sale of 9.00 in place of 1.00.
    """
    device = SimulatedNvram()
    meter = meter_on(device)
    top_up(meter, journal, 100)
    image = bytes(device.data)
    other_host(meter).send(MessageKind.CREDIT, amount=100)
    top_up(meter, journal, 500)
    back = meter_on(SimulatedNvram(image))
    with pytest.raises(NotPermittedError, match="set back"):
        ask(back, journal)
    other_host(back).send(MessageKind.CREDIT, amount=900)
    assert other_host(back).deliver(journal.entries()[-1].message).outcome is Outcome.ACCEPTED
    return back


def test_sales_of_others_after_a_set_back_that_was_refused_are_no_plain_credit(
    journal: Journal,
) -> None:
    meter = set_back_by_others(journal)
    ask(meter, journal)
    assert (audited(journal), unexplained(journal)) == ([], [800])
    assert told(journal) == [
        f"meter {METER}: credit of 8.00 is in no entry of this journal; the storage was set back, "
        "so that other sales may have brought it"
    ]


def test_plain_credit_is_named_again_from_the_first_status_behind_a_set_back(
    journal: Journal,
) -> None:
    meter = set_back_by_others(journal)
    ask(meter, journal)
    write_credit(meter, 200)
    top_up(meter, journal, 100)
    ask(meter, journal)
    assert (audited(journal), unexplained(journal)) == ([200], [800])


def test_the_rest_of_a_whole_journal_is_told_once_behind_a_set_back(journal: Journal) -> None:
    """The journal holds every sequence, but one of them of the former storage."""
    device = SimulatedNvram()
    meter = meter_on(device)
    image = bytes(device.data)
    top_up(meter, journal, 100)
    top_up(meter, journal, 500)
    back = meter_on(SimulatedNvram(image))
    with pytest.raises(NotPermittedError, match="set back"):
        ask(back, journal)
    other_host(back).send(MessageKind.CREDIT, amount=700)
    other_host(back).deliver(journal.entries()[-1].message)
    ask(back, journal)
    ask(back, journal)
    assert (audited(journal), unexplained(journal)) == ([], [600])


def test_plain_credit_is_named_after_a_set_back_that_was_served(journal: Journal) -> None:
    device = SimulatedNvram()
    meter = meter_on(device)
    image = bytes(device.data)
    top_up(meter, journal, 100)
    back = meter_on(SimulatedNvram(image))
    ask(back, journal, set_back=True)
    write_credit(back, 200)
    top_up(back, journal, 100)
    assert (audited(journal), unexplained(journal)) == ([200], [])


@pytest.mark.parametrize(
    ("card", "detail", "named"),
    [
        ("0000000000420001", "its energy went back: it was set back, or the card is cloned", []),
        ("", "epoch 000000e1: its energy went back: its storage was set back", [200]),
        ("", "epoch 000000e0: its energy went back: its storage was set back", []),
        ("0000000000420001", "it has taken 2.00 in all, the journal has sold it 1.00", [200]),
    ],
)
def test_a_card_that_shows_a_set_back_is_a_sign_of_it_and_another_epoch_is_none(
    meter: Meter, journal: Journal, card: str, detail: str, named: list[int]
) -> None:
    top_up(meter, journal, 100)
    journal.audit("mismatch" if card else "set_back", 1, meter=METER, card=card, detail=detail)
    write_credit(meter, 200)
    ask(meter, journal)
    assert audited(journal) == named
    assert unexplained(journal) == ([] if named else [200])


def test_two_proved_entries_of_one_sequence_do_not_stand_for_a_sale_of_another_journal(
    meter: Meter, journal: Journal
) -> None:
    top_up(meter, journal, 100)
    former = journal.prepare(METER, EPOCH, 2, "credit", 50, b"former", 1)
    journal.settle(former, EntryEvent.CLOSED_AS_REFUSED, 1)
    top_up(meter, journal, 100)
    journal.settle(former, EntryEvent.RECEIPT, 1)
    other_host(meter).send(MessageKind.CREDIT, amount=700)
    ask(meter, journal)
    assert audited(journal) == unexplained(journal) == []
    write_credit(meter, 300)
    ask(meter, journal)
    assert audited(journal) == [300], "since the last proof each sequence occurs once"


def test_a_program_that_ends_while_it_names_plain_credit_has_not_lost_it(
    meter: Meter, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_host(meter).send(MessageKind.CREDIT, amount=700)
    ask(meter, journal)
    write_credit(meter, 300)
    with monkeypatch.context() as patched:
        patched.setattr(journal, "audit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ask(meter, journal)
    ask(meter, journal)
    assert audited(journal) == [300]


# ---- cards


def test_a_card_is_refused_until_a_status_has_named_the_plain_credit(tmp_path: Path) -> None:
    setup = Setup(tmp_path, unsafe_writes=True)
    card = opened(setup)
    write_credit(setup.meter, 5000)
    setup.sell(card, 1000)
    setup.insert(card)
    with pytest.raises(NotPermittedError, match=r"taken 90\.00 in all, .* has sold it 40\.00"):
        setup.sell(card, 200)
    session = setup.session()
    ask_status(session, setup.journal, session.identify())
    assert audited(setup.journal) == [5000]
    setup.sell(card, 200)
    setup.insert(card)
    setup.read(card)
    assert setup.credit == 9200


def test_a_write_back_from_before_a_plain_credit_does_not_have_it_named_again(
    tmp_path: Path,
) -> None:
    """Meter time stands still, so that its time tells nothing about the order."""
    setup = Setup(tmp_path, unsafe_writes=True)
    card = opened(setup)
    Host(setup.meter, derive_meter_keys(MASTER, METER, 1)).send(MessageKind.VOID)
    setup.insert(card)
    session = setup.session()
    ask_status(session, setup.journal, session.identify())
    write_credit(setup.meter, 500)
    ask_status(session, setup.journal, session.identify())
    setup.read(card)
    ask_status(session, setup.journal, session.identify())
    assert audited(setup.journal) == [500]


def sold_by_both(tmp_path: Path) -> tuple[Setup, Card]:
    """Return a vending point that has a proof of its meter, behind a sale of another one."""
    setup = Setup(tmp_path, unsafe_writes=True)
    card = opened(setup)
    other_host(setup.meter).send(MessageKind.CREDIT, amount=400)
    top_up(setup.meter, setup.journal, 100)
    return setup, card


def test_a_card_with_every_message_since_the_last_proof_is_refused_until_a_status(
    tmp_path: Path,
) -> None:
    """Another journal sold before that proof, so that this one does not hold all."""
    setup, card = sold_by_both(tmp_path)
    write_credit(setup.meter, 5000)
    setup.sell(card, 300)
    setup.insert(card)
    for _ in range(2):
        with pytest.raises(
            NotPermittedError, match=r"it has taken 50\.00 more than the journal has sold it"
        ):
            setup.read(card)
    ask(setup.meter, setup.journal)
    ask(setup.meter, setup.journal)
    assert told(setup.journal) == [notice("50.00")]
    setup.read(card)
    assert audited(setup.journal) == [5000]


def test_the_amount_of_unknown_transfers_is_said_as_the_most_that_it_can_be(
    tmp_path: Path,
) -> None:
    setup, card = sold_by_both(tmp_path)
    other_host(setup.meter).send(MessageKind.CREDIT, amount=200)
    write_credit(setup.meter, 5000)
    setup.insert(card)
    with setup.presented(card) as presented:
        compare(setup.case(presented))
        assert "2 transfers that this journal does not know, at most 56.00" in presented.notices[0]


def test_an_amount_of_nothing_is_proved(tmp_path: Path) -> None:
    setup = Setup(tmp_path, unsafe_writes=True)
    card = opened(setup)
    other_host(setup.meter).send(MessageKind.VOID)
    setup.insert(card)
    with setup.presented(card) as presented:
        compare(setup.case(presented))
        assert "1 transfers that this journal does not know, 0.00 in all" in presented.notices[0]


def test_a_write_back_from_before_a_plain_credit_is_no_mismatch_of_a_whole_journal(
    tmp_path: Path,
) -> None:
    setup = Setup(tmp_path, unsafe_writes=True)
    card = opened(setup)
    top_up(setup.meter, setup.journal, 100)
    write_credit(setup.meter, 500)
    ask(setup.meter, setup.journal)
    setup.insert(card)
    write_credit(setup.meter, 200)
    ask(setup.meter, setup.journal)
    setup.read(card)
    assert audited(setup.journal) == [500, 200]


def test_what_was_named_later_is_not_taken_from_the_transfers_of_a_former_write_back(
    tmp_path: Path,
) -> None:
    setup, card = sold_by_both(tmp_path)
    ask(setup.meter, setup.journal)
    setup.insert(card)
    write_credit(setup.meter, 300)
    ask(setup.meter, setup.journal)
    with setup.presented(card) as presented:
        compare(setup.case(presented))
        assert "at most 4.00 in all" in presented.notices[0]


def lost(meter: Meter, journal: Journal, cents: int) -> Entry:
    """Sell by wire to a meter that loses its power before it answers; return the open entry."""
    session = session_of(meter)
    planned = plan(session, journal, MessageKind.CREDIT, cents)
    lose_power_behind_a_delivery(meter, session)
    with pytest.raises(UnknownOutcomeError):
        execute(session, journal, planned)
    meter.handle(ReturnPower())
    (entry,) = journal.open_entries(METER)
    return entry


def lose_power_behind_a_delivery(meter: Meter, session: Session) -> None:
    """Let a meter take the next message of a session and lose its power."""
    deliver = session.driver.deliver

    def torn(message: bytes) -> object:
        deliver(message)
        meter.handle(CutPower())
        raise NoAnswerError("no power")

    session.driver.deliver = torn  # type: ignore[method-assign, assignment]


def test_a_void_without_an_answer_is_a_message_of_this_journal(tmp_path: Path) -> None:
    setup, card = sold_by_both(tmp_path)
    setup.sell(card, 300)
    write_credit(setup.meter, 700)
    session = setup.session()
    lose_power_behind_a_delivery(setup.meter, session)
    with pytest.raises(UnknownOutcomeError):
        withdraw_cards(session, setup.journal, erased_only=False)
    setup.meter.handle(ReturnPower())
    write_credit(setup.meter, 900)
    ask(setup.meter, setup.journal)
    assert sum(audited(setup.journal)) == 1600


def test_a_write_back_behind_an_open_sale_does_not_hide_plain_credit(tmp_path: Path) -> None:
    setup, card = sold_by_both(tmp_path)
    write_credit(setup.meter, 5000)
    ask(setup.meter, setup.journal)
    assert told(setup.journal) == [notice("50.00")]
    entry = lost(setup.meter, setup.journal, 300)
    write_credit(setup.meter, 700)
    setup.insert(card)
    with setup.presented(card) as presented:
        compare(setup.case(presented))
        assert f"or they are entry {entry.id}, which is not proved yet" in presented.notices[0]
    ask(setup.meter, setup.journal)
    assert told(setup.journal) == [notice("7.00")]


def test_a_card_is_served_after_a_status_has_told_an_unexplained_rest(tmp_path: Path) -> None:
    """The journal holds every sequence, but one of them of the storage as it was before."""
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = opened(setup)
    image = bytes(device.data)
    top_up(setup.meter, setup.journal, 100)
    top_up(setup.meter, setup.journal, 500)
    setup.meter = setup.build(SimulatedNvram(image))
    with pytest.raises(NotPermittedError, match="set back"):
        ask(setup.meter, setup.journal)
    other_host(setup.meter).send(MessageKind.CREDIT, amount=700)
    other_host(setup.meter).deliver(setup.journal.entries()[-1].message)
    ask(setup.meter, setup.journal)
    assert unexplained(setup.journal) == [600]
    setup.insert(card)
    setup.read(card)


def opened(setup: Setup) -> Card:
    """Return the card with which the account was opened."""
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    return card
