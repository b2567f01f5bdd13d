"""Issuing a card: its keys, the replacement of a lost card, a service card."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, Journal
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.last_proof import meter_of_journal
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.port import plan_with_port
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.rules import require_known, require_nothing_owed, require_unbound
from meterctl.operations.card.writing import Bound, bind, bound_to, handing_over, write
from meterctl.operations.sealing import host_second, require_nothing_open
from meterctl.operations.status import ProvedMeter
from protocols.card.apdu import StatusWord
from protocols.card.files import CardType
from protocols.card.issuing import give_keys, rewrite_keys
from protocols.card.keys import KeyReference, derive_card_keys, meter_access_of
from protocols.errors import CardRefusedError
from protocols.quantities import CENT, format_money
from protocols.sealed_message import ANY_CUSTOMER, MessageKind

# ---- keys


def plan_format(
    presented: PresentedCard, journal: Journal, *, again: bool = False
) -> Planned[None]:
    """Plan to write the keys of this ring to a blank card.

    Args:
        again: write its keys to an issued card again, which unblocks them.

    Raises:
        NotPermittedError: it has keys already, or is not one of this ring's.
    """
    if presented.selected.issued and again:
        return Planned("write its keys again", lambda: _rewrite_keys(presented, journal))
    if presented.selected.issued:
        raise NotPermittedError(
            f"card {presented.serial}: it is formatted already; --again writes its keys "
            f"again and keeps its contents. Nothing was changed"
        )
    if journal.has_audited("card_formatted", presented.serial):
        presented.tell(
            f"card {presented.serial}: this journal has formatted a card of this serial number "
            f"before; it cannot distinguish the two cards"
        )
    version = presented.ring.newest
    keys = derive_card_keys(presented.ring.master(version), presented.selected.serial, version)

    def carry_out() -> None:
        presented.write(
            give_keys(presented.terminal, keys, version),
            "it may have some of its keys: format it again",
        )
        journal.audit("card_formatted", presented.now(), card=presented.serial)

    return Planned("write its keys", carry_out)


def _rewrite_keys(presented: PresentedCard, journal: Journal) -> None:
    identity = presented.play(presented.terminal.read_identity())
    access = None
    if identity is not None:
        master = presented.ring.master(identity.key_version)
        key = meter_access_of(
            master, identity.meter, presented.selected.serial, identity.key_version
        )
        access = key, identity.key_version
    version = presented.selected.vendor_version
    keys = presented.keys
    try:
        presented.play(presented.terminal.authenticate(KeyReference.ISSUING, keys.issuing))
    except NotPermittedError as error:
        refused = error.__cause__
        if (
            isinstance(refused, CardRefusedError)
            and refused.status == StatusWord.AUTHENTICATION_BLOCKED
        ):
            raise NotPermittedError(
                f"card {presented.serial}: its issuing key is blocked, so it takes no keys any "
                f"more; `card replace` issues another card to its customer. Nothing was changed"
            ) from error
        raise
    writing = rewrite_keys(presented.terminal, keys, version, access)
    presented.write(writing, "it may have some of its keys: the same command again")
    journal.audit("card_keys_renewed", presented.now(), card=presented.serial)


# ---- a replacement for a lost card


@dataclass(frozen=True, slots=True)
class _Replacement:
    """The contents of a replacement card; `carried` is the open sale that moves to it."""

    bound: Bound
    carried: Entry | None
    message: bytes
    card_type: CardType


def plan_replacement(case: Case, meter: str) -> Planned[Entry | None]:
    """Plan a card in place of a customer's lost one, with the sale that the lost one carries.

    Both cards carry identical bytes, so the meter accepts them once. A sale that is settled is not
    carried by a card again.

    Raises:
        NotPermittedError: the meter's account is not known.
    """
    return plan_with_port(case, lambda case: _plan_replacement(case, meter), before_reading=meter)


def _plan_replacement(case: Case, meter: str) -> Planned[Entry | None]:
    asked = case.ask(meter) if case.ask is not None else None
    identity = case.identity
    if identity is not None and identity.meter != meter:
        raise NotPermittedError(
            f"card {case.serial}: it is bound to meter {identity.meter}; erase it first",
            serial_number=identity.meter,
        )
    compare(case)
    require_known(case)
    require_nothing_owed(case, meter)
    new = _replacement(case, meter, asked)
    amount = (
        f" with {format_money(new.carried.amount * CENT)} (journal entry {new.carried.id})"
        if new.carried
        else ""
    )
    text = f"customer {new.bound.customer}, meter {meter}: {new.card_type.word} card{amount}"
    return Planned(text, lambda: _replace(case, new))


def _replacement(case: Case, meter: str, asked: ProvedMeter | None) -> _Replacement:
    """Return the contents of a replacement card, from the meter on the port or the journal.

    A card without an open sale gets the bytes of the last one: the meter answers them with its
    receipt, and so does not accept them again.
    """
    journal = case.journal
    living = [e for e in journal.open_entries(meter) if asked is None or e.lives_in(asked.epoch)]
    if any(not entry.card for entry in living):
        require_nothing_open(journal, meter)
    carried = living[-1] if living else None
    last = carried or journal.newest_confirmed(meter)
    bound = _binding(case, meter, asked, last)
    if carried is not None:
        opens = carried.kind == MessageKind.OPEN.word
        card_type = CardType.OPEN if opens else CardType.REPLACEMENT
        return _Replacement(bound, carried, carried.message, card_type)
    again = last is not None and last.kind == MessageKind.CREDIT.word and not last.is_former
    message = last.message if last is not None and again else b""
    return _Replacement(bound, None, message, CardType.REPLACEMENT)


def _binding(case: Case, meter: str, asked: ProvedMeter | None, last: Entry | None) -> Bound:
    """Return the binding of a replacement card, later than that of every card before it."""
    issued_at = max(case.now(), case.journal.last_time(meter) + 1)
    if asked is not None:
        return _bound_to_meter(asked, issued_at)
    message = last.sealed if last is not None else None
    if message is None:
        asked = meter_of_journal(case, meter)
    if asked is not None:
        return _bound_to_meter(asked, issued_at)
    if message is None:
        raise NotPermittedError(
            f"meter {meter}: the journal knows no account of it; give --port to ask the meter",
            serial_number=meter,
        )
    return bound_to(message, issued_at)


def _bound_to_meter(meter: ProvedMeter, issued_at: int) -> Bound:
    return Bound(
        meter.serial_number,
        meter.customer_number,
        meter.account_unit,
        meter.sealing_version,
        host_second(issued_at),
    )


def _replace(case: Case, new: _Replacement) -> Entry | None:
    entry = None
    if new.carried is not None:
        entry = case.journal.move_to_card(new.carried, case.serial, case.now())
    with handing_over(case, "the card may be bound or not: the same command again"):
        bind(case, new.bound)
        write(case, new.card_type, new.message)
        case.audit("card_replaced", meter=new.bound.meter, amount=entry.amount if entry else 0)
    return entry


# ---- a service card


def plan_service(case: Case, meter: str) -> Planned[None]:
    """Plan a service card: it carries no credit and brings back the state of a meter."""
    require_unbound(case)
    require_known(case)
    require_nothing_owed(case, "")
    bound = Bound(meter, ANY_CUSTOMER, 0, case.ring.newest, host_second(case.now()))

    def carry_out() -> None:
        with handing_over(
            case, "the card may be bound or not: erase it, and give the same command again"
        ):
            bind(case, bound)
            write(case, CardType.SERVICE, b"")
            case.audit("service_card", meter=meter)

    return Planned(f"service card of meter {meter}", carry_out)
