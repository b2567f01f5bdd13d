"""Messages sealed from a proved meter: sequences, origins, expiry, open entries (METER.md 8)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterctl.errors import NotPermittedError, RefusedError, UsageError
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.sealing import (
    command_message,
    credit_message,
    enter,
    host_second,
    on_card_text,
    opening_for_any_epoch,
    require_account,
    require_key_version,
    require_nothing_open,
    void_message,
    voiding_command,
)
from meterctl.operations.status import ProvedMeter
from protocols.data_model.words import AccountState
from protocols.keys import derive_meter_keys
from protocols.sealed_message import (
    LAST_SECOND,
    LAST_SEQUENCE,
    MessageKind,
    Origin,
    SealedMessage,
    verify,
)

METER, EPOCH, NOW = "000000000042", 0xE0, 1_767_225_600
MASTER = bytes(range(16))
RING = KeyRing({2: MASTER}, Path("keys.json"))
PROVED = ProvedMeter(METER, EPOCH, 6, 3, AccountState.OPEN, 156, "000000001001", 2, 5_999)
ORIGIN = Origin(7, 8)


def prepare(journal: Journal, **changed: Any) -> Entry:
    """Enter a sale of 9.00 at sequence 7 under key version 1."""
    fields: dict[str, Any] = {
        "meter": METER, "epoch": EPOCH, "sequence": 7, "kind": "credit", "amount": 900, "now": 0,
        "message": b"\2\1",
    } | changed  # fmt: skip
    return journal.prepare(**fields)


@pytest.mark.parametrize(
    ("now", "second"), [(-1, 0), (0, 0), (NOW, NOW), (LAST_SECOND + 1, LAST_SECOND)]
)
def test_an_issue_instant_is_held_to_its_field(now: int, second: int) -> None:
    assert host_second(now) == second


def test_a_credit_message_takes_every_value_from_the_proved_meter(journal: Journal) -> None:
    message = credit_message(journal, PROVED, MessageKind.CREDIT, 900, NOW)
    assert message == SealedMessage(
        MessageKind.CREDIT,
        METER,
        EPOCH,
        7,
        900,
        156,
        "000000001001",
        NOW,
        key_version=2,
        origin=message.origin,
    )
    assert message.origin.journal == journal.numbers.current


def test_two_messages_never_have_the_same_mark(journal: Journal) -> None:
    marks = {
        credit_message(journal, PROVED, MessageKind.CREDIT, 900, NOW).origin.mark for _ in range(9)
    }
    assert len(marks) == 9
    assert 0 not in marks


def test_an_opening_names_the_new_customer(journal: Journal) -> None:
    message = credit_message(journal, PROVED, MessageKind.OPEN, 0, NOW, "000000009999")
    assert message.customer_number == "000000009999"


def test_an_opening_for_a_meter_that_was_never_read_is_epoch_0_sequence_1(
    journal: Journal,
) -> None:
    message = opening_for_any_epoch(journal, METER, 900, 978, "000000001001", 2, NOW)
    assert (message.kind, message.epoch, message.sequence) == (MessageKind.OPEN, 0, 1)
    assert (message.account_unit, message.key_version) == (978, 2)


def test_a_void_has_no_amount_and_the_sequence_that_it_spends(journal: Journal) -> None:
    message = void_message(journal, PROVED, 9, NOW)
    assert (message.kind, message.sequence, message.amount) == (MessageKind.VOID, 9, 0)


@pytest.mark.parametrize(
    ("lives_s", "expires_at"), [(None, 0), (0, 5), (300, 305), (LAST_SECOND, LAST_SECOND)]
)
def test_a_command_expires_by_the_elapsed_time_of_the_status(
    lives_s: int | None, expires_at: int
) -> None:
    message = command_message(ORIGIN, PROVED, MessageKind.CLEAR_TAMPER, b"", NOW, lives_s=lives_s)
    assert message.expires_at == expires_at


def test_the_commands_of_a_card_are_numbered_in_a_row() -> None:
    sequences = [
        command_message(ORIGIN, PROVED, MessageKind.CLEAR_TAMPER, b"", NOW, ahead=ahead).sequence
        for ahead in (1, 2, 3)
    ]
    assert sequences == [4, 5, 6]


def test_an_expiry_needs_an_elapsed_time() -> None:
    without = replace(PROVED, elapsed_ms=None)
    with pytest.raises(UsageError, match="give --port"):
        command_message(ORIGIN, without, MessageKind.CLEAR_TAMPER, b"", NOW, lives_s=1)


def test_the_last_sequence_may_be_used_and_no_further_one(journal: Journal) -> None:
    last = replace(PROVED, credit_sequence=LAST_SEQUENCE - 1, command_sequence=LAST_SEQUENCE - 1)
    kind = MessageKind.CREDIT
    assert credit_message(journal, last, kind, 1, NOW).sequence == LAST_SEQUENCE
    command = MessageKind.CLEAR_TAMPER
    assert command_message(ORIGIN, last, command, b"", NOW).sequence == LAST_SEQUENCE
    used_up = replace(PROVED, credit_sequence=LAST_SEQUENCE, command_sequence=LAST_SEQUENCE)
    with pytest.raises(NotPermittedError, match="used up"):
        credit_message(journal, used_up, kind, 1, NOW)
    with pytest.raises(NotPermittedError, match="used up"):
        command_message(ORIGIN, used_up, command, b"", NOW)


@pytest.mark.parametrize("state", list(AccountState))
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (MessageKind.OPEN, AccountState.UNOPENED),
        (MessageKind.CREDIT, AccountState.OPEN),
        (MessageKind.REFUND, AccountState.OPEN),
        (MessageKind.DEBT, AccountState.OPEN),
        (MessageKind.CLOSE, AccountState.OPEN),
        (MessageKind.VOID, None),
        (MessageKind.LIMITS, None),
    ],
)
def test_a_message_that_the_account_state_refuses_is_not_sealed(
    kind: MessageKind, wanted: AccountState | None, state: AccountState
) -> None:
    meter = replace(PROVED, account_state=state)
    if wanted in (None, state):
        require_account(meter, kind)
    else:
        with pytest.raises(RefusedError, match="nothing was sealed"):
            require_account(meter, kind)


def test_an_open_entry_of_the_epoch_blocks_and_one_of_another_epoch_does_not(
    journal: Journal,
) -> None:
    entry = prepare(journal)
    with pytest.raises(NotPermittedError, match="still prepared") as caught:
        require_nothing_open(journal, METER, EPOCH)
    assert (caught.value.entry, caught.value.serial_number) == (entry.id, METER)
    require_nothing_open(journal, METER, EPOCH + 1)
    with pytest.raises(NotPermittedError):
        require_nothing_open(journal, METER)
    journal.settle(entry, EntryEvent.RECEIPT, 1)
    require_nothing_open(journal, METER)


@pytest.mark.parametrize(("kind", "command"), [("open", "account open"), ("credit", "topup")])
def test_a_refusal_for_a_sale_on_a_card_names_how_to_end_it(
    journal: Journal, kind: str, command: str
) -> None:
    entry = prepare(journal, kind=kind, card="c0ffee")
    with pytest.raises(NotPermittedError, match=r"carries 9\.00") as caught:
        require_nothing_open(journal, METER)
    assert voiding_command(entry) == f"meterctl {command} AMOUNT --void-card"
    assert voiding_command(entry) in str(caught.value)


def test_a_sale_on_a_card_is_told_as_carried_until_its_card_was_erased(journal: Journal) -> None:
    entry = prepare(journal, card="c0ffee")
    assert on_card_text(entry) == "card c0ffee carries 9.00 (journal entry 1, sequence 7)"
    erased = replace(entry, state=EntryState.UNKNOWN)
    assert on_card_text(erased).startswith("card c0ffee carried 9.00")


@pytest.mark.parametrize(("version", "allowed"), [(1, True), (2, False)])
def test_nothing_raises_the_key_version_above_that_of_an_open_entry(
    journal: Journal, version: int, allowed: bool
) -> None:
    entry = prepare(journal)
    meter = replace(PROVED, sealing_version=version)
    require_key_version(journal, meter, spared=entry)
    if allowed:
        require_key_version(journal, meter)
    else:
        with pytest.raises(NotPermittedError, match="would make journal entry 1"):
            require_key_version(journal, meter)


def test_an_entered_message_is_sealed_under_its_class_key_and_in_the_journal(
    journal: Journal,
) -> None:
    message = credit_message(journal, PROVED, MessageKind.CREDIT, 900, NOW)
    entry = enter(journal, RING, message, NOW, card="c", reference="key", void_of=0)
    assert journal.entries() == [entry]
    assert entry.sealed == message
    verify(entry.message, derive_meter_keys(MASTER, METER, 2).credit)
    assert (entry.state, entry.reference) == (EntryState.ON_CARD, "key")
    assert (entry.origin, entry.created) == (message.origin, NOW)
