"""A meter whose storage was set back is detected, and served only on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.hal.nvram import Nvram, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from meterctl.errors import NotPermittedError
from meterctl.journal import EntryState, Journal
from meterctl.operations.resolution import resolve
from meterctl.operations.status import ask_status
from meterctl.operations.withdrawal import withdraw_cards
from protocols.quantities import HOUR
from protocols.sealed_message import MessageKind, Outcome
from tests.attacks.cards import outcome, states, topped_up
from tests.attacks.wires import command, credit, make, session_of, top_up
from tests.support.meters import Host
from tests.support.setup import Setup


def burning(nvram: Nvram | None) -> Meter:
    return make(nvram, load=Load.constant((1_000_000,)))


def test_a_storage_set_back_and_fed_the_same_bytes_is_named(journal: Journal) -> None:
    """A top-up of 50.00, an hour of energy, the old state file, the same bytes again."""
    device = SimulatedNvram()
    meter = burning(device)
    before = bytes(device.data)
    session = session_of(meter)
    entry = top_up(session, journal)
    meter.advance(5 * HOUR)
    meter.save()
    back = burning(SimulatedNvram(before))
    back.advance(1)
    assert Host(back).deliver(entry.message).outcome is Outcome.ACCEPTED
    with pytest.raises(
        NotPermittedError,
        match=r"accepted at another instant: its storage was set back, or .* clone",
    ):
        top_up(session_of(back), journal, 100)
    assert [line.what for line in journal.audit_lines()] == ["set_back"]
    served = session_of(back, set_back=True)
    assert top_up(served, journal, 100).sequence == 2
    assert top_up(session_of(back), journal, 100).sequence == 3, "the proved values restarted"
    assert [line.what for line in journal.audit_lines()] == ["set_back", "set_back_served"]


@pytest.mark.parametrize("what", ["energy", "elapsed_ms"])
def test_totals_that_went_back_are_named_at_the_same_sequence(journal: Journal, what: str) -> None:
    device = SimulatedNvram()
    meter = burning(device) if what == "energy" else make(device)
    session = session_of(meter)
    top_up(session, journal)
    before = bytes(device.data)
    meter.advance(5 * HOUR)
    meter.save()
    command(session, journal, MessageKind.CLEAR_TAMPER, b"")
    again = burning(SimulatedNvram(before)) if what == "energy" else make(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="went back from"):
        top_up(session_of(again), journal)


def test_a_set_back_meter_takes_its_sequences_again_only_knowingly(journal: Journal) -> None:
    device = SimulatedNvram()
    meter = make(device)
    before = bytes(device.data)
    session = session_of(meter)
    first = top_up(session, journal)
    back = make(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="credit sequence went back from 1 to 0"):
        top_up(session_of(back), journal)
    again = top_up(session_of(back, set_back=True), journal, 700)
    assert (again.sequence, again.id) == (first.sequence, first.id + 1)
    assert credit(back) == 700


def test_a_kill_after_a_status_is_no_accusation(journal: Journal) -> None:
    """A status proves only committed values: SIGKILL and a restart do not contradict it."""
    device = SimulatedNvram()
    meter = burning(device)
    session = session_of(meter)
    top_up(session, journal)
    meter.advance(HOUR // 8)
    status = ask_status(session, journal, session.identify()).status
    assert (status.elapsed_ms, status.committed_elapsed) == (HOUR // 8, 0)
    again = burning(device.power_cycle(lambda _: False))
    assert again.state.elapsed_ms == 0
    assert top_up(session_of(again), journal, 100).state is EntryState.CONFIRMED
    assert journal.audit_lines() == []


def test_row_12_a_meter_that_was_set_back_is_named_at_the_next_write_back(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device, load=Load.constant((1_000_000,)))
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    dump = bytes(device.data)
    setup.meter.advance(HOUR)
    setup.sell(card, 1000)
    setup.insert(card)
    setup.sell(card, 500)  # the write-back of the sale before was read and agreed
    setup.meter = setup.build(SimulatedNvram(dump))
    inserted = setup.insert(card)
    assert inserted.display == "Err-34", "the count is two ahead"
    with pytest.raises(NotPermittedError, match="set back"):
        setup.sell(card, 500)
    assert [line.what for line in setup.journal.audit_lines()][-1] == "mismatch"


def test_a_voided_sale_that_a_set_back_meter_took_is_named(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    before = bytes(device.data)
    withdraw_cards(setup.session(), setup.journal, erased_only=False)
    setup.meter = setup.build(SimulatedNvram(before))
    assert outcome(setup.insert(card)) is Outcome.ACCEPTED
    with pytest.raises(NotPermittedError, match="which was voided"):
        setup.sell(card, 100)


def test_no_void_spends_a_sequence_that_was_proved(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.sell(card, 1000)
    before = bytes(device.data)
    setup.insert(card)
    setup.read(card)
    setup.sell(card, 2000)
    setup.meter = setup.build(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="set back"):
        withdraw_cards(setup.session(), setup.journal, erased_only=False)
    (resolved,) = resolve(setup.session(), setup.journal)
    assert resolved.entry.state is EntryState.ON_CARD
    assert setup.meter.state.security.credit_sequence == 1, "nothing was voided"
    assert states(setup.journal) == ["confirmed", "confirmed", "on_card"]


def test_a_meter_on_a_port_that_was_set_back_gets_no_card_sale(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    setup.insert(card)
    setup.read(card)
    before = bytes(device.data)
    topped_up(setup, 500)
    setup.meter = setup.build(SimulatedNvram(before))
    with pytest.raises(NotPermittedError, match="set back"):
        setup.sell(card, 100, session=setup.session())


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
