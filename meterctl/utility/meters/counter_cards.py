"""Cards made at a counter: issued for a meter, in place of a lost one, erased.

What this does to a sale on a card is booked at once. A card that was pulled is finished by the same
call again.
"""

from __future__ import annotations

from sqlalchemy import select

from meterctl.errors import NotPermittedError
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import CardDone, CardPlace, CardSeen, MeterPlace, Problem
from meterctl.utility.meters.leases import Leases, new_holder
from meterctl.utility.meters.readers import settle
from meterctl.utility.model.metering import Meter, Port

_WITHOUT_WIRE = (Problem.NO_ANSWER, Problem.LOCAL, Problem.CORRUPT)
"""Problems of a wire, after which the journal's last proof of the meter is used."""


def prepare_card(execution: Execution, card: CardPlace, seen: CardSeen) -> CardDone:
    """Write the keys to a blank card; one that has them stays as it is."""
    if not seen.is_blank:
        return CardDone(True, seen.card)
    return execution.gateway.cards.format(card)


def bind_card(execution: Execution, card: CardPlace, seen: CardSeen, serial: str) -> CardDone:
    """Bind a card to a meter whose account is open, with the sale that its last card carries.

    The meter is asked where it has a wire that no worker holds; else its last proof counts.
    """
    done = prepare_card(execution, card, seen)
    if not done.is_done:
        return done
    done = _replaced(execution, card, serial)
    _book(execution, done)
    return done


def erase_card(execution: Execution, card: CardPlace) -> CardDone:
    """Erase a card; a sale on it that no meter is proved to have taken is unknown then."""
    done = execution.gateway.cards.erase(card)
    _book(execution, done)
    return done


def _replaced(execution: Execution, card: CardPlace, serial: str) -> CardDone:
    cards = execution.gateway.cards
    with execution.database.reading() as session:
        row = session.execute(
            select(Meter.unit, Port.id, Port.url, Port.protocol)
            .join(Port, Port.id == Meter.port_id)
            .where(Meter.serial == serial)
        ).one_or_none()
    if row is not None:
        protocol, _, map_name = row.protocol.partition("/")
        place = MeterPlace(serial, row.url, protocol, row.unit, map_name)
        with Leases(execution.database, new_holder()).kept_port(row.id) as is_taken:
            done = _by_wire(execution, card, place) if is_taken else None
        if done is not None and (done.is_done or done.problem not in _WITHOUT_WIRE):
            return done
    return cards.replace(card, MeterPlace(serial, ""))


def _by_wire(execution: Execution, card: CardPlace, place: MeterPlace) -> CardDone | None:
    """Bind a card with its meter on a wire; None where there is no key ring for the port."""
    try:
        with execution.gateway.wire(place.url) as wire:
            return execution.gateway.cards.replace(card, place, wire=wire)
    except NotPermittedError:
        return None


def _book(execution: Execution, done: CardDone) -> None:
    for outcome in done.outcomes:
        settle(execution, outcome)
