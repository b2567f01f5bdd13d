"""Card images, sales and results of the card attacks."""

from __future__ import annotations

from typing import Any

from firmware_sim.token_carriers.card_slot import Inserted
from meterctl.journal import Entry, Journal
from meterctl.operations.card.erasure import plan_erasure
from meterctl.operations.card.issuing import plan_replacement
from meterctl.operations.credit import execute, plan
from protocols.card.applet import Card
from protocols.card.files import CREDIT_SLOT, CardFile
from protocols.card.memory import BytesMemory, CardState
from protocols.card.write_back import WriteBack, split_write_back
from protocols.data_model.insertion import InsertionError
from protocols.sealed_message import MessageKind, Outcome
from tests.support.setup import METER, OTHER, Setup

NEIGHBOUR = "000000000043"
THIRD = bytes.fromhex("0303030303030303")


def states(journal: Journal) -> list[str]:
    return [entry.state.value for entry in journal.entries() if entry.kind != "void"]


def audited(setup: Setup) -> list[str]:
    return [line.what for line in setup.journal.audit_lines()]


def image(card: Card) -> bytes:
    memory = card._memory._memory
    assert isinstance(memory, BytesMemory)
    return bytes(memory.data)


def card_of(data: bytes, setup: Setup) -> Card:
    return Card(BytesMemory(data), setup.random)


def with_state(card: Card, state: CardState) -> Card:
    """Write any state past all access rules, as an attacker would."""
    card._memory.commit(state)
    return card


def with_credit(card: Card, slot: bytes) -> Card:
    number = int.from_bytes(slot[2:6], "big")
    assert number < 1 << 31
    return with_state(card, card.state.with_file(CardFile.CREDIT, slot + bytes(CREDIT_SLOT)))


def newest_slot(card: Card) -> bytes:
    content = card.state.file(CardFile.CREDIT)
    slots = [content[:CREDIT_SLOT], content[CREDIT_SLOT:]]
    return max(slots, key=lambda slot: int.from_bytes(slot[2:6], "big"))


def back_of(card: Card) -> WriteBack:
    slot = split_write_back(card.state.file(CardFile.RETURN)).newest
    assert slot is not None
    return WriteBack.decode(slot)


def error_of(setup: Setup, card: Card, **how: object) -> InsertionError | None:
    inserted = setup.insert(card, **how)  # type: ignore[arg-type]
    assert inserted.insertion is not None
    return inserted.insertion.error


def outcome(inserted: Inserted) -> Outcome | None:
    assert inserted.insertion is not None
    return inserted.insertion.outcome


def error(inserted: Inserted) -> InsertionError | None:
    assert inserted.insertion is not None
    return inserted.insertion.error


def topped_up(setup: Setup, cents: int) -> Entry:
    session = setup.session()
    return execute(
        session,
        setup.journal,
        plan(session, setup.journal, MessageKind.CREDIT, cents),
    ).entry


def replaced(setup: Setup, serial: bytes = OTHER, **how: Any) -> Card:
    card = setup.formatted(serial)
    with setup.presented(card) as presented:
        plan_replacement(setup.case(presented, **how), METER).carry_out()
    return card


def erased(setup: Setup, card: Card) -> list[str]:
    with setup.presented(card) as presented:
        return [entry.state.value for entry in plan_erasure(presented, setup.journal).carry_out()]
