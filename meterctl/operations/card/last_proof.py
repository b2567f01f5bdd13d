"""The state of a card's meter without a port: its write-back, or the journal's last proof."""

from __future__ import annotations

from dataclasses import replace

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry
from meterctl.operations.card.case import Case
from meterctl.operations.card.rules import require_bound
from meterctl.operations.status import ProvedMeter
from protocols.card.write_back import WriteBack
from protocols.data_model.words import AccountState
from protocols.errors import MalformedMessageError
from protocols.sealed_message import MessageKind, Receipt
from protocols.sealed_status import SealedStatus


def where_it_stands(case: Case) -> ProvedMeter:
    """Return the state of a card's meter: its write-back or the journal's last proof.

    The one with the higher credit sequence counts, with the higher command sequence of the two.

    Raises:
        NotPermittedError: there is neither, or the write-back is of a storage that the meter no
            longer has.
    """
    meter, back = require_bound(case).meter, case.back
    of_journal = meter_of_journal(case, meter)
    if back is None and of_journal is None:
        raise NotPermittedError(
            f"card {case.serial}: the credit sequence of meter {meter} is not known; insert "
            f"the card into it first, or give --port to ask the meter. Nothing was sold",
            serial_number=meter,
        )
    if back is None:
        assert of_journal is not None
        return of_journal
    written = _meter_of_write_back(case, back)
    if of_journal is None:
        return written
    if of_journal.epoch != back.epoch:
        _require_current(case, back, of_journal.epoch)
        return written
    further = max(written, of_journal, key=lambda proved: proved.credit_sequence)
    command_sequence = max(written.command_sequence, of_journal.command_sequence)
    return replace(further, command_sequence=command_sequence)


def meter_of_journal(case: Case, meter: str) -> ProvedMeter | None:
    """Return the state of a meter by the journal's last proof and the sales confirmed since."""
    proved = case.journal.proofs.newest(meter)
    if proved is None or not proved.epoch:
        return None
    based = _meter_of_proof(case, proved.proof)
    above = based.credit_sequence if based is not None else 0
    for entry in reversed(case.journal.confirmed(meter, proved.epoch, above)):
        later = _meter_of_receipt(case, entry, proved.epoch, based)
        if later is not None:
            based = later
            break
    if based is None:
        return None
    return replace(based, credit_sequence=max(proved.sequence, based.credit_sequence))


def _meter_of_receipt(
    case: Case, entry: Entry, epoch: int, before: ProvedMeter | None
) -> ProvedMeter | None:
    """Return the state of a meter after an entry with a receipt; None where that proves nothing."""
    message = entry.sealed
    if message is None or not entry.receipt:
        return None
    version = Receipt.decode(entry.receipt).key_version
    if message.kind is MessageKind.VOID or not _proves(case, entry.meter, version):
        return None
    return ProvedMeter(
        entry.meter,
        epoch,
        entry.sequence,
        before.command_sequence if before else 0,
        AccountState.CLOSED if message.kind is MessageKind.CLOSE else AccountState.OPEN,
        message.account_unit,
        message.customer_number,
        _sealing_version(case, entry.meter, version),
    )


def _meter_of_proof(case: Case, proof: bytes) -> ProvedMeter | None:
    """Return the state of a meter from a stored proof, a status or a write-back."""
    if not proof:
        return None
    if len(proof) != SealedStatus.SIZE:
        back = WriteBack.decode(proof)
        proves = _proves(case, back.meter_digits, back.key_version)
        return _meter_of_write_back(case, back) if proves else None
    try:
        status = SealedStatus.decode(proof)
    except MalformedMessageError:
        return None
    if not _proves(case, status.serial_number, status.key_version):
        return None
    sealing = _sealing_version(case, status.serial_number, status.current_version)
    return ProvedMeter.of(status, sealing)


def _meter_of_write_back(case: Case, back: WriteBack) -> ProvedMeter:
    return ProvedMeter(
        back.meter_digits,
        back.epoch,
        back.credit_sequence,
        back.command_sequence,
        AccountState(back.account_state),
        back.account_unit,
        back.customer_digits,
        _sealing_version(case, back.meter_digits, back.meter_key_version),
    )


def _proves(case: Case, meter: str, version: int) -> bool:
    """Return whether a proof under a key version still counts: not retired, not passed."""
    return case.ring.may_use(version, case.journal.proofs.floor(meter))


def _sealing_version(case: Case, meter: str, current: int) -> int:
    """Return the current version where it may be used, else the lowest usable one above it."""
    floor = case.journal.proofs.floor(meter)
    usable = [version for version in case.ring.usable(floor) if version >= current]
    if not usable:
        raise NotPermittedError(
            f"meter {meter}: its key version {current} may not be used by this key ring, "
            f"nor one above it; nothing was "
            f"sealed",
            serial_number=meter,
        )
    return min(usable)


def _require_current(case: Case, back: WriteBack, epoch: int) -> None:
    """Refuse a write-back of an old storage, if the journal has a proof of a later one."""
    if not case.journal.last_sequence(back.meter_digits, back.epoch):
        return
    raise NotPermittedError(
        f"card {case.serial}: its write-back is of epoch {back.epoch:08x}, and meter "
        f"{back.meter_digits} has a "
        f"new storage since ({epoch:08x}): insert the card first. Nothing was sold",
        serial_number=back.meter_digits,
    )
