"""An instruction that the card does not have is answered 6D00 in every class and every life."""

from __future__ import annotations

from random import Random

import pytest

from protocols.card.applet import Card
from protocols.card.issuing import give_keys
from protocols.card.keys import derive_card_keys
from protocols.card.memory import BytesMemory, make_blank
from protocols.card.terminal import Terminal, drive

SERIAL = bytes.fromhex("0011223344556677")


def card(*, issued: bool, selected: bool = True) -> Card:
    """Return a card that is switched on."""
    memory = BytesMemory()
    make_blank(memory, SERIAL)
    made = Card(memory, Random(1).randbytes)
    made.power_on()
    terminal = Terminal(Random(2).randbytes)
    if issued:
        drive(terminal.select(), made.apdu)
        drive(give_keys(terminal, derive_card_keys(bytes(16), SERIAL, 1), 1), made.apdu)
    made.power_on()
    if selected:
        drive(terminal.select(), made.apdu)
    return made


@pytest.mark.parametrize("selected", [True, False])
@pytest.mark.parametrize("issued", [True, False])
@pytest.mark.parametrize("asked", ["80CA006600", "80CA9F7F00", "80F21000024F00", "00CA006600"])
def test_an_unknown_instruction_is_6d00(asked: str, issued: bool, selected: bool) -> None:
    made = card(issued=issued, selected=selected)
    assert made.apdu(bytes.fromhex(asked)).hex() == "6d00"


@pytest.mark.parametrize("asked", ["80D8000110" + "00" * 16, "80440000"])
def test_an_instruction_of_a_blank_card_is_6985_on_an_issued_one(asked: str) -> None:
    assert card(issued=True).apdu(bytes.fromhex(asked)).hex() == "6985"
