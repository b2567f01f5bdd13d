"""PC/SC clients read the simulated card: pyscard, opensc-tool and scriptor, T=0 and T=1."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from firmware_sim.hosting.cards.card_file import open_card
from protocols.card.answer_to_reset import ANSWERS, Transmission
from protocols.card.apdu import StatusWord
from protocols.card.files import APPLICATION, SIZES, CardFile, CardIdentity
from protocols.card.issuing import read_as_vendor
from protocols.card.keys import KeyReference
from protocols.card.terminal import Terminal, drive
from protocols.errors import CardRefusedError
from tests.pcsc import cards
from tests.pcsc.contacts import Contacts, connected
from tests.pcsc.stack import READERS, Pcscd
from tests.support.programs import meter_sim

SELECT = f"00 A4 04 00 06 {APPLICATION.hex(' ').upper()} 00"
GET_CHALLENGE = "00 84 00 00 08"
INFORMATION = "84 06 F0 50 50 43 31 01 85 08 01 02 03 04 05 06 07 08 8A 01 05 90 03 00 00 00"
"""The application's control information: name, serial, issued, three key versions."""
FCI = f"6F {len(bytes.fromhex(INFORMATION)):02X} {INFORMATION}"
CLIENT_S = 20


def run(*words: str | Path) -> str:
    """Run an independent client; return its output."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=CLIENT_S,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


opensc = pytest.mark.skipif(
    shutil.which("opensc-tool") is None, reason="opensc-tool is not installed (package opensc)"
)
scriptor = pytest.mark.skipif(
    shutil.which("scriptor") is None, reason="scriptor is not installed (package pcsc-tools)"
)


def test_both_slots_are_readers_and_a_card_is_in_the_one_it_was_put_into(card_file: Path) -> None:
    from smartcard.Exceptions import NoCardException
    from smartcard.System import readers

    assert tuple(map(str, readers())) == READERS
    with cards.serving(card_file, slot=1):
        with connected(READERS[1]) as contacts:
            assert contacts.answer_to_reset == ANSWERS[Transmission.T1]
            assert contacts(SELECT) == f"{FCI} 90 00"
        with pytest.raises(NoCardException), connected(READERS[0]):
            pass


def test_a_blank_card_of_the_program_becomes_an_issued_and_sold_one_over_the_reader(
    tmp_path: Path, transmission: Transmission
) -> None:
    words = [
        "new",
        "card.ppc",
        "--card-serial",
        cards.SERIAL.hex(),
        "--transmission",
        f"T={transmission.value}",
    ]
    meter_sim("card", *words, cwd=tmp_path)
    with cards.serving(tmp_path / "card.ppc"), connected(READERS[0]) as contacts:
        cards.issue(contacts.transmit)
        cards.sell_opening(contacts.transmit)
    with open_card(tmp_path / "card.ppc") as card:
        card.power_on()
        terminal = Terminal(os.urandom)
        assert drive(terminal.select(), card.apdu).issued
        contents = drive(read_as_vendor(terminal, cards.KEYS), card.apdu)
    assert contents.identity == CardIdentity(cards.METER, cards.CUSTOMER, 0)
    assert contents.credit is not None
    assert contents.credit.number == 1


def test_what_a_secured_update_wrote_is_read_back_also_after_the_power_was_off(
    sold_card: Path,
) -> None:
    written = bytes(range(80))
    with cards.holding(sold_card):
        with connected(READERS[0]) as contacts:
            terminal = Terminal(os.urandom)
            assert drive(terminal.select(), contacts.transmit).serial == cards.SERIAL
            drive(
                terminal.authenticate(KeyReference.VENDING, cards.KEYS.vending), contacts.transmit
            )
            before = drive(terminal.read(CardFile.CREDIT, 80, 80), contacts.transmit)
            drive(terminal.update(CardFile.CREDIT, 80, written), contacts.transmit)
            assert (
                drive(terminal.read(CardFile.CREDIT, 80, 80), contacts.transmit)
                == written
                != before
            )
        with connected(READERS[0]) as contacts:
            terminal = Terminal(os.urandom)
            # The power cut ended the selection and the session.
            with pytest.raises(CardRefusedError) as refused:
                drive(terminal.read(CardFile.CREDIT, 80, 80), contacts.transmit)
            assert refused.value.status == StatusWord.CONDITIONS_NOT_SATISFIED
            drive(terminal.select(), contacts.transmit)
            assert drive(terminal.read(CardFile.CREDIT, 80, 80), contacts.transmit) == written
    with open_card(sold_card) as card:
        assert card.state.file(CardFile.CREDIT)[80:] == written


def test_without_the_right_key_nothing_is_written_and_the_tries_outlive_the_power(
    card_file: Path,
) -> None:
    with cards.holding(card_file):
        for left in (7, 6):
            with connected(READERS[0]) as contacts:
                terminal = Terminal(os.urandom)
                drive(terminal.select(), contacts.transmit)
                with pytest.raises(CardRefusedError) as refused:
                    drive(terminal.authenticate(KeyReference.VENDING, bytes(16)), contacts.transmit)
                assert refused.value.status == StatusWord.AUTHENTICATION_FAILED + left
                assert contacts("00 D6 82 00 04 00 00 00 00") == "69 82"
                assert contacts("0C D6 82 00 0C 00 00 00 00 00 00 00 00 00 00 00 00 00") == "69 82"
    with open_card(card_file) as card:
        assert not any(card.state.file(CardFile.CREDIT))
        assert card.state.key(KeyReference.VENDING).tries == 6


def test_on_t0_the_client_sees_61xx_and_fetches_the_response_itself(tmp_path: Path) -> None:
    from smartcard.CardConnection import CardConnection

    with (
        cards.holding(cards.make(tmp_path / "t0.ppc", Transmission.T0)),
        connected(READERS[0]) as contacts,
    ):
        size = len(bytes.fromhex(FCI))
        assert contacts.connection.getProtocol() == CardConnection.T0_protocol
        assert contacts.answer_to_reset == ANSWERS[Transmission.T0]
        assert contacts(SELECT) == f"61 {size:02X}"
        assert contacts("00 C0 00 00 FF") == f"6C {size:02X}"
        assert contacts(f"00 C0 00 00 {size:02X}") == f"{FCI} 90 00"
        assert contacts(f"00 C0 00 00 {size:02X}") == "69 85"
        _assert_length_is_told(contacts)


def test_on_t1_responses_come_whole_and_only_6cxx_is_left_to_the_client(card_file: Path) -> None:
    from smartcard.CardConnection import CardConnection

    with cards.holding(card_file), connected(READERS[0]) as contacts:
        assert contacts.connection.getProtocol() == CardConnection.T1_protocol
        assert contacts(SELECT) == f"{FCI} 90 00"
        _assert_length_is_told(contacts)


def _assert_length_is_told(contacts: Contacts) -> None:
    size = SIZES[CardFile.IDENTITY]
    assert contacts(f"00 B0 81 00 {size + 1:02X}") == f"6C {size:02X}"
    assert contacts(f"00 B0 81 00 {size:02X}").endswith(" 90 00")


def test_two_hundred_commands_wait_for_no_delayed_acknowledgement(card_file: Path) -> None:
    """The driver sends each command in two parts.

    A command takes 49 ms unless the card's socket acknowledges at once.
    """
    with cards.serving(card_file), connected(READERS[0]) as contacts:
        contacts(SELECT)
        began = time.monotonic()
        challenges = {contacts(GET_CHALLENGE) for _ in range(200)}
        took = time.monotonic() - began
    assert len(challenges) == 200
    assert took < 200 * 0.049 / 2


@opensc
def test_opensc_tool_shows_the_answer_to_reset_and_our_application(
    sold_card: Path, transmission: Transmission
) -> None:
    with cards.holding(sold_card):
        answer = run("opensc-tool", "--reader", "0", "--card-driver", "default", "--atr")
        assert answer.strip() == ANSWERS[transmission].hex(":")
        select, read = SELECT.replace(" ", ":"), "00:B0:81:00:20"
        said = run(
            "opensc-tool", "--reader", "0", "--card-driver", "default", "-s", select, "-s", read
        )
    shown = "".join(
        line[: 3 * 16] for line in said.splitlines() if line[:2] != "Se" and line[:2] != "Re"
    )
    assert said.count("Received (SW1=0x90, SW2=0x00)") == 2, said
    identity = CardIdentity(cards.METER, cards.CUSTOMER, 0).encode()
    assert bytes.fromhex(shown) == bytes.fromhex(FCI) + identity, said


@opensc
def test_the_card_outlives_a_client_that_looks_for_every_card_it_knows(
    sold_card: Path, pcscd: Pcscd
) -> None:
    with cards.holding(sold_card):
        subprocess.run(
            ["opensc-tool", "--reader", "0", "--name"],
            capture_output=True,
            check=False,
            timeout=CLIENT_S,
            stdin=subprocess.DEVNULL,
        )
        foreign = {
            command[5 : 5 + command[4]]
            for command in pcscd.commands()
            if command[1:3] == b"\xa4\x04"
        }
        assert len(foreign) > 3, "it did not probe: this test holds nothing"
        with connected(READERS[0]) as contacts:
            terminal = Terminal(os.urandom)
            assert drive(terminal.select(), contacts.transmit).serial == cards.SERIAL
            assert drive(read_as_vendor(terminal, cards.KEYS), contacts.transmit).credit is not None


@scriptor
def test_scriptor_plays_a_script_and_prints_the_status_words(
    tmp_path: Path, card_file: Path
) -> None:
    script = tmp_path / "script.apdu"
    wanted = [
        (SELECT, "90 00"), (GET_CHALLENGE, "90 00"), ("00 B0 81 00 20", "90 00"),
        ("00 B0 81 00 21", "6C 20"),
        ("00 B0 86 00 01", "6A 82"), ("00 D6 82 00 01 00", "69 82"),
        ("00 82 00 02 10" + " 00" * 16, "69 84"),
        ("00 FE 00 00", "6D 00"), ("A0 A4 00 00", "6E 00"),
    ]  # fmt: skip
    script.write_text("\n".join(["reset", *(command for command, _ in wanted), ""]))
    with cards.serving(card_file):
        said = run("scriptor", "-r", READERS[0], script)
    reset, *answers = re.split("^< ", said, flags=re.MULTILINE)[1:]
    assert bytes.fromhex(reset.splitlines()[0].removeprefix("OK:")) == ANSWERS[Transmission.T1]
    answers = [" ".join(answer.partition(" : ")[0].split()) for answer in answers]
    assert len(answers) == len(wanted), said
    for (command, status), answer in zip(wanted, answers, strict=True):
        assert answer.endswith(status), f"{command}\n{said}"
    assert answers[0] == f"{FCI} 90 00"
