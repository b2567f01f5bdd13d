"""Removal of a card: between two commands or during one, its program ended or killed."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firmware_sim.hosting.cards.card_file import open_card
from firmware_sim.hosting.cards.pcsc import connector
from firmware_sim.hosting.errors import HostingError
from protocols.errors import CardGoneError
from tests.pcsc import cards
from tests.pcsc.contacts import connected, wait_for_card
from tests.pcsc.stack import READERS, Pcscd
from tests.pcsc.test_clients import FCI, GET_CHALLENGE, SELECT
from tests.support.programs import meter_sim

HOW = pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)], ids=["SIGINT", "SIGKILL"]
)
REMOVED_CARD = 0x80100069
ANSWER_S = 10


@pytest.fixture(autouse=True)
def _nothing_outlives_pcscd(pcscd: Pcscd) -> Iterator[None]:
    """Close connections that only a traceback holds while pcscd still runs.

    Without pcscd pyscard's destructors raise.
    """
    yield
    gc.collect()


@HOW
def test_a_card_that_was_pulled_is_gone_and_its_handle_stays_dead_when_it_comes_back(
    card_file: Path, how: signal.Signals, code: int
) -> None:
    from smartcard.Exceptions import CardConnectionException, NoCardException

    with cards.serving(card_file) as served, connected(READERS[0]) as contacts:
        assert contacts(SELECT) == f"{FCI} 90 00"
        assert served.pull(how) == code
        with pytest.raises(CardConnectionException) as gone:
            contacts(GET_CHALLENGE)
        assert gone.value.hresult & 0xFFFF_FFFF == REMOVED_CARD
        with pytest.raises(NoCardException), connected(READERS[0]):
            pass
        with cards.serving(card_file):
            with pytest.raises(CardConnectionException):
                contacts(SELECT)
            with connected(READERS[0]) as again:
                assert again(GET_CHALLENGE) == "69 85", "nothing is selected after an insertion"
                assert again(SELECT) == f"{FCI} 90 00"


@pytest.mark.parametrize("ours", [False, True], ids=["pyscard", "our slot"])
def test_a_program_killed_in_the_middle_of_a_command_is_a_card_that_is_gone(
    card_file: Path, ours: bool
) -> None:
    from smartcard.Exceptions import CardConnectionException

    with (
        ThreadPoolExecutor(1) as thread,
        cards.serving(card_file) as served,
        connected(READERS[0]) as contacts,
    ):
        _, transmit, give_back = connector(READERS[0])()
        touch, gone = (
            (transmit, CardGoneError) if ours else (contacts.transmit, CardConnectionException)
        )
        assert touch(bytes.fromhex(SELECT)).endswith(b"\x90\x00")
        served.process.send_signal(signal.SIGSTOP)
        asked = thread.submit(touch, bytes.fromhex(GET_CHALLENGE))
        with pytest.raises(TimeoutError):
            asked.result(0.3)
        assert served.pull(signal.SIGKILL) == -9
        with pytest.raises(gone):
            asked.result(ANSWER_S)
        give_back()


def test_of_a_card_pulled_in_the_middle_of_a_command_its_effect_is_unknown(
    card_file: Path,
) -> None:
    """pyscard's result is 0 then: no error of the reader, only no response."""
    from smartcard.Exceptions import CardConnectionException

    def answer(command: bytes) -> bytes | None:
        card.apdu(command)
        return cards.PULLED

    with (
        open_card(card_file) as card,
        cards.ScriptedCard(card) as scripted,
        connected(READERS[0]) as contacts,
    ):
        assert contacts(SELECT) == f"{FCI} 90 00"
        scripted.answer = answer
        with pytest.raises(CardConnectionException) as gone:
            contacts(GET_CHALLENGE)
        assert gone.value.hresult == 0
        wait_for_card(READERS[0], present=False)


def test_our_slot_takes_a_card_that_goes_in_the_middle_of_a_command_for_gone(
    card_file: Path,
) -> None:
    with open_card(card_file) as card, cards.ScriptedCard(card) as scripted:
        _, transmit, give_back = connector(READERS[0])()
        assert transmit(bytes.fromhex(SELECT)).endswith(b"\x90\x00")
        scripted.answer = lambda _: cards.PULLED
        for _ in range(2):
            with pytest.raises(CardGoneError):
                transmit(bytes.fromhex(GET_CHALLENGE))
        wait_for_card(READERS[0], present=False)
        give_back()


def test_an_empty_reader_has_no_card_to_insert(card_file: Path) -> None:
    with pytest.raises(HostingError, match="no card is in it"):
        connector(READERS[0])()
    with cards.serving(card_file):
        assert connector(READERS[0])()[0], "with a card it would have answered"


def test_a_card_that_a_client_is_slow_with_waits_for_its_answer(card_file: Path) -> None:
    let_go = threading.Event()

    def answer(command: bytes) -> bytes | None:
        let_go.wait(ANSWER_S)
        return card.apdu(command)

    with (
        ThreadPoolExecutor(1) as thread,
        open_card(card_file) as card,
        cards.ScriptedCard(card, answer=answer),
        connected(READERS[0]) as contacts,
    ):
        asked = thread.submit(contacts, SELECT)
        with pytest.raises(TimeoutError):
            asked.result(1)
        let_go.set()
        assert asked.result(ANSWER_S) == f"{FCI} 90 00"


def test_a_served_card_says_so_when_the_reader_goes_away(card_file: Path, pcscd: Pcscd) -> None:
    with cards.serving(card_file) as served:
        pcscd.end()
        assert served.process.wait(cards.END_S) == 2
        assert served.process.stderr is not None
        assert "the virtual reader closed the connection" in served.process.stderr.read()


def test_a_card_is_in_one_slot_only_and_without_a_reader_in_none(
    card_file: Path, pcscd: Pcscd
) -> None:
    with cards.serving(card_file):
        refused = meter_sim(
            "card", "serve", card_file.name, "--slot", "1", cwd=card_file.parent, check=2
        )
        assert "another program holds this card" in refused.stderr
    pcscd.end()
    refused = meter_sim("card", "serve", card_file.name, cwd=card_file.parent, check=2)
    assert "is pcscd running with vpcd" in refused.stderr
