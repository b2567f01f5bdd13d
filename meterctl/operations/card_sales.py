"""Card sales at a vending point: planned after every check has passed, then carried out.

A sale is in the journal, as `on_card`, before its first byte is on the card. If the card is pulled
in between, the same command with the same amount finishes that sale: the identical bytes are
written again, and no second sale is made. With a sale key (`reference`) that holds for ever;
without one, only until the sale was consumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from meterctl.errors import NotPermittedError, RefusedError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card_rules import (
    AskMeter,
    carried_by,
    require_bound,
    require_in_use,
    require_known,
    require_named,
    require_takeable,
    require_unbound,
    with_port,
)
from meterctl.operations.card_writing import Planned, bind_and_write, bound_to, handing_over
from meterctl.operations.credit import known_sale
from meterctl.operations.presented_card import CardFiles, PresentedCard
from meterctl.operations.sealing import (
    credit_message,
    enter,
    on_card_text,
    opening_for_any_epoch,
    require_account,
    require_key_version,
    require_nothing_open,
    voiding_command,
)
from meterctl.operations.status import ProvedMeter
from meterctl.session import Session
from protocols.card.files import CardType
from protocols.card.write_back import WriteBack
from protocols.data_model.words import AccountState, account_unit_text
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_message import (
    LAST_SEQUENCE,
    MessageKind,
    Outcome,
    Receipt,
    SealedMessage,
    code_of,
)
from protocols.sealed_status import SealedStatus

NEAR_THE_END = LAST_SEQUENCE - 1000
"""A sale above it warns that the sequences run out; only a new epoch provides more."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale on a card.

    `finished`: an interrupted sale was completed, no new one was made. `before`: the sale of this
    key was made earlier, nothing was done.
    """

    entry: Entry
    finished: bool = False
    before: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """A requested opening; amount in 0.01."""

    meter: str
    customer: str
    cents: int
    unit: int


def plan_opening(
    presented: PresentedCard,
    journal: Journal,
    meter: str,
    customer: str,
    cents: int,
    unit: int,
    *,
    again: bool = False,
    session: Session | None = None,
    reference: str = "",
) -> Planned[Sold]:
    """Plan an opening card for a meter that was never read: epoch 0, sequence 1.

    Args:
        session: a port to the meter, if there is one: then the card is for its epoch and its next
            sequence.
        again: the meter has a new storage; an account in the journal is no obstacle.
        reference: the sale key; a second opening under it is the first one.

    Raises:
        NotPermittedError: a rule of the card or the journal is not met.
    """
    wanted = Opening(meter, customer, cents, unit)

    def plan(ask: AskMeter | None) -> Planned[Sold]:
        return _plan_opening(presented, journal, wanted, ask, again=again, reference=reference)

    return plan(None) if session is None else with_port(session, journal, plan)


def _plan_opening(
    presented: PresentedCard,
    journal: Journal,
    wanted: Opening,
    ask: AskMeter | None,
    *,
    again: bool,
    reference: str,
) -> Planned[Sold]:
    card_files = presented.read(journal)
    if reference and (
        sold := sold_before(journal, reference, MessageKind.OPEN, wanted.cents, wanted.meter)
    ):
        return _nothing_to_do(sold)
    presented.compare(journal, card_files)
    mine = carried_by(presented, journal, wanted.meter)
    if mine is not None:
        if mine.reference != reference:
            raise NotPermittedError(
                f"meter {wanted.meter}: {on_card_text(mine)}, unconsumed; nothing was sold"
            )
        if reference and _is_whole(card_files, mine):
            return _nothing_to_do(Sold(mine, before=True))
        return _plan_to_finish(presented, journal, card_files, mine, CardType.OPEN, wanted)
    require_unbound(presented, card_files)
    require_known(presented, journal, card_files)
    asked = ask(wanted.meter) if ask is not None else None
    if ask is None and not again:
        asked = meter_of_journal(presented.ring, journal, wanted.meter)
    require_nothing_open(journal, wanted.meter)
    if journal.newest_confirmed(wanted.meter) is not None and not again:
        raise NotPermittedError(
            f"meter {wanted.meter}: the journal knows its account already; `card "
            f"replace` gives it a card, --again "
            f"opens a meter with a new storage. Nothing was sold"
        )
    if asked is None and not again and journal.is_spent(wanted.meter):
        raise NotPermittedError(
            f"meter {wanted.meter}: its sequence 1 is used, so it would refuse an opening card "
            f"sealed without its status; give --port to ask the meter. Nothing was sold"
        )
    if asked is not None:
        require_account(asked, MessageKind.OPEN)
        if asked.account_unit != wanted.unit:
            raise NotPermittedError(
                f"meter {wanted.meter}: its unit is "
                f"{account_unit_text(asked.account_unit)}; no opening card in "
                f"{account_unit_text(wanted.unit)} was sold"
            )

    def make() -> SealedMessage:
        if asked is not None:
            kind, customer = MessageKind.OPEN, wanted.customer
            return credit_message(journal, asked, kind, wanted.cents, presented.now(), customer)
        return opening_for_any_epoch(
            journal,
            wanted.meter,
            wanted.cents,
            wanted.unit,
            wanted.customer,
            _newest(presented, journal, wanted.meter),
            presented.now(),
        )

    journal.limits.hold(
        presented.ring.limit(), wanted.meter, presented.serial, wanted.cents, presented.now()
    )
    text = (
        f"customer {wanted.customer}, meter {wanted.meter}: open the account with "
        f"{format_money(wanted.cents * CENT)} "
        f"{account_unit_text(wanted.unit)}"
    )
    return Planned(
        text,
        lambda: _sell(
            presented, journal, card_files, CardType.OPEN, make(), binds=True, reference=reference
        ),
    )


def _newest(presented: PresentedCard, journal: Journal, meter: str) -> int:
    """Return the ring's newest usable key version; raises NotPermittedError if there is none."""
    usable = presented.ring.usable(journal.proofs.floor(meter))
    if not usable:
        raise NotPermittedError(
            f"meter {meter}: no key version of this ring may be used for it; nothing was sealed"
        )
    return usable[0]


def plan_sale(
    presented: PresentedCard,
    journal: Journal,
    cents: int,
    session: Session | None = None,
    reference: str = "",
    payee: str | None = None,
) -> Planned[Sold]:
    """Plan credit on a bound card, with the sequence after the meter's last accepted one.

    Args:
        reference: the sale key; a second sale under it is the first one.
        payee: the meter that --meter names; a card of another one is refused.

    Raises:
        NotPermittedError: the last sale is unconsumed, or card, meter and journal do not agree.
        UsageError: the key is known with another amount, kind or meter.
    """

    def plan(ask: AskMeter | None) -> Planned[Sold]:
        return _plan_sale(presented, journal, cents, ask, reference, payee)

    return plan(None) if session is None else with_port(session, journal, plan)


def _plan_sale(
    presented: PresentedCard,
    journal: Journal,
    cents: int,
    ask: AskMeter | None,
    reference: str,
    payee: str | None,
) -> Planned[Sold]:
    card_files = presented.read(journal)
    identity = require_bound(presented, card_files)
    require_named(presented, identity.meter, payee)
    sold = sold_before(journal, reference, MessageKind.CREDIT, cents, identity.meter)
    if sold is None and presented.compare(journal, card_files):
        sold = sold_before(journal, reference, MessageKind.CREDIT, cents, identity.meter)
    if sold is not None:
        return _nothing_to_do(sold)
    require_in_use(presented, journal, card_files, identity.meter)
    mine = carried_by(presented, journal, identity.meter)
    if mine is not None:
        require_takeable(presented, card_files, mine)
        if (mine.amount, mine.reference) != (cents, reference):
            raise NotPermittedError(
                f"meter {identity.meter}: {on_card_text(mine)}, unconsumed; nothing was sold"
            )
        if reference and _is_whole(card_files, mine):
            return _nothing_to_do(Sold(mine, before=True))
        return _plan_to_finish(presented, journal, card_files, mine, _type_of_sale(card_files))
    require_known(presented, journal, card_files)
    meter = (
        ask(identity.meter) if ask is not None else where_it_stands(presented, journal, card_files)
    )
    require_account(meter, MessageKind.CREDIT)
    if meter.customer_number != identity.customer:
        raise NotPermittedError(
            f"card {presented.serial}: it is customer {identity.customer}'s, the account "
            f"of meter {meter.serial_number} "
            f"is {meter.customer_number}'s"
        )
    require_nothing_open(journal, meter.serial_number, meter.epoch)
    require_key_version(journal, meter)
    if meter.credit_sequence >= LAST_SEQUENCE:
        raise NotPermittedError(
            f"meter {meter.serial_number}: its sequences are used up; it needs a new epoch"
        )
    journal.limits.hold(
        presented.ring.limit(), meter.serial_number, presented.serial, cents, presented.now()
    )
    back, kind = card_files.back, _type_of_sale(card_files)
    credit = (
        "" if back is None else f" (credit {format_money(back.credit)} when its card was last in)"
    )
    text = (
        f"customer {meter.customer_number}, meter {meter.serial_number}{credit}: sell "
        f"{format_money(cents * CENT)} "
        f"{account_unit_text(meter.account_unit)}"
    )

    def carry_out() -> Sold:
        message = credit_message(journal, meter, MessageKind.CREDIT, cents, presented.now())
        return _sell(
            presented, journal, card_files, kind, message, binds=False, reference=reference
        )

    return Planned(text, carry_out)


def open_account(
    presented: PresentedCard,
    journal: Journal,
    meter: str,
    customer: str,
    cents: int,
    unit: int,
    *,
    again: bool = False,
) -> Sold:
    """Sell an opening card: `plan_opening`, carried out."""
    return plan_opening(presented, journal, meter, customer, cents, unit, again=again).carry_out()


def sell(
    presented: PresentedCard,
    journal: Journal,
    cents: int,
    session: Session | None = None,
    reference: str = "",
) -> Sold:
    """Sell credit on a card: `plan_sale`, carried out."""
    return plan_sale(presented, journal, cents, session, reference).carry_out()


# ---- the state of a meter, without a port


def where_it_stands(
    presented: PresentedCard, journal: Journal, card_files: CardFiles
) -> ProvedMeter:
    """Return the state of a card's meter: its write-back or the journal's last proof.

    The one with the higher credit sequence counts, with the higher command sequence of the two.

    Raises:
        NotPermittedError: there is neither, or the write-back is of a storage that the meter no
            longer has.
    """
    meter, back = require_bound(presented, card_files).meter, card_files.back
    of_journal = meter_of_journal(presented.ring, journal, meter)
    if back is None and of_journal is None:
        raise NotPermittedError(
            f"card {presented.serial}: the credit sequence of meter {meter} is not known; insert "
            f"the card into it first, or give --port to ask the meter. Nothing was sold"
        )
    if back is None:
        assert of_journal is not None
        return of_journal
    written = _meter_of_write_back(presented.ring, journal, back)
    if of_journal is None:
        return written
    if of_journal.epoch != back.epoch:
        _require_current(presented, journal, back, of_journal.epoch)
        return written
    further = max(written, of_journal, key=lambda proved: proved.credit_sequence)
    command_sequence = max(written.command_sequence, of_journal.command_sequence)
    return replace(further, command_sequence=command_sequence)


def meter_of_journal(ring: KeyRing, journal: Journal, meter: str) -> ProvedMeter | None:
    """Return the state of a meter by the journal's last proof and the sales confirmed since."""
    proved = journal.proofs.newest(meter)
    if proved is None or not proved.epoch:
        return None
    based = _meter_of_proof(ring, journal, proved.proof)
    for entry in journal.confirmed(meter, proved.epoch):
        message = entry.sealed
        if (
            message is None
            or not entry.receipt
            or (based and entry.sequence <= based.credit_sequence)
        ):
            continue
        version = Receipt.decode(entry.receipt).key_version
        if message.kind is MessageKind.VOID or not _proves(ring, journal, meter, version):
            continue
        state = AccountState.CLOSED if message.kind is MessageKind.CLOSE else AccountState.OPEN
        command_sequence = based.command_sequence if based else 0
        based = ProvedMeter(
            meter,
            proved.epoch,
            entry.sequence,
            command_sequence,
            state,
            message.account_unit,
            message.customer_number,
            _sealing_version(ring, journal, meter, version),
        )
    return (
        replace(based, credit_sequence=max(proved.sequence, based.credit_sequence))
        if based
        else None
    )


def _meter_of_proof(ring: KeyRing, journal: Journal, proof: bytes) -> ProvedMeter | None:
    """Return the state of a meter from a stored proof, a status or a write-back."""
    if not proof:
        return None
    if len(proof) != SealedStatus.SIZE:
        back = WriteBack.decode(proof)
        proves = _proves(ring, journal, back.meter_digits, back.key_version)
        return _meter_of_write_back(ring, journal, back) if proves else None
    try:
        status = SealedStatus.decode(proof)
    except MalformedMessageError:
        return None
    if not _proves(ring, journal, status.serial_number, status.key_version):
        return None
    return ProvedMeter(
        status.serial_number,
        status.epoch,
        status.credit_sequence,
        status.command_sequence,
        status.account_state,
        status.account_unit,
        status.customer_number,
        _sealing_version(ring, journal, status.serial_number, status.current_version),
    )


def _meter_of_write_back(ring: KeyRing, journal: Journal, back: WriteBack) -> ProvedMeter:
    return ProvedMeter(
        back.meter_digits,
        back.epoch,
        back.credit_sequence,
        back.command_sequence,
        AccountState(back.account_state),
        back.account_unit,
        back.customer_digits,
        _sealing_version(ring, journal, back.meter_digits, back.meter_key_version),
    )


def _proves(ring: KeyRing, journal: Journal, meter: str, version: int) -> bool:
    """Return whether a proof under a key version still counts: not retired, not passed."""
    return ring.may_use(version, journal.proofs.floor(meter))


def _sealing_version(ring: KeyRing, journal: Journal, meter: str, current: int) -> int:
    """Return the current version where it may be used, else the lowest usable one above it."""
    usable = [version for version in ring.usable(journal.proofs.floor(meter)) if version >= current]
    if not usable:
        raise NotPermittedError(
            f"meter {meter}: its key version {current} may not be used by this key ring, "
            f"nor one above it; nothing was "
            f"sealed"
        )
    return min(usable)


def _require_current(
    presented: PresentedCard, journal: Journal, back: WriteBack, epoch: int
) -> None:
    """Refuse a write-back of an old storage, if the journal has a proof of a later one."""
    if not journal.last_sequence(back.meter_digits, back.epoch):
        return
    raise NotPermittedError(
        f"card {presented.serial}: its write-back is of epoch {back.epoch:08x}, and meter "
        f"{back.meter_digits} has a "
        f"new storage since ({epoch:08x}): insert the card first. Nothing was sold"
    )


# ---- carrying out


def _nothing_to_do(sold: Sold) -> Planned[Sold]:
    return Planned(
        f"sale {sold.entry.reference} was made before, nothing is to be done", lambda: sold
    )


def _sell(
    presented: PresentedCard,
    journal: Journal,
    card_files: CardFiles,
    card_type: CardType,
    message: SealedMessage,
    *,
    binds: bool,
    reference: str,
) -> Sold:
    entry = enter(
        journal,
        presented.ring,
        message,
        presented.now(),
        card=presented.serial,
        reference=reference,
        limit=presented.ring.limit(),
    )
    unchanged = (
        f"the sale is journal entry {entry.id}, and the card may carry it "
        f"or not: the same command with "
        f"the same amount finishes "
        f"it{'' if reference else ', as long as the card has not been in its meter'}"
    )
    with handing_over(presented, unchanged):
        bind_to = bound_to(message, presented.now()) if binds else None
        bind_and_write(presented, journal, card_type, entry.message, bind_to, card_files)
        journal.audit(
            "sold",
            presented.now(),
            meter=entry.meter,
            card=presented.serial,
            amount=entry.amount,
            detail=f"entry {entry.id}",
        )
    return Sold(entry)


def _plan_to_finish(
    presented: PresentedCard,
    journal: Journal,
    card_files: CardFiles,
    entry: Entry,
    card_type: CardType,
    wanted: Opening | None = None,
) -> Planned[Sold]:
    """Plan to complete an interrupted sale; refuse if the card carries it complete, unconsumed."""
    message = entry.sealed
    if message is None or entry.is_former:
        raise NotPermittedError(
            f"{on_card_text(entry)}: it is of the former message format, which no meter "
            f"takes any more. Nothing was "
            f"sold; end it: {voiding_command(entry)}, or meterctl journal resolve "
            f"{entry.id} --as refused"
        )
    if wanted is not None and (wanted.cents, wanted.customer) != (
        message.amount,
        message.customer_number,
    ):
        raise NotPermittedError(
            f"meter {entry.meter}: {on_card_text(entry)}, for customer {message.customer_number}"
        )
    credit = card_files.contents.credit
    require_takeable(presented, card_files, entry)
    if _is_whole(card_files, entry):
        raise NotPermittedError(
            f"meter {entry.meter}: {on_card_text(entry)}, unconsumed; nothing was sold"
        )
    if entry.kind == MessageKind.OPEN.word:
        card_type = CardType.OPEN
    elif credit is not None and credit.message == entry.message:
        card_type = credit.card_type
    require_known(presented, journal, card_files)
    text = (
        f"finish the interrupted sale of {format_money(entry.amount * CENT)} for meter "
        f"{entry.meter}"
    )
    return Planned(text, lambda: _finish(presented, journal, card_files, entry, message, card_type))


def _finish(
    presented: PresentedCard,
    journal: Journal,
    card_files: CardFiles,
    entry: Entry,
    message: SealedMessage,
    card_type: CardType,
) -> Sold:
    now = journal.entry(entry.id)
    if (now.state, now.card) != (EntryState.ON_CARD, presented.serial):
        raise NotPermittedError(
            f"journal entry {entry.id} was settled or moved meanwhile; nothing was written"
        )
    bound = bound_to(message, presented.now())
    with handing_over(
        presented, f"journal entry {entry.id} is still to be finished: the same command again"
    ):
        bind_and_write(presented, journal, card_type, entry.message, bound, card_files)
        journal.audit(
            "finished",
            presented.now(),
            meter=entry.meter,
            card=presented.serial,
            amount=entry.amount,
            detail=f"entry {entry.id}",
        )
    return Sold(entry, finished=True)


def _is_whole(card_files: CardFiles, entry: Entry) -> bool:
    """Return whether a card carries a sale completely, and its meter has not answered it."""
    contents = card_files.contents
    carried = (
        contents.identity is not None
        and contents.credit is not None
        and contents.credit.message == entry.message
    )
    return carried and contents.return_slots.newest is None


def sold_before(
    journal: Journal, reference: str, kind: MessageKind, cents: int, meter: str
) -> Sold | None:
    """Return the settled sale of a key; None for a new key or an open sale.

    Raises:
        UsageError: the key is known with another amount, kind or meter.
        RefusedError: that sale was refused: a new one needs a new key.
    """
    known = known_sale(journal, reference, kind, cents, meter)
    if known is not None and known.state is EntryState.REFUSED:
        raise RefusedError(
            f"sale {reference}: it was {known.outcome} (journal entry {known.id}); a new "
            f"sale needs a new key",
            outcome=known.outcome,
            serial_number=known.meter,
            entry=known.id,
        )
    return Sold(known, before=True) if known is not None and not known.is_open else None


def _type_of_sale(card_files: CardFiles) -> CardType:
    """Return the card type of a sale; a replacement card stays one until its meter has bound it."""
    credit, back = card_files.contents.credit, card_files.back
    replaces = credit is not None and credit.card_type in (CardType.REPLACEMENT, CardType.OPEN)
    unseen = back is None or bool(back.error)
    return CardType.REPLACEMENT if replaces and unseen else CardType.PURCHASE


def consumption(entry: Entry | None, card_files: CardFiles) -> str:
    """Return the state of the sale on a card: none, unconsumed, accepted, refused."""
    credit, back = card_files.contents.credit, card_files.back
    if credit is None or not credit.message:
        return "none"
    if entry is not None and entry.state is EntryState.CONFIRMED:
        return "accepted"
    if back is None or back.answered_code != code_of(credit.message):
        return "unconsumed"
    applied = back.outcome and Outcome(back.outcome).applied
    return "accepted" if applied else "refused"
