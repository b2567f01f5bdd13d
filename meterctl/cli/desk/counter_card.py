"""A sale at the counter, looked at before money is taken for it: its card, or the keys here."""

from __future__ import annotations

import os
import re

from meterctl.cli.desk.desk_gateway import gateway_of, journal_of
from meterctl.cli.desk.signed_in import SignedIn
from meterctl.cli.output import say
from meterctl.errors import MeterctlError, NotPermittedError, UsageError
from meterctl.utility.errors import DeskError, Refused
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import (
    CardPlace,
    CreditKind,
    Gateway,
    MeterPlace,
    Problem,
    cause_at_desk,
    require_keys,
    require_ring_for,
    see_card,
)
from meterctl.utility.meters.leases import Leases, new_holder
from meterctl.utility.meters.readers import present_card
from meterctl.utility.meters.run_now import is_reader_served
from meterctl.utility.model.evidence import Request
from meterctl.utility.model.money import SaleKind
from meterctl.utility.rules.selling import CardAtCounter, require_fitting_card
from meterctl.utility.services import sale_lists
from meterctl.utility.services.sale_checks import Destination, destination

_UNCHANGED = re.compile(r"[;.] [Nn]othing was (?:changed|sealed|sent|sold|written)\.?")


def place_of_card(card: str | None, reader: str | None, unchanged: str) -> str | None:
    """Return where the card of a sale lies, None for a sale by wire; raises UsageError."""
    if card is not None and reader is not None:
        raise UsageError(f"give one of --card and --reader; {unchanged}")
    return os.path.abspath(card) if card else reader


def execution_of(desk: SignedIn, gateway: Gateway) -> Execution:
    """Return what carries out orders with the journal of a gateway, in this command."""
    worker = Leases(desk.database, new_holder()).worker_of(
        gateway.journal_number, str(gateway.journal_path)
    )
    return Execution(desk.database, gateway, worker)


def require_deliverable(
    desk: SignedIn, agreement: str, amount: int, card: str | None, unchanged: str
) -> None:
    """See that a sale could be carried out here, before money is taken for it.

    A port or a reader that a living worker serves is left to it: its keys are not ours. A command
    that was done before under its key is told again, whatever became of the card.

    Args:
        agreement: number of the agreement, of its point or of its meter.
        amount: 0.01.
        card: the file or the reader of its card; None for a sale by wire.

    Raises:
        UsageError: there is no such file or reader, or it holds no prepaid card.
        NoAnswerError: there is no card in the reader.
        NotPermittedError: keys that cannot seal it, or the card cannot take it.
        Refused, Conflict, NotPermitted: the books do not allow it, or the card does not fit.
    """
    if _was_done(desk):
        return
    with desk.reading() as session:
        to = destination(session, desk.actor, agreement)
    place = to.port if card is None else card
    if place is None or is_reader_served(desk.database, place):
        return
    try:
        if card is None:
            _require_wire(desk, to, amount, place)
        else:
            _require_card(desk, to, amount, card, unchanged)
    except DeskError:
        raise
    except MeterctlError as error:
        raise type(error)(f"{_UNCHANGED.sub('', cause_at_desk(error))}; {unchanged}") from error


def require_deliverable_again(
    desk: SignedIn,
    sale: str,
    agreement: str | None,
    amount: int | None,
    card: str | None,
    unchanged: str,
) -> None:
    """See that a sale could be sold again here, as `require_deliverable`.

    Args:
        sale: the one that is owed.
        agreement: of the new sale; None: its own. `amount` likewise.

    Raises:
        NotFound, Refused: there is no such sale, or nothing is owed for it; else as there.
    """
    if _was_done(desk):
        return
    with desk.reading() as session:
        own, owed = sale_lists.sold_again(session, desk.actor, sale)
    to = own if agreement is None else agreement
    require_deliverable(desk, to, owed if amount is None else amount, card, unchanged)


def _was_done(desk: SignedIn) -> bool:
    """Return whether the key that was given was used before."""
    key = desk.given.given_key
    if key is None:
        return False
    with desk.reading() as session:
        return session.get(Request, key) is not None


def _require_wire(desk: SignedIn, to: Destination, amount: int, url: str) -> None:
    """See that the key ring here can seal a sale that no worker will send now."""
    try:
        require_ring_for(desk.given.common.keys, url)
    except NotPermittedError as error:
        text = _UNCHANGED.sub("", str(error))
        raise NotPermittedError(
            f"{text}, or start `desk work` for it; no worker serves it now"
        ) from error
    _require_keys(desk, to, amount)


def _require_keys(desk: SignedIn, to: Destination, amount: int) -> None:
    """See that the key ring may seal for the meter, within its daily limit."""
    if not desk.given.dry_run or journal_of(desk).exists():
        require_keys(gateway_of(desk), to.serial, amount)


def _require_card(desk: SignedIn, to: Destination, amount: int, card: str, unchanged: str) -> None:
    """See that a card can take a sale; what its write-back proves is booked before."""
    place = CardPlace(card)
    seen = see_card(place, desk.given.common.keys)
    here = CardAtCounter(seen.card, seen.meter, seen.is_blank, seen.is_service)
    require_fitting_card(here, to.serial, to.agreement, opens=to.kind is SaleKind.OPEN)
    _require_keys(desk, to, amount)
    if desk.given.dry_run:
        return
    gateway = gateway_of(desk)
    presented = present_card(execution_of(desk, gateway), place)
    for notice in presented.notices:
        say(notice)
    if presented.problem is not Problem.NONE:
        raise Refused("card", f"{_UNCHANGED.sub('', presented.cause)}; {unchanged}")
    kind = CreditKind.OPEN if to.kind is SaleKind.OPEN else CreditKind.CREDIT
    meter = MeterPlace(to.serial, "")
    gateway.cards.rehearse(place, meter, desk.given.key, kind, amount, to.customer, epoch=to.epoch)
