"""A receipt proves by its own seal alone: right meter, class, and a key version that may prove."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.receipts import verified_receipt
from protocols.keys import MessageClass, derive_meter_keys
from protocols.sealed_message import MessageKind, Receipt
from tests.support.cards import flips

METER, OTHER = "000000000042", "000000000043"
MASTER = bytes(range(16))
RING = KeyRing({1: MASTER, 2: MASTER}, Path("keys.json"))
RECEIPT = Receipt(
    MessageKind.CREDIT, METER, 0xE0, 5, 100, b"code", 77, 0, 0, 0, 0, 900, 0, key_version=1
)
CREDIT, COMMAND = MessageClass.CREDIT, MessageClass.COMMAND


def sealed(receipt: Receipt = RECEIPT, under: MessageClass = CREDIT) -> bytes:
    keys = derive_meter_keys(MASTER, receipt.serial_number, receipt.key_version)
    return receipt.seal(keys.key(under))


def test_a_genuine_receipt_is_returned_and_raises_the_floor(journal: Journal) -> None:
    later = replace(RECEIPT, key_version=2)
    assert verified_receipt(RING, journal, sealed(later), METER, CREDIT) == later
    assert journal.proofs.floor(METER) == 2


def test_a_receipt_of_a_command_is_sealed_by_the_other_key(journal: Journal) -> None:
    receipt = replace(RECEIPT, kind=MessageKind.LIMITS)
    assert verified_receipt(RING, journal, sealed(receipt, COMMAND), METER, COMMAND) == receipt
    assert verified_receipt(RING, journal, sealed(receipt), METER, COMMAND) is None


@pytest.mark.parametrize(
    ("data", "message_class"),
    [
        (b"", CREDIT),
        (b"x" * Receipt.SIZE, CREDIT),
        (sealed()[:-1], CREDIT),
        (sealed(replace(RECEIPT, serial_number=OTHER)), CREDIT),
        (sealed(replace(RECEIPT, key_version=3)), CREDIT),
        (sealed(under=COMMAND), CREDIT),
        (sealed(under=COMMAND), COMMAND),
        (sealed(), COMMAND),
    ],
)
def test_anything_else_is_no_receipt(
    journal: Journal, data: bytes, message_class: MessageClass
) -> None:
    assert verified_receipt(RING, journal, data, METER, message_class) is None
    assert journal.proofs.floor(METER) == 0


def test_no_flipped_bit_proves(journal: Journal) -> None:
    changed = flips(sealed())[::7]
    assert {verified_receipt(RING, journal, data, METER, CREDIT) for data in changed} == {None}


def test_a_version_below_the_floor_or_retired_proves_nothing(journal: Journal) -> None:
    retired = replace(RING, retired=frozenset({1}))
    assert verified_receipt(retired, journal, sealed(), METER, CREDIT) is None
    assert verified_receipt(RING, journal, sealed(), METER, CREDIT) is not None
    journal.proofs.raise_floor(METER, 2)
    assert verified_receipt(RING, journal, sealed(), METER, CREDIT) is None
