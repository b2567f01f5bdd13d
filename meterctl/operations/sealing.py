"""Seals messages, only from a proved meter (METER.md 8); an architecture test checks this.

Every message gets an origin: the journal number and its own random mark.
"""

from __future__ import annotations

from meterctl.errors import NotPermittedError, OpenEntryError, RefusedError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.key_ring import DailyLimit, KeyRing
from meterctl.operations.status import ProvedMeter
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, format_money
from protocols.sealed_message import LAST_SECOND, LAST_SEQUENCE, MessageKind, Origin, SealedMessage

_NEEDS: dict[MessageKind, AccountState] = {
    MessageKind.OPEN: AccountState.UNOPENED,
    MessageKind.CREDIT: AccountState.OPEN,
    MessageKind.REFUND: AccountState.OPEN,
    MessageKind.DEBT: AccountState.OPEN,
    MessageKind.CLOSE: AccountState.OPEN,
}
"""The account state that a message kind needs; a void is accepted in every state."""


def host_second(now: int) -> int:
    """Return the host's clock as an issue instant, limited to 4 unsigned bytes."""
    return min(max(now, 0), LAST_SECOND)


def require_account(meter: ProvedMeter, kind: MessageKind) -> None:
    """Raise RefusedError if the account's state does not permit the message; nothing is sealed."""
    wanted = _NEEDS.get(kind)
    if wanted is not None and meter.account_state is not wanted:
        raise RefusedError(
            f"meter {meter.serial_number}: its account is "
            f"{meter.account_state.name.lower()} and takes no {kind.word}; "
            f"nothing was sealed",
            serial_number=meter.serial_number,
        )


def require_nothing_open(journal: Journal, meter: str, epoch: int | None = None) -> None:
    """Refuse if an open entry could still be accepted: in one epoch of a meter, or in any.

    Raises:
        NotPermittedError: it says how to settle the entry.
    """
    for entry in journal.open_entries(meter):
        if epoch is None or entry.lives_in(epoch):
            refuse_for_open(entry)


def refuse_for_open(entry: Entry) -> None:
    """Raise NotPermittedError for an open entry; the text says how to settle it."""
    meter = entry.meter
    former = (
        ", of the former message format, which no meter accepts any more" if entry.is_former else ""
    )
    if entry.state is EntryState.ON_CARD:
        raise OpenEntryError(
            f"meter {meter}: {on_card_text(entry)}, unconsumed{former}; nothing was "
            f"sealed. Insert it, erase it "
            f"(meterctl card erase), void it ({voiding_command(entry)}), or settle it: "
            f"meterctl journal resolve "
            f"{entry.id}, or meterctl card read",
            serial_number=meter,
            entry=entry.id,
        )
    raise OpenEntryError(
        f"meter {meter}: journal entry {entry.id} ({entry.kind}, sequence "
        f"{entry.sequence}{former}) is still "
        f"{entry.state.value}; nothing was sealed. Settle it first: meterctl journal "
        f"resolve {entry.id}; "
        f"--as confirmed|refused closes it without proof",
        serial_number=meter,
        entry=entry.id,
    )


def voiding_command(entry: Entry) -> str:
    """Return the command that voids a sale on a card and sells it again by wire."""
    command = "account open" if entry.kind == MessageKind.OPEN.word else "topup"
    return f"meterctl {command} AMOUNT --void-card"


def require_key_version(journal: Journal, meter: ProvedMeter, spared: Entry | None = None) -> None:
    """Refuse a message that would raise the meter's key version above that of an open entry.

    That entry could not be accepted any more.

    Args:
        spared: the entry whose void is to be sealed.
    """
    for entry in journal.open_entries(meter.serial_number):
        if spared is not None and entry.id == spared.id:
            continue
        if entry.lives_in(meter.epoch) and entry.key_version < meter.sealing_version:
            raise NotPermittedError(
                f"meter {meter.serial_number}: a message under key version "
                f"{meter.sealing_version} would make journal "
                f"entry {entry.id} (version {entry.key_version}) invalid while it is "
                f"open; nothing was sealed. Settle "
                f"it first: meterctl journal resolve {entry.id}",
                serial_number=meter.serial_number,
                entry=entry.id,
            )


def credit_message(
    journal: Journal,
    meter: ProvedMeter,
    kind: MessageKind,
    amount: int,
    now: int,
    customer: str | None = None,
) -> SealedMessage:
    """Return a proved meter's next message of the credit class.

    `amount` in 0.01, `now` in s since 1970 UTC.

    Raises:
        NotPermittedError: its sequences are used up.
    """
    if meter.credit_sequence >= LAST_SEQUENCE:
        raise NotPermittedError(
            f"meter {meter.serial_number}: its sequences are used up; it needs a new epoch",
            serial_number=meter.serial_number,
        )
    return SealedMessage(
        kind,
        meter.serial_number,
        meter.epoch,
        meter.credit_sequence + 1,
        amount,
        meter.account_unit,
        meter.customer_number if customer is None else customer,
        host_second(now),
        key_version=meter.sealing_version,
        origin=journal.numbers.draw_origin(),
    )


def opening_for_any_epoch(
    journal: Journal,
    serial_number: str,
    amount: int,
    unit: int,
    customer: str,
    key_version: int,
    now: int,
) -> SealedMessage:
    """Return an opening for a meter that was never read: epoch 0, sequence 1."""
    return SealedMessage(
        MessageKind.OPEN,
        serial_number,
        0,
        1,
        amount,
        unit,
        customer,
        host_second(now),
        key_version=key_version,
        origin=journal.numbers.draw_origin(),
    )


def void_message(journal: Journal, meter: ProvedMeter, sequence: int, now: int) -> SealedMessage:
    """Return a void of a sequence that the meter has not reached."""
    return SealedMessage(
        MessageKind.VOID,
        meter.serial_number,
        meter.epoch,
        sequence,
        0,
        meter.account_unit,
        meter.customer_number,
        host_second(now),
        key_version=meter.sealing_version,
        origin=journal.numbers.draw_origin(),
    )


def command_message(
    origin: Origin,
    meter: ProvedMeter,
    kind: MessageKind,
    parameters: bytes,
    now: int,
    *,
    ahead: int = 1,
    lives_s: int | None = None,
) -> SealedMessage:
    """Return a command for a proved meter.

    Args:
        ahead: distance from the meter's command sequence; the commands of a card are numbered in a
            row.
        lives_s: lifetime in s of the meter's elapsed time after its status; None is unlimited.
    """
    if meter.command_sequence + ahead > LAST_SEQUENCE:
        raise NotPermittedError(
            f"meter {meter.serial_number}: its command sequences are used up; it needs a new epoch",
            serial_number=meter.serial_number,
        )
    expires = 0
    if lives_s is not None:
        if meter.elapsed_ms is None:
            raise UsageError(
                "an expiry needs the meter's elapsed time: give --port; nothing was sealed"
            )
        expires = min(meter.elapsed_ms // 1000 + lives_s, LAST_SECOND)
    return SealedMessage(
        kind,
        meter.serial_number,
        meter.epoch,
        meter.command_sequence + ahead,
        0,
        meter.account_unit,
        meter.customer_number,
        host_second(now),
        expires,
        parameters,
        meter.sealing_version,
        origin,
    )


def enter(
    journal: Journal,
    ring: KeyRing,
    message: SealedMessage,
    now: int,
    *,
    card: str = "",
    reference: str = "",
    limit: DailyLimit | None = None,
    void_of: int = 0,
) -> Entry:
    """Seal a message of the credit class and enter it in the journal before it is delivered."""
    sealed = message.seal(ring.meter_keys(message.serial_number, message.key_version).credit)
    return journal.prepare(
        message.serial_number,
        message.epoch,
        message.sequence,
        message.kind.word,
        message.amount,
        sealed,
        now,
        card=card,
        reference=reference,
        limit=limit,
        origin=message.origin,
        void_of=void_of,
    )


def on_card_text(entry: Entry) -> str:
    """Return a text about a sale that a card carries, or carried when it was erased."""
    amount = format_money(entry.amount * CENT)
    which = f"{amount} (journal entry {entry.id}, sequence {entry.sequence})"
    if entry.state is EntryState.ON_CARD:
        return f"card {entry.card} carries {which}"
    return f"card {entry.card} carried {which}, and its outcome is not known"
